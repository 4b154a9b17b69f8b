/*
 * updraft push: hand an image to a device's own upgrade page, as Espressif's app does in the local
 * network. docs/guides/espressif-cloud.md has the steps.
 *
 * The other end is a demo's web server on a chip: it finds "Content-Length: " by its letters, ends
 * empty answers with CR LF LF, closes when it likes, and says nothing at all when it gives up.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <updraft/rom_version.h>

#include "api.h"
#include "commands.h"
#include "display.h"
#include "files.h"
#include "inspect.h"
#include "options.h"
#include "progress.h"

struct arguments {
    struct server_options server;
    const char *device, *user1, *user2, *product, *release;
    struct number seconds;
    bool no_reset, downgrade;
};

static const struct option options[] = {
    {.name = "user1",
     .kind = VALUE_INPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, user1),
     .help = "the image for slot user1, for a device that runs user2"},
    {.name = "user2",
     .kind = VALUE_INPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, user2),
     .help = "the image for slot user2, for a device that runs user1"},
    {.name = "product",
     .kind = VALUE_TEXT,
     .value = "PRODUCT",
     .at = offsetof(struct arguments, product),
     .help = "take the image from the server instead: of this product"},
    {.name = "release",
     .kind = VALUE_TEXT,
     .value = "VERSION",
     .at = offsetof(struct arguments, release),
     .help = "and this release of it; with files, which version they are"},
    {.name = "downgrade",
     .kind = VALUE_FLAG,
     .at = offsetof(struct arguments, downgrade),
     .help = "it may be older than what runs"},
    {.name = "no-reset",
     .kind = VALUE_FLAG,
     .at = offsetof(struct arguments, no_reset),
     .help = "leave the device running what it runs; the image waits for its next upgrade command"},
    {.name = "seconds",
     .kind = VALUE_NUMBER,
     .value = "N",
     .min = 1,
     .max = 3600,
     .at = offsetof(struct arguments, seconds),
     .help = "how long the device may be silent (30)"},
    SERVER_OPTIONS(struct arguments, server),
    {0},
};
static const struct operand operands[] = {
    {.name = "DEVICE",
     .kind = VALUE_TEXT,
     .at = offsetof(struct arguments, device),
     .help = "where its page is: http://ADDRESS/ or http://ADDRESS:PORT/"},
    {0},
};

/* --- The device's web server ------------------------------------------------------------------ */

enum { REPLY_LIMIT = 16384, PIECE = 1024, SECONDS = 30 };

struct page {
    struct call *call;
    char host[256];
    char port[8];
    long seconds;
};

struct reply {
    unsigned status; /* 0: none came */
    char body[REPLY_LIMIT];
    size_t size;
};

static bool read_address(struct call *call, const char *text, struct page *page)
{
    const char *at = text;
    size_t size;

    if (strncmp(at, "https://", 8) == 0) {
        fail(call, EXIT_USAGE, "usage", "%s: upgrade pages of stock devices speak http alone",
             text);
        return false;
    }
    at += strncmp(at, "http://", 7) == 0 ? 7 : 0;
    if (*at == '[') {
        size = strcspn(++at, "]");
    } else {
        size = strcspn(at, ":/");
    }
    bool good = size > 0 && size < sizeof page->host;
    if (good) {
        memcpy(page->host, at, size);
        page->host[size] = '\0';
        at += size + (at[size] == ']');
        snprintf(page->port, sizeof page->port, "80");
        if (*at == ':') {
            uint32_t port = 0;
            char digits[8];
            size = strcspn(++at, "/");
            snprintf(digits, sizeof digits, "%.*s", (int)(size < 7 ? size : 7), at);
            good = size < 6 && number_parse(digits, &port) && port > 0 && port < 65536;
            snprintf(page->port, sizeof page->port, "%s", digits);
            at += size;
        }
    }
    if (!good || (*at != '\0' && strcmp(at, "/") != 0)) {
        fail(call, EXIT_USAGE, "usage",
             "%s: a device's page is http://ADDRESS/ or "
             "http://ADDRESS:PORT/",
             text);
        return false;
    }
    return true;
}

