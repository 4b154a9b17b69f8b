/* updraft device create, list, show, edit, admit, block, delete, claim, update, decide, explain, reboot, rpc. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "columns.h"
#include "commands.h"
#include "display.h"
#include "files.h"

struct arguments {
    struct server_options server;
    const char *product, *device;
    const char *serial, *name, *group, *mac, *key, *output;
    const char *version, *state, *text, *action, *code, *channel, *variant;
    struct words parameters;
    bool downgrade;
};

static const struct column lines[] = {
    {"id", "id"},
    {"name", "name"},
    {"product", "product.name"},
    {"serial", "serial"},
    {"chip id", "chip_id"},
    {"mac", "mac"},
    {"device_key", "device_key"},
    {"claim code", "claim_code"},
    {"group", "group"},
    {"owner", "owner"},
    {"version", "version"},
    {"slot", "slot"},
    {"online", "online"},
    {"last seen", "last_seen"},
    {"asks by", "polls.how"},
    {"next", "polls.due"},
    {"standing", "standing"},
    {"update to", "update.version"},
    {"its state", "update.state"},
    {0},
};
static const struct column columns[] = {
    {"ID", "id"},
    {"NAME", "name"},
    {"PRODUCT", "product.name"},
    {"VERSION", "version"},
    {"SLOT", "slot"},
    {"ONLINE", "online"},
    {"LAST SEEN", "last_seen"},
    {"UPDATE", "update.state"},
    {0},
};
static const struct column update_lines[] = {
    {"update", "id"},          {"version", "version"}, {"state", "state"},
    {"reason", "reason.text"}, {"started", "started"}, {0},
};

static const struct operand device_operands[] = {
    {.name = "DEVICE",
     .kind = VALUE_TEXT,
     .at = offsetof(struct arguments, device),
     .help = "its id"},
    {0},
};
static const struct option options[] = {SERVER_OPTIONS(struct arguments, server), {0}};

/* --- create ----------------------------------------------------------------------------------- */

static const struct option create_options[] = {
    {.name = "serial",
     .kind = VALUE_TEXT,
     .value = "TEXT",
     .at = offsetof(struct arguments, serial),
     .help = "serial number, unique in the product"},
    {.name = "name",
     .kind = VALUE_TEXT,
     .value = "TEXT",
     .at = offsetof(struct arguments, name),
     .help = "what people call it"},
    {.name = "mac",
     .kind = VALUE_TEXT,
     .value = "MAC",
     .at = offsetof(struct arguments, mac),
     .help = "such as 18:fe:34:00:00:01"},
    {.name = "device-key",
     .kind = VALUE_TEXT,
     .value = "KEY",
     .at = offsetof(struct arguments, key),
     .help =
         "the key that the device has already, 40 hexadecimal digits; else the server makes one"},
    {.name = "group",
     .kind = VALUE_TEXT,
     .value = "TEXT",
     .at = offsetof(struct arguments, group),
     .help = "group of devices"},
    {.name = "output",
     .letter = 'o',
     .kind = VALUE_OUTPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, output),
     .help = "write master_device_key.bin, for 'updraft flash build --device-key'"},
    SERVER_OPTIONS(struct arguments, server),
    {0},
};
static const struct operand create_operands[] = {
    {.name = "PRODUCT",
     .kind = VALUE_TEXT,
     .at = offsetof(struct arguments, product),
     .help = "its id or its name"},
    {0},
};
static const struct example device_create_examples[] = {
    {"updraft device create smart-clock --serial 0001 -o master_device_key.bin",
     "a clock, and the file that it carries"},
    {0},
};

/* The device's parameter sector: the key, and erased flash behind it. */
static bool write_key(struct call *call, const char *path, const char *key)
{
    enum { SECTOR = 4096 };
    uint8_t sector[SECTOR];
    size_t size = strlen(key);

    memset(sector, 0xFF, sizeof sector);
    memcpy(sector, key, size < SECTOR ? size : SECTOR);
    return output_store(call, path, sector, sizeof sector);
}

static void set_text(json_t *body, const char *key, const char *value)
{
    if (value != NULL) {
        json_object_set_new(body, key, json_string(value));
    }
}

