#include "compat/compat.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <updraft/chip.h>

/* A download that ended: recorded by a thread of its own, because the threads of the sockets must
 * not wait for a disk. */
struct ended {
    struct ended *next;
    struct compat *compat;
    struct fleet_answer answer;
    int64_t sent; /* offset behind the last byte */
    bool whole;
};

struct compat {
    struct fleet *fleet;
    pthread_mutex_t lock;
    pthread_cond_t more;
    pthread_t thread;
    struct ended *first, **last;
    bool stop;
};

static void record(const struct ended *ended)
{
    struct fleet_error error;

    if (ended->whole) {
        (void)fleet_download_finished(ended->compat->fleet, &ended->answer, &error);
    } else {
        fleet_download_progress(ended->compat->fleet, &ended->answer, ended->sent);
    }
}

static void *run(void *ctx)
{
    struct compat *compat = ctx;

    pthread_mutex_lock(&compat->lock);
    while (!compat->stop || compat->first != NULL) {
        struct ended *ended = compat->first;
        if (ended == NULL) {
            pthread_cond_wait(&compat->more, &compat->lock);
            continue;
        }
        compat->first = ended->next;
        compat->last = compat->first == NULL ? &compat->first : compat->last;
        pthread_mutex_unlock(&compat->lock);
        record(ended);
        free(ended);
        pthread_mutex_lock(&compat->lock);
    }
    pthread_mutex_unlock(&compat->lock);
    return NULL;
}

struct compat *compat_new(struct fleet *fleet)
{
    struct compat *compat = calloc(1, sizeof *compat);

    if (compat == NULL) {
        abort();
    }
    compat->fleet = fleet;
    compat->last = &compat->first;
    pthread_mutex_init(&compat->lock, NULL);
    pthread_cond_init(&compat->more, NULL);
    if (pthread_create(&compat->thread, NULL, run, compat) != 0) {
        abort();
    }
    return compat;
}

void compat_free(struct compat *compat)
{
    if (compat == NULL) {
        return;
    }
    pthread_mutex_lock(&compat->lock);
    compat->stop = true;
    pthread_cond_signal(&compat->more);
    pthread_mutex_unlock(&compat->lock);
    pthread_join(compat->thread, NULL);
    pthread_cond_destroy(&compat->more);
    pthread_mutex_destroy(&compat->lock);
    free(compat);
}

struct fleet *compat_fleet(const struct compat *compat)
{
    return compat->fleet;
}

void compat_tables(struct compat *compat, struct http_table tables[COMPAT_TABLES])
{
    tables[0] = (struct http_table){esphttpupdate_routes, esphttpupdate_count, compat};
    tables[1] = (struct http_table){otadrive_routes, otadrive_count, compat};
    tables[2] = (struct http_table){plain_routes, plain_count, compat};
}

/* --- What a device presents --------------------------------------------------------------------
 */

/* What follows "x-ESP8266-" or "x-ESP32-" in the headers of the two cores. */
#define CORE_HEADERS(X)                                                                            \
    X(CHIP_ID, "Chip-ID")                                                                          \
    X(STA_MAC, "STA-MAC")                                                                          \
    X(SKETCH_MD5, "sketch-md5")                                                                    \
    X(SDK_VERSION, "sdk-version")                                                                  \
    X(FREE_SPACE, "free-space")                                                                    \
    X(SKETCH_SIZE, "sketch-size")                                                                  \
    X(CHIP_SIZE, "chip-size")                                                                      \
    X(VERSION, "version")                                                                          \
    X(MODE, "mode")

enum core_header {
#define X(name, text) CORE_##name,
    CORE_HEADERS(X)
#undef X
        CORE_COUNT
};

static const char *const core_names[] = {
#define X(name, text) text,
    CORE_HEADERS(X)
#undef X
};

/* One pass over the headers, since every poll brings them; true when one is the ESP8266's. */
static bool read_core(const struct http_exchange *x, const char *values[CORE_COUNT])
{
    const char *name, *value;
    bool esp8266 = false;

    for (size_t i = 0; http_header_at(x, i, &name, &value); i++) {
        const bool old = strncasecmp(name, "x-ESP8266-", 10) == 0;
        if ((!old && strncasecmp(name, "x-ESP32-", 8) != 0) || *value == '\0') {
            continue;
        }
        name += old ? 10 : 8;
        for (size_t k = 0; k < CORE_COUNT; k++) {
            if (values[k] == NULL && strcasecmp(name, core_names[k]) == 0) {
                values[k] = value;
                esp8266 |= old;
            }
        }
    }
    return esp8266;
}

/* A decimal number; 0, which is "not told", for anything else. */
static int64_t core_number(const char *text)
{
    char *end;

    if (text == NULL || *text < '0' || *text > '9') {
        return 0;
    }
    errno = 0;
    long long value = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' ? value : 0;
}

