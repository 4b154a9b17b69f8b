#include "fleet/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

struct store_view *report_begin(struct fleet *fleet)
{
    return store_read(fleet_store(fleet));
}

void report_end(struct store_view *view)
{
    if (view != NULL) {
        store_end(view);
    }
}

bool report_product(struct store_view *view, int64_t no, struct product *product)
{
    return view != NULL && store_get_no(view, STORE_PRODUCT, no, product) == STORE_OK;
}

bool report_user(struct store_view *view, int64_t no, struct user *user)
{
    return view != NULL && no != 0 && store_get_no(view, STORE_USER, no, user) == STORE_OK;
}

void report_update(struct store_view *view, const struct update *update, struct report_names *names)
{
    struct device *device = calloc(1, sizeof *device);
    struct product *product = calloc(1, sizeof *product);

    *names = (struct report_names){0};
    if (device == NULL || product == NULL) {
        abort();
    }
    if (view != NULL && store_get_no(view, STORE_DEVICE, update->device, device) == STORE_OK) {
        const char *name = device->name[0] != '\0'      ? device->name
                           : device->serial[0] != '\0'  ? device->serial
                           : device->chip_id[0] != '\0' ? device->chip_id
                                                        : device->id;
        snprintf(names->device_id, sizeof names->device_id, "%s", device->id);
        snprintf(names->device, sizeof names->device, "%s", name);
    }
    if (report_product(view, update->product, product)) {
        snprintf(names->product_id, sizeof names->product_id, "%s", product->id);
        snprintf(names->product, sizeof names->product, "%s", product->name);
    }
    free(device);
    free(product);
}

/* --- Updates by state and by cause ------------------------------------------------------------ */

enum { REPORT_CONDITIONS = 3 };

/* The ten most frequent causes stay, in their order. */
static void add_failure(void *ctx, const char *value, int64_t count)
{
    struct report_updates *report = ctx;
    size_t at = report->failure_count;

    if (value[0] == '\0') {
        return;
    }
    while (at > 0 && report->failures[at - 1].count < count) {
        at--;
    }
    if (at == REPORT_FAILURES) {
        return;
    }
    size_t last =
        report->failure_count < REPORT_FAILURES ? report->failure_count++ : REPORT_FAILURES - 1;
    memmove(report->failures + at + 1, report->failures + at,
            (last - at) * sizeof report->failures[0]);
    report->failures[at] = (struct report_failure){.count = count};
    snprintf(report->failures[at].code, sizeof report->failures[at].code, "%s", value);
}

/** The newest update of a state that has a cause says it as a sentence. */
static void add_sentences(struct store_view *view, const struct store_query *state,
                          struct report_failure *failure)
{
    struct store_where where[REPORT_CONDITIONS + 1];
    struct store_query query = *state;
    struct update update;

    memcpy(where, state->where, state->count * sizeof where[0]);
    where[query.count++] = STORE_TEXT("reason", failure->code);
    query.where = where;
    query.order = "changed";
    query.descending = true;
    if (failure->text[0] == '\0' && store_get(view, STORE_UPDATE, &query, &update) == STORE_OK &&
        update.text[0] != '\0') {
        snprintf(failure->text, sizeof failure->text, "%s", update.text);
    }
}

void report_updates(struct store_view *view, int64_t product, const struct release *release,
                    int64_t since, struct report_updates *report)
{
    static const int64_t failing[] = {UPDATE_FAILED, UPDATE_ROLLED_BACK};
    struct store_where where[REPORT_CONDITIONS];
    struct store_query query = {.where = where};

    *report = (struct report_updates){0};
    if (view == NULL) {
        return;
    }
    /* Each state is a range of an index: by state and release, or by state and product. */
    struct store_where *state = &where[query.count++];
    if (release != NULL) {
        where[query.count++] = STORE_NUMBER("release", release->no);
    } else if (product != 0) {
        where[query.count++] = STORE_NUMBER("product", product);
    }
    where[query.count++] = (struct store_where){"changed", STORE_GE, since, NULL};
    for (int word = 0; word <= UPDATE_ROLLED_BACK; word++) {
        *state = STORE_NUMBER("state", word);
        (void)store_count(view, STORE_UPDATE, &query, &report->states[word]);
    }
    for (size_t i = 0; i < sizeof failing / sizeof failing[0]; i++) {
        *state = STORE_NUMBER("state", failing[i]);
        (void)store_tally(view, STORE_UPDATE, "reason", &query, add_failure, report);
    }
    for (size_t i = 0; i < sizeof failing / sizeof failing[0]; i++) {
        *state = STORE_NUMBER("state", failing[i]);
        for (size_t k = 0; k < report->failure_count; k++) {
            add_sentences(view, &query, &report->failures[k]);
        }
    }
    for (size_t i = 0; i < report->failure_count; i++) {
        struct report_failure *failure = &report->failures[i];
        if (failure->text[0] == '\0') {
            memcpy(failure->text, failure->code, sizeof failure->code);
        }
    }
    if (release != NULL) {
        const struct store_where runs[] = {STORE_NUMBER("product", release->product),
                                           STORE_TEXT("version", release->version)};
        const struct store_query all = {.where = runs, .count = 2};
        (void)store_count(view, STORE_DEVICE, &all, &report->devices);
    }
}

int64_t report_arrived(struct store_view *view, const struct release *release, int64_t since)
{
    static const int64_t arrived[] = {UPDATE_RUNNING, UPDATE_CONFIRMED};
    int64_t sum = 0, count = 0;

    for (size_t i = 0; i < 2 && view != NULL; i++) {
        const struct store_where where[] = {STORE_NUMBER("release", release->no),
                                            STORE_NUMBER("state", arrived[i]),
                                            {"changed", STORE_GE, since, NULL}};
        const struct store_query query = {.where = where, .count = 3};
        if (store_count(view, STORE_UPDATE, &query, &count) == STORE_OK) {
            sum += count;
        }
    }
    return sum;
}

