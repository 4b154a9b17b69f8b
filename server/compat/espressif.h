/*
 * updraftd: Espressif's cloud of 2014 to 2018, for its firmware, its AT firmware and its apps.
 *
 *     espressif_link.c   what devices say on the device link, and what they are told
 *     espressif_http.c   /v1/…: ROM download, rpc to devices, keys, users
 *
 * No policy: who gets what, and when, is the fleet's answer.   Format:
 * docs/formats/espressif-link.md
 */
#ifndef UPDRAFT_SERVER_COMPAT_ESPRESSIF_H
#define UPDRAFT_SERVER_COMPAT_ESPRESSIF_H

#include "api/api.h"
#include "fleet/fleet.h"
#include "http/http.h"
#include "link/link.h"

struct espressif;

/**
 * Start the device link, and a thread that tells linked devices of a new current release.
 *
 * @param options  all zero: no link; the routes work without
 * @return NULL    `why` (LINK_WHY_SIZE) says what to do
 */
struct espressif *espressif_open(struct fleet *fleet, const struct link_options *options,
                                 char *why);
/** The server stops: requests that wait for a device are answered now. NULL: nothing. */
void espressif_stop_waiting(struct espressif *espressif);
/** NULL: nothing. */
void espressif_close(struct espressif *espressif);
/** The port of the link at its address of an index; 0: none. */
uint16_t espressif_port(const struct espressif *espressif, bool tls, size_t index);
/** Read the link's certificate again. @return false  `why` (LINK_WHY_SIZE); it stays as it was */
bool espressif_reload(struct espressif *espressif, char *why);
struct http_table espressif_table(struct espressif *espressif);
struct api_link espressif_api_link(struct espressif *espressif);

/* --- What the two files share ---------------------------------------------------------------- */

extern const struct http_route espressif_routes[];
extern const size_t espressif_route_count;

struct fleet *espressif_fleet(const struct espressif *espressif);
struct link_service *espressif_link(const struct espressif *espressif);

/** A device as the cloud shows it. `full`: with name and times; short ones fit a message. */
json_t *espressif_device_json(struct espressif *espressif, const struct device *device, bool full);

/** The message that a REST request becomes; takes over `get`. */
json_t *espressif_rpc_message(json_t *get);

/** Read a device by its number; false: there is none. */
bool espressif_device_at(struct espressif *espressif, int64_t number, struct device *device);

/** Tell a linked device what the fleet decides for it now. From any thread, does not wait. */
void espressif_consider(struct espressif *espressif, int64_t device);

/** Send sys_upgrade or sys_reboot, tell the fleet what becomes of it, and then `done`. */
void espressif_send(struct espressif *espressif, const struct device *device, json_t *get,
                    link_done *done, void *ctx);

struct espressif_outcome {
    enum link_outcome outcome;
    int64_t nonce;
    json_t *answer; /* to be released; NULL: none */
};

/** The same, and wait for what becomes of it: not on a thread of sockets, not on a worker of the
 *  link. */
void espressif_call(struct espressif *espressif, const struct device *device, json_t *get,
                    struct espressif_outcome *outcome);

#endif
