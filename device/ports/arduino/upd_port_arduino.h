/*
 * updraft: the ports for the Arduino core of the ESP8266: flash, transport with TLS, clock, random,
 * restart.
 *
 *     static struct upd_flash flash;
 *     static UpdPortNet net;
 *     updPortFlashInit(&flash, ESP.getFlashChipRealSize());
 *     net.begin(&plainClient, &secureClient);    a WiFiClient; a BearSSL::WiFiClientSecure, or NULL
 *     ... &flash to upd_eboot_open(), &net.transport to the agent, updPortRandom too
 *     void loop() { upd_agent_poll(&agent, updPortNowMs()); }
 *
 * The secure client must have its trust anchors and the time: setTrustAnchors(), configTime(). One that
 * was told setInsecure() breaks what transport.h promises.
 *
 * The core's clients differ from what a port promises in two ways: connect() waits, for at most the
 * client's time-out; and they do not tell TLS's own end from that of TCP, so that every end of a TLS
 * connection is BROKEN here. Servers that state a length, or send chunks, are not affected.
 */
#ifndef UPD_PORT_ARDUINO_H
#define UPD_PORT_ARDUINO_H

#include <Arduino.h>
#include <Client.h>

/* C has structs and functions of one name; to C++ that is a constructor that is hidden. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include <updraft/flash.h>
#include <updraft/transport.h>
}
#pragma GCC diagnostic pop

/** Fill in the port. @param size  bytes of the chip */
void updPortFlashInit(struct upd_flash *flash, uint32_t size);

uint32_t updPortNowMs();
/** upd_agent_config.random */
extern "C" uint32_t updPortRandom(void *ctx);
void updPortRestart();

class UpdPortNet
{
  public:
    /** @param secure  NULL: a device without TLS. Both stay valid */
    void begin(Client *plain, Client *secure);

    struct upd_transport transport; /* for the library */

  private:
    static void connect(void *ctx, const char *host, uint16_t port, bool tls);
    static enum upd_wire state(void *ctx, enum upd_trouble *why);
    static uint32_t send(void *ctx, const void *data, uint32_t size);
    static uint32_t receive(void *ctx, void *data, uint32_t size);
    static void close(void *ctx);

    Client *_plain;
    Client *_secure;
    Client *_client; /* of the two, the one that is connected */
    enum upd_wire _state;
    enum upd_trouble _why;
};

#endif
