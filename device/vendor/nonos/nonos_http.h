/*
 * updraft: the download of system_upgrade_start(), over a transport: HEAD, erase, GET, check, as the
 * NONOS SDK 3.0 makes it, down to what it does with answers that it does not understand.
 *
 *     static struct upd_upgrade_http http;
 *     upd_upgrade_http_open(&http, &transport);
 *     config.start = upd_upgrade_http_start;  config.ctx = &http;       of struct upd_upgrade_config
 *     ... for ever: upd_upgrade_http_poll(&http, now_ms);
 *
 * What the SDK does in tasks and timers is done by poll(), one sector or one segment at a time. A
 * download that cannot go on is reported when check_times is over, and without check_cb never.
 *
 * Differences from the SDK's:
 *   - The CRC is taken from flash, where it lies; the SDK takes the last four bytes of the last TCP
 *     segment, and refuses good files whose last segment is shorter.
 *   - A request of 512 bytes or more is not sent; the SDK's overruns its buffer.
 *
 * Cost: the struct, 2 KiB: a segment and a request; stack below 350 bytes and the port's.
 */
#ifndef UPDRAFT_NONOS_HTTP_H
#define UPDRAFT_NONOS_HTTP_H

#include <updraft/transport.h>

#include "nonos_upgrade.h"

enum { UPD_UPGRADE_SEGMENT = 1460, UPD_UPGRADE_REQUEST = 512 };

/** The caller's memory; its fields are the module's own. */
struct upd_upgrade_http {
    const struct upd_transport *transport;
    struct upgrade_server_info *server;
    uint8_t state;
    bool asks_head; /* the request that is being sent is HEAD */
    bool has_head;  /* of the answer to GET */
    bool has_begun;
    uint32_t since_ms;   /* the start of all of it */
    uint32_t connect_ms; /* of this connection */
    uint32_t total;
    uint32_t received; /* bytes of the body */
    uint32_t erased;
    uint8_t first[4]; /* bytes of the body, until they tell what it is */
    uint32_t sent;    /* of the request */
    uint32_t request_size;
    char request[UPD_UPGRADE_REQUEST];
    char segment[UPD_UPGRADE_SEGMENT];
};

/** @param transport  must stay valid */
void upd_upgrade_http_open(struct upd_upgrade_http *http, const struct upd_transport *transport);

/** For upd_upgrade_config.start; @param ctx  the struct upd_upgrade_http */
void upd_upgrade_http_start(void *ctx, struct upgrade_server_info *server);

/** Go on. May call check_cb. @param now_ms  wraps */
void upd_upgrade_http_poll(struct upd_upgrade_http *http, uint32_t now_ms);

#endif
