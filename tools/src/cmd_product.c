/* updraft product create, edit, delete, list, show, paste. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "columns.h"
#include "commands.h"
#include "display.h"
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
    {"strangers", "strangers"},
    {"reply unknown", "reply_unknown"},
    {"reply blocked", "reply_blocked"},
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

static const char *const replies[] = {"304", "401", "403", "404", NULL};

struct create_arguments {
    struct server_options server;
    const char *name, *chip, *table, *rename;
    struct choice kind, consent, strangers, unknown, blocked;
    struct number map, ptype;
    struct words channels;
};

/* What may be said when a product is made, and changed later. */
#define POLICY_OPTIONS                                                                             \
    {.name = "map",                                                                                \
     .kind = VALUE_NUMBER,                                                                         \
     .value = "N",                                                                                 \
     .max = 9,                                                                                     \
     .at = offsetof(struct create_arguments, map),                                                 \
     .help = "flash map of the NONOS SDK"},                                                        \
        {.name = "partition-table",                                                                \
         .kind = VALUE_INPUT,                                                                      \
         .value = "CSV",                                                                           \
         .at = offsetof(struct create_arguments, table),                                           \
         .help = "the devices' partition table"},                                                  \
        {.name = "consent",                                                                        \
         .kind = VALUE_CHOICE,                                                                     \
         .value = "WHOSE",                                                                         \
         .choices = consents,                                                                      \
         .at = offsetof(struct create_arguments, consent),                                         \
         .help = "who has to say yes to an update: automatic is nobody, operator is who orders "   \
                 "it"},                                                                            \
        {.name = "strangers",                                                                      \
         .kind = VALUE_CHOICE,                                                                     \
         .value = "WHAT",                                                                          \
         .choices = strangers,                                                                     \
         .at = offsetof(struct create_arguments, strangers),                                       \
         .help = "to do with devices that know the product's key and are not registered: refuse, " \
                 "hold until somebody admits them, admit"},                                        \
        {.name = "reply-unknown",                                                                  \
         .kind = VALUE_CHOICE,                                                                     \
         .value = "STATUS",                                                                        \
         .choices = replies,                                                                       \
         .at = offsetof(struct create_arguments, unknown),                                         \
         .help = "what unknown devices are answered; a stock sketch asks again at once unless it " \
                 "is 304"},                                                                        \
        {.name = "reply-blocked",                                                                  \
         .kind = VALUE_CHOICE,                                                                     \
         .value = "STATUS",                                                                        \
         .choices = replies,                                                                       \
         .at = offsetof(struct create_arguments, blocked),                                         \
         .help = "what blocked devices are answered, likewise"},                                   \
    {                                                                                              \
        .name = "channel", .kind = VALUE_WORDS, .value = "NAME",                                   \
        .at = offsetof(struct create_arguments, channels),                                         \
        .help = "a channel of releases, repeated for each; devices get the first"                  \
    }

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
    {.name = "ptype",
     .kind = VALUE_NUMBER,
     .value = "N",
     .min = 1,
     .at = offsetof(struct create_arguments, ptype),
     .help = "the product's number in ROM version names"},
    POLICY_OPTIONS,
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

static void add_reply(json_t *body, const char *name, struct choice reply)
{
    if (reply.word != NULL) {
        json_object_set_new(body, name, json_integer(atoi(reply.word)));
    }
}

/* False: reported. */
static bool add_policy(struct call *call, const struct create_arguments *arguments, json_t *body)
{
    enum { TABLE_LIMIT = 65536 };
    uint8_t *table;
    size_t size;

    if (arguments->map.given) {
        json_object_set_new(body, "map", json_integer(arguments->map.value));
    }
    if (arguments->consent.word != NULL) {
        json_object_set_new(body, "consent", json_string(arguments->consent.word));
    }
    if (arguments->strangers.word != NULL) {
        json_object_set_new(body, "strangers", json_string(arguments->strangers.word));
    }
    add_reply(body, "reply_unknown", arguments->unknown);
    add_reply(body, "reply_blocked", arguments->blocked);
    if (arguments->channels.count > 0) {
        json_t *names = json_array();
        for (size_t i = 0; i < arguments->channels.count; i++) {
            json_array_append_new(names, json_string(arguments->channels.word[i]));
        }
        json_object_set_new(body, "channels", names);
    }
    if (arguments->table != NULL) {
        if (!input_load(call, arguments->table, TABLE_LIMIT, "a partition table", &table, &size)) {
            return false;
        }
        json_object_set_new(body, "partition_table", json_string((const char *)table));
        free(table);
    }
    return true;
}

static enum exit_code create(struct call *call)
{
    const struct create_arguments *arguments = call->arguments;
    json_t *body = json_pack("{s:s, s:s, s:s}", "name", arguments->name, "chip", arguments->chip,
                             "kind", kind_of(arguments));

