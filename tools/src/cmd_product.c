/* updraft product create, list, show. */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "columns.h"
#include "commands.h"
#include "files.h"

static const struct column lines[] = {
    {"id", "id"},
    {"name", "name"},
    {"key", "key"},
    {"kind", "kind"},
    {"chip", "chip"},
    {"map", "map"},
    {"ptype", "ptype"},
    {"consent", "consent"},
    {"channels", "channels"},
    {"current", "current"},
    {"devices", "devices"},
    {"online", "online"},
    {0},
};
static const struct column columns[] = {
    {"ID", "id"},           {"NAME", "name"},       {"KIND", "kind"},     {"CHIP", "chip"},
    {"CURRENT", "current"}, {"DEVICES", "devices"}, {"ONLINE", "online"}, {0},
};

/* --- create ----------------------------------------------------------------------------------- */

/* In the order of the API's own words. */
static const char *const kinds[] = {"nonos", "arduino", "otadrive", "idf", "rtos", "updraft", NULL};
static const char *const strangers[] = {"refuse", "hold", "admit", NULL};
static const char *const consents[] = {"automatic", "ask_download", "ask_reboot", "operator", NULL};

struct create_arguments {
    struct server_options server;
    const char *name, *chip, *table;
    struct choice kind, consent, strangers;
    struct number map, ptype;
};

static const struct option create_options[] = {
    {.name = "chip",
     .kind = VALUE_TEXT,
     .value = "CHIP",
     .required = true,
     .at = offsetof(struct create_arguments, chip),
     .help = "esp8266, esp32, esp32c3, ..."},
    {.name = "kind",
     .kind = VALUE_CHOICE,
     .value = "KIND",
     .choices = kinds,
     .at = offsetof(struct create_arguments, kind),
     .help = "what its firmware is built with; without it nonos with --map, rtos or idf with "
             "--partition-table, else arduino"},
    {.name = "map",
     .kind = VALUE_NUMBER,
     .value = "N",
     .max = 9,
     .at = offsetof(struct create_arguments, map),
     .help = "flash map of the NONOS SDK"},
    {.name = "partition-table",
     .kind = VALUE_INPUT,
     .value = "CSV",
     .at = offsetof(struct create_arguments, table),
     .help = "the devices' partition table"},
    {.name = "ptype",
     .kind = VALUE_NUMBER,
     .value = "N",
     .min = 1,
     .at = offsetof(struct create_arguments, ptype),
     .help = "the product's number in ROM version names"},
    {.name = "consent",
     .kind = VALUE_CHOICE,
     .value = "WHOSE",
     .choices = consents,
     .at = offsetof(struct create_arguments, consent),
     .help = "who has to say yes to an update; nobody without it"},
    {.name = "strangers",
     .kind = VALUE_CHOICE,
     .value = "WHAT",
     .choices = strangers,
     .at = offsetof(struct create_arguments, strangers),
     .help = "to do with devices that know the product's key and are not registered: refuse, hold "
             "until somebody admits them, admit; refuse without it"},
    SERVER_OPTIONS(struct create_arguments, server),
    {0},
};
static const struct operand create_operands[] = {
    {.name = "NAME",
     .kind = VALUE_TEXT,
     .at = offsetof(struct create_arguments, name),
     .help = "what people call it"},
    {0},
};
static const struct example create_examples[] = {
    {"updraft product create smart-clock --chip esp8266 --map 2 --ptype 45772 --consent ask_reboot",
     "a fleet of Espressif's NONOS SDK"},
    {"updraft product create lamp --chip esp8266 --strangers admit",
     "a fleet of Arduino sketches, which register themselves"},
    {0},
};

static const char *kind_of(const struct create_arguments *arguments)
{
    return arguments->kind.word != NULL              ? arguments->kind.word
           : arguments->map.given                    ? "nonos"
           : arguments->table == NULL                ? "arduino"
           : strcmp(arguments->chip, "esp8266") == 0 ? "rtos"
                                                     : "idf";
}

