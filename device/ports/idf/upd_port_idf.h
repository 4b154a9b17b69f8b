/*
 * updraft: the ports for ESP-IDF (5.x, 6.x) and, with UPD_PORT_RTOS defined, for the ESP8266 RTOS
 * SDK (3.x): flash, transport with TLS, clock, random, restart.
 *
 *     static struct upd_flash flash;
 *     static struct upd_port_net net;
 *     upd_port_flash_init(&flash, 4 * 1024 * 1024);
 *     upd_port_net_init(&net, ca_pem, ca_pem_size);
 *     ... &flash to upd_otadata_open(), &net.transport to the agent, upd_port_random too
 *     for (;;) vTaskDelay(pdMS_TO_TICKS(upd_agent_poll(&agent, upd_port_now_ms())));
 *
 * TLS is esp-tls: TLS 1.2 or newer with mbedTLS's configuration of the product, the peer's name
 * checked, and the time, where CONFIG_MBEDTLS_HAVE_TIME_DATE is set. Two things wait, for the time that
 * the SDK takes: a name is looked up within connect(), and a step of a TLS handshake is computed
 * within state().
 */
#ifndef UPD_PORT_IDF_H
#define UPD_PORT_IDF_H

#include <esp_tls.h>

#include <updraft/flash.h>
#include <updraft/transport.h>

/** Fill in the port. @param size  bytes of the chip */
void upd_port_flash_init(struct upd_flash *flash, uint32_t size);

/** Milliseconds since the start; wraps. */
uint32_t upd_port_now_ms(void);

/** upd_agent_config.random */
uint32_t upd_port_random(void *ctx);

/** After UPD_AGENT_RESTART and UPD_START_RESTART. */
void upd_port_restart(void);

/** A connection. The caller's memory. */
struct upd_port_net {
    struct upd_transport transport; /* for the library */

    esp_tls_cfg_t trust;
    esp_tls_t *tls; /* NULL: plain, or closed */
    int socket;     /* plain; -1: none */
    char host[128]; /* esp-tls wants it at each step */
    uint16_t port;
    enum upd_wire state;
    enum upd_trouble why;
};

/**
 * @param ca_pem       certificates of the authorities that the device trusts, with their NUL; stay
 *                     valid. NULL: a device without TLS
 * @param ca_pem_size  bytes, the NUL among them
 */
void upd_port_net_init(struct upd_port_net *net, const char *ca_pem, uint32_t ca_pem_size);

#endif
