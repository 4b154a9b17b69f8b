/* updraft mine list, show, answer, reboot: for the owner of devices. */
#include <stdlib.h>
#include <time.h>

#include "api.h"
#include "columns.h"
#include "commands.h"

struct arguments {
    struct server_options server;
    const char *device, *update;
    struct choice answer;
};

static const struct column lines[] = {
    {"id", "id"},
    {"name", "name"},
    {"version", "version"},
    {"online", "online"},
    {"last seen", "last_seen"},
    {"asks about", "offer.version"},
    {"may it", "offer.question"},
    {"postponed", "offer.postponed"},
    {"update to", "update.version"},
    {"its state", "update.state"},
    {0},
};
static const struct column columns[] = {
    {"ID", "id"},
    {"NAME", "name"},
    {"VERSION", "version"},
    {"ONLINE", "online"},
    {"ASKS ABOUT", "offer.version"},
    {"MAY IT", "offer.question"},
    {"UPDATE", "update.state"},
    {0},
};
static const struct option options[] = {SERVER_OPTIONS(struct arguments, server), {0}};
#define DEVICE_OPERAND                                                                             \
    {                                                                                              \
        .name = "DEVICE", .kind = VALUE_TEXT, .at = offsetof(struct arguments, device),            \
        .help = "its id"                                                                           \
    }
static const struct operand device_operands[] = {DEVICE_OPERAND, {0}};

static enum exit_code list(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    return ask_list(call, &arguments->server, api_path("/my/devices"), "devices", columns);
}

static enum exit_code show(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    return ask_object(call, &arguments->server, "GET",
                      api_path("/my/devices/%s", arguments->device), NULL, lines);
}

static enum exit_code reboot(struct call *call)
{
    static const struct column rows[] = {{"told", "told"}, {0}};
    const struct arguments *arguments = call->arguments;
    return ask_object(call, &arguments->server, "POST",
                      api_path("/my/devices/%s/reboot", arguments->device), NULL, rows);
}

/* --- answer ----------------------------------------------------------------------------------- */

static const char *const answers[] = {"now", "tonight", "no", NULL};
static const struct operand answer_operands[] = {
    DEVICE_OPERAND,
    {.name = "ANSWER",
     .kind = VALUE_CHOICE,
     .choices = answers,
     .at = offsetof(struct arguments, answer),
     .help = "now, tonight (at three o'clock where you are) or no"},
    {0},
};
static const struct option answer_options[] = {
    {.name = "update",
     .kind = VALUE_TEXT,
     .value = "UPDATE",
     .at = offsetof(struct arguments, update),
     .help = "only if this is still the update that it asks about"},
    SERVER_OPTIONS(struct arguments, server),
    {0},
};

/* The update that the device asks about; NULL: reported. */
static json_t *question(struct call *call, struct api *api, const char *device)
{
    json_t *shown = api_send(api, "GET", api_path("/my/devices/%s", device), NULL);
    json_t *update = json_incref(json_object_get(json_object_get(shown, "offer"), "update"));

    if (shown != NULL && update == NULL) {
        fail(call, EXIT_FAILED, "no_question", "%s: it asks nothing", device);
    }
    json_decref(shown);
    return update;
}

static enum exit_code answer(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    const time_t now = time(NULL);
    struct tm local;
    struct api *api = api_open(call, &arguments->server, false);

    if (api == NULL) {
        return api_failure(call);
    }
    json_t *update = arguments->update != NULL ? json_string(arguments->update)
                                               : question(call, api, arguments->device);
    if (update == NULL) {
        api_close(api);
        return api_failure(call);
    }
    const long ahead = localtime_r(&now, &local) != NULL ? local.tm_gmtoff / 60 : 0;
    json_t *body = json_pack("{s:o, s:s, s:I}", "update", update, "answer", arguments->answer.word,
                             "offset", (json_int_t)ahead);
    enum exit_code code = show_object(
        call, api_send(api, "POST", api_path("/my/devices/%s/answer", arguments->device), body),
        lines);
    api_close(api);
    return code;
}

static const struct example mine_list_examples[] = {
    {"updraft mine list", "with what each of them asks"}, {0}};
static const struct example mine_show_examples[] = {
    {"updraft mine show d_0123456789abcdef", "what it runs, and what it asks"}, {0}};
static const struct example mine_answer_examples[] = {
    {"updraft mine answer d_0123456789abcdef now", "yes, at once"},
    {"updraft mine answer d_0123456789abcdef tonight", "while nobody needs it"},
    {0},
};
static const struct example mine_reboot_examples[] = {
    {"updraft mine reboot d_0123456789abcdef", "into what it has downloaded"}, {0}};

COMMAND(mine, list, "list your own devices", "Those that you claimed, with 'updraft device claim'.",
        options, NULL, list);
COMMAND(mine, show, "show one of your own devices", "With the question that waits for you.",
        options, device_operands, show);
COMMAND(mine, answer, "answer a device that asks for an update",
        "A no stands until the next release. Without --update the answer is to the question "
        "that waits now.",
        answer_options, answer_operands, answer);
COMMAND(mine, reboot, "tell one of your own devices to reboot",
        "An update that waits for it goes on.", options, device_operands, reboot);
