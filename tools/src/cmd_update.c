/* updraft update list, show, cancel. */
#include "api.h"
#include "columns.h"
#include "commands.h"

struct arguments {
    struct server_options server;
    const char *update, *product, *device, *version, *state, *reason;
};

static const struct column lines[] = {
    {"id", "id"},
    {"device", "device.id"},
    {"its name", "device.name"},
    {"product", "product.name"},
    {"version", "version"},
    {"before", "before"},
    {"state", "state"},
    {"reason", "reason.text"},
    {"inferred", "inferred"},
    {"bytes", "bytes"},
    {"of", "size"},
    {"started", "started"},
    {"changed", "changed"},
    {"steps", "steps"},
    {0},
};
static const struct column columns[] = {
    {"ID", "id"},
    {"DEVICE", "device.id"},
    {"NAME", "device.name"},
    {"PRODUCT", "product.name"},
    {"VERSION", "version"},
    {"STATE", "state"},
    {"REASON", "reason.code"},
    {"CHANGED", "changed"},
    {0},
};
static const struct option options[] = {SERVER_OPTIONS(struct arguments, server), {0}};
static const struct operand operands[] = {
    {.name = "UPDATE",
     .kind = VALUE_TEXT,
     .at = offsetof(struct arguments, update),
     .help = "its id"},
    {0},
};

static const struct option list_options[] = {
    {.name = "product",
     .kind = VALUE_TEXT,
     .value = "PRODUCT",
     .at = offsetof(struct arguments, product),
     .help = "only of this product"},
    {.name = "device",
     .kind = VALUE_TEXT,
     .value = "DEVICE",
     .at = offsetof(struct arguments, device),
     .help = "only of this device, by its id"},
    {.name = "version",
     .kind = VALUE_TEXT,
     .value = "VERSION",
     .at = offsetof(struct arguments, version),
     .help = "only to this release"},
    {.name = "state",
     .kind = VALUE_TEXT,
     .value = "STATE",
     .at = offsetof(struct arguments, state),
     .help = "offered, downloading, downloaded, failed, ..."},
    {.name = "reason",
     .kind = VALUE_TEXT,
     .value = "WORD",
     .at = offsetof(struct arguments, reason),
     .help = "only those that failed for this reason"},
    SERVER_OPTIONS(struct arguments, server),
    {0},
};

static enum exit_code list(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    char *path = api_path("/updates?limit=500");

    path = add_query(path, "product", arguments->product);
    path = add_query(path, "device", arguments->device);
    path = add_query(path, "version", arguments->version);
    path = add_query(path, "state", arguments->state);
    path = add_query(path, "reason", arguments->reason);
    return ask_list(call, &arguments->server, path, "updates", columns);
}

static enum exit_code show(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    return ask_object(call, &arguments->server, "GET", api_path("/updates/%s", arguments->update),
                      NULL, lines);
}

static enum exit_code cancel(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    return ask_object(call, &arguments->server, "DELETE",
                      api_path("/updates/%s", arguments->update), NULL, lines);
}

static const struct example update_list_examples[] = {
    {"updraft update list --product smart-clock --state failed",
     "what went wrong, the newest first"},
    {0}};
static const struct example update_show_examples[] = {
    {"updraft update show x_0123456789abcdef", "with every step and its cause"}, {0}};
static const struct example update_cancel_examples[] = {
    {"updraft update cancel x_0123456789abcdef", "it ends where it is"}, {0}};

COMMAND(update, list, "list updates", "Those that go on and those that ended, the newest first.",
        list_options, NULL, list);
COMMAND(update, show, "show an update", "With its steps: when each was taken, and why.", options,
        operands, show);
COMMAND(update, cancel, "cancel an update",
        "A device that has it already may start it all the same: nothing calls it back.", options,
        operands, cancel);
