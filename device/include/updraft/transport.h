/*
 * updraft: the transport port: one connection, of which no call waits. TLS is inside of the port:
 * whoever verifies certificates there is whom the library relies on.
 */
#ifndef UPDRAFT_TRANSPORT_H
#define UPDRAFT_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/trouble.h>

enum upd_wire {
    UPD_WIRE_CLOSED,  /* nothing was connected, or it was closed */
    UPD_WIRE_OPENING, /* name, TCP or TLS are on their way */
    UPD_WIRE_OPEN,
    UPD_WIRE_ENDED,  /* the peer ended it in good order, and all that came was received */
    UPD_WIRE_BROKEN, /* it did not come about, or broke; and all that came was received */
};

/**
 * One connection. The library has one at a time on each transport that it is given.
 *
 * What every port promises to the library:
 *   - No call waits: connect() begins, state() tells how far it is, send() and receive() do what
 *     can be done at once.
 *   - With `tls`, OPEN means that the peer has proved to be `host` by a certificate that the device
 *     trusts and whose time has come and not gone; with TLS 1.2 or newer. A port that cannot do so
 *     goes to BROKEN with a reason, UPD_TROUBLE_NO_TLS at the least. It never falls back.
 *   - With `tls`, a TCP connection that ends without TLS's own end mark is BROKEN, not ENDED.
 *   - Bytes come in order, each once, and as they were sent.
 *
 * What the library promises to every port:
 *   - `host` is a name or an address, NUL-terminated, of visible ASCII characters, an IPv6 address
 *     without brackets. It may be gone after connect() has returned.
 *   - send() and receive() are called in state OPEN, receive() also in ENDED and BROKEN.
 */
struct upd_transport {
    /** Begin a connection; an old one is closed. */
    void (*connect)(void *ctx, const char *host, uint16_t port, bool tls);
    /** @param why  out, never NULL: with BROKEN what broke it, else unchanged */
    enum upd_wire (*state)(void *ctx, enum upd_trouble *why);
    /** @return bytes taken, 0 when it can take none now */
    uint32_t (*send)(void *ctx, const void *data, uint32_t size);
    /** @return bytes received, 0 when there are none now */
    uint32_t (*receive)(void *ctx, void *data, uint32_t size);
    /** End the connection, if there is one. */
    void (*close)(void *ctx);
    void *ctx; /* handed back untouched; owned by the port */
};

#endif