/* --- What ran when ---------------------------------------------------------------------------- */
/* One setting for each product and hour: "versions.HOUR.PRODUCT" = {"v1.0.0": 12, ...}. */

enum { HOUR = 3600000, KEPT_HOURS = 90 * 24, VERSIONS_MAX = 20 };
#define KEY_FORMAT "versions.%08lld.%lld"

struct tally {
    json_t *counts;
    int64_t others; /* of versions that are too many to list */
};

static void add_version(void *ctx, const char *value, int64_t count)
{
    struct tally *tally = ctx;

    if (value[0] == '\0') {
        return;
    }
    if (json_object_size(tally->counts) < VERSIONS_MAX) {
        json_object_set_new(tally->counts, value, json_integer(count));
    } else {
        tally->others += count;
    }
}

struct note {
    int64_t hour;
    int64_t products[256];
    size_t count;
};

static bool add_product(void *ctx, const void *record)
{
    struct note *note = ctx;
    const struct product *product = record;

    note->products[note->count++] = product->no;
    return note->count < sizeof note->products / sizeof note->products[0];
}

static enum store_result write_note(struct store_view *view, const struct note *note,
                                    int64_t product)
{
    struct tally tally = {.counts = json_object()};
    struct setting setting = {0};
    enum store_result result =
        store_kept(view, STORE_DEVICE, "version", product, add_version, &tally);

    if (tally.others > 0) {
        json_object_set_new(tally.counts, "", json_integer(tally.others));
    }
    char *text = json_dumps(tally.counts, JSON_COMPACT);
    if (result == STORE_OK && text != NULL && strlen(text) < sizeof setting.value &&
        json_object_size(tally.counts) > 0) {
        snprintf(setting.key, sizeof setting.key, KEY_FORMAT, (long long)note->hour,
                 (long long)product);
        snprintf(setting.value, sizeof setting.value, "%s", text);
        result = store_insert(view, STORE_SETTING, &setting);
    }
    free(text);
    json_decref(tally.counts);
    return result;
}

static enum store_result take_note(struct store_view *view, void *ctx)
{
    struct note *note = ctx;
    struct store_query all = {.limit = sizeof note->products / sizeof note->products[0]};
    char oldest[WORD_SIZE];
    enum store_result result;

    note->count = 0;
    result = store_each(view, STORE_PRODUCT, &all, add_product, note);
    for (size_t i = 0; i < note->count && result == STORE_OK; i++) {
        result = write_note(view, note, note->products[i]);
    }
    snprintf(oldest, sizeof oldest, KEY_FORMAT, (long long)(note->hour - KEPT_HOURS), 0LL);
    const struct store_where where[] = {{"key", STORE_GE, 0, "versions."},
                                        {"key", STORE_LT, 0, oldest}};
    const struct store_query old = {.where = where, .count = 2};
    return result != STORE_OK ? result : store_remove(view, STORE_SETTING, &old, NULL);
}

enum fleet_status report_sample(struct fleet *fleet, struct fleet_error *error)
{
    struct note note = {.hour = fleet_now(fleet) / HOUR};
    struct store_view *view = report_begin(fleet);
    char key[WORD_SIZE];

    if (view == NULL) {
        goto failed;
    }
    snprintf(key, sizeof key, "versions.%08lld.", (long long)note.hour);
    const struct store_where where = {"key", STORE_GE, 0, key};
    const struct store_query query = {.where = &where, .count = 1};
    struct setting setting;
    bool noted = store_get(view, STORE_SETTING, &query, &setting) == STORE_OK &&
                 strncmp(setting.key, key, strlen(key)) == 0;
    report_end(view);
    if (noted || store_write(fleet_store(fleet), take_note, &note) == STORE_OK) {
        return FLEET_OK;
    }
failed:
    *error = (struct fleet_error){.status = FLEET_FAILED, .offset = -1};
    snprintf(error->code, sizeof error->code, "store");
    snprintf(error->message, sizeof error->message, "what runs could not be noted");
    return FLEET_FAILED;
}

struct history {
    int64_t product;
    void (*each)(void *ctx, const struct report_sample *sample);
    void *ctx;
};

static bool tell_note(void *ctx, const void *record)
{
    const struct history *history = ctx;
    const struct setting *setting = record;
    struct report_sample sample = {0};
    long long hour, product;
    const char *version;
    json_t *count;

    if (sscanf(setting->key, "versions.%lld.%lld", &hour, &product) != 2 ||
        product != history->product) {
        return true;
    }
    json_t *counts = json_loads(setting->value, 0, NULL);
    json_object_foreach(counts, version, count)
    {
        sample = (struct report_sample){
            .time = hour * HOUR, .product = product, .devices = json_integer_value(count)};
        snprintf(sample.version, sizeof sample.version, "%s", version);
        history->each(history->ctx, &sample);
    }
    json_decref(counts);
    return true;
}

void report_history(struct store_view *view, int64_t product, int64_t since,
                    void (*each)(void *ctx, const struct report_sample *sample), void *ctx)
{
    struct history history = {product, each, ctx};
    char first[WORD_SIZE];

    snprintf(first, sizeof first, "versions.%08lld.", (long long)(since / HOUR));
    const struct store_where where[] = {{"key", STORE_GE, 0, first},
                                        {"key", STORE_LT, 0, "versions/"}};
    const struct store_query query = {.where = where, .count = 2, .order = "key"};
    if (view != NULL) {
        (void)store_each(view, STORE_SETTING, &query, tell_note, &history);
    }
}
