/* updraftd: updates and their life. */
#include "internal.h"
#include "search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool fleet_going(struct store_view *view, const struct device *device, struct update *update)
{
    return device->update != 0 &&
           store_get_no(view, STORE_UPDATE, device->update, update) == STORE_OK;
}

static void describe(const struct update *update, const struct device *device, char *json,
                     size_t room)
{
    char text[2 * SENTENCE_SIZE];
    fleet_json_string(text, sizeof text, update->text);
    snprintf(json, room,
             "{\"id\":\"%s\",\"device\":\"%s\",\"version\":\"%s\",\"state\":\"%s\",\"inferred\":%s,"
             "\"bytes\":%lld,\"size\":%lld,\"reason\":\"%s\",\"text\":%s}",
             update->id, device->id, update->version,
             update_state_word((enum update_state)update->state),
             update->inferred ? "true" : "false", (long long)update->bytes, (long long)update->size,
             update->reason, text);
}

/** What the end of an update leaves behind on its device. */
static void conclude(struct device *device, const struct update *update)
{
    enum update_state state = (enum update_state)update->state;
    bool failed = state == UPDATE_FAILED || state == UPDATE_ROLLED_BACK;
    if (!update_state_over(state)) {
        return;
    }
    device->update = 0;
    device->reboot_wanted = false;
    device->reboot_accepted = false;
    /* An order is for one try, so that a bad release is not tried for ever. */
    if (device->ordered == update->release) {
        device->ordered = 0;
        device->downgrade = false;
    }
    if (state == UPDATE_CONFIRMED) {
        device->failed = 0;
        device->failures = 0;
    }
    if (failed) {
        device->failures = device->failed == update->release ? device->failures + 1 : 1;
        device->failed = update->release;
    }
    if (state == UPDATE_ROLLED_BACK) {
        device->failures = DECIDE_ROLLED_BACK;
    }
}

static enum store_result record(struct store_view *view, struct fleet *fleet,
                                const struct update *update, const struct device *device,
                                const struct cause *cause)
{
    const char *sentence = cause_sentence(cause->code);
    struct step step = {.update = update->no,
                        .time = update->changed,
                        .state = update->state,
                        .inferred = update->inferred};
    char json[2048];
    snprintf(step.code, sizeof step.code, "%s", cause_code(cause->code));
    sentence_write(step.cause, sizeof step.cause, sentence, cause->values);
    sentence_detail(step.detail, sizeof step.detail, sentence, cause->values);
    describe(update, device, json, sizeof json);
    enum store_result result = store_insert(view, STORE_STEP, &step);
    return result == STORE_OK
               ? fleet_event(view, fleet, "update.changed", update->product, device, json)
               : result;
}

bool fleet_move(struct store_view *view, struct fleet *fleet, struct update *update,
                struct device *device, enum update_event event, bool inferred,
                const struct cause *cause, enum store_result *result)
{
    enum update_state state = (enum update_state)update->state;
    if (!update_step(&state, event)) {
        return false;
    }
    update->state = (int32_t)state;
    update->inferred = inferred;
    update->changed = fleet_now(fleet);
    if (cause_reason(cause->code) != NULL) {
        snprintf(update->reason, sizeof update->reason, "%s", cause_reason(cause->code));
        sentence_write(update->text, sizeof update->text, cause_sentence(cause->code),
                       cause->values);
    }
    if (event == UPDATE_ON_FETCHED) {
        update->bytes = update->size;
    }
    conclude(device, update);
    *result = store_update(view, STORE_UPDATE, update);
    if (*result == STORE_OK) {
        *result = store_update(view, STORE_DEVICE, device);
    }
    if (*result == STORE_OK) {
        *result = record(view, fleet, update, device, cause);
    }
    return true;
}

enum store_result fleet_begin_update(struct store_view *view, struct fleet *fleet,
                                     struct device *device, const struct release *release,
                                     const struct image *image, const struct cause *cause,
                                     struct update *update)
{
    memset(update, 0, sizeof *update);
    fleet_random_id('x', update->id);
    update->device = device->no;
    update->product = device->product;
    update->release = release->no;
    update->started = fleet_now(fleet);
    update->changed = update->started;
    update->size = image == NULL ? 0 : image->size;
    update->state = UPDATE_OFFERED;
    memcpy(update->version, release->version, sizeof update->version);
    memcpy(update->before, device->version, sizeof update->before);
    enum store_result result = store_insert(view, STORE_UPDATE, update);
    if (result == STORE_OK) {
        device->update = update->no;
        result = store_update(view, STORE_DEVICE, device);
    }
    return result == STORE_OK ? record(view, fleet, update, device, cause) : result;
}

