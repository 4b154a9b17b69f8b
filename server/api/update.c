/* Updates that go on, and what became of them. */
#include <string.h>

#include "api/inside.h"
#include "api/show.h"
#include "fleet/report.h"

json_t *api_update_json(struct store_view *view, const struct update *update)
{
    struct report_names names;
    json_t *object = show_update(update);

    report_update(view, update, &names);
    json_object_set_new(object, "device",
                        json_pack("{s:s, s:s}", "id", names.device_id, "name", names.device));
    json_object_set_new(object, "product",
                        json_pack("{s:s, s:s}", "id", names.product_id, "name", names.product));
    return object;
}

struct listing {
    struct update *updates;
    size_t count, room;
};

static void add_update(void *ctx, const struct update *update)
{
    struct listing *listing = ctx;

    if (listing->count < listing->room) {
        listing->updates[listing->count++] = *update;
    }
}

static void list(struct http_exchange *x)
{
    struct fleet_query query;
    struct fleet_page page;
    struct fleet_error error;
    struct listing listing = {0};
    enum update_state state;

    if (!api_query(x, API_PRODUCT | API_VERSION | API_STATE | API_DEVICE | API_REASON, &query)) {
        return;
    }
    if (query.state != NULL && !update_state_find(query.state, &state)) {
        http_answer_error(x, 422, REFUSAL_INVALID_UPDATE_STATE, "state",
                          VALUES({"state", query.state, 0}));
        return;
    }
    query.text = http_query(x, "reason");
    query.sort = query.sort != NULL ? query.sort : "-changed";
    listing.room = (size_t)query.limit;
    listing.updates = http_alloc(x, listing.room * sizeof *listing.updates);
    if (api_failed(x,
                   fleet_update_list(api_fleet(x), api_actor(x), &query, add_update, &listing,
                                     &page, &error),
                   &error)) {
        return;
    }
    struct store_view *view = report_begin(api_fleet(x));
    json_t *items = json_array();
    for (size_t i = 0; i < listing.count; i++) {
        json_array_append_new(items, api_update_json(view, &listing.updates[i]));
    }
    report_end(view);
    api_answer_page(x, items, &page);
}

static void add_step(void *ctx, const struct step *step)
{
    json_array_append_new(ctx, show_step(step));
}

static void show(struct http_exchange *x)
{
    struct update *update = http_alloc(x, sizeof *update);
    struct fleet_error error;
    json_t *steps;

    if (api_failed(
            x,
            fleet_update_show(api_fleet(x), api_actor(x), http_path(x, "update"), update, &error),
            &error)) {
        return;
    }
    struct store_view *view = report_begin(api_fleet(x));
    json_t *object = api_update_json(view, update);
    report_end(view);
    steps = json_array();
    (void)fleet_update_steps(api_fleet(x), api_actor(x), update->id, add_step, steps, &error);
    json_object_set_new(object, "steps", steps);
    http_answer_json(x, 200, object);
}

static void cancel(struct http_exchange *x)
{
    struct fleet_error error;

    if (!api_failed(x,
                    fleet_update_cancel(api_fleet(x), api_actor(x), http_path(x, "update"), &error),
                    &error)) {
        http_answer_empty(x, 204);
    }
}

static const struct api_about about_list = {"updates, the newest first", NULL, "Update", true};
static const struct api_about about_show = {"one update with its steps", NULL, "Update", false};
static const struct api_about about_cancel = {"cancel an update", NULL, NULL, false};

const struct http_route api_update_routes[] = {
    {HTTP_GET, "/api/v1/updates", HTTP_USER, 0, 0, list, NULL, &about_list},
    {HTTP_GET, "/api/v1/updates/{update}", HTTP_VIEWER, 0, 0, show, NULL, &about_show},
    {HTTP_DELETE, "/api/v1/updates/{update}", HTTP_OPERATOR, 0, 0, cancel, NULL, &about_cancel},
};
const size_t api_update_count = sizeof api_update_routes / sizeof api_update_routes[0];
