/* updraft release upload, set-current, withdraw, list, show, forecast, compare, download. */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "columns.h"
#include "commands.h"
#include "files.h"

struct arguments {
    struct server_options server;
    const char *product, *version, *other, *output;
    struct choice part;
    const char *user1, *user2, *app, *filesystem, *channel, *notes;
    bool current;
};

static const struct column lines[] = {
    {"version", "version"},
    {"channel", "channel"},
    {"letter", "letter"},
    {"notes", "notes"},
    {"current", "current"},
    {"withdrawn", "withdrawn"},
    {"created", "created"},
    {"devices", "devices"},
    {"updates", "updates"},
    {"warnings", "warnings"},
    {0},
};
static const struct column columns[] = {
    {"VERSION", "version"}, {"CHANNEL", "channel"},
    {"CURRENT", "current"}, {"WITHDRAWN", "withdrawn"},
    {"DEVICES", "devices"}, {"UPDATES", "updates"},
    {"CREATED", "created"}, {0},
};

#define PRODUCT_OPERAND                                                                            \
    {                                                                                              \
        .name = "PRODUCT", .kind = VALUE_TEXT, .at = offsetof(struct arguments, product),          \
        .help = "its id or its name"                                                               \
    }
static const struct operand product_operands[] = {PRODUCT_OPERAND, {0}};
static const struct operand version_operands[] = {
    PRODUCT_OPERAND,
    {.name = "VERSION",
     .kind = VALUE_TEXT,
     .at = offsetof(struct arguments, version),
     .help = "the release's version"},
    {0},
};
static const struct option options[] = {SERVER_OPTIONS(struct arguments, server), {0}};

/* --- upload ----------------------------------------------------------------------------------- */

static const struct option upload_options[] = {
    {.name = "user1",
     .kind = VALUE_INPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, user1),
     .help = "the image for slot user1 of the NONOS SDK"},
    {.name = "user2",
     .kind = VALUE_INPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, user2),
     .help = "the image for slot user2"},
    {.name = "app",
     .kind = VALUE_INPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, app),
     .help = "the application of all other kinds; also packed with gzip for Arduino"},
    {.name = "filesystem",
     .kind = VALUE_INPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, filesystem),
     .help = "a file system image"},
    {.name = "channel",
     .kind = VALUE_TEXT,
     .value = "NAME",
     .at = offsetof(struct arguments, channel),
     .help = "the channel; the product's first without it"},
    {.name = "notes",
     .kind = VALUE_TEXT,
     .value = "TEXT",
     .at = offsetof(struct arguments, notes),
     .help = "what changes, for the owners of devices"},
    {.name = "current",
     .kind = VALUE_FLAG,
     .at = offsetof(struct arguments, current),
     .help = "set it as current at once"},
    SERVER_OPTIONS(struct arguments, server),
    {0},
};
static const struct example upload_examples[] = {
    {"updraft release upload smart-clock 'v1.0.1t45772(a)' --user1 user1.bin --user2 user2.bin",
     "the pair of a NONOS release"},
    {"updraft release upload lamp 1.0.1 --app lamp.bin --current",
     "and devices get it from now on"},
    {0},
};

/* Send one file, if there is one; its digest goes into `images` under its part. False: reported. */
static bool send_image(struct api *api, const struct arguments *arguments, const char *part,
                       const char *file, json_t *images)
{
    if (file == NULL) {
        return true;
    }
    json_t *image = api_upload(
        api, "POST", api_path("/products/%s/images?part=%s", arguments->product, part), file);
    json_t *digest = json_object_get(image, "sha256");
    if (digest != NULL) {
        json_object_set(images, part, digest);
    }
    json_decref(image);
    return digest != NULL;
}