static enum exit_code create(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    struct api *api = api_open(call, &arguments->server, false);
    json_t *body = json_object();

    if (api == NULL) {
        json_decref(body);
        return api_failure(call);
    }
    set_text(body, "serial", arguments->serial);
    set_text(body, "device_key", arguments->key);
    set_text(body, "name", arguments->name);
    set_text(body, "mac", arguments->mac);
    set_text(body, "group", arguments->group);
    json_t *device =
        api_send(api, "POST", api_path("/products/%s/devices", arguments->product), body);
    const char *key = json_string_value(json_object_get(device, "device_key"));
    bool written = device != NULL && (arguments->output == NULL ||
                                      (key != NULL && write_key(call, arguments->output, key)));
    enum exit_code code = show_object(call, device, lines);
    api_close(api);
    return written ? code : api_failure(call);
}

/* --- list ------------------------------------------------------------------------------------- */

static const struct option list_options[] = {
    {.name = "product",
     .kind = VALUE_TEXT,
     .value = "PRODUCT",
     .at = offsetof(struct arguments, product),
     .help = "only of this product"},
    {.name = "version",
     .kind = VALUE_TEXT,
     .value = "VERSION",
     .at = offsetof(struct arguments, version),
     .help = "only those that run it"},
    {.name = "state",
     .kind = VALUE_TEXT,
     .value = "STATE",
     .at = offsetof(struct arguments, state),
     .help = "online, silent, updating, new, blocked, or the state of their update"},
    {.name = "group",
     .kind = VALUE_TEXT,
     .value = "TEXT",
     .at = offsetof(struct arguments, group),
     .help = "only of this group"},
    {.name = "search",
     .kind = VALUE_TEXT,
     .value = "TEXT",
     .at = offsetof(struct arguments, text),
     .help = "name, serial number, chip id or MAC holds this"},
    SERVER_OPTIONS(struct arguments, server),
    {0},
};
static const struct example device_list_examples[] = {
    {"updraft device list --product smart-clock", "all clocks"},
    {"updraft device list --state silent", "who was not heard of for a day"},
    {0},
};

static enum exit_code list(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    const struct {
        const char *name, *value;
    } filters[] = {{"product", arguments->product},
                   {"version", arguments->version},
                   {"state", arguments->state},
                   {"group", arguments->group},
                   {"q", arguments->text}};
    char *path = api_path("/devices?limit=500");

    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        path = add_query(path, filters[i].name, filters[i].value);
    }
    return ask_list(call, &arguments->server, path, "devices", columns);
}

/* --- one device ------------------------------------------------------------------------------- */

/* Send to a device's own path and show what comes back. Takes over `body`. */
static enum exit_code send(struct call *call, const char *method, const char *format, json_t *body,
                           const struct column *rows)
{
    const struct arguments *arguments = call->arguments;
    char *device = api_path("/devices/%s", arguments->device), *path = NULL;

    if (device != NULL && asprintf(&path, "%s%s", device, format) < 0) {
        path = NULL;
    }
    free(device);
    return ask_object(call, &arguments->server, method, path, body, rows);
}

static enum exit_code show(struct call *call)
{
    return send(call, "GET", "", NULL, lines);
}

static const struct option edit_options[] = {
    {.name = "name",
     .kind = VALUE_TEXT,
     .value = "TEXT",
     .at = offsetof(struct arguments, name),
     .help = "what people call it"},
    {.name = "serial",
     .kind = VALUE_TEXT,
     .value = "TEXT",
     .at = offsetof(struct arguments, serial),
     .help = "serial number, unique in the product"},
    {.name = "group",
     .kind = VALUE_TEXT,
     .value = "TEXT",
     .at = offsetof(struct arguments, group),
     .help = "group of devices"},
    {.name = "channel",
     .kind = VALUE_TEXT,
     .value = "CHANNEL",
     .at = offsetof(struct arguments, channel),
     .help = "which releases it gets"},
    {.name = "variant",
     .kind = VALUE_TEXT,
     .value = "TEXT",
     .at = offsetof(struct arguments, variant),
     .help = "which hardware it is"},
    SERVER_OPTIONS(struct arguments, server),
    {0},
};

static enum exit_code edit(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    json_t *body = json_object();

    set_text(body, "name", arguments->name);
    set_text(body, "serial", arguments->serial);
    set_text(body, "group", arguments->group);
    set_text(body, "channel", arguments->channel);
    set_text(body, "variant", arguments->variant);
    if (json_object_size(body) == 0) {
        json_decref(body);
        return fail(call, EXIT_USAGE, "usage",
                    "nothing to change: --name, --serial, --group, --channel or --variant");
    }
    return send(call, "PATCH", "", body, lines);
}

