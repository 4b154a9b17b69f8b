/* Devices: as the operator sees them, and as their owner does. */
#include <stdio.h>
#include <string.h>

#include "api/inside.h"
#include "api/show.h"
#include "fleet/report.h"

enum { HISTORY = 20, RPC_MS = 10000, CSV_PAGE = 500, CSV_MAX = 100000 };

/* --- One device ------------------------------------------------------------------------------- */

static bool find(struct http_exchange *x, struct device *device)
{
    struct fleet_error error;

    return !api_failed(
        x, fleet_device_show(api_fleet(x), api_actor(x), http_path(x, "device"), device, &error),
        &error);
}

static void add_step(void *ctx, const struct step *step)
{
    json_array_append_new(ctx, show_step(step));
}

static json_t *steps_json(struct http_exchange *x, const char *id)
{
    struct fleet_error error;
    json_t *steps = json_array();

    (void)fleet_update_steps(api_fleet(x), api_actor(x), id, add_step, steps, &error);
    return steps;
}

/* A device with its product's name, and what update it is in. */
static json_t *device_json(struct http_exchange *x, struct store_view *view,
                           const struct device *device, struct product *product)
{
    if (product->no != device->product && !report_product(view, device->product, product)) {
        *product = (struct product){0};
    }
    json_t *object = show_device(api_fleet(x), device, product);
    struct user owner;
    if (report_user(view, device->owner, &owner)) {
        json_object_set_new(object, "owner", json_string(owner.name));
    }
    struct update update;
    if (view != NULL && device->update != 0 &&
        store_get_no(view, STORE_UPDATE, device->update, &update) == STORE_OK) {
        json_object_set_new(object, "update", api_update_json(view, &update));
    }
    return object;
}

struct updates {
    struct store_view *view;
    json_t *items;
};

static void add_update(void *ctx, const struct update *update)
{
    const struct updates *updates = ctx;

    json_array_append_new(updates->items, api_update_json(updates->view, update));
}

/* What only an operator of the product is shown. */
static bool operates(struct http_exchange *x, const struct product *product)
{
    struct product *shown = http_alloc(x, sizeof *shown);
    struct fleet_error error;
    enum role role = ROLE_NONE;

    return api_actor(x)->administrator ||
           (fleet_product_show(api_fleet(x), api_actor(x), product->id, shown, &role, &error) ==
                FLEET_OK &&
            role >= ROLE_OPERATOR);
}

static bool is_operator(struct http_exchange *x, const struct device *device)
{
    struct store_view *view = report_begin(api_fleet(x));
    struct product *product = http_alloc(x, sizeof *product);
    bool found = report_product(view, device->product, product);

    report_end(view);
    return found && operates(x, product);
}

static void answer_device(struct http_exchange *x, unsigned status, const struct device *device)
{
    struct store_view *view = report_begin(api_fleet(x));
    struct product *product = http_alloc(x, sizeof *product);
    const struct fleet_query query = {.device = device->id, .sort = "-started", .limit = HISTORY};
    struct updates updates = {view, json_array()};
    struct fleet_page page;
    struct fleet_error error;
    int64_t due = fleet_device_due(device);

    memset(product, 0, sizeof *product);
    json_t *object = device_json(x, view, device, product);
    (void)fleet_update_list(api_fleet(x), api_actor(x), &query, add_update, &updates, &page,
                            &error);
    json_t *update = json_object_get(object, "update");
    if (json_is_object(update)) {
        json_object_set_new(update, "steps",
                            steps_json(x, json_string_value(json_object_get(update, "id"))));
    }
    bool keys = operates(x, product);
    json_object_set_new(object, "operates", json_boolean(keys));
    json_object_set_new(object, "history", updates.items);
    json_object_set_new(object, "device_key", keys ? show_text(device->device_key) : json_null());
    json_object_set_new(object, "claim_code", keys ? show_text(device->claim_code) : json_null());
    json_object_set_new(object, "chip", json_string(upd_chip_text(product->chip)));
    json_object_set_new(object, "map",
                        device->map >= 0    ? json_integer(device->map)
                        : product->map >= 0 ? json_integer(product->map)
                                            : json_null());
    json_object_set_new(object, "flash_size",
                        device->chip_size > 0 ? json_integer(device->chip_size) : json_null());
    json_object_set_new(object, "address", show_text(device->address));
    json_object_set_new(object, "channel", show_text(device->channel));
    json_object_set_new(object, "variant", show_text(device->variant));
    json_object_set_new(
        object, "polls",
        json_pack("{s:s, s:o, s:o}", "how", protocol_word(device->protocol), "every",
                  device->poll_every > 0 ? json_real((double)device->poll_every / 1000)
                                         : json_null(),
                  "due", show_time(due)));
    report_end(view);
    http_answer_json(x, status, object);
}