/* NULL: reported. */
static json_t *create_body(struct call *call, const struct create_arguments *arguments)
{
    enum { TABLE_LIMIT = 65536 };
    json_t *body = json_pack("{s:s, s:s, s:s}", "name", arguments->name, "chip", arguments->chip,
                             "kind", kind_of(arguments));
    uint8_t *table;
    size_t size;

    if (arguments->map.given) {
        json_object_set_new(body, "map", json_integer(arguments->map.value));
    }
    if (arguments->ptype.given) {
        json_object_set_new(body, "ptype", json_integer(arguments->ptype.value));
    }
    if (arguments->consent.word != NULL) {
        json_object_set_new(body, "consent", json_string(arguments->consent.word));
    }
    if (arguments->strangers.word != NULL) {
        json_object_set_new(body, "strangers", json_string(arguments->strangers.word));
    }
    if (arguments->table != NULL) {
        if (!input_load(call, arguments->table, TABLE_LIMIT, "a partition table", &table, &size)) {
            json_decref(body);
            return NULL;
        }
        json_object_set_new(body, "partition_table", json_string((const char *)table));
        free(table);
    }
    return body;
}

static enum exit_code create(struct call *call)
{
    const struct create_arguments *arguments = call->arguments;
    json_t *body = create_body(call, arguments);
    struct api *api = body != NULL ? api_open(call, &arguments->server, false) : NULL;

    if (api == NULL) {
        json_decref(body);
        return api_failure(call);
    }
    enum exit_code code =
        show_object(call, api_send(api, "POST", api_path("/products"), body), lines);
    api_close(api);
    return code;
}

const struct command product_create_command = {
    .group = "product",
    .name = "create",
    .summary = "make a product: what devices of one kind have in common",
    .text = "Shows its id and its key, which goes into the firmware of devices that name it.",
    .examples = create_examples,
    .options = create_options,
    .operands = create_operands,
    .json = true,
    .size = sizeof(struct create_arguments),
    .run = create,
};

/* --- list and show ---------------------------------------------------------------------------- */

struct arguments {
    struct server_options server;
    const char *product;
};
static const struct option options[] = {SERVER_OPTIONS(struct arguments, server), {0}};
static const struct operand operands[] = {
    {.name = "PRODUCT",
     .kind = VALUE_TEXT,
     .at = offsetof(struct arguments, product),
     .help = "its id or its name"},
    {0},
};
static const struct example list_examples[] = {{"updraft product list", "all that you may see"},
                                               {0}};
static const struct example show_examples[] = {
    {"updraft product show smart-clock", "its key, what is current, how many devices"}, {0}};

static enum exit_code list(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    struct api *api = api_open(call, &arguments->server, false);

    if (api == NULL) {
        return api_failure(call);
    }
    enum exit_code code =
        show_list(call, all_pages(api, call, api_path("/products?limit=500")), "products", columns);
    api_close(api);
    return code;
}

static enum exit_code show(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    struct api *api = api_open(call, &arguments->server, false);

    if (api == NULL) {
        return api_failure(call);
    }
    enum exit_code code = show_object(
        call, api_send(api, "GET", api_path("/products/%s", arguments->product), NULL), lines);
    api_close(api);
    return code;
}

const struct command product_list_command = {
    .group = "product",
    .name = "list",
    .summary = "list products",
    .text = "Those that you may see, with what is current in them.",
    .examples = list_examples,
    .options = options,
    .json = true,
    .size = sizeof(struct arguments),
    .run = list,
};

const struct command product_show_command = {
    .group = "product",
    .name = "show",
    .summary = "show a product",
    .text = "The key is shown to operators and developers of the product.",
    .examples = show_examples,
    .options = options,
    .operands = operands,
    .json = true,
    .size = sizeof(struct arguments),
    .run = show,
};
