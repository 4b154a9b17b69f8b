/* The server itself, the overview, the event stream, and the description of all this. */
#include <stdlib.h>
#include <string.h>

#include "api/events.h"
#include "api/inside.h"
#include "api/openapi.h"
#include "api/show.h"
#include "api/simulation.h"
#include "fleet/report.h"

static void show_server(struct http_exchange *x)
{
    const struct api *api = api_of(x);

    http_answer_json(x, 200,
                     json_pack("{s:s, s:o, s:O?, s:b, s:b, s:b}", "version", UPD_VERSION, "started",
                               show_time(api->started), "addresses", api->options.addresses,
                               "setup", fleet_needs_setup(api_fleet(x)), "simulator",
                               api_simulation_possible(api->simulation), "simulating",
                               api_simulation_runs(api->simulation)));
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
    int64_t now;
};

static void add_product(void *ctx, const struct product *product, enum role role)
{
    struct overview *overview = ctx;

    (void)role;
    if (overview->count < PRODUCTS_MAX) {
        overview->products[overview->count++] = *product;
    }
}

static const char *series_name(struct overview *overview, const char *version)
{
    return overview->count > 1 ? http_printf(overview->x, "%s %s", overview->product->name, version)
                               : version;
}

/* One number of the history. Keys are of one width, so that their order is that of time. */
static void add_point(struct overview *overview, int64_t time, const char *version, int64_t devices)
{
    char *key = http_printf(overview->x, "%016lld", (long long)time);
    json_t *row = json_object_get(overview->history, key);

    if (row == NULL) {
        row = json_object();
        json_object_set_new(overview->history, key, row);
    }
    json_object_set_new(row, series_name(overview, version), json_integer(devices));
}

/* What runs now is also the end of the history. */
static void add_version(void *ctx, const char *version, int64_t devices)
{
    struct overview *overview = ctx;

    if (version[0] != '\0') {
        json_array_append_new(overview->versions,
                              json_pack("{s:{s:s, s:s}, s:s, s:I}", "product", "id",
                                        overview->product->id, "name", overview->product->name,
                                        "version", version, "devices", (json_int_t)devices));
        add_point(overview, overview->now, version, devices);
    }
}

static void add_sample(void *ctx, const struct report_sample *sample)
{
    add_point(ctx, sample->time, sample->version, sample->devices);
}

/* What was counted at one time. */
struct point {
    const char *time;
    const json_t *row;
};

static int by_time(const void *a, const void *b)
{
    return strcmp(((const struct point *)a)->time, ((const struct point *)b)->time);
}

/* The series that ends largest comes first; only a few are drawn. */
static json_t *series_json(const struct point *points, size_t count)
{
    json_t *series = json_array(), *taken = json_object(), *value;
    const char *name;

    while (count > 0 && json_array_size(series) < SERIES_MAX) {
        json_t *last = (json_t *)(uintptr_t)points[count - 1].row;
        const char *best = NULL;
        json_int_t most = -1;
        json_object_foreach(last, name, value)
        {
            if (json_object_get(taken, name) == NULL && json_integer_value(value) > most) {
                most = json_integer_value(value);
                best = name;
            }
        }
        if (best == NULL) {
            break;
        }
        json_object_set_new(taken, best, json_true());
        json_t *counts = json_array();
        for (size_t i = 0; i < count; i++) {
            json_array_append_new(
                counts, json_integer(json_integer_value(json_object_get(points[i].row, best))));
        }
        json_array_append_new(series, json_pack("{s:s, s:o}", "name", best, "counts", counts));
    }
    json_decref(taken);
    return series;
}

static json_t *history_json(struct http_exchange *x, json_t *history)
{
    struct point *points = http_alloc(x, (json_object_size(history) + 1) * sizeof *points);
    json_t *times = json_array(), *row;
    const char *time;
    size_t count = 0;

    json_object_foreach(history, time, row)
    {
        points[count++] = (struct point){time, row};
    }
    /* Each product's are in order; not all products have the same times. */
    qsort(points, count, sizeof *points, by_time);
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(times, show_time(strtoll(points[i].time, NULL, 10)));
    }
    return json_pack("{s:o, s:o}", "times", times, "series", series_json(points, count));
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
    overview.now = now;
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
            need_attention(attention, "new", one.fresh, product);
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
                               "history", history_json(x, overview.history), "updates", states,
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
ABOUT(events, "changes as they happen, as server-sent events", "");
ABOUT(openapi, "this description", "");
ABOUT(simulate, "start virtual devices on the server's machine, in a product of their own",
      "Product");
ABOUT(stop_simulating, "end the virtual devices", NULL);

const struct http_route api_server_routes[] = {
    {HTTP_GET, "/api/v1/server", HTTP_USER, 0, 0, show_server, NULL, &about_server},
    {HTTP_GET, "/api/v1/overview", HTTP_USER, 0, 0, show_overview, NULL, &about_overview},
    {HTTP_GET, "/api/v1/events", HTTP_USER, 0, 0, api_events, NULL, &about_events},
    {HTTP_POST, "/api/v1/simulation", HTTP_ADMINISTRATOR, 0, 4096, api_simulation_start, NULL,
     &about_simulate},
    {HTTP_DELETE, "/api/v1/simulation", HTTP_ADMINISTRATOR, 0, 0, api_simulation_stop, NULL,
     &about_stop_simulating},
    {HTTP_GET, "/api/v1/openapi.json", HTTP_PUBLIC, HTTP_PLAIN, 0, show_openapi, NULL,
     &about_openapi},
};
const size_t api_server_count = sizeof api_server_routes / sizeof api_server_routes[0];