static enum exit_code delete (struct call *call) { return send(call, "DELETE", "", NULL, lines); }

static enum exit_code block(struct call *call)
{
    return send(call, "POST", "/block", json_pack("{s:b}", "blocked", 1), lines);
}

/* The API has one order for both: from now on it is one of ours. */
static enum exit_code admit(struct call *call)
{
    return send(call, "POST", "/block", json_pack("{s:b}", "blocked", 0), lines);
}

static enum exit_code unblock(struct call *call)
{
    return admit(call);
}

static const struct operand claim_operands[] = {
    {.name = "CODE",
     .kind = VALUE_TEXT,
     .at = offsetof(struct arguments, code),
     .help = "what came with the device, or stands on its page"},
    {0},
};

static enum exit_code claim(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    return ask_object(call, &arguments->server, "POST", api_path("/devices/claim"),
                      json_pack("{s:s}", "code", arguments->code), lines);
}

static const struct option update_options[] = {
    {.name = "version",
     .kind = VALUE_TEXT,
     .value = "VERSION",
     .at = offsetof(struct arguments, version),
     .help = "to this release; to the current one without it"},
    {.name = "downgrade",
     .kind = VALUE_FLAG,
     .at = offsetof(struct arguments, downgrade),
     .help = "it may be older than what runs"},
    SERVER_OPTIONS(struct arguments, server),
    {0},
};

static enum exit_code update(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    json_t *body = json_pack("{s:b}", "downgrade", arguments->downgrade);

    set_text(body, "version", arguments->version);
    return send(call, "POST", "/update", body, update_lines);
}

static enum exit_code reboot(struct call *call)
{
    static const struct column rows[] = {{"told", "told"}, {0}};
    return send(call, "POST", "/reboot", NULL, rows);
}

static const struct column decision_lines[] = {
    {"offer", "offer"}, {"version", "version"}, {"because", "reason.text"}, {0}};

static enum exit_code decide(struct call *call)
{
    return send(call, "GET", "/decision", NULL, decision_lines);
}

/* The same answer with each of its rules. */
static enum exit_code explain(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    struct api *api = api_open(call, &arguments->server, false);
    char text[512];
    size_t index;
    json_t *rule;

    if (api == NULL) {
        return api_failure(call);
    }
    json_t *decision =
        api_send(api, "GET", api_path("/devices/%s/decision", arguments->device), NULL);
    json_t *rules = json_incref(json_object_get(decision, "rules"));
    enum exit_code code = show_object(call, decision, decision_lines);
    json_array_foreach(rules, index, rule)
    {
        const json_t *passed = json_object_get(rule, "passed");
        const char *says = json_string_value(json_object_get(rule, "text"));
        if (call->json == NULL && says != NULL) {
            printf("  %s%-4s%s %s\n",
                   json_is_true(passed)    ? colour_good()
                   : json_is_false(passed) ? colour_bad()
                                           : "",
                   json_is_true(passed)    ? "yes"
                   : json_is_false(passed) ? "no"
                                           : "-",
                   json_is_null(passed) ? "" : colour_end(),
                   display(says, strlen(says), text, sizeof text));
        }
    }
    json_decref(rules);
    api_close(api);
    return code;
}

static const struct operand rpc_operands[] = {
    {.name = "DEVICE",
     .kind = VALUE_TEXT,
     .at = offsetof(struct arguments, device),
     .help = "its id"},
    {.name = "ACTION",
     .kind = VALUE_TEXT,
     .at = offsetof(struct arguments, action),
     .help = "what the firmware calls it, such as sys_reboot"},
    {.name = "NAME=VALUE",
     .kind = VALUE_WORDS,
     .optional = true,
     .at = offsetof(struct arguments, parameters),
     .help = "parameters of the action"},
    {0},
};

static enum exit_code rpc(struct call *call)
{
    static const struct column rows[] = {{"status", "status"}, {"answer", "body"}, {0}};
    const struct arguments *arguments = call->arguments;
    json_t *body = json_pack("{s:s}", "action", arguments->action);

