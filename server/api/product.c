/* Products, their members, and what to paste into their devices. */
#include <stdio.h>
#include <string.h>

#include <updraft/chip.h>

#include "api/inside.h"
#include "api/show.h"
#include "fleet/report.h"

#define WORD(name, word) word,
static const char *const kinds[] = {PRODUCT_KINDS(WORD) NULL};
static const char *const consents[] = {CONSENTS(WORD) NULL};
static const char *const stranger_words[] = {STRANGERS(WORD) NULL};
static const char *const roles[] = {ROLES(WORD) NULL};

struct fields {
    const char *name, *kind, *chip, *table, *consent, *strangers;
    json_t *channels;
    int64_t map, ptype, reply_unknown, reply_blocked;
    bool strict_kinds;
    bool has_name, has_map, has_table, has_consent, has_strangers, has_channels, has_unknown,
        has_blocked, has_strict;
};

#define COMMON_FIELDS                                                                              \
    {.name = "map",                                                                                \
     .kind = HTTP_NUMBER,                                                                          \
     .nullable = true,                                                                             \
     .min = 0,                                                                                     \
     .max = 9,                                                                                     \
     .at = offsetof(struct fields, map),                                                           \
     .given = offsetof(struct fields, has_map),                                                    \
     .help = "flash map of the NONOS SDK"},                                                        \
        {.name = "partition_table",                                                                \
         .kind = HTTP_LINES,                                                                       \
         .nullable = true,                                                                         \
         .max = TABLE_SIZE - 1,                                                                    \
         .at = offsetof(struct fields, table),                                                     \
         .given = offsetof(struct fields, has_table),                                              \
         .help = "partition table as CSV"},                                                        \
        {.name = "consent",                                                                        \
         .kind = HTTP_CHOICE,                                                                      \
         .choices = consents,                                                                      \
         .at = offsetof(struct fields, consent),                                                   \
         .given = offsetof(struct fields, has_consent),                                            \
         .help = "who has to say yes to an update"},                                               \
        {.name = "strangers",                                                                      \
         .kind = HTTP_CHOICE,                                                                      \
         .choices = stranger_words,                                                                \
         .at = offsetof(struct fields, strangers),                                                 \
         .given = offsetof(struct fields, has_strangers),                                          \
         .help = "what becomes of devices that are not registered"},                               \
        {.name = "channels",                                                                       \
         .kind = HTTP_ARRAY,                                                                       \
         .at = offsetof(struct fields, channels),                                                  \
         .given = offsetof(struct fields, has_channels),                                           \
         .help = "names of channels; devices get the first"},                                      \
        {.name = "reply_unknown",                                                                  \
         .kind = HTTP_NUMBER,                                                                      \
         .min = 304,                                                                               \
         .max = 404,                                                                               \
         .at = offsetof(struct fields, reply_unknown),                                             \
         .given = offsetof(struct fields, has_unknown),                                            \
         .help = "HTTP status for devices that are not known: 304, 401, 403 or 404"},              \
        {.name = "reply_blocked",                                                                  \
         .kind = HTTP_NUMBER,                                                                      \
         .min = 304,                                                                               \
         .max = 404,                                                                               \
         .at = offsetof(struct fields, reply_blocked),                                             \
         .given = offsetof(struct fields, has_blocked),                                            \
         .help = "likewise for blocked devices"},                                                  \
    {                                                                                              \
        .name = "strict_kinds", .kind = HTTP_BOOL, .at = offsetof(struct fields, strict_kinds),    \
        .given = offsetof(struct fields, has_strict),                                              \
        .help = "refuse an official and a beta version of one number"                              \
    }

static const struct http_field create_fields[] = {
    {.name = "name",
     .kind = HTTP_TEXT,
     .required = true,
     .min = 1,
     .max = 100,
     .at = offsetof(struct fields, name),
     .given = offsetof(struct fields, has_name),
     .help = "what people call it"},
    {.name = "kind",
     .kind = HTTP_CHOICE,
     .required = true,
     .choices = kinds,
     .at = offsetof(struct fields, kind),
     .help = "what its firmware is built with"},
    {.name = "chip",
     .kind = HTTP_TEXT,
     .required = true,
     .min = 1,
     .max = 20,
     .at = offsetof(struct fields, chip),
     .help = "esp8266, esp32, esp32c3, ..."},
    {.name = "ptype",
     .kind = HTTP_NUMBER,
     .nullable = true,
     .min = 1,
     .max = INT32_MAX,
     .at = offsetof(struct fields, ptype),
     .help = "Espressif's number of the product"},
    COMMON_FIELDS,
    {0},
};
static const struct http_field edit_fields[] = {
    {.name = "name",
     .kind = HTTP_TEXT,
     .min = 1,
     .max = 100,
     .at = offsetof(struct fields, name),
     .given = offsetof(struct fields, has_name),
     .help = "what people call it"},
    COMMON_FIELDS,
    {0},
};
static const struct http_schema create_schema = {"NewProduct", create_fields};
static const struct http_schema edit_schema = {"EditProduct", edit_fields};