static void show(struct http_exchange *x)
{
    struct device *device = http_alloc(x, sizeof *device);

    if (find(x, device)) {
        answer_device(x, 200, device);
    }
}

/* --- Lists ------------------------------------------------------------------------------------ */

struct listing {
    struct device *devices;
    size_t count, room;
};

static void add_device(void *ctx, const struct device *device)
{
    struct listing *listing = ctx;

    if (listing->count < listing->room) {
        listing->devices[listing->count++] = *device;
    }
}

static json_t *devices_json(struct http_exchange *x, const struct listing *listing)
{
    struct store_view *view = report_begin(api_fleet(x));
    struct product *product = http_alloc(x, sizeof *product);
    json_t *items = json_array();

    memset(product, 0, sizeof *product);
    for (size_t i = 0; i < listing->count; i++) {
        json_array_append_new(items, device_json(x, view, &listing->devices[i], product));
    }
    report_end(view);
    return items;
}

/* RFC 4180; a field that a spreadsheet would take for a formula is told to be text. */
static void csv_field(FILE *out, const json_t *value, const char *end)
{
    const char *text = json_is_string(value)  ? json_string_value(value)
                       : json_is_true(value)  ? "yes"
                       : json_is_false(value) ? "no"
                                              : "";

    fputc('"', out);
    if (strchr("=+-@\t\r", text[0]) != NULL && text[0] != '\0') {
        fputc('\'', out);
    }
    for (; *text != '\0'; text++) {
        fputs(*text == '"' ? "\"\"" : (char[]){*text, '\0'}, out);
    }
    fprintf(out, "\"%s", end);
}

static const char *const csv_columns[] = {"id",        "name",     "serial",  "chip_id", "mac",
                                          "group",     "owner",    "version", "slot",    "online",
                                          "last_seen", "standing", NULL};

static void csv_rows(FILE *out, json_t *items)
{
    size_t index;
    json_t *item;

    json_array_foreach(items, index, item)
    {
        for (size_t i = 0; csv_columns[i] != NULL; i++) {
            csv_field(out, json_object_get(item, csv_columns[i]), ",");
        }
        csv_field(out, json_object_get(json_object_get(item, "product"), "name"), "\r\n");
    }
    json_decref(items);
}

/* A page of the list; false: answered. */
static bool read_page(struct http_exchange *x, const struct fleet_query *query,
                      struct listing *listing, struct fleet_page *page)
{
    struct fleet_error error;

    listing->count = 0;
    return !api_failed(
        x, fleet_device_list(api_fleet(x), api_actor(x), query, add_device, listing, page, &error),
        &error);
}