    for (size_t i = 0; i < arguments->parameters.count; i++) {
        const char *word = arguments->parameters.word[i];
        const char *equals = strchr(word, '=');
        if (equals == NULL || equals == word) {
            json_decref(body);
            return fail(call, EXIT_USAGE, "usage", "%s: a parameter is NAME=VALUE", word);
        }
        json_object_setn_new(body, word, (size_t)(equals - word), json_string(equals + 1));
    }
    return send(call, "POST", "/rpc", body, rows);
}

static const struct example device_show_examples[] = {
    {"updraft device show d_0123456789abcdef", "what it runs, and how its update goes"}, {0}};
static const struct example device_edit_examples[] = {
    {"updraft device edit d_0123456789abcdef --name 'Kitchen' --group testers",
     "renamed and moved"},
    {"updraft device edit d_0123456789abcdef --group ''", "in no group any more"},
    {0},
};
static const struct example device_delete_examples[] = {
    {"updraft device delete d_0123456789abcdef", "with its history"}, {0}};
static const struct example device_block_examples[] = {
    {"updraft device block d_0123456789abcdef", "gets nothing any more"}, {0}};
static const struct example device_unblock_examples[] = {
    {"updraft device unblock d_0123456789abcdef", "gets updates again"}, {0}};
static const struct example device_admit_examples[] = {
    {"updraft device list --state new", "who waits"},
    {"updraft device admit d_0123456789abcdef", "one of ours"},
    {0},
};
static const struct example device_claim_examples[] = {
    {"updraft device claim 7KQ2M9XA", "yours: its questions come to you"}, {0}};
static const struct example device_update_examples[] = {
    {"updraft device update d_0123456789abcdef", "to what is current"},
    {"updraft device update --version 1.0.0 --downgrade d_0123456789abcdef",
     "back to an older one"},
    {0},
};
static const struct example device_reboot_examples[] = {
    {"updraft device reboot d_0123456789abcdef", "now, or when it is heard of next"}, {0}};
static const struct example device_decide_examples[] = {
    {"updraft device decide --json d_0123456789abcdef | jq -r .reason.code", "for a script"}, {0}};
static const struct example device_explain_examples[] = {
    {"updraft device explain d_0123456789abcdef", "why does it get this, or nothing?"}, {0}};
static const struct example device_rpc_examples[] = {
    {"updraft device rpc d_0123456789abcdef sys_reboot", "over the device's link"}, {0}};

COMMAND(
    device, create, "register a device",
    "Shows its id and its device_key. Devices of the NONOS SDK carry the key in a sector of their own, which "
    "-o writes.",
    create_options, create_operands, create);
COMMAND(device, list, "list devices", "Those that you may see and that the filters let through.",
        list_options, NULL, list);
COMMAND(device, show, "show a device", "What it is, what it runs, and the update that it is in.",
        options, device_operands, show);
COMMAND(device, edit, "change a device",
        "Only what is given changes; an empty text takes it away. The channel says which "
        "releases it gets, the group which configuration.",
        edit_options, device_operands, edit);
COMMAND(device, admit, "admit a device that registered itself",
        "Devices of a product that holds strangers get nothing until somebody admits them.",
        options, device_operands, admit);
COMMAND(device, block, "block a device",
        "It gets the product's reply for blocked devices, and nothing else.", options,
        device_operands, block);
COMMAND(device, unblock, "let a blocked device in again", "The same as admit.", options,
        device_operands, unblock);
COMMAND(device, delete, "delete a device",
        "With its history. A device that comes again is a stranger.", options, device_operands,
        delete);
COMMAND(device, claim, "become the owner of a device",
        "By the code that came with it. The owner is asked before updates, where the "
        "product wants that.",
        options, claim_operands, claim);
COMMAND(
    device, update, "order an update",
    "Goes out at once to a device that holds a link, else when it asks next. Asks nobody for consent.",
    update_options, device_operands, update);
COMMAND(device, decide, "say what a device would get now",
        "The answer that it would get if it asked now, and why. Nothing is recorded.", options,
        device_operands, decide);
COMMAND(
    device, explain, "say why a device gets an update, or none",
    "The decision with each of its rules: yes, no, or - for those that were not asked any more.",
    options, device_operands, explain);
COMMAND(device, reboot, "tell a device to reboot", "An update that waits for it goes on.", options,
        device_operands, reboot);
COMMAND(device, rpc, "send a request to a linked device",
        "Waits for the device's answer. Devices that only poll cannot be asked.", options,
        rpc_operands, rpc);