/* --- What nothing is heard of any more -------------------------------------------------------- */

bool fleet_reboots_by_itself(const struct product *product)
{
    return product->kind == KIND_ARDUINO || product->kind == KIND_OTADRIVE ||
           product->kind == KIND_IDF || product->kind == KIND_RTOS;
}

enum {
    HOUR_MS = 3600000,
    QUIET_DAY_MS = 24 * HOUR_MS,
    STUCK_AT_ONCE = 256, /* updates that one housekeeping gives up; the next one goes on */
};

/** How long a state may last without a word; 0: as long as it likes, because it waits for people, or
 *  for a device that has not begun. */
static int64_t patience(const struct product *product, int64_t every, const struct update *update)
{
    /* Who has no habit yet gets a day; others twice their habit, and an hour at least. */
    int64_t least = every == 0 ? QUIET_DAY_MS : HOUR_MS;
    int64_t habit = 2 * every;
    switch ((enum update_state)update->state) {
    case UPDATE_DOWNLOADED:
        if (!fleet_reboots_by_itself(product)) {
            return 0;
        }
        break;
    case UPDATE_DOWNLOADING:
    case UPDATE_REBOOTING:
        break;
    case UPDATE_RUNNING:
        least = QUIET_DAY_MS;
        break;
    default:
        return 0;
    }
    return habit > least ? habit : least;
}

struct stuck {
    struct operation base;
    int64_t updates[STUCK_AT_ONCE];
    size_t count;
    struct store_view *view;
};

/** Whether something is wrong with it, and what. */
static bool stuck_cause(struct fleet *fleet, const struct product *product,
                        const struct device *device, const struct update *update,
                        struct cause *cause)
{
    struct telemetry noted = {0};
    (void)store_noted(fleet->store, device->no, &noted);
    int64_t heard = device->last_seen > update->changed ? device->last_seen : update->changed;
    heard = noted.last_seen > heard ? noted.last_seen : heard;
    int64_t every = noted.poll_every != 0 ? noted.poll_every : device->poll_every;
    int64_t now = fleet_now(fleet), silence = now - heard;
    int64_t allowed = patience(product, every, update);
    const char *state = update_state_word((enum update_state)update->state);
    if (allowed == 0) {
        return false;
    }
    if (silence > allowed) {
        *cause = (struct cause){CAUSE_NOT_HEARD_OF,
                                {{"state", state, 0}, {"hours", NULL, silence / HOUR_MS}}};
        return true;
    }
    /* It is heard, and nothing comes of the update. */
    if (now - update->changed > 7 * (allowed > QUIET_DAY_MS ? allowed : QUIET_DAY_MS)) {
        *cause = (struct cause){
            CAUSE_STUCK,
            {{"state", state, 0}, {"days", NULL, (now - update->changed) / QUIET_DAY_MS}}};
        return true;
    }
    return false;
}

/** The device and the product of an update that is the device's going one. */
static bool stuck_around(struct store_view *view, const struct update *update,
                         struct device *device, struct product *product)
{
    return store_get_no(view, STORE_DEVICE, update->device, device) == STORE_OK &&
           device->update == update->no &&
           store_get_no(view, STORE_PRODUCT, update->product, product) == STORE_OK;
}

static bool look_at(void *ctx, const void *record_)
{
    struct stuck *stuck = ctx;
    const struct update *update = record_;
    struct device device;
    struct product product;
    struct cause cause;
    if (stuck_around(stuck->view, update, &device, &product) &&
        stuck_cause(stuck->base.fleet, &product, &device, update, &cause)) {
        stuck->updates[stuck->count++] = update->no;
    }
    return stuck->count < STUCK_AT_ONCE;
}

static enum store_result give_up(struct store_view *view, void *ctx)
{
    struct stuck *stuck = ctx;
    struct fleet *fleet = stuck->base.fleet;
    enum store_result result = STORE_OK;
    for (size_t i = 0; i < stuck->count && result == STORE_OK; i++) {
        struct update update;
        struct device device;
        struct product product;
        struct cause cause;
        /* Looked at again: it may have been heard of in between. */
        if (store_get_no(view, STORE_UPDATE, stuck->updates[i], &update) != STORE_OK ||
            !stuck_around(view, &update, &device, &product)) {
            continue;
        }
        if (stuck_cause(fleet, &product, &device, &update, &cause)) {
            (void)fleet_move(view, fleet, &update, &device, UPDATE_ON_FAIL, true, &cause, &result);
        }
    }
    return result;
}

