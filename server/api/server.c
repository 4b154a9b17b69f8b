/* The server itself, the overview, the event stream, and the description of all this. */
#include <stdlib.h>
#include <string.h>

#include "api/events.h"
#include "api/inside.h"
#include "api/openapi.h"
#include "api/show.h"
#include "fleet/report.h"

static void show_server(struct http_exchange *x)
{
    const struct api *api = api_of(x);

    http_answer_json(x, 200,
                     json_pack("{s:s, s:o, s:O?, s:b, s:b}", "version", UPD_VERSION, "started",
                               show_time(api->started), "addresses", api->options.addresses,
                               "setup", fleet_needs_setup(api_fleet(x)), "simulator",
                               api->options.simulator));
}

/* --- The overview ----------------------------------------------------------------------------- */

enum { PRODUCTS_MAX = 500, SERIES_MAX = 5, HISTORY_DAYS = 30 };

struct overview {
    struct http_exchange *x;
    struct store_view *view;
    struct product *products;
    size_t count;
    const struct product *product; /* of the row that is being made */
    json_t *versions;
    json_t *history; /* time -> {"product version": devices} */
};

static void add_product(void *ctx, const struct product *product, enum role role)
{
    struct overview *overview = ctx;

    (void)role;
    if (overview->count < PRODUCTS_MAX) {
        overview->products[overview->count++] = *product;
    }
}

static void add_version(void *ctx, const char *version, int64_t devices)
{
    const struct overview *overview = ctx;

    if (version[0] != '\0') {
        json_array_append_new(overview->versions,
                              json_pack("{s:{s:s, s:s}, s:s, s:I}", "product", "id",
                                        overview->product->id, "name", overview->product->name,
                                        "version", version, "devices", (json_int_t)devices));
    }
}

static const char *series_name(struct overview *overview, const char *version)
{
    return overview->count > 1 ? http_printf(overview->x, "%s %s", overview->product->name, version)
                               : version;
}

static void add_sample(void *ctx, const struct report_sample *sample)
{
    struct overview *overview = ctx;
    char *time = http_printf(overview->x, "%lld", (long long)sample->time);
    json_t *row = json_object_get(overview->history, time);

    if (row == NULL) {
        row = json_object();
        json_object_set_new(overview->history, time, row);
    }
    json_object_set_new(row, series_name(overview, sample->version), json_integer(sample->devices));
}

/* The series that ends largest comes first; only a few are drawn. */
static json_t *series_json(json_t *history)
{
    json_t *series = json_array(), *last = NULL, *row, *value;
    const char *time, *name;

    json_object_foreach(history, time, row)
    {
        last = row;
    }
    while (last != NULL && json_array_size(series) < SERIES_MAX) {
        const char *best = NULL;
        json_int_t most = -1;
        json_object_foreach(last, name, value)
        {
            bool taken = false;
            for (size_t i = 0; i < json_array_size(series); i++) {
                taken = taken || strcmp(name, json_string_value(json_object_get(
                                                  json_array_get(series, i), "name"))) == 0;
            }
            if (!taken && json_integer_value(value) > most) {
                most = json_integer_value(value);
                best = name;
            }
        }
        if (best == NULL) {
            break;
        }
        json_t *counts = json_array();
        json_object_foreach(history, time, row)
        {
            json_array_append_new(counts,
                                  json_integer(json_integer_value(json_object_get(row, best))));
        }
        json_array_append_new(series, json_pack("{s:s, s:o}", "name", best, "counts", counts));
    }
    return series;
}

static json_t *history_json(json_t *history)
{
    json_t *times = json_array(), *row;
    const char *time;

    json_object_foreach(history, time, row)
    {
        json_array_append_new(times, show_time(strtoll(time, NULL, 10)));
    }
    return json_pack("{s:o, s:o}", "times", times, "series", series_json(history));
}

static void need_attention(json_t *list, const char *kind, int64_t count,
                           const struct product *product)
{
    if (count > 0) {
        json_array_append_new(list, json_pack("{s:s, s:I, s:{s:s, s:s}}", "kind", kind, "count",
                                              (json_int_t)count, "product", "id", product->id,
                                              "name", product->name));
    }
}