    if (arguments->ptype.given) {
        json_object_set_new(body, "ptype", json_integer(arguments->ptype.value));
    }
    if (!add_policy(call, arguments, body)) {
        json_decref(body);
        return api_failure(call);
    }
    return ask_object(call, &arguments->server, "POST", api_path("/products"), body, lines);
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

/* --- edit ------------------------------------------------------------------------------------- */

static const struct option edit_options[] = {
    {.name = "name",
     .kind = VALUE_TEXT,
     .value = "TEXT",
     .at = offsetof(struct create_arguments, rename),
     .help = "what people call it from now on"},
    POLICY_OPTIONS,
    SERVER_OPTIONS(struct create_arguments, server),
    {0},
};
static const struct operand edit_operands[] = {
    {.name = "PRODUCT",
     .kind = VALUE_TEXT,
     .at = offsetof(struct create_arguments, name),
     .help = "its id or its name"},
    {0},
};
static const struct example edit_examples[] = {
    {"updraft product edit lamp --reply-unknown 304", "ends the retries of stock sketches"},
    {"updraft product edit smart-clock --consent ask_download --channel stable --channel beta",
     "owners are asked; there are two channels"},
    {0},
};

static enum exit_code edit(struct call *call)
{
    const struct create_arguments *arguments = call->arguments;
    json_t *body = json_object();

    if (arguments->rename != NULL) {
        json_object_set_new(body, "name", json_string(arguments->rename));
    }
    if (!add_policy(call, arguments, body)) {
        json_decref(body);
        return api_failure(call);
    }
    if (json_object_size(body) == 0) {
        json_decref(body);
        return fail(call, EXIT_USAGE, "usage",
                    "nothing to change: see 'updraft help product edit'");
    }
    return ask_object(call, &arguments->server, "PATCH", api_path("/products/%s", arguments->name),
                      body, lines);
}

const struct command product_edit_command = {
    .group = "product",
    .name = "edit",
    .summary = "change a product",
    .text =
        "Only what is given changes. The replies to unknown and blocked devices are HTTP statuses: "
        "401 is OTAdrive's, 304 ends the retries of a stock sketch, 403 and 404 are failures that it "
        "shows.",
    .examples = edit_examples,
    .options = edit_options,
    .operands = edit_operands,
    .json = true,
    .size = sizeof(struct create_arguments),
    .run = edit,
};

/* --- list, show, paste, delete ---------------------------------------------------------------------------- */

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

static const struct example delete_examples[] = {
    {"updraft product delete lamp", "with its releases; it must have no devices any more"}, {0}};
static const struct example paste_examples[] = {
    {"updraft product paste lamp", "the lines for its firmware, with this server's address"}, {0}};

static enum exit_code list(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    return ask_list(call, &arguments->server, api_path("/products?limit=500"), "products", columns);
}

static enum exit_code show(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    return ask_object(call, &arguments->server, "GET", api_path("/products/%s", arguments->product),
                      NULL, lines);
}

static enum exit_code delete (struct call *call) {
    const struct arguments *arguments = call->arguments;
    return ask_object(call, &arguments->server, "DELETE",
                      api_path("/products/%s", arguments->product), NULL, lines);
}

/* Titles as comments, so that the text may be pasted as it is. */
static enum exit_code paste(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    struct api *api = api_open(call, &arguments->server, false);
    size_t index;
    json_t *step;

    if (api == NULL) {
        return api_failure(call);
    }
    json_t *found = api_send(api, "GET", api_path("/products/%s/paste", arguments->product), NULL);
    if (found != NULL && call->json != NULL) {
        json_object_update(call->json, found);
    } else {
        json_array_foreach(json_object_get(found, "steps"), index, step)
        {
            const char *title = json_string_value(json_object_get(step, "title"));
            const char *text = json_string_value(json_object_get(step, "text"));
            if (title != NULL && text != NULL) {
                display_lines(stdout, title, "# ");
                display_lines(stdout, text, "");
            }
        }
    }
    json_decref(found);
    api_close(api);
    return call->code;
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

const struct command product_delete_command = {
    .group = "product",
    .name = "delete",
    .summary = "delete a product",
    .text = "Its releases, files and members go with it. A product that has devices stays.",
    .examples = delete_examples,
    .options = options,
    .operands = operands,
    .json = true,
    .size = sizeof(struct arguments),
    .run = delete,
};

const struct command product_paste_command = {
    .group = "product",
    .name = "paste",
    .summary = "say what to put into the firmware of a product",
    .text = "Keys, addresses and lines of code, as its devices need them to find this server.",
    .examples = paste_examples,
    .options = options,
    .operands = operands,
    .json = true,
    .size = sizeof(struct arguments),
    .run = paste,
};