void fleet_give_up_stuck(struct fleet *fleet)
{
    static const enum update_state states[] = {UPDATE_DOWNLOADING, UPDATE_DOWNLOADED,
                                               UPDATE_REBOOTING, UPDATE_RUNNING};
    struct fleet_error error;
    struct stuck stuck = {.base = {.fleet = fleet, .actor = &fleet_system, .error = &error}};
    stuck.view = store_read(fleet->store);
    for (size_t i = 0; stuck.view != NULL && i < sizeof states / sizeof states[0]; i++) {
        struct store_where where[] = {
            STORE_NUMBER("state", states[i]),
            {"changed", STORE_LT, fleet_now(fleet) - HOUR_MS, NULL},
        };
        struct store_query query = {.where = where, .count = 2, .order = "no"};
        if (stuck.count < STUCK_AT_ONCE) {
            (void)store_each(stuck.view, STORE_UPDATE, &query, look_at, &stuck);
        }
    }
    if (stuck.view != NULL) {
        store_end(stuck.view);
    }
    if (stuck.count != 0) {
        (void)fleet_perform(give_up, &stuck);
    }
}

/* --- What people see and do
 * ------------------------------------------------------------------------ */

static enum fleet_status find_update(struct store_view *view, const struct actor *actor,
                                     enum action action, const char *id, struct update *update,
                                     struct device *device, struct fleet_error *error)
{
    enum store_result result =
        id == NULL ? STORE_NONE : store_get_text(view, STORE_UPDATE, "id", id, update);
    if (result == STORE_OK) {
        result = store_get_no(view, STORE_DEVICE, update->device, device);
    }
    if (result == STORE_NONE) {
        return fleet_hidden(error, "update");
    }
    if (result != STORE_OK) {
        return fleet_store_error(error, result);
    }
    return fleet_allowed(view, actor, action, update->product, device, "update", error);
}

/** The bytes that are not written yet. */
static void overlay(struct fleet *fleet, struct update *update)
{
    struct telemetry noted;
    if (update->state == UPDATE_DOWNLOADING && store_noted(fleet->store, update->device, &noted) &&
        noted.update == update->no) {
        update->bytes = noted.bytes;
    }
}

enum fleet_status fleet_update_show(struct fleet *fleet, const struct actor *actor, const char *id,
                                    struct update *update, struct fleet_error *error)
{
    struct store_view *view = fleet_view(fleet, error);
    struct update found;
    struct device device;
    if (view == NULL) {
        return error->status;
    }
    enum fleet_status status =
        find_update(view, actor, ACTION_UPDATE_SHOW, id, &found, &device, error);
    store_end(view);
    if (status == FLEET_OK) {
        overlay(fleet, &found);
        *update = found;
    }
    return status;
}

struct each_update {
    void (*update)(void *ctx, const struct update *update);
    void (*step)(void *ctx, const struct step *step);
    void *ctx;
};

static bool give_step(void *ctx, const void *record_)
{
    struct each_update *give = ctx;
    give->step(give->ctx, record_);
    return true;
}

enum fleet_status fleet_update_steps(struct fleet *fleet, const struct actor *actor, const char *id,
                                     void (*each)(void *ctx, const struct step *step), void *ctx,
                                     struct fleet_error *error)
{
    struct store_view *view = fleet_view(fleet, error);
    struct update found;
    struct device device;
    if (view == NULL) {
        return error->status;
    }
    enum fleet_status status =
        find_update(view, actor, ACTION_UPDATE_SHOW, id, &found, &device, error);
    if (status == FLEET_OK) {
        struct store_where where = STORE_NUMBER("update", found.no);
        struct store_query query = {.where = &where, .count = 1, .order = "no"};
        struct each_update give = {.step = each, .ctx = ctx};
        status = fleet_store_error(error, store_each(view, STORE_STEP, &query, give_step, &give));
    }
    store_end(view);
    return status;
}

#define UPDATE_SORTS "started changed version state no"

