/* updraft config show, list, set, remove; resource list, put, remove: OTAdrive's files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "columns.h"
#include "commands.h"

struct arguments {
    struct server_options server;
    const char *product, *group, *file, *path;
};

static const struct column lines[] = {
    {"group", "group"}, {"path", "path"},       {"md5", "md5"},
    {"size", "size"},   {"changed", "changed"}, {0},
};
static const struct column config_columns[] = {
    {"GROUP", "group"}, {"SIZE", "size"}, {"CHANGED", "changed"}, {0}};
static const struct column columns[] = {{"PATH", "path"}, {"GROUP", "group"},     {"SIZE", "size"},
                                        {"MD5", "md5"},   {"CHANGED", "changed"}, {0}};

#define PRODUCT_OPERAND                                                                            \
    {                                                                                              \
        .name = "PRODUCT", .kind = VALUE_TEXT, .at = offsetof(struct arguments, product),          \
        .help = "its id or its name"                                                               \
    }
#define FILE_OPERAND                                                                               \
    {                                                                                              \
        .name = "FILE", .kind = VALUE_INPUT, .at = offsetof(struct arguments, file),               \
        .help = "the file to send"                                                                 \
    }
#define PATH_OPERAND                                                                               \
    {                                                                                              \
        .name = "PATH", .kind = VALUE_TEXT, .at = offsetof(struct arguments, path),                \
        .help = "where devices keep it, such as www/index.html"                                    \
    }
static const struct operand product_operands[] = {PRODUCT_OPERAND, {0}};
static const struct operand set_operands[] = {PRODUCT_OPERAND, FILE_OPERAND, {0}};
static const struct operand put_operands[] = {PRODUCT_OPERAND, PATH_OPERAND, FILE_OPERAND, {0}};
static const struct operand path_operands[] = {PRODUCT_OPERAND, PATH_OPERAND, {0}};
static const struct option options[] = {SERVER_OPTIONS(struct arguments, server), {0}};
static const struct option list_options[] = {
    {.name = "group",
     .kind = VALUE_TEXT,
     .value = "TEXT",
     .at = offsetof(struct arguments, group),
     .help = "what the devices of this group get; all files without it"},
    SERVER_OPTIONS(struct arguments, server),
    {0},
};
static const struct option group_options[] = {
    {.name = "group",
     .kind = VALUE_TEXT,
     .value = "TEXT",
     .at = offsetof(struct arguments, group),
     .help = "that of this group of devices; that of the whole product without it"},
    SERVER_OPTIONS(struct arguments, server),
    {0},
};

/* --- Configuration ---------------------------------------------------------------------------- */

static char *config_path(const struct arguments *arguments)
{
    return add_query(api_path("/products/%s/config", arguments->product), "group",
                     arguments->group);
}

/* To the byte, as devices get it; with --json as the member `config`. */
static enum exit_code show_config(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    struct api *api = api_open(call, &arguments->server, false);
    uint8_t *data = NULL;
    size_t size = 0;

    if (api == NULL) {
        return api_failure(call);
    }
    if (api_download(api, config_path(arguments), &data, &size)) {
        if (call->json != NULL) {
            json_object_set_new(call->json, "config", json_loadb((char *)data, size, 0, NULL));
        } else if (fwrite(data, 1, size, stdout) == size) {
            putchar('\n');
        }
    }
    free(data);
    api_close(api);
    return call->code;
}

static enum exit_code list_configs(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    return ask_list(call, &arguments->server, api_path("/products/%s/configs", arguments->product),
                    "configs", config_columns);
}

/* Send a file's bytes to `path`, which is freed. */
static enum exit_code put(struct call *call, char *path)
{
    const struct arguments *arguments = call->arguments;
    struct api *api = api_open(call, &arguments->server, false);

    if (api == NULL) {
        free(path);
        return api_failure(call);
    }
    enum exit_code code = show_object(call, api_upload(api, "PUT", path, arguments->file), lines);
    api_close(api);
    return code;
}

