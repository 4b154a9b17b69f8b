#include "api/api.h"

#include <stdlib.h>
#include <string.h>

#include "api/events.h"
#include "api/inside.h"
#include "api/show.h"
#include "api/simulation.h"

/* All rows as one table: the router wants them in a piece. */
struct whole {
    struct api api;
    size_t count;
    struct http_route routes[];
};

static const struct {
    const struct http_route *rows;
    const size_t *count;
} parts[API_PARTS] = {
    {api_session_routes, &api_session_count}, {api_product_routes, &api_product_count},
    {api_release_routes, &api_release_count}, {api_device_routes, &api_device_count},
    {api_file_routes, &api_file_count},       {api_update_routes, &api_update_count},
    {api_user_routes, &api_user_count},       {api_server_routes, &api_server_count},
};

struct api *api_new(const struct api_options *options)
{
    size_t count = 0;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        count += *parts[i].count;
    }
    struct whole *whole = calloc(1, sizeof *whole + count * sizeof whole->routes[0]);
    if (whole == NULL) {
        abort();
    }
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        memcpy(whole->routes + whole->count, parts[i].rows,
               *parts[i].count * sizeof whole->routes[0]);
        whole->count += *parts[i].count;
    }
    whole->api.options = *options;
    json_incref(whole->api.options.addresses);
    whole->api.started = fleet_now(options->fleet);
    whole->api.feeds = api_feeds_new(options->fleet);
    whole->api.simulation = api_simulation_new(options->simulator);
    return &whole->api;
}

void api_free(struct api *api)
{
    if (api != NULL) {
        api_simulation_free(api->simulation);
        api_feeds_free(api->feeds);
        json_decref(api->options.addresses);
        free(api); /* the first member of what was allocated */
    }
}

void api_tables(struct api *api, struct http_table tables[API_TABLES])
{
    const struct whole *whole = (const struct whole *)api;

    tables[0] = (struct http_table){whole->routes, whole->count, api};
}

void api_parts(struct http_table tables[API_PARTS])
{
    for (size_t i = 0; i < API_PARTS; i++) {
        tables[i] = (struct http_table){parts[i].rows, *parts[i].count, NULL};
    }
}

struct api *api_of(const struct http_exchange *x)
{
    return http_context(x);
}

struct fleet *api_fleet(const struct http_exchange *x)
{
    return api_of(x)->options.fleet;
}

const struct actor *api_actor(const struct http_exchange *x)
{
    static const struct actor nobody;
    const struct http_principal *principal = http_principal(x);

    return principal->who != NULL ? principal->who : &nobody;
}

json_t *api_detail(const struct fleet_error *error)
{
    json_t *detail = show_detail(error->detail);

    if (error->offset >= 0) {
        json_object_set_new(detail, "offset", json_integer(error->offset));
    }
    return detail;
}

bool api_failed(struct http_exchange *x, enum fleet_status status, const struct fleet_error *error)
{
    if (status == FLEET_OK) {
        return false;
    }
    if (status == FLEET_NOT_FOUND) {
        /* The same bytes whatever it was that is missing or hidden. */
        http_answer_not_found(x);
        return true;
    }
    if (status == FLEET_THROTTLED) {
        http_answer_header(x, "Retry-After", http_printf(x, "%lld", (long long)error->retry_after));
    }
    http_answer_error_with(x, (unsigned)fleet_status_http(status), error->code,
                           error->field[0] != '\0' ? error->field : NULL, api_detail(error),
                           error->message);
    return true;
}

/* --- Who asks --------------------------------------------------------------------------------- */

static void identify(void *ctx, struct http_exchange *x, const struct http_credentials *credentials,
                     struct http_principal *principal)
{
    struct api *api = ctx;
    struct fleet_error error;
    struct actor *actor = calloc(1, sizeof *actor);
    const char *secret = credentials->bearer != NULL  ? credentials->bearer
                         : credentials->token != NULL ? credentials->token
                                                      : credentials->session;
    bool session = secret != NULL && secret == credentials->session;

    (void)x;
    if (actor == NULL) {
        abort();
    }
    if (secret == NULL ||
        fleet_authenticate(api->options.fleet, secret, session, actor, &error) != FLEET_OK) {
        free(actor);
        return;
    }
    principal->who = actor;
    principal->name = actor->name;
    principal->csrf = actor->csrf[0] != '\0' ? actor->csrf : NULL;
}

/* What a member may do to an object is the fleet's affair, which is asked by the handler. */
static enum http_verdict allow(void *ctx, struct http_exchange *x, enum http_access access)
{
    const struct actor *actor = api_actor(x);

    (void)ctx;
    if (actor->kind != ACTOR_USER) {
        return HTTP_LOGIN;
    }
    return access == HTTP_ADMINISTRATOR && !actor->administrator ? HTTP_FORBID : HTTP_ALLOW;
}

static void release(void *ctx, void *who)
{
    (void)ctx;
    free(who);
}

struct http_guard api_guard(struct api *api)
{
    return (struct http_guard){
        .identify = identify, .allow = allow, .release = release, .ctx = api};
}

/* --- Lists ------------------------------------------------------------------------------------ */

static bool is_known(const char *name, unsigned filters)
{
    static const struct {
        const char *name;
        unsigned filter;
    } rows[] = {{"product", API_PRODUCT},   {"version", API_VERSION}, {"state", API_STATE},
                {"group", API_GROUP},       {"q", API_TEXT},          {"online", API_ONLINE},
                {"device", API_DEVICE},     {"format", API_FORMAT},   {"reason", API_REASON},
                {"heard_before", API_HEARD}};

    if (strcmp(name, "limit") == 0 || strcmp(name, "after") == 0 || strcmp(name, "sort") == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(name, rows[i].name) == 0) {
            return (filters & rows[i].filter) != 0;
        }
    }
    return false;
}

bool api_query(struct http_exchange *x, unsigned filters, struct fleet_query *query)
{
    const char *name, *value;

    for (size_t i = 0; http_query_at(x, i, &name, &value); i++) {
        if (!is_known(name, filters)) {
            http_answer_error(x, 422, REFUSAL_UNKNOWN_PARAMETER, name,
                              VALUES({"parameter", name, 0}));
            return false;
        }
    }
    *query = (struct fleet_query){.product = http_query(x, "product"),
                                  .version = http_query_plus(x, "version"),
                                  .state = http_query(x, "state"),
                                  .family = http_query(x, "group"),
                                  .text = http_query(x, "q"),
                                  .sort = http_query(x, "sort"),
                                  .after = http_query(x, "after"),
                                  .device = http_query(x, "device")};
    const char *online = http_query(x, "online");
    if (online != NULL && strcmp(online, "true") != 0 && strcmp(online, "false") != 0) {
        http_answer_error(x, 422, REFUSAL_INVALID_ONLINE, "online", NULL);
        return false;
    }
    query->online = online == NULL ? 0 : online[0] == 't' ? 1 : -1;
    return http_query_number(x, "limit", 1, 500, 100, &query->limit) &&
           http_query_number(x, "heard_before", 0, INT64_MAX, 0, &query->heard_before);
}

void api_answer_page(struct http_exchange *x, json_t *items, const struct fleet_page *page)
{
    json_t *answer =
        json_pack("{s:o, s:s?, s:I}", "items", items, "next",
                  page->next[0] != '\0' ? page->next : NULL, "total", (json_int_t)page->total);
    if (page->more) {
        json_object_set_new(answer, "more", json_true());
    }
    http_answer_json(x, 200, answer);
}