static int connect_to(const struct page *page)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const struct timeval patience = {.tv_sec = page->seconds};
    struct addrinfo *found = NULL;
    int made = -1;
    int code = getaddrinfo(page->host, page->port, &hints, &found);

    if (code != 0) {
        fail(page->call, EXIT_NETWORK, "network", "%s: %s", page->host, gai_strerror(code));
        return -1;
    }
    for (const struct addrinfo *one = found; one != NULL && made < 0; one = one->ai_next) {
        made = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (made >= 0) {
            setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
            setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
            if (connect(made, one->ai_addr, one->ai_addrlen) != 0) {
                int cause = errno;
                close(made);
                made = -1;
                errno = cause;
            }
        }
    }
    freeaddrinfo(found);
    if (made < 0) {
        fail(page->call, EXIT_NETWORK, "network", "%s:%s: %s", page->host, page->port,
             strerror(errno == EINPROGRESS ? ETIMEDOUT : errno));
    }
    return made;
}

/* A device that has seen enough answers and closes: what it answered counts then. */
static bool send_all(int link, const void *data, size_t size, const char *what)
{
    const char *at = data;

    for (size_t done = 0; done < size;) {
        size_t piece = size - done < PIECE ? size - done : PIECE;
        ssize_t sent = send(link, at + done, piece, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false;
        }
        done += (size_t)sent;
        if (what != NULL) {
            progress_show(what, done, size);
        }
    }
    return true;
}

/* Where the body begins, after an empty line however it is written; NULL: not yet. */
static const char *body_of(const char *text)
{
    for (const char *line = strchr(text, '\n'); line != NULL; line = strchr(line + 1, '\n')) {
        const char *next = line + 1 + (line[1] == '\r');
        if (*next == '\n') {
            return next + 1;
        }
    }
    return NULL;
}

static bool is_whole(const char *text)
{
    const char *body = body_of(text);
    const char *length = strcasestr(text, "\nContent-Length:");

    return body != NULL && length != NULL && length < body &&
           strlen(body) >= strtoul(length + 16, NULL, 10);
}