void compat_read_headers(const struct http_exchange *x, struct device_facts *facts)
{
    const char *values[CORE_COUNT] = {NULL};
    const char *agent = http_header(x, "User-Agent");
    const bool esp8266 = read_core(x, values);
    const char *mode = values[CORE_MODE];

    facts->chip_id = values[CORE_CHIP_ID];
    facts->mac = values[CORE_STA_MAC];
    facts->sketch_md5 = values[CORE_SKETCH_MD5];
    facts->sdk = values[CORE_SDK_VERSION];
    facts->free_space = core_number(values[CORE_FREE_SPACE]);
    facts->sketch_size = core_number(values[CORE_SKETCH_SIZE]);
    facts->chip_size = core_number(values[CORE_CHIP_SIZE]);
    facts->version = facts->version != NULL ? facts->version : values[CORE_VERSION];
    /* The ESP32 core does not say which of its chips it is. */
    if (esp8266 || (agent != NULL && strncmp(agent, "ESP8266", 7) == 0)) {
        facts->chip = UPD_CHIP_ESP8266;
    }
    facts->asked = mode == NULL                   ? ASKED_APP
                   : strcmp(mode, "spiffs") == 0  ? ASKED_FILESYSTEM
                   : strcmp(mode, "version") == 0 ? ASKED_VERSION
                                                  : ASKED_APP;
    facts->address = http_peer(x)->address;
}

void compat_read_report(struct http_exchange *x, struct device_facts *facts)
{
    const char *report = http_header(x, "x-updraft");

    device_facts_report(facts, report == NULL ? NULL : http_printf(x, "%s", report));
}

int64_t compat_range_start(const struct http_exchange *x)
{
    const char *range = http_header(x, "Range");

    return range != NULL && strncasecmp(range, "bytes=", 6) == 0 && range[6] >= '0' &&
                   range[6] <= '9'
               ? strtoll(range + 6, NULL, 10)
               : 0;
}

/* --- Asking and answering --------------------------------------------------------------------- */

bool compat_check(struct http_exchange *x, const struct device_facts *facts,
                  struct fleet_answer *answer)
{
    const struct compat *compat = http_context(x);
    struct fleet_error error;
    enum fleet_status status;

    if (!http_must_not_wait(x)) {
        status = fleet_check(compat->fleet, facts, answer, &error);
    } else if (!fleet_check_now(compat->fleet, facts, answer, &status, &error) ||
               (answer->reason == REASON_OFFER && answer->update.no != 0)) {
        /* A download that belongs to an update is recorded as it begins. */
        http_defer(x);
        return false;
    }
    if (status != FLEET_OK && status != FLEET_FULL) {
        http_answer_empty(x, (unsigned)fleet_status_http(status));
        return false;
    }
    if (facts->protocol == PROTOCOL_PLAIN && answer->recognised == RECOGNISED_NOBODY) {
        http_answer_not_found(x); /* nobody was asked for a key: there is no such product */
        return false;
    }
    if (answer->recognised != RECOGNISED) {
        http_answer_empty(x, (unsigned)answer->reply);
        return false;
    }
    return true;
}

/* Of an answer that is being sent; lives as long as its exchange. */
struct sending {
    struct compat *compat;
    const struct fleet_answer *answer;
};

/* On a thread of the sockets. */
static void sent(void *ctx, uint64_t first, uint64_t count, bool complete)
{
    const struct sending *sending = ctx;
    struct compat *compat = sending->compat;
    struct ended *ended = malloc(sizeof *ended);

    if (ended == NULL) {
        abort();
    }
    *ended = (struct ended){
        .compat = compat, .answer = *sending->answer, .sent = (int64_t)(first + count)};
    ended->whole = complete && ended->sent == ended->answer.image.size;
    pthread_mutex_lock(&compat->lock);
    *compat->last = ended;
    compat->last = &ended->next;
    pthread_cond_signal(&compat->more);
    pthread_mutex_unlock(&compat->lock);
}

/* Likewise, on the ticker's. */
static void progress(void *ctx, uint64_t offset)
{
    const struct sending *sending = ctx;

    fleet_download_progress(sending->compat->fleet, sending->answer, (int64_t)offset);
}

void compat_send_image(struct http_exchange *x, const struct fleet_answer *answer)
{
    struct compat *compat = http_context(x);
    struct sending *sending = http_alloc(x, sizeof *sending);
    struct fleet_error error;
    const char *const sha256 = answer->image.sha256;
    const char folder[] = {sha256[0], sha256[1], '\0'};
    const bool by_proxy = http_proxy_sends(x);
    int fd = -1;

    if (fleet_answer_open(compat->fleet, answer, by_proxy ? NULL : &fd, &error) != FLEET_OK) {
        http_answer_empty(x, 500);
        return;
    }
    if (http_method(x) != HTTP_HEAD) {
        /* A disk that is full keeps nobody from his update: what cannot be noted is not. */
        (void)fleet_download_begun(compat->fleet, answer, compat_range_start(x), &error);
    }
    *sending = (struct sending){compat, answer};
    http_answer_header(x, "x-MD5", answer->image.md5);
    http_answer_header(x, "x-version", answer->version);
    const struct http_file file = {
        .fd = fd,
        .size = (uint64_t)answer->image.size,
        .type = "application/octet-stream",
        .etag = sha256,
        .accel = by_proxy ? http_join(x, folder, "/", sha256 + 2) : NULL,
        /* Whoever fetches without an update of his is nobody that is watched. */
        .sent = answer->update.no != 0 ? sent : NULL,
        .progress = answer->update.no != 0 ? progress : NULL,
        .ctx = sending,
    };
    http_answer_file(x, &file);
}