static void show_overview(struct http_exchange *x)
{
    enum { DAY_MS = 86400000 };
    struct overview overview = {.x = x,
                                .products = http_alloc(x, PRODUCTS_MAX * sizeof(struct product))};
    const struct fleet_query query = {.limit = 500};
    const struct actor *actor = api_actor(x);
    struct fleet_overview total = {0}, one;
    struct report_updates *report = http_alloc(x, sizeof *report);
    struct fleet_page page;
    struct fleet_error error;
    int64_t now = fleet_now(api_fleet(x));

    if (api_failed(
            x,
            fleet_product_list(api_fleet(x), actor, &query, add_product, &overview, &page, &error),
            &error)) {
        return;
    }
    json_t *attention = json_array(), *failures = json_array(), *states = json_object();
    overview.versions = json_array();
    overview.history = json_object();
    overview.view = report_begin(api_fleet(x));
    for (size_t i = 0; i < overview.count; i++) {
        const struct product *product = &overview.products[i];
        overview.product = product;
        if (fleet_overview(api_fleet(x), actor, product->id, &one, &error) == FLEET_OK) {
            total.devices += one.devices;
            total.online += one.online;
            for (int state = 0; state <= UPDATE_ROLLED_BACK; state++) {
                total.updates[state] += one.updates[state];
            }
            need_attention(attention, "consent", one.waiting, product);
            need_attention(attention, "silent", one.silent, product);
        }
        (void)fleet_versions(api_fleet(x), actor, product->id, add_version, &overview, &error);
        report_updates(overview.view, product->no, NULL, now - 7 * (int64_t)DAY_MS, report);
        need_attention(attention, "failing",
                       report->states[UPDATE_FAILED] + report->states[UPDATE_ROLLED_BACK], product);
        for (size_t k = 0; k < report->failure_count; k++) {
            json_array_append_new(failures,
                                  json_pack("{s:s, s:s, s:I}", "code", report->failures[k].code,
                                            "text", report->failures[k].text, "count",
                                            (json_int_t)report->failures[k].count));
        }
        report_history(overview.view, product->no, now - HISTORY_DAYS * (int64_t)DAY_MS, add_sample,
                       &overview);
    }
    report_end(overview.view);
    for (int state = 0; state <= UPDATE_ROLLED_BACK; state++) {
        if (total.updates[state] > 0) {
            json_object_set_new(states, update_state_word((enum update_state)state),
                                json_integer(total.updates[state]));
        }
    }
    http_answer_json(x, 200,
                     json_pack("{s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "devices",
                               (json_int_t)total.devices, "online", (json_int_t)total.online,
                               "products", (json_int_t)page.total, "versions", overview.versions,
                               "history", history_json(overview.history), "updates", states,
                               "failures", failures, "attention", attention));
    json_decref(overview.history);
}

static void show_openapi(struct http_exchange *x)
{
    http_answer_json(x, 200, api_openapi(http_origin(x)));
}

#define ABOUT(name, text, answer)                                                                  \
    static const struct api_about about_##name = {text, NULL, answer, false}
ABOUT(server, "version and addresses of the server", "Server");
ABOUT(overview, "how the fleet is", "Overview");
ABOUT(events, "changes as they happen, as server-sent events", "Event");
ABOUT(openapi, "this description", "Any");

const struct http_route api_server_routes[] = {
    {HTTP_GET, "/api/v1/server", HTTP_USER, 0, 0, show_server, NULL, &about_server},
    {HTTP_GET, "/api/v1/overview", HTTP_USER, 0, 0, show_overview, NULL, &about_overview},
    {HTTP_GET, "/api/v1/events", HTTP_USER, 0, 0, api_events, NULL, &about_events},
    {HTTP_GET, "/api/v1/openapi.json", HTTP_PUBLIC, HTTP_PLAIN, 0, show_openapi, NULL,
     &about_openapi},
};
const size_t api_server_count = sizeof api_server_routes / sizeof api_server_routes[0];