static enum exit_code set_config(struct call *call)
{
    return put(call, config_path(call->arguments));
}

static enum exit_code remove_config(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    return ask_object(call, &arguments->server, "DELETE", config_path(arguments), NULL, lines);
}

/* --- Resources -------------------------------------------------------------------------------- */

/* The path of a resource keeps its slashes. */
static char *resource_path(const struct arguments *arguments)
{
    const char *rest = arguments->path + strspn(arguments->path, "/");
    char *whole = api_path("/products/%s/resources", arguments->product);

    while (whole != NULL && *rest != '\0') {
        size_t length = strcspn(rest, "/");
        char *part = strndup(rest, length);
        char *encoded = part != NULL ? api_path("%s", part) : NULL, *longer = NULL;
        if (encoded == NULL || asprintf(&longer, "%s/%s", whole, encoded) < 0) {
            longer = NULL;
        }
        free(part);
        free(encoded);
        free(whole);
        whole = longer;
        rest += length;
        rest += strspn(rest, "/");
    }
    return add_query(whole, "group", arguments->group);
}

static enum exit_code list_resources(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    return ask_list(call, &arguments->server,
                    add_query(api_path("/products/%s/resources", arguments->product), "group",
                              arguments->group),
                    "resources", columns);
}

static enum exit_code put_resource(struct call *call)
{
    return put(call, resource_path(call->arguments));
}

static enum exit_code remove_resource(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    return ask_object(call, &arguments->server, "DELETE", resource_path(arguments), NULL, lines);
}

static const struct example config_show_examples[] = {
    {"updraft config show lamp", "what devices of no special group get"},
    {"updraft config show lamp --group kitchen", "what this group gets"},
    {0},
};
static const struct example config_list_examples[] = {
    {"updraft config list lamp", "the product's, and those of its groups"}, {0}};
static const struct example config_set_examples[] = {
    {"updraft config set lamp config.json", "for all devices"},
    {"updraft config set lamp config.json --group kitchen", "for those of one group"},
    {0},
};
static const struct example config_remove_examples[] = {
    {"updraft config remove lamp --group kitchen", "the group gets the product's again"}, {0}};
static const struct example resource_list_examples[] = {
    {"updraft resource list lamp", "all of them"},
    {"updraft resource list lamp --group kitchen", "what devices of this group get"},
    {0},
};
static const struct example resource_put_examples[] = {
    {"updraft resource put lamp www/index.html index.html", "or a new one in its place"},
    {"updraft resource put lamp www/index.html beta.html --group testers",
     "in its place, for one group"},
    {0},
};
static const struct example resource_remove_examples[] = {
    {"updraft resource remove lamp www/index.html", "devices keep what they have"},
    {"updraft resource remove lamp www/index.html --group testers",
     "the group gets the product's again"},
    {0},
};

COMMAND(config, show, "show what OTAdrive's devices are configured with",
        "As it was given, to the byte.", group_options, product_operands, show_config);
COMMAND(config, list, "list the configurations of a product",
        "A device gets that of its group, else that of the product.", options, product_operands,
        list_configs);
COMMAND(config, set, "configure OTAdrive's devices",
        "The file is an object of JSON. Devices ask for it, as it is or as lines of key=value.",
        group_options, set_operands, set_config);
COMMAND(config, remove, "remove a configuration", "Devices keep what they have.", group_options,
        product_operands, remove_config);
COMMAND(
    resource, list, "list the files that OTAdrive's devices keep",
    "Devices fetch those whose MD5 is not that of theirs. A group's file is in the place of the "
    "product's with the same path.",
    list_options, product_operands, list_resources);
COMMAND(resource, put, "send such a file", "In the place of the one with the same path.",
        group_options, put_operands, put_resource);
COMMAND(resource, remove, "remove such a file", "Devices keep what they have.", group_options,
        path_operands, remove_resource);
