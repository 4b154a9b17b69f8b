/*
 * The network, as the clock needs it: one TCP connection at a time, to the update server, of which
 * no call ever waits. Porting the clock to another network is writing these five functions.
 */
#ifndef CLOCK_NET_H
#define CLOCK_NET_H

#include <stdint.h>

enum net_state {
    NET_CLOSED,
    NET_OPENING,
    NET_OPEN,
    NET_ENDED, /* by the other end, or never reached; and all that came has been received */
};

struct net {
    /** Begin a connection; an old one is dropped. */
    void (*open)(void *ctx);
    enum net_state (*state)(void *ctx);
    /** @return bytes taken, 0 when it can take none now */
    uint32_t (*send)(void *ctx, const void *data, uint32_t size);
    /** @return bytes received, 0 when there are none now */
    uint32_t (*receive)(void *ctx, void *data, uint32_t size);
    void (*close)(void *ctx);
    void *ctx; /* handed back untouched; owned by the port */
};

#endif