static void set_text(char *field, size_t size, const char *text)
{
    snprintf(field, size, "%s", text != NULL ? text : "");
}

/* The list as the model keeps it: separated by commas. */
static bool set_channels(struct http_exchange *x, struct product *product, const json_t *channels)
{
    size_t index, length = 0;
    json_t *channel;

    product->channels[0] = '\0';
    json_array_foreach(channels, index, channel)
    {
        const char *text = json_string_value(channel);
        if (text == NULL || *text == '\0' || strchr(text, ',') != NULL ||
            strlen(text) >= WORD_SIZE || length + strlen(text) + 2 > sizeof product->channels) {
            http_answer_error(x, 422, REFUSAL_INVALID_CHANNELS, "channels", NULL);
            return false;
        }
        length += (size_t)snprintf(product->channels + length, sizeof product->channels - length,
                                   "%s%s", length > 0 ? "," : "", text);
    }
    return true;
}

/* What is given replaces what is there. */
static bool apply(struct http_exchange *x, const struct fields *fields, struct product *product)
{
    if (fields->has_name) {
        set_text(product->name, sizeof product->name, fields->name);
    }
    if (fields->has_map) {
        product->map = fields->map >= 0 ? (int32_t)fields->map : -1;
    }
    if (fields->has_table) {
        set_text(product->table, sizeof product->table, fields->table);
    }
    if (fields->has_consent) {
        (void)consent_find(fields->consent, &product->consent); /* one of the choices */
    }
    if (fields->has_strangers) {
        (void)strangers_find(fields->strangers, &product->strangers);
    }
    if (fields->has_unknown) {
        product->reply_unknown = (int32_t)fields->reply_unknown;
    }
    if (fields->has_blocked) {
        product->reply_blocked = (int32_t)fields->reply_blocked;
    }
    if (fields->has_strict) {
        product->strict_kinds = fields->strict_kinds;
    }
    return !fields->has_channels || set_channels(x, product, fields->channels);
}

/* --- Showing ---------------------------------------------------------------------------------- */

struct currents {
    json_t *object;
};

static void add_current(void *ctx, const struct release *release)
{
    const struct currents *currents = ctx;

    if (release->current) {
        json_object_set_new(currents->object, release->channel, json_string(release->version));
    }
}

/* Also what is current in it, and how many devices it has. */
static json_t *whole(struct http_exchange *x, const struct product *product, enum role role)
{
    const struct actor *actor = api_actor(x);
    const struct fleet_query query = {.product = product->id, .limit = 500};
    json_t *object = show_product(product, role, actor->administrator);
    struct currents currents = {json_object()};
    struct fleet_overview overview = {0};
    struct fleet_error error;
    struct fleet_page page;

    (void)fleet_release_list(api_fleet(x), actor, &query, add_current, &currents, &page, &error);
    (void)fleet_overview(api_fleet(x), actor, product->id, &overview, &error);
    json_object_set_new(object, "current", currents.object);
    json_object_set_new(object, "devices", json_integer(overview.devices));
    json_object_set_new(object, "online", json_integer(overview.online));
    return object;
}

/* The product of the path; false: answered. */
static bool find(struct http_exchange *x, struct product *product, enum role *role)
{
    struct fleet_error error;

    return !api_failed(x,
                       fleet_product_show(api_fleet(x), api_actor(x), http_path(x, "product"),
                                          product, role, &error),
                       &error);
}

static void show(struct http_exchange *x)
{
    struct product *product = http_alloc(x, sizeof *product);
    enum role role;

    if (find(x, product, &role)) {
        http_answer_json(x, 200, whole(x, product, role));
    }
}

struct listing {
    struct http_exchange *x;
    struct product *products;
    enum role *roles;
    size_t count, room;
};

static void add_product(void *ctx, const struct product *product, enum role role)
{
    struct listing *listing = ctx;

    if (listing->count < listing->room) {
        listing->products[listing->count] = *product;
        listing->roles[listing->count++] = role;
    }
}

static void list(struct http_exchange *x)
{
    struct fleet_query query;
    struct fleet_page page;
    struct fleet_error error;
    struct listing listing = {.x = x};

    if (!api_query(x, API_TEXT, &query)) {
        return;
    }
    listing.room = (size_t)query.limit;
    listing.products = http_alloc(x, listing.room * sizeof *listing.products);
    listing.roles = http_alloc(x, listing.room * sizeof *listing.roles);
    if (api_failed(x,
                   fleet_product_list(api_fleet(x), api_actor(x), &query, add_product, &listing,
                                      &page, &error),
                   &error)) {
        return;
    }
    json_t *items = json_array();
    for (size_t i = 0; i < listing.count; i++) {
        json_array_append_new(items, whole(x, &listing.products[i], listing.roles[i]));
    }
    api_answer_page(x, items, &page);
}