static enum exit_code upload(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    json_t *images = json_object();
    enum exit_code code = EXIT_FAILED;
    struct api *api = NULL;

    if (arguments->user1 == NULL && arguments->user2 == NULL && arguments->app == NULL &&
        arguments->filesystem == NULL) {
        fail(call, EXIT_USAGE, "usage",
             "nothing to upload: --user1 and --user2, --app or --filesystem");
    } else {
        api = api_open(call, &arguments->server, false);
    }
    if (api != NULL && send_image(api, arguments, "user1", arguments->user1, images) &&
        send_image(api, arguments, "user2", arguments->user2, images) &&
        send_image(api, arguments, "app", arguments->app, images) &&
        send_image(api, arguments, "filesystem", arguments->filesystem, images)) {
        json_t *body = json_pack("{s:s, s:O, s:b}", "version", arguments->version, "images", images,
                                 "current", arguments->current);
        if (arguments->channel != NULL) {
            json_object_set_new(body, "channel", json_string(arguments->channel));
        }
        if (arguments->notes != NULL) {
            json_object_set_new(body, "notes", json_string(arguments->notes));
        }
        code = show_object(
            call,
            api_send(api, "POST", api_path("/products/%s/releases", arguments->product), body),
            lines);
    }
    json_decref(images);
    api_close(api);
    return code == EXIT_DONE ? code : api_failure(call);
}

const struct command release_upload_command = {
    .group = "release",
    .name = "upload",
    .summary = "make a release of images",
    .text =
        "The server reads each image as 'updraft image verify' does, and refuses what would not start on the "
        "product's devices: another chip or slot, too large, a digest that does not match, only one of a pair. A "
        "release is there with all of its images, or not at all.",
    .examples = upload_examples,
    .options = upload_options,
    .operands = version_operands,
    .json = true,
    .size = sizeof(struct arguments),
    .run = upload,
};

/* --- the others ------------------------------------------------------------------------------- */

static enum exit_code send(struct call *call, const char *method, const char *format)
{
    const struct arguments *arguments = call->arguments;
    char *base = api_path("/products/%s/releases/%s", arguments->product, arguments->version);
    char *path = NULL;

    if (base != NULL && asprintf(&path, "%s%s", base, format) < 0) {
        path = NULL;
    }
    free(base);
    return ask_object(call, &arguments->server, method, path, NULL, lines);
}

static enum exit_code set_current(struct call *call)
{
    return send(call, "POST", "/current");
}

static enum exit_code withdraw(struct call *call)
{
    return send(call, "POST", "/withdraw");
}

static enum exit_code show(struct call *call)
{
    return send(call, "GET", "");
}

static const struct column foreseen[] = {
    {"runs it", "done"},
    {"expected", "expected"},
    {"half", "half"},
    {"nine tenths", "most"},
    {"all of them", "all"},
    {"per hour", "per_hour"},
    {"silent", "silent"},
    {"no habit yet", "unknown"},
    {"wait for somebody", "people"},
    {"get none", "refused"},
    {0},
};

static enum exit_code forecast(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    return ask_object(
        call, &arguments->server, "GET",
        api_path("/products/%s/releases/%s/forecast", arguments->product, arguments->version), NULL,
        foreseen);
}

static enum exit_code list(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    return ask_list(call, &arguments->server,
                    api_path("/products/%s/releases?limit=500", arguments->product), "releases",
                    columns);
}

static const struct operand compare_operands[] = {
    PRODUCT_OPERAND,
    {.name = "VERSION",
     .kind = VALUE_TEXT,
     .at = offsetof(struct arguments, version),
     .help = "the release's version"},
    {.name = "OTHER",
     .kind = VALUE_TEXT,
     .at = offsetof(struct arguments, other),
     .help = "the version that it is compared with"},
    {0},
};

/* The rows are a list without pages. */
static enum exit_code compare(struct call *call)
{
    static const struct column difference[] = {
        {"WHAT", "what"}, {"BEFORE", "before"}, {"AFTER", "after"}, {0}};
    const struct arguments *arguments = call->arguments;
    struct api *api = api_open(call, &arguments->server, false);

