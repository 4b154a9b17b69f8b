/* What the files of api/ share. */
#ifndef UPDRAFT_SERVER_API_INSIDE_H
#define UPDRAFT_SERVER_API_INSIDE_H

#include "api/api.h"

struct api {
    struct api_options options;
    int64_t started;
    struct api_feeds *feeds; /* event streams: events.c */
    struct api_simulation *simulation;
};

/** What openapi.json says of a route. */
struct api_about {
    const char *summary;               /* a phrase */
    const struct http_schema *request; /* NULL: no body, or not JSON */
    const char *answer; /* shape of what it answers with, by its name in shapes.c; NULL: nothing;
                           "": what is no JSON, or of no shape */
    bool list;          /* a page of those */
};

/** The rows of each file, put together in api.c. */
extern const struct http_route api_session_routes[], api_product_routes[], api_release_routes[],
    api_file_routes[], api_device_routes[], api_update_routes[], api_user_routes[],
    api_server_routes[];
extern const size_t api_session_count, api_product_count, api_release_count, api_device_count,
    api_file_count, api_update_count, api_user_count, api_server_count;

struct api *api_of(const struct http_exchange *x);
struct fleet *api_fleet(const struct http_exchange *x);
/** Who asks; an actor of kind NOBODY when nobody is logged in. */
const struct actor *api_actor(const struct http_exchange *x);

/** False, and answered: a password or a setup token does not travel where others can read it. */
bool api_is_private(struct http_exchange *x);

/** True when the fleet refused: then the answer says why. */
bool api_failed(struct http_exchange *x, enum fleet_status status, const struct fleet_error *error);
/** What stands in an error's sentence, and the offset when it has one. */
json_t *api_detail(const struct fleet_error *error);

/**
 * Read what every list takes from the query: limit, after, sort, and the filters that `fields`
 * names.
 *
 * @return false  answered: a parameter is unknown or wrong
 */
enum api_filters {
    API_PRODUCT = 1,
    API_VERSION = 2,
    API_STATE = 4,
    API_GROUP = 8,
    API_TEXT = 16,
    API_ONLINE = 32,
    API_HEARD = 64,
    API_DEVICE = 128,
    API_FORMAT = 256,
    API_REASON = 512,
};
bool api_query(struct http_exchange *x, unsigned filters, struct fleet_query *query);
/** Answer with a page: {"items", "next", "total"}. Takes over `items`. */
void api_answer_page(struct http_exchange *x, json_t *items, const struct fleet_page *page);

/** An update with the names of its device and product. */
json_t *api_update_json(struct store_view *view, const struct update *update);

#endif