/* Up to its end, as far as that can be told; status 0 when nothing came that is an answer. */
static void receive(int link, struct reply *reply)
{
    char text[REPLY_LIMIT];
    size_t size = 0;

    text[0] = '\0';
    while (size + 1 < sizeof text && !is_whole(text)) {
        ssize_t got = recv(link, text + size, sizeof text - 1 - size, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        size += (size_t)got;
        text[size] = '\0';
        size = strlen(text);
    }
    const char *body = body_of(text);
    unsigned status;
    if (sscanf(text, "HTTP/%*1[01].%*1[01] %3u", &status) == 1) {
        reply->status = status;
        reply->size = body != NULL ? strlen(body) : 0;
        memcpy(reply->body, body != NULL ? body : "", reply->size + 1);
    }
}

/**
 * One request on a connection of its own.
 *
 * @return false  it could not be reached: reported. Else reply->status is 0 when it did not answer
 */
static bool ask(const struct page *page, const char *method, const char *path, const void *body,
                size_t size, struct reply *reply)
{
    int link = connect_to(page);
    char *head = NULL;

    memset(reply, 0, sizeof *reply);
    if (link < 0) {
        return false;
    }
    if (asprintf(&head,
                 "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n"
                 "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n\r\n",
                 method, path, page->host, size) < 0) {
        abort();
    }
    if (send_all(link, head, strlen(head), NULL) && size > 0) {
        (void)send_all(link, body, size, "bytes sent");
        progress_clear();
    }
    receive(link, reply);
    free(head);
    close(link);
    return true;
}

/* False: reported. `what` was asked of it. */
static bool agreed(const struct page *page, const struct reply *reply, const char *what)
{
    if (reply->status == 0) {
        fail(page->call, EXIT_NETWORK, "silent", "%s: did not answer when %s", page->host, what);
    } else if (reply->status != 200) {
        fail(page->call, EXIT_FAILED, "refused", "%s: answered %u when %s", page->host,
             reply->status, what);
    }
    return reply->status == 200;
}

/* 1 or 2; 0: reported. */
static int running_slot(const struct page *page)
{
    struct reply *reply = malloc(sizeof *reply);
    int slot = 0;

    if (reply != NULL && ask(page, "GET", "/upgrade?command=getuser", NULL, 0, reply) &&
        agreed(page, reply, "asked what it runs")) {
        json_t *answer = json_loads(reply->body, JSON_DISABLE_EOF_CHECK, NULL);
        const char *runs = json_string_value(json_object_get(answer, "user_bin"));
        slot = runs == NULL                     ? 0
               : strcmp(runs, "user1.bin") == 0 ? 1
               : strcmp(runs, "user2.bin") == 0 ? 2
                                                : 0;
        if (slot == 0) {
            fail(page->call, EXIT_FAILED, "unknown_slot",
                 "%s: does not say whether it runs user1.bin or user2.bin", page->host);
        }
        json_decref(answer);
    }
    free(reply);
    return slot;
}

/* --- The version ------------------------------------------------------------------------------ */

/* What it says that it runs; false when it does not say it so that a version can be read. */
static bool running_version(const struct page *page, char *text, size_t room,
                            struct upd_rom_version *version)
{
    struct reply *reply = malloc(sizeof *reply);
    bool known = false;

    if (reply != NULL && ask(page, "GET", "/client?command=info", NULL, 0, reply) &&
        reply->status == 200) {
        json_t *answer = json_loads(reply->body, JSON_DISABLE_EOF_CHECK, NULL);
        const char *says =
            json_string_value(json_object_get(json_object_get(answer, "Version"), "iot_version"));
        if (says != NULL) {
            known = upd_rom_version_read(says, (uint32_t)strnlen(says, 256), NULL, version, NULL) ==
                    UPD_OK;
            display(says, strlen(says), text, room);
        }
        json_decref(answer);
    }
    free(reply);
    return known;
}

static bool same_number(const struct upd_rom_version *one, const struct upd_rom_version *other)
{
    return upd_rom_version_value(one) == upd_rom_version_value(other);
}

/* The rules of the decision for a device that is upgraded in the local network, by order of who
 * stands beside it: for him a beta is as good as any, and --downgrade goes back. */
static enum upd_rom_version_verdict judge(const struct upd_rom_version *running,
                                          const struct upd_rom_version *target, bool downgrade)
{
    struct upd_rom_version from = *running, to = *target;

    if (downgrade && !same_number(running, target)) {
        /* All the rules but that of the order. */
        memset(from.number, 0, sizeof from.number);
        to.number[0] = 1;
    }
    return upd_rom_version_allowed(&from, &to, UPD_ROM_VERSION_LOCAL, UPD_ROM_VERSION_ALLOW_BETA);
}

/* The running version alone: may anything be sent? */
static enum upd_rom_version_verdict judge_letter(const struct upd_rom_version *running)
{
    return running->fota == 'o'   ? UPD_ROM_VERSION_ONLINE_ONLY
           : running->fota == 'n' ? UPD_ROM_VERSION_NO_UPGRADE
                                  : UPD_ROM_VERSION_ALLOWED;
}

/**
 * Whether the device may get it. What it does not say cannot be held against it: stock devices of
 * some makers have no page that says it. Then only what the name of the target says is left.
 */
static bool may_get(const struct page *page, struct call *call)
{
    const struct arguments *arguments = call->arguments;
    const char *name = arguments->release;
    enum upd_rom_version_verdict verdict = UPD_ROM_VERSION_ALLOWED;
    struct upd_rom_version running, target;
    char text[128] = "";
    bool runs_known = running_version(page, text, sizeof text, &running);
    bool target_known = name != NULL && upd_rom_version_parse(name, (uint32_t)strnlen(name, 256),
                                                              &target, NULL) == UPD_OK;

    if (runs_known && target_known) {
        verdict = judge(&running, &target, arguments->downgrade);
    } else if (runs_known) {
        verdict = judge_letter(&running);
    } else if (target_known) {
        verdict =
            upd_rom_version_allowed(NULL, &target, UPD_ROM_VERSION_LOCAL,
                                    UPD_ROM_VERSION_ALLOW_UNKNOWN | UPD_ROM_VERSION_ALLOW_BETA);
    }
    if (verdict != UPD_ROM_VERSION_ALLOWED) {
        fail(call, EXIT_VERIFY, "not-allowed", "%s: runs %s: not allowed: %s", page->host,
             text[0] != '\0' ? text : "a version that it does not tell",
             upd_rom_version_verdict_text(verdict));
        return false;
    }
    if (!runs_known) {
        warn(call,
             "%s: does not say which version it runs: whether this one is newer was not checked",
             page->host);
    } else if (!target_known && !arguments->downgrade) {
        warn(
            call,
            "%s: whether this is newer than %s was not checked: --release says which version it is",
            page->host, text);
    }
    if (call->json != NULL) {
        json_object_set_new(call->json, "version",
                            text[0] != '\0' ? json_string(text) : json_null());
    }
    return true;
}

/* --- The image -------------------------------------------------------------------------------- */

/* The device writes what it is sent without a look at it: the look is ours. */
static bool is_for(struct call *call, const char *name, const uint8_t *data, size_t size, int slot)
{
    struct inspection found;

    inspect_bytes(name, data, (uint32_t)size, &found);
    if (found.problem.name != NULL) {
        inspect_fail(call, &found);
        return false;
    }
    if (found.info.chip != UPD_CHIP_ESP8266 || (found.info.slot != 0 && found.info.slot != slot)) {
        fail(call, EXIT_VERIFY, "wrong-slot", "%s: is no image for slot user%d", name, slot);
        return false;
    }
    return true;
}

static bool load_image(struct call *call, int slot, uint8_t **data, size_t *size)
{
    const struct arguments *arguments = call->arguments;
    const char *file = slot == 1 ? arguments->user1 : arguments->user2;
    char name[32];

    *data = NULL;
    snprintf(name, sizeof name, "user%d", slot);
    if (file != NULL) {
        return input_load(call, file, IMAGE_LIMIT, "an image", data, size) &&
               is_for(call, file, *data, *size, slot);
    }
    if (arguments->product == NULL) {
        fail(call, EXIT_USAGE, "usage",
             "the device runs user%d, and needs the image for %s: say --%s FILE", 3 - slot, name,
             name);
        return false;
    }
    struct api *api = api_open(call, &arguments->server, false);
    bool good = api != NULL &&
                api_download(api,
                             api_path("/products/%s/releases/%s/images/%s", arguments->product,
                                      arguments->release, name),
                             data, size) &&
                is_for(call, name, *data, *size, slot);
    if (api != NULL) {
        api_close(api);
    }
    return good;
}

/* --- The procedure ---------------------------------------------------------------------------- */

static bool upload(const struct page *page, int slot, const uint8_t *data, size_t size)
{
    struct reply *reply = malloc(sizeof *reply);
    char path[64];

    snprintf(path, sizeof path, "/device/bin/upgrade/?bin=user%d.bin", slot);
    bool good = reply != NULL && ask(page, "POST", "/upgrade?command=start", NULL, 0, reply) &&
                agreed(page, reply, "told to begin") &&
                ask(page, "POST", path, data, size, reply) &&
                agreed(page, reply, "it had the image");
    free(reply);
    return good;
}

/* A device that restarts may do so before it answers. */
static bool reset(const struct page *page)
{
    struct reply *reply = malloc(sizeof *reply);
    bool good = reply != NULL && ask(page, "POST", "/upgrade?command=reset", NULL, 0, reply);

    if (good && reply->status == 0) {
        warn(page->call, "%s: did not answer when told to restart; it may have done so",
             page->host);
    } else if (good) {
        good = agreed(page, reply, "told to restart");
    }
    free(reply);
    return good;
}

static enum exit_code run(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    struct page page = {.call = call};
    uint8_t *data = NULL;
    size_t size = 0;
    char shown[64];

    page.seconds = arguments->seconds.given ? (long)arguments->seconds.value : SECONDS;
    if (arguments->product != NULL && arguments->release == NULL) {
        return fail(call, EXIT_USAGE, "usage", "--product and --release go together");
    }
    if (!read_address(call, arguments->device, &page)) {
        return call->code;
    }
    int runs = running_slot(&page);
    if (runs != 0 && may_get(&page, call) && load_image(call, 3 - runs, &data, &size) &&
        upload(&page, 3 - runs, data, size) && (arguments->no_reset || reset(&page))) {
        snprintf(shown, sizeof shown, "user%d", 3 - runs);
        if (call->json != NULL) {
            json_object_set_new(call->json, "ran", json_sprintf("user%d", runs));
            json_object_set_new(call->json, "sent", json_string(shown));
            json_object_set_new(call->json, "size", json_integer((json_int_t)size));
            json_object_set_new(call->json, "reset", json_boolean(!arguments->no_reset));
        } else {
            printf("%s: %s sent, %zu bytes; %s\n", page.host, shown, size,
                   arguments->no_reset ? "it goes on with what it runs" : "it restarts");
        }
    }
    free(data);
    return call->code;
}

static const struct example examples[] = {
    {"updraft push --user1 user1.bin --user2 user2.bin http://192.168.4.1/",
     "the one of the two that the device does not run"},
    {"updraft push --product clock --release 'v1.0.1t45772(a)' http://192.168.4.1/",
     "from the server"},
    {0},
};

const struct command push_command = {
    .name = "push",
    .summary = "upgrade a device by its own page, in the local network",
    .text =
        "For devices with Espressif's NONOS SDK whose web server has /upgrade, as the letters l "
        "and a of their ROM versions say: asks which slot runs, sends the image for the other, and "
        "has the device restart into it. The device checks nothing of what it is sent, so the "
        "image is checked here: format, digests, slot.\n\n"
        "Without --no-reset the device restarts; if it is switched off before, it goes on with what "
        "it ran.",
    .examples = examples,
    .options = options,
    .operands = operands,
    .json = true,
    .size = sizeof(struct arguments),
    .run = run,
};