/* All that the filter finds, not a page of it: a file that lacks rows would not say so. */
static bool write_csv(struct http_exchange *x, struct fleet_query query, struct listing *listing,
                      FILE *out)
{
    struct fleet_page page = {0};
    char after[sizeof page.next];
    long long rows = 0;

    for (size_t i = 0; csv_columns[i] != NULL; i++) {
        fprintf(out, "%s,", csv_columns[i]);
    }
    fputs("product\r\n", out);
    do {
        if (!read_page(x, &query, listing, &page)) {
            return false;
        }
        rows += (long long)listing->count;
        if (page.total > CSV_MAX || rows > CSV_MAX) {
            http_answer_error(
                x, 422, REFUSAL_TOO_MANY, NULL,
                VALUES({"devices", NULL, rows > page.total ? rows : (long long)page.total},
                       {"most", NULL, CSV_MAX}));
            return false;
        }
        csv_rows(out, devices_json(x, listing));
        snprintf(after, sizeof after, "%s", page.next);
        query.after = after;
    } while (after[0] != '\0');
    return true;
}

static void answer_csv(struct http_exchange *x, const struct fleet_query *query,
                       struct listing *listing)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        http_answer_error(x, 500, REFUSAL_MEMORY, NULL, NULL);
        return;
    }
    bool whole = write_csv(x, *query, listing, out);
    fclose(out);
    if (whole) {
        http_answer(x, 200, "text/csv; charset=utf-8", text, size);
        http_answer_header(x, "Content-Disposition", "attachment; filename=\"devices.csv\"");
    }
    free(text);
}

/* What the page's filter says, in the words of the fleet's. */
static bool read_state(struct http_exchange *x, struct fleet_query *query)
{
    enum { DAY_MS = 86400000 };
    const char *state = query->state;
    enum update_state found;
    enum standing standing;

    query->state = NULL;
    if (state == NULL) {
        return true;
    }
    if (strcmp(state, "online") == 0) {
        query->online = 1;
    } else if (strcmp(state, "silent") == 0) {
        query->heard_before = fleet_now(api_fleet(x)) - DAY_MS;
    } else if (standing_find(state, &standing)) {
        query->standing = state;
    } else if (strcmp(state, "updating") == 0 || update_state_find(state, &found)) {
        query->state = state;
    } else {
        http_answer_error(x, 422, REFUSAL_INVALID_STATE, "state", NULL);
        return false;
    }
    return true;
}

static void list(struct http_exchange *x)
{
    struct fleet_query query;
    struct fleet_page page;
    struct listing listing = {0};
    const char *format = http_query(x, "format");

    if (!api_query(x,
                   API_PRODUCT | API_VERSION | API_STATE | API_GROUP | API_TEXT | API_ONLINE |
                       API_HEARD | API_FORMAT,
                   &query) ||
        !read_state(x, &query)) {
        return;
    }
    if (format != NULL && strcmp(format, "csv") != 0 && strcmp(format, "json") != 0) {
        http_answer_error(x, 422, REFUSAL_INVALID_FORMAT, "format", NULL);
        return;
    }
    bool csv = format != NULL && format[0] == 'c';
    query.limit = csv ? CSV_PAGE : query.limit;
    listing.room = (size_t)query.limit;
    listing.devices = http_alloc(x, listing.room * sizeof *listing.devices);
    if (csv) {
        answer_csv(x, &query, &listing);
    } else if (read_page(x, &query, &listing, &page)) {
        api_answer_page(x, devices_json(x, &listing), &page);
    }
}

/* --- Changing --------------------------------------------------------------------------------- */

struct fields {
    const char *name, *serial, *mac, *group, *channel, *variant, *device_key;
    bool has_name, has_serial, has_group, has_channel, has_variant;
};