/* --- Changing --------------------------------------------------------------------------------- */

static void create(struct http_exchange *x)
{
    struct fields fields = {.map = -1};
    struct product *product = http_alloc(x, sizeof *product);
    struct fleet_error error;

    *product = (struct product){.map = -1};
    if (!http_read_json(x, create_fields, &fields) || !apply(x, &fields, product)) {
        return;
    }
    product->ptype = fields.ptype;
    (void)product_kind_find(fields.kind, &product->kind); /* one of the choices */
    product->chip = upd_chip_find(fields.chip);
    if (product->chip == UPD_CHIP_NONE) {
        http_answer_error(x, 422, REFUSAL_INVALID_CHIP, "chip", VALUES({"chip", fields.chip, 0}));
        return;
    }
    if (!api_failed(x, fleet_product_create(api_fleet(x), api_actor(x), product, &error), &error)) {
        http_answer_json(x, 201, whole(x, product, ROLE_DEVELOPER));
    }
}

static void edit(struct http_exchange *x)
{
    struct fields fields = {.map = -1};
    struct product *product = http_alloc(x, sizeof *product);
    struct fleet_error error;
    enum role role;

    if (find(x, product, &role) && http_read_json(x, edit_fields, &fields) &&
        apply(x, &fields, product) &&
        !api_failed(x, fleet_product_edit(api_fleet(x), api_actor(x), product, &error), &error)) {
        http_answer_json(x, 200, whole(x, product, role));
    }
}

static void delete (struct http_exchange *x)
{
    struct fleet_error error;

    if (!api_failed(
            x, fleet_product_delete(api_fleet(x), api_actor(x), http_path(x, "product"), &error),
            &error)) {
        http_answer_empty(x, 204);
    }
}

/* --- Members ---------------------------------------------------------------------------------- */

static void add_member(void *ctx, const struct user *user, enum role role)
{
    json_array_append_new(ctx, json_pack("{s:s, s:s, s:s}", "user", user->id, "name", user->name,
                                         "role", role_word(role)));
}

static void list_members(struct http_exchange *x)
{
    struct fleet_error error;
    json_t *items = json_array();

    if (api_failed(x,
                   fleet_member_list(api_fleet(x), api_actor(x), http_path(x, "product"),
                                     add_member, items, &error),
                   &error)) {
        json_decref(items);
        return;
    }
    const struct fleet_page page = {.total = (int64_t)json_array_size(items)};
    api_answer_page(x, items, &page);
}

struct member_fields {
    const char *role;
};
static const struct http_field member_fields[] = {
    {.name = "role",
     .kind = HTTP_CHOICE,
     .required = true,
     .choices = roles + 1,
     .at = offsetof(struct member_fields, role),
     .help = "what the user may do in the product"},
    {0},
};
static const struct http_schema member_schema = {"Membership", member_fields};

static void answer_member(struct http_exchange *x, enum role role)
{
    struct fleet_error error;

    if (!api_failed(x,
                    fleet_member_set(api_fleet(x), api_actor(x), http_path(x, "product"),
                                     http_path(x, "user"), role, &error),
                    &error)) {
        http_answer_empty(x, 204);
    }
}

static void set_member(struct http_exchange *x)
{
    struct member_fields fields = {0};
    enum role role = ROLE_NONE;

    if (http_read_json(x, member_fields, &fields)) {
        (void)role_find(fields.role, &role); /* one of the choices */
        answer_member(x, role);
    }
}

static void remove_member(struct http_exchange *x)
{
    answer_member(x, ROLE_NONE);
}

/* --- What to paste ---------------------------------------------------------------------------- */

static void add_step(json_t *steps, const char *title, const char *text)
{
    json_array_append_new(steps, json_pack("{s:s, s:s}", "title", title, "text", text));
}

/* The port of the device link, as stock firmware has it when there is none. */
static const char *link_port(struct http_exchange *x)
{
    const char *link = json_string_value(json_object_get(api_of(x)->options.addresses, "link"));
    const char *port = link != NULL ? strrchr(link, ':') : NULL;

    return port != NULL ? port + 1 : "8000";
}

