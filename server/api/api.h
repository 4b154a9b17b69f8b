/*
 * The API: /api/v1, JSON over HTTP, for the tool, the web page and other programs.
 *
 * A translator like the protocols: it reads a request by the rows of its table, calls the fleet,
 * and writes down what it answered. What objects look like is in show.h; which fields a body may
 * have is in the rows, from which GET /api/v1/openapi.json is made.
 *
 * Names in paths: {product} is an id, a name or a key; {version} a release of it; {device},
 * {update}, {user} ids.
 */
#ifndef UPDRAFT_SERVER_API_H
#define UPDRAFT_SERVER_API_H

#include "fleet/fleet.h"
#include "http/http.h"

/** What reaches a device now, while it holds its link; server/link/ has it. All NULL: there is no
 * link. */
struct api_link {
    /** Tell a device that a release waits for it, or to reboot. Does not wait; false: not linked.
     */
    bool (*notify)(void *ctx, const char *device_id);
    bool (*reboot)(void *ctx, const char *device_id);
    /**
     * Send a request and wait for the device's answer.
     *
     * @param body    of the request; borrowed
     * @param answer  out: new reference
     * @return false  not linked, or no answer in `timeout_ms`
     */
    bool (*rpc)(void *ctx, const char *device_id, const json_t *body, uint32_t timeout_ms,
                json_t **answer);
    void *ctx;
};

struct api_options {
    struct fleet *fleet;
    struct api_link link;
    json_t *addresses; /* {"http": "https://…", "link": …}: where the server is reached; borrowed */
    const char *simulator; /* path of updraft-sim; NULL: it is not installed; borrowed */
};

struct api;

/** Never NULL. `options` is copied. */
struct api *api_new(const struct api_options *options);
void api_free(struct api *api);

enum { API_TABLES = 1 };
/** The routes, and who may call them. */
void api_tables(struct api *api, struct http_table tables[API_TABLES]);
/** Its rows by noun, without a context: for those who only read them. */
enum { API_PARTS = 8 };
void api_parts(struct http_table tables[API_PARTS]);
struct http_guard api_guard(struct api *api);

#endif