#define TEXT_FIELD(field, size, text)                                                              \
    {                                                                                              \
        .name = #field, .kind = HTTP_TEXT, .nullable = true, .max = (size),                        \
        .at = offsetof(struct fields, field), .given = offsetof(struct fields, has_##field),       \
        .help = text                                                                               \
    }
static const struct http_field create_fields[] = {
    TEXT_FIELD(name, 100, "what people call it"),
    TEXT_FIELD(serial, SERIAL_SIZE - 1, "serial number, unique in the product"),
    {.name = "mac",
     .kind = HTTP_TEXT,
     .max = MAC_SIZE - 1,
     .at = offsetof(struct fields, mac),
     .help = "18:fe:34:00:00:01"},
    {.name = "device_key",
     .kind = HTTP_TEXT,
     .min = 40,
     .max = 40,
     .at = offsetof(struct fields, device_key),
     .help = "the key that it has in its flash already, 40 hexadecimal digits; else one is made"},
    TEXT_FIELD(group, 100, "group of devices"),
    TEXT_FIELD(channel, WORD_SIZE - 1, "channel of releases; else the product's first"),
    TEXT_FIELD(variant, WORD_SIZE - 1, "hardware variant"),
    {0},
};
static const struct http_field edit_fields[] = {
    TEXT_FIELD(name, 100, "what people call it"),
    TEXT_FIELD(serial, SERIAL_SIZE - 1, "serial number, unique in the product"),
    TEXT_FIELD(group, 100, "group of devices"),
    TEXT_FIELD(channel, WORD_SIZE - 1, "channel of releases; else the product's first"),
    TEXT_FIELD(variant, WORD_SIZE - 1, "hardware variant"),
    {0},
};
static const struct http_schema create_schema = {"NewDevice", create_fields};
static const struct http_schema edit_schema = {"EditDevice", edit_fields};

#define APPLY(field, to)                                                                           \
    if (fields->has_##field) {                                                                     \
        snprintf(device->to, sizeof device->to, "%s", fields->field != NULL ? fields->field : ""); \
    }
static void apply(const struct fields *fields, struct device *device)
{
    APPLY(name, name)
    APPLY(serial, serial)
    APPLY(group, family)
    APPLY(channel, channel)
    APPLY(variant, variant)
}

static void create(struct http_exchange *x)
{
    struct fields fields = {0};
    struct device *device = http_alloc(x, sizeof *device);
    struct fleet_error error;

    *device = (struct device){.map = -1};
    if (!http_read_json(x, create_fields, &fields)) {
        return;
    }
    apply(&fields, device);
    snprintf(device->mac, sizeof device->mac, "%s", fields.mac != NULL ? fields.mac : "");
    snprintf(device->device_key, sizeof device->device_key, "%s",
             fields.device_key != NULL ? fields.device_key : "");
    if (!api_failed(x,
                    fleet_device_create(api_fleet(x), api_actor(x), http_path(x, "product"), device,
                                        &error),
                    &error)) {
        answer_device(x, 201, device);
    }
}

static void edit(struct http_exchange *x)
{
    struct fields fields = {0};
    struct device *device = http_alloc(x, sizeof *device);
    struct fleet_error error;

    if (!find(x, device) || !http_read_json(x, edit_fields, &fields)) {
        return;
    }
    apply(&fields, device);
    if (!api_failed(x, fleet_device_edit(api_fleet(x), api_actor(x), device, &error), &error)) {
        answer_device(x, 200, device);
    }
}

static void delete (struct http_exchange *x)
{
    struct fleet_error error;

    if (!api_failed(x,
                    fleet_device_delete(api_fleet(x), api_actor(x), http_path(x, "device"), &error),
                    &error)) {
        http_answer_empty(x, 204);
    }
}

/* --- Deciding and ordering -------------------------------------------------------------------- */

static const char *result_word(uint8_t result)
{
    return result == RULE_PASSED ? "passed" : result == RULE_FAILED ? "failed" : "not_asked";
}

static void explain(struct http_exchange *x)
{
    struct fleet_why why;
    struct fleet_error error;

    if (api_failed(
            x,
            fleet_device_explain(api_fleet(x), api_actor(x), http_path(x, "device"), &why, &error),
            &error)) {
        return;
    }
    json_t *rows = json_array();
    for (int reason = REASON_OFFER + 1; reason < REASON_COUNT; reason++) {
        json_t *passed = why.rules[reason] == RULE_PASSED   ? json_true()
                         : why.rules[reason] == RULE_FAILED ? json_false()
                                                            : json_null();
        json_array_append_new(rows, json_pack("{s:s, s:o, s:s, s:s}", "rule",
                                              reason_code((enum reason)reason), "passed", passed,
                                              "result", result_word(why.rules[reason]), "text",
                                              reason_rule((enum reason)reason)));
    }
    http_answer_json(
        x, 200,
        json_pack("{s:b, s:{s:s, s:s, s:o}, s:o, s:o}", "offer", why.reason == REASON_OFFER,
                  "reason", "code", reason_code(why.reason), "text", why.words.text, "detail",
                  show_detail(why.words.detail), "version", show_text(why.version), "rules", rows));
}

struct order_fields {
    const char *version;
    bool downgrade;
};
static const struct http_field order_fields[] = {
    {.name = "version",
     .kind = HTTP_TEXT,
     .nullable = true,
     .min = 1,
     .max = VERSION_SIZE - 1,
     .at = offsetof(struct order_fields, version),
     .help = "else what is current"},
    {.name = "downgrade",
     .kind = HTTP_BOOL,
     .at = offsetof(struct order_fields, downgrade),
     .help = "it may be older than what runs"},
    {0},
};
static const struct http_schema order_schema = {"Order", order_fields};

static void order(struct http_exchange *x)
{
    const struct api_link *link = &api_of(x)->options.link;
    struct order_fields fields = {0};
    struct update *update = http_alloc(x, sizeof *update);
    struct fleet_error error;

    if (!http_read_json(x, order_fields, &fields) ||
        api_failed(x,
                   fleet_device_order(api_fleet(x), api_actor(x), http_path(x, "device"),
                                      fields.version, fields.downgrade, update, &error),
                   &error)) {
        return;
    }
    if (link->notify != NULL) {
        (void)link->notify(link->ctx,
                           http_path(x, "device")); /* who sleeps hears it when he polls */
    }
    struct store_view *view = report_begin(api_fleet(x));
    json_t *object = api_update_json(view, update);
    report_end(view);
    json_object_set_new(object, "steps", steps_json(x, update->id));
    http_answer_json(x, 200, object);
}

static void reboot(struct http_exchange *x)
{
    const struct api_link *link = &api_of(x)->options.link;
    const char *id = http_path(x, "device");
    struct fleet_error error;

    if (!api_failed(x, fleet_device_reboot(api_fleet(x), api_actor(x), id, &error), &error)) {
        bool told = link->reboot != NULL && link->reboot(link->ctx, id);
        http_answer_json(x, 200, json_pack("{s:b}", "told", told));
    }
}

struct block_fields {
    bool blocked;
};
static const struct http_field block_fields[] = {
    {.name = "blocked",
     .kind = HTTP_BOOL,
     .required = true,
     .at = offsetof(struct block_fields, blocked),
     .help = "whether it gets nothing any more"},
    {0},
};
static const struct http_schema block_schema = {"Block", block_fields};

static void block(struct http_exchange *x)
{
    struct block_fields fields = {0};
    struct device *device = http_alloc(x, sizeof *device);
    struct fleet_error error;

    if (http_read_json(x, block_fields, &fields) &&
        !api_failed(x,
                    fleet_device_block(api_fleet(x), api_actor(x), http_path(x, "device"),
                                       fields.blocked, &error),
                    &error) &&
        find(x, device)) {
        answer_device(x, 200, device);
    }
}

/* The body goes to the device as it is, so that every action of its firmware can be asked for. */
static void rpc(struct http_exchange *x)
{
    const struct api_link *link = &api_of(x)->options.link;
    struct device *device = http_alloc(x, sizeof *device);
    size_t size;
    json_error_t wrong;
    json_t *answer = NULL;

    if (!find(x, device)) {
        return;
    }
    if (device->owner != api_actor(x)->user && !is_operator(x, device)) {
        http_answer_error(x, 403, REFUSAL_FORBIDDEN_REQUEST, NULL, NULL);
        return;
    }
    json_t *body = json_loads(http_body(x, &size), JSON_REJECT_DUPLICATES, &wrong);
    if (!json_is_object(body) || !json_is_string(json_object_get(body, "action"))) {
        http_answer_error(x, 422, REFUSAL_INVALID_ACTION, "action", NULL);
    } else if (link->rpc == NULL || !link->rpc(link->ctx, device->id, body, RPC_MS, &answer)) {
        http_answer_error(x, 409, REFUSAL_NOT_LINKED, NULL, NULL);
    } else {
        http_answer_json(x, 200, answer);
    }
    json_decref(body);
}

/* --- The owner -------------------------------------------------------------------------------- */

struct claim_fields {
    const char *code;
};
static const struct http_field claim_fields[] = {
    {.name = "code",
     .kind = HTTP_TEXT,
     .required = true,
     .min = 1,
     .max = WORD_SIZE - 1,
     .at = offsetof(struct claim_fields, code),
     .help = "the code that came with the device"},
    {0},
};
static const struct http_schema claim_schema = {"Claim", claim_fields};

/* The update that goes on, or else the one before: how it ended. */
static bool latest_update(struct store_view *view, const struct device *device,
                          struct update *update)
{
    const struct store_where where = STORE_NUMBER("device", device->no);
    const struct store_query last = {
        .where = &where, .count = 1, .order = "no", .descending = true, .limit = 1};

    if (view == NULL) {
        return false;
    }
    return device->update != 0
               ? store_get_no(view, STORE_UPDATE, device->update, update) == STORE_OK
               : store_get(view, STORE_UPDATE, &last, update) == STORE_OK;
}

/* Only what its owner needs, in few words. */
static json_t *owned_json(struct http_exchange *x, struct store_view *view,
                          const struct device *device)
{
    struct product product = {0};
    struct update update;
    struct release release;
    json_t *object, *offer = json_null(), *doing = json_null();

    (void)report_product(view, device->product, &product);
    json_t *shown = show_device(api_fleet(x), device, &product);
    if (latest_update(view, device, &update)) {
        bool asks_download = update.state == UPDATE_OFFERED;
        bool asks_reboot = update.state == UPDATE_DOWNLOADED &&
                           product.consent == CONSENT_ASK_REBOOT && !device->reboot_accepted;
        bool known = store_get_no(view, STORE_RELEASE, update.release, &release) == STORE_OK;
        json_t *whole = show_update(&update);
        doing = json_pack(
            "{s:O, s:O, s:O, s:O, s:O}", "state", json_object_get(whole, "state"), "bytes",
            json_object_get(whole, "bytes"), "size", json_object_get(whole, "size"), "version",
            json_object_get(whole, "version"), "reason", json_object_get(whole, "reason"));
        json_decref(whole);
        if (asks_download || asks_reboot) {
            offer = json_pack("{s:s, s:s, s:s, s:s, s:o}", "update", update.id, "version",
                              update.version, "notes", known ? release.notes : "", "question",
                              asks_reboot ? "reboot" : "download", "postponed",
                              device->not_before > fleet_now(api_fleet(x))
                                  ? show_time(device->not_before)
                                  : json_null());
        }
    }
    object = json_pack("{s:s, s:O, s:O, s:O, s:O, s:o, s:o}", "id", device->id, "name",
                       json_object_get(shown, "name"), "version", json_object_get(shown, "version"),
                       "online", json_object_get(shown, "online"), "last_seen",
                       json_object_get(shown, "last_seen"), "offer", offer, "update", doing);
    json_decref(shown);
    return object;
}

static void answer_owned(struct http_exchange *x, unsigned status, const struct device *device)
{
    struct store_view *view = report_begin(api_fleet(x));

    http_answer_json(x, status, owned_json(x, view, device));
    report_end(view);
}

/* A device that is not the asker's own does not exist. */
static bool find_own(struct http_exchange *x, struct device *device)
{
    if (!find(x, device)) {
        return false;
    }
    if (device->owner != api_actor(x)->user) {
        http_answer_not_found(x);
        return false;
    }
    return true;
}

static void list_own(struct http_exchange *x)
{
    struct listing listing = {.room = 500};
    struct fleet_error error;

    listing.devices = http_alloc(x, listing.room * sizeof *listing.devices);
    if (api_failed(x, fleet_my_devices(api_fleet(x), api_actor(x), add_device, &listing, &error),
                   &error)) {
        return;
    }
    struct store_view *view = report_begin(api_fleet(x));
    json_t *items = json_array();
    for (size_t i = 0; i < listing.count; i++) {
        json_array_append_new(items, owned_json(x, view, &listing.devices[i]));
    }
    report_end(view);
    const struct fleet_page page = {.total = (int64_t)listing.count};
    api_answer_page(x, items, &page);
}

static void show_own(struct http_exchange *x)
{
    struct device *device = http_alloc(x, sizeof *device);

    if (find_own(x, device)) {
        answer_owned(x, 200, device);
    }
}

static void claim(struct http_exchange *x)
{
    struct claim_fields fields = {0};
    struct device *device = http_alloc(x, sizeof *device);
    struct fleet_error error;

    if (http_read_json(x, claim_fields, &fields) &&
        !api_failed(x, fleet_device_claim(api_fleet(x), api_actor(x), fields.code, device, &error),
                    &error)) {
        answer_owned(x, 200, device);
    }
}

struct answer_fields {
    const char *update, *answer;
    int64_t offset;
};
static const char *const answers[] = {"now", "tonight", "no", NULL};
static const struct http_field answer_fields[] = {
    {.name = "update",
     .kind = HTTP_TEXT,
     .required = true,
     .min = 1,
     .max = ID_SIZE,
     .at = offsetof(struct answer_fields, update),
     .help = "which update is answered"},
    {.name = "answer",
     .kind = HTTP_CHOICE,
     .required = true,
     .choices = answers,
     .at = offsetof(struct answer_fields, answer),
     .help = "what the owner says"},
    {.name = "offset",
     .kind = HTTP_NUMBER,
     .min = -14 * 60,
     .max = 14 * 60,
     .at = offsetof(struct answer_fields, offset),
     .help = "minutes that the owner's clock is ahead of UTC, for tonight: at three o'clock there"},
    {0},
};
static const struct http_schema answer_schema = {"Answer", answer_fields};

/* An answer is to a question: when another update asks by now, it is not taken for that one. */
static void answer_question(struct http_exchange *x)
{
    const struct api_link *link = &api_of(x)->options.link;
    struct answer_fields fields = {0};
    struct device *device = http_alloc(x, sizeof *device);
    struct update *update = http_alloc(x, sizeof *update);
    struct fleet_error error;
    enum answer answer = ANSWER_NO;

    if (!find_own(x, device) || !http_read_json(x, answer_fields, &fields) ||
        api_failed(x, fleet_update_show(api_fleet(x), api_actor(x), fields.update, update, &error),
                   &error)) {
        return;
    }
    if (update->no != device->update) {
        http_answer_error(x, 409, REFUSAL_ANSWERED, "update", NULL);
        return;
    }
    for (int i = 0; answers[i] != NULL; i++) {
        answer = strcmp(answers[i], fields.answer) == 0 ? (enum answer)i : answer;
    }
    if (!api_failed(x,
                    fleet_device_answer(api_fleet(x), api_actor(x), device->id, answer,
                                        (int32_t)fields.offset, &error),
                    &error) &&
        find(x, device)) {
        if (answer == ANSWER_NOW && link->notify != NULL) {
            (void)link->notify(link->ctx, device->id);
        }
        answer_owned(x, 200, device);
    }
}

static void reboot_own(struct http_exchange *x)
{
    struct device *device = http_alloc(x, sizeof *device);

    if (find_own(x, device)) {
        reboot(x);
    }
}

#define ABOUT(name, text, schema, answer, list)                                                    \
    static const struct api_about about_##name = {text, schema, answer, list}
ABOUT(list, "devices that you may see", NULL, "Device", true);
ABOUT(create, "register a device", &create_schema, "DevicePage", false);
ABOUT(show, "one device, with its history", NULL, "DevicePage", false);
ABOUT(edit, "change a device", &edit_schema, "DevicePage", false);
ABOUT(delete, "delete a device with its history", NULL, NULL, false);
ABOUT(explain, "which update it should get now, or why none", NULL, "Decision", false);
ABOUT(order, "order an update", &order_schema, "Update", false);
ABOUT(reboot, "tell it to reboot", NULL, "Told", false);
ABOUT(block, "block a device, or let it in again", &block_schema, "DevicePage", false);
ABOUT(rpc, "a request to a linked device: {action, ...}", NULL, "", false);
ABOUT(claim, "become the owner of a device", &claim_schema, "OwnedDevice", false);
ABOUT(own, "your own devices", NULL, "OwnedDevice", true);
ABOUT(show_own, "one of your own devices", NULL, "OwnedDevice", false);
ABOUT(answer, "answer the question about an update", &answer_schema, "OwnedDevice", false);

#define DEVICE "/api/v1/devices/{device}"
#define OWN "/api/v1/my/devices/{device}"
const struct http_route api_device_routes[] = {
    {HTTP_GET, "/api/v1/devices", HTTP_USER, 0, 0, list, NULL, &about_list},
    {HTTP_POST, "/api/v1/products/{product}/devices", HTTP_OPERATOR, 0, 65536, create, NULL,
     &about_create},
    {HTTP_POST, "/api/v1/devices/claim", HTTP_USER, 0, 4096, claim, NULL, &about_claim},
    {HTTP_GET, DEVICE, HTTP_VIEWER, 0, 0, show, NULL, &about_show},
    {HTTP_PATCH, DEVICE, HTTP_OPERATOR, 0, 65536, edit, NULL, &about_edit},
    {HTTP_DELETE, DEVICE, HTTP_OPERATOR, 0, 0, delete, NULL, &about_delete},
    {HTTP_GET, DEVICE "/decision", HTTP_VIEWER, 0, 0, explain, NULL, &about_explain},
    {HTTP_POST, DEVICE "/update", HTTP_OPERATOR, 0, 4096, order, NULL, &about_order},
    {HTTP_POST, DEVICE "/reboot", HTTP_OPERATOR, 0, 4096, reboot, NULL, &about_reboot},
    {HTTP_POST, DEVICE "/block", HTTP_OPERATOR, 0, 4096, block, NULL, &about_block},
    {HTTP_POST, DEVICE "/rpc", HTTP_OPERATOR, 0, 16384, rpc, NULL, &about_rpc},
    {HTTP_GET, "/api/v1/my/devices", HTTP_USER, 0, 0, list_own, NULL, &about_own},
    {HTTP_GET, OWN, HTTP_OWNER, 0, 0, show_own, NULL, &about_show_own},
    {HTTP_POST, OWN "/answer", HTTP_OWNER, 0, 4096, answer_question, NULL, &about_answer},
    {HTTP_POST, OWN "/reboot", HTTP_OWNER, 0, 4096, reboot_own, NULL, &about_reboot},
};
const size_t api_device_count = sizeof api_device_routes / sizeof api_device_routes[0];