/** The conditions of a list, and the product or device that it is of. */
static enum fleet_status conditions(struct search *search, const struct fleet_query *query,
                                    struct store_where where[SEARCH_CONDITIONS],
                                    struct fleet_error *error)
{
    size_t *count = &search->list.count;
    struct product product;
    struct device device;
    enum update_state state;
    enum fleet_status status = FLEET_OK;
    *count = 1;
    if (query->product != NULL) {
        status = fleet_find_product(search->view, search->actor, ACTION_PRODUCT_SHOW,
                                    query->product, &product, error);
        search->only = STORE_NUMBER("product", product.no);
    }
    if (status == FLEET_OK && query->device != NULL) {
        status = fleet_find_device(search->view, search->actor, ACTION_DEVICE_SHOW, query->device,
                                   &device, error);
        if (query->product != NULL) {
            where[(*count)++] = search->only;
        }
        search->only = STORE_NUMBER("device", device.no);
    }
    if (status != FLEET_OK) {
        return status;
    }
    if (query->version != NULL) {
        where[(*count)++] = STORE_TEXT("version", query->version);
    }
    if (query->state != NULL) {
        if (!update_state_find(query->state, &state)) {
            return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_STATE, "state",
                              VALUES({"state", query->state, 0}));
        }
        where[(*count)++] = STORE_NUMBER("state", state);
    }
    if (query->text != NULL) {
        where[(*count)++] = STORE_TEXT("reason", query->text);
    }
    return fleet_paging(query, UPDATE_SORTS, &search->list, error);
}

/** Of a product or a device whoever sees that sees all of its updates. */
static enum store_result give_update(const struct search *search, int64_t number, void *ctx)
{
    struct each_update *give = ctx;
    struct update update;
    struct device device;
    struct fleet_error error;
    enum store_result result = store_get_no(search->view, STORE_UPDATE, number, &update);
    bool seen = result == STORE_OK &&
                (search->only.field != NULL ||
                 (store_get_no(search->view, STORE_DEVICE, update.device, &device) == STORE_OK &&
                  fleet_allowed(search->view, search->actor, ACTION_UPDATE_SHOW, update.product,
                                &device, "update", &error) == FLEET_OK));
    if (seen) {
        overlay(search->fleet, &update);
        give->update(give->ctx, &update);
    }
    return result;
}

enum fleet_status fleet_update_list(struct fleet *fleet, const struct actor *actor,
                                    const struct fleet_query *query,
                                    void (*each)(void *ctx, const struct update *update), void *ctx,
                                    struct fleet_page *page, struct fleet_error *error)
{
    struct store_where where[SEARCH_CONDITIONS] = {{"no", STORE_EQ, 0, NULL}};
    struct each_update give = {.update = each, .ctx = ctx};
    struct search search = {.fleet = fleet,
                            .view = fleet_view(fleet, error),
                            .actor = actor,
                            .kind = STORE_UPDATE,
                            .where = where,
                            .list = {.order = "no", .descending = true}};
    if (search.view == NULL) {
        return error->status;
    }
    enum fleet_status status = conditions(&search, query, where, error);
    if (status == FLEET_OK) {
        search.plain =
            actor->administrator && search.list.count == 1 && strcmp(search.list.order, "no") == 0;
        status = fleet_store_error(error, fleet_search(&search, give_update, &give, page));
    }
    store_end(search.view);
    return status;
}

struct cancel_work {
    struct operation base;
    const char *id;
};

static enum store_result cancel(struct store_view *view, void *ctx)
{
    struct cancel_work *work = ctx;
    struct update update;
    struct device device;
    enum store_result result = STORE_OK;
    if (find_update(view, work->base.actor, ACTION_UPDATE_CANCEL, work->id, &update, &device,
                    work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    if (!fleet_move(view, work->base.fleet, &update, &device, UPDATE_ON_CANCEL, false,
                    CAUSE(CANCELLED), &result)) {
        return fleet_undo(
            fleet_fail(work->base.error, FLEET_CONFLICT, REFUSAL_UPDATE_OVER, NULL,
                       VALUES({"state", update_state_word((enum update_state)update.state), 0})));
    }
    return result == STORE_OK
               ? fleet_audit(view, &work->base, "update.cancel", update.id, NULL, NULL)
               : result;
}

enum fleet_status fleet_update_cancel(struct fleet *fleet, const struct actor *actor,
                                      const char *id, struct fleet_error *error)
{
    struct cancel_work work = {.base = {fleet, actor, error, false}, .id = id};
    return fleet_perform(cancel, &work);
}
