/*
 * updraft: the ports for the ESP8266 NONOS SDK (2.x, 3.x): flash, transport, clock, random, restart.
 *
 *     static struct upd_flash flash;
 *     static struct upd_port_net net;
 *     static uint8_t received[6000] __attribute__((aligned(4)));
 *     upd_port_flash_init(&flash, 4 * 1024 * 1024);
 *     upd_port_net_init(&net, received, sizeof received);
 *     ... &flash to upd_nonos_open(), &net.transport to the agent, upd_port_random too
 *     os_timer: sleep_ms = upd_agent_poll(&agent, upd_port_now_ms(&clock));
 *
 * All of it is called from tasks and timers, never from interrupts.
 *
 * TLS is refused with UPD_TROUBLE_NO_TLS: espconn_secure checks no name, and so cannot promise what
 * transport.h wants of a port.
 */
#ifndef UPD_PORT_NONOS_H
#define UPD_PORT_NONOS_H

#include <c_types.h>
#include <espconn.h>
#include <ip_addr.h>

#include <updraft/flash.h>
#include <updraft/transport.h>

/** Fill in the port. @param size  bytes of the chip, as the flash map has it */
void upd_port_flash_init(struct upd_flash *flash, uint32_t size);

/** Milliseconds from the first call on. All zero at first; to be asked once an hour at the least. */
struct upd_port_clock {
    uint32_t last_us;
    uint32_t part_us;
    uint32_t ms;
};
uint32_t upd_port_now_ms(struct upd_port_clock *clock);

/** upd_agent_config.random */
uint32_t upd_port_random(void *ctx);

/** After UPD_AGENT_RESTART and UPD_START_RESTART. Returns; the chip restarts soon. */
void upd_port_restart(void);

/** A connection. The caller's memory, which stays for ever: the SDK may call back late. */
struct upd_port_net {
    struct upd_transport transport; /* for the library */

    struct espconn connection;
    esp_tcp tcp;
    ip_addr_t address;
    char host[64];
    uint16_t port;
    uint8_t *buffer;
    uint32_t size;
    uint32_t start, end; /* bytes in it */
    enum upd_wire state;
    enum upd_trouble why;
    bool is_open; /* the SDK knows of the connection */
    bool is_over; /* ended; what waits in the buffer was received before */
    bool is_held; /* the peer is asked to wait */
    bool is_sending;
};

/**
 * @param buffer  for what was received, and not yet taken
 * @param size    its bytes: what may come after the peer was asked to wait, which is the SDK's TCP
 *                window of 4 x 1460 bytes. With less a download breaks off now and then, and goes on
 */
void upd_port_net_init(struct upd_port_net *net, uint8_t *buffer, uint32_t size);

#endif
