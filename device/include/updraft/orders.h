/*
 * updraft: a way for a server to order something of a device, beside being asked. A constant of
 * functions: upd_link_orders (link.h) is Espressif's channel.
 */
#ifndef UPDRAFT_ORDERS_H
#define UPDRAFT_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/protocol.h>

enum upd_order {
    UPD_ORDER_NONE,
    UPD_ORDER_UPDATE,  /* to `version` */
    UPD_ORDER_RESTART, /* into what was downloaded */
};

/** What the agent tells the server over such a channel. */
enum upd_tale {
    UPD_TALE_DOWNLOADED, /* asking.wanted is in flash, and verified */
    UPD_TALE_FAILED,     /* it is not: asking.report_why */
};

struct upd_orders {
    /**
     * Go on: connect, say who the device is, keep the channel alive.
     *
     * @param asking   what the device says of itself: identity and report
     * @param order    out: what was ordered, or NONE
     * @param version  out, with UPDATE
     * @return milliseconds that may pass before the next call, unless the transport has news
     */
    uint32_t (*poll)(void *ctx, const struct upd_asking *asking, uint32_t now_ms,
                     enum upd_order *order, char version[UPD_VERSION_SIZE]);
    /** Whether the server has answered who the device said it is, and has heard asking.report. */
    bool (*is_known)(const void *ctx);
    /** Tell; kept until it can be sent. */
    void (*tell)(void *ctx, enum upd_tale tale);
};

#endif