/* HOST and PORT of this server as the client reached it, and of the link when there is one. */
static void paste(struct http_exchange *x)
{
    struct product *product = http_alloc(x, sizeof *product);
    enum role role;
    json_t *steps = json_array();

    if (!find(x, product, &role)) {
        json_decref(steps);
        return;
    }
    const char *origin = http_origin(x);
    const char *host = strstr(origin, "://") + 3;
    const char *key =
        role >= ROLE_OPERATOR || api_actor(x)->administrator ? product->key : "PRODUCT_KEY";
    switch (product->kind) {
    case KIND_ARDUINO:
        if (product->chip == UPD_CHIP_ESP8266) {
            add_step(
                steps, "ESPhttpUpdate",
                http_printf(x,
                            "#include <ESP8266httpUpdate.h>\n\nWiFiClient client;\n"
                            "ESPhttpUpdate.update(client, \"http://%s/update/%s\", \"1.0.0\");",
                            host, key));
        } else {
            add_step(steps, "HTTPUpdate",
                     http_printf(x,
                                 "#include <HTTPUpdate.h>\n\nWiFiClient client;\n"
                                 "httpUpdate.update(client, \"http://%s/update/%s\", \"1.0.0\");",
                                 host, key));
        }
        break;
    case KIND_OTADRIVE:
        add_step(steps, "OTAdrive",
                 http_printf(x,
                             "String url = \"http://%s/DeviceApi/update?\";\n"
                             "url += \"k=%s\" + MakeFirmwareInfo(\"%s\", \"1.0.0\");\n"
                             "url += \"&s=\" + String(ESP.getChipId());\n\nWiFiClient client;\n"
                             "ESPhttpUpdate.update(client, url, \"1.0.0\");",
                             host, key, key));
        break;
    case KIND_IDF:
    case KIND_RTOS:
        add_step(steps, "esp_https_ota",
                 http_printf(x,
                             "esp_http_client_config_t config = {\n    .url = \"%s/%s/app.bin\",\n"
                             "    .cert_pem = server_cert_pem,\n};\nesp_https_ota(&config);",
                             origin, product->id));
        add_step(steps, "server_cert_pem", http_printf(x, "%s/ca.crt", origin));
        break;
    case KIND_NONOS:
        add_step(steps, "user_esp_platform.h",
                 http_printf(x, "#define ESP_DOMAIN \"%.*s\"", (int)strcspn(host, ":/"), host));
        add_step(steps, "user_esp_platform.c",
                 http_printf(x, "pespconn->proto.tcp->remote_port = %s;", link_port(x)));
        add_step(steps, "master_device_key.bin",
                 http_printf(x, "updraft device create %s --serial 0001 -o master_device_key.bin",
                             product->id));
        break;
    case KIND_UPDRAFT:
        add_step(steps, "updraft/agent.h", http_printf(x, ".url = \"%s/update/%s\",", origin, key));
        break;
    }
    http_answer_json(x, 200, json_pack("{s:o}", "steps", steps));
}

#define ABOUT(name, text, schema, answer, list)                                                    \
    static const struct api_about about_##name = {text, schema, answer, list}
ABOUT(list, "products that you may see", NULL, "Product", true);
ABOUT(create, "make a product", &create_schema, "Product", false);
ABOUT(show, "one product", NULL, "Product", false);
ABOUT(edit, "change a product", &edit_schema, "Product", false);
ABOUT(delete, "delete a product without devices", NULL, NULL, false);
ABOUT(members, "who may do what in a product", NULL, "Member", true);
ABOUT(set_member, "make a user a member, or change the role", &member_schema, NULL, false);
ABOUT(remove_member, "end a membership", NULL, NULL, false);
ABOUT(paste, "lines for the device's side, with this server's address", NULL, "Paste", false);

#define PRODUCT "/api/v1/products/{product}"
const struct http_route api_product_routes[] = {
    {HTTP_GET, "/api/v1/products", HTTP_USER, 0, 0, list, NULL, &about_list},
    {HTTP_POST, "/api/v1/products", HTTP_ADMINISTRATOR, 0, 65536, create, NULL, &about_create},
    {HTTP_GET, PRODUCT, HTTP_VIEWER, 0, 0, show, NULL, &about_show},
    {HTTP_PATCH, PRODUCT, HTTP_DEVELOPER, 0, 65536, edit, NULL, &about_edit},
    {HTTP_DELETE, PRODUCT, HTTP_ADMINISTRATOR, 0, 0, delete, NULL, &about_delete},
    {HTTP_GET, PRODUCT "/members", HTTP_DEVELOPER, 0, 0, list_members, NULL, &about_members},
    {HTTP_PUT, PRODUCT "/members/{user}", HTTP_DEVELOPER, 0, 4096, set_member, NULL,
     &about_set_member},
    {HTTP_DELETE, PRODUCT "/members/{user}", HTTP_DEVELOPER, 0, 0, remove_member, NULL,
     &about_remove_member},
    {HTTP_GET, PRODUCT "/paste", HTTP_VIEWER, 0, 0, paste, NULL, &about_paste},
};
const size_t api_product_count = sizeof api_product_routes / sizeof api_product_routes[0];