    if (api == NULL) {
        return api_failure(call);
    }
    json_t *found = api_send(api, "GET",
                             api_path("/products/%s/releases/%s/compare/%s", arguments->product,
                                      arguments->version, arguments->other),
                             NULL);
    json_t *rows = json_object_get(found, "rows");
    json_t *page = rows != NULL ? json_pack("{s:O, s:I}", "items", rows, "total",
                                            (json_int_t)json_array_size(rows))
                                : NULL;
    if (found != NULL && page == NULL) {
        fail(call, EXIT_NETWORK, "server", "%s: answered with no list", api_server(api));
    }
    json_decref(found);
    enum exit_code code = show_list(call, page, "rows", difference);
    api_close(api);
    return code;
}

static const char *const parts[] = {"app", "user1", "user2", "filesystem", NULL};
static const struct operand download_operands[] = {
    PRODUCT_OPERAND,
    {.name = "VERSION",
     .kind = VALUE_TEXT,
     .at = offsetof(struct arguments, version),
     .help = "the release's version"},
    {.name = "PART",
     .kind = VALUE_CHOICE,
     .choices = parts,
     .at = offsetof(struct arguments, part),
     .help = "which of its images"},
    {0},
};
static const struct option download_options[] = {
    {.name = "output",
     .letter = 'o',
     .required = true,
     .kind = VALUE_OUTPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, output),
     .help = "where to write it"},
    SERVER_OPTIONS(struct arguments, server),
    {0},
};

static enum exit_code download(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    struct api *api = api_open(call, &arguments->server, false);
    uint8_t *data = NULL;
    size_t size = 0;

    if (api == NULL) {
        return api_failure(call);
    }
    bool good = api_download(api,
                             api_path("/products/%s/releases/%s/images/%s", arguments->product,
                                      arguments->version, arguments->part.word),
                             &data, &size) &&
                output_store(call, arguments->output, data, size);
    if (good && call->json != NULL) {
        json_object_set_new(call->json, "size", json_integer((json_int_t)size));
    }
    free(data);
    api_close(api);
    return good ? EXIT_DONE : api_failure(call);
}

static const struct example release_current_examples[] = {
    {"updraft release set-current smart-clock 'v1.0.1t45772(a)'", "devices get it from now on"},
    {0}};
static const struct example release_withdraw_examples[] = {
    {"updraft release withdraw smart-clock 'v1.0.1t45772(a)'", "nobody gets it any more"}, {0}};
static const struct example release_show_examples[] = {
    {"updraft release show smart-clock 'v1.0.1t45772(a)'", "how it goes out"}, {0}};
static const struct example release_forecast_examples[] = {
    {"updraft release forecast smart-clock 'v1.0.1t45772(a)'", "when all will run it"}, {0}};
static const struct example release_compare_examples[] = {
    {"updraft release compare lamp 2.0.0 1.0.0", "what is new in 2.0.0"}, {0}};
static const struct example release_download_examples[] = {
    {"updraft release download lamp 2.0.0 app -o lamp.bin", "what devices get"}, {0}};
static const struct example release_list_examples[] = {
    {"updraft release list smart-clock", "all of them"}, {0}};

COMMAND_AS(release_current, "release", "set-current", "set a release as current in its channel",
           "Devices of the channel are offered it from now on; linked devices are told.", options,
           version_operands, set_current);
COMMAND(
    release, withdraw, "withdraw a release",
    "It is offered to nobody any more; updates to it of which nothing was downloaded are cancelled.",
    options, version_operands, withdraw);
COMMAND(release, show, "show a release", "With its images, and its updates by state.", options,
        version_operands, show);
COMMAND(release, forecast, "tell when a release will be where it is going",
        "Of those that are to get it: when half, nine tenths and all whose times are known "
        "will run it, by how often they ask; and how many cannot be foreseen, and why.",
        options, version_operands, forecast);
COMMAND(release, list, "list releases", "Of one product, in the order in which they were made.",
        options, product_operands, list);
COMMAND(release, compare, "say what differs between two releases",
        "Of their images: chip, sizes, digests, what their headers say.", options, compare_operands,
        compare);
COMMAND(release, download, "write an image of a release into a file",
        "To the byte as it was uploaded and as devices get it.", download_options,
        download_operands, download);
