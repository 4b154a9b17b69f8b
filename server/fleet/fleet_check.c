/*
 * updraftd: what devices say and ask.
 *
 * A request is evaluated twice at most by the same code: first on a snapshot, for reading; and when
 * that shows that something has to be recorded, again within a transaction, from the device's
 * record as it is then.
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <updraft/rom_version.h>

#include "habit.h"

enum {
    /* A stock client does not say that it is well: heard again so long after the first time. */
    HEALTHY_AFTER_MS = 30000,
};

struct check {
    struct operation base;
    const struct device_facts *facts;
    struct fleet_answer *answer;
    struct snapshot *snapshot;
    const struct product *product; /* of the snapshot; NULL: it is not known which */
    struct decide_input input;
    struct decision decision;
    uint64_t moment, generation; /* before the snapshots were taken */
    bool writing;                /* else only find out whether something has to be written */
    bool dirty;
};

/* --- Who it is
 * ------------------------------------------------------------------------------------- */

static bool told(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static bool find_by(struct store_view *view, int64_t product, const char *field, const char *text,
                    struct device *device)
{
    struct store_where where[] = {STORE_NUMBER("product", product), STORE_TEXT(field, text)};
    return told(text) &&
           store_get(view, STORE_DEVICE, &(struct store_query){.where = where, .count = 2},
                     device) == STORE_OK;
}

/** A name that a device gives itself, as it is stored: cut, lower-case MAC. */
struct identity {
    char serial[SERIAL_SIZE], chip_id[SERIAL_SIZE], mac[MAC_SIZE];
};

static void read_identity(const struct device_facts *facts, struct identity *identity)
{
    text_copy(identity->serial, sizeof identity->serial, facts->serial);
    text_copy(identity->chip_id, sizeof identity->chip_id, facts->chip_id);
    identity->mac[0] = '\0';
    if (facts->mac != NULL) {
        (void)fleet_mac(facts->mac, identity->mac);
    }
}

static enum recognised register_stranger(struct store_view *view, struct check *check,
                                         const struct identity *identity)
{
    const struct product *product = check->product;
    struct device *device = &check->answer->device;
    if (product->strangers == STRANGERS_REFUSE) {
        return RECOGNISED_STRANGER;
    }
    memset(device, 0, sizeof *device);
    device->product = product->no;
    device->map = -1;
    device->created = fleet_now(check->base.fleet);
    device->standing = product->strangers == STRANGERS_ADMIT ? STANDING_ADMITTED : STANDING_NEW;
    strcpy(device->serial, identity->serial);
    strcpy(device->chip_id, identity->chip_id);
    strcpy(device->mac, identity->mac);
    const char *name = told(identity->serial)    ? identity->serial
                       : told(identity->chip_id) ? identity->chip_id
                                                 : identity->mac;
    snprintf(device->name, sizeof device->name, "%s", name);
    fleet_random_id('d', device->id);
    check->dirty = true;
    if (check->writing) {
        fleet_random_hex(device->device_key, 40);
        fleet_random_text(device->claim_code, 8);
        if (store_insert(view, STORE_DEVICE, device) != STORE_OK ||
            fleet_event(view, check->base.fleet, "device.created", product->no, device, NULL) !=
                STORE_OK) {
            return RECOGNISED_NOBODY; /* the view remembers the failure, and the write is undone */
        }
    }
    return RECOGNISED;
}

static enum recognised recognise(struct store_view *view, struct check *check)
{
    const struct device_facts *facts = check->facts;
    struct device *device = &check->answer->device;
    const struct product *product = NULL;
    struct identity identity;

    memset(device, 0, sizeof *device);
    if (told(facts->device_key)) {
        if (store_get_text(view, STORE_DEVICE, "device_key", facts->device_key, device) !=
            STORE_OK) {
            return RECOGNISED_NOBODY;
        }
        product = snapshot_product_no(check->snapshot, device->product);
    } else if (told(facts->product_key)) {
        product = snapshot_product_key(check->snapshot, facts->product_key);
    } else if (told(facts->product)) {
        product = snapshot_product(check->snapshot, facts->product);
    }
    if (product == NULL) {
        memset(device, 0, sizeof *device);
        return RECOGNISED_NOBODY;
    }
    check->product = product;
    memcpy(check->answer->product, product->id, sizeof product->id);
    if (device->no != 0) {
        return RECOGNISED;
    }
    read_identity(facts, &identity);
    if (find_by(view, product->no, "serial", identity.serial, device) ||
        find_by(view, product->no, "chip_id", identity.chip_id, device) ||
        find_by(view, product->no, "mac", identity.mac, device)) {
        return RECOGNISED;
    }
    const bool knows_key = told(facts->product_key) ||
                           (told(facts->product) && strcmp(facts->product, product->key) == 0);
    const bool is_named = told(identity.serial) || told(identity.chip_id) || told(identity.mac);
    if (!knows_key || (!told(facts->product_key) && !is_named)) {
        return RECOGNISED; /* a plain GET of a released file: nobody in particular */
    }
    if (!is_named) {
        return RECOGNISED_NOBODY;
    }
    return register_stranger(view, check, &identity);
}

/* --- What it says
 * ---------------------------------------------------------------------------------- */

static bool put_text(char *to, size_t size, const char *from)
{
    char text[NAME_SIZE];
    if (!told(from)) {
        return false;
    }
    text_copy(text, size < sizeof text ? size : sizeof text, from);
    if (strcmp(text, to) == 0) {
        return false;
    }
    strcpy(to, text);
    return true;
}

static bool put_number(int64_t *to, int64_t from)
{
    if (from <= 0 || *to == from) {
        return false;
    }
    *to = from;
    return true;
}

/** The slot that runs, by the file that an Espressif device asks for: it wants the other one. */
static const char *slot_of(const struct device_facts *facts)
{
    if (told(facts->slot)) {
        return facts->slot;
    }
    if (facts->protocol != PROTOCOL_ESPRESSIF_HTTP || !told(facts->wanted_file)) {
        return NULL;
    }
    return strcmp(facts->wanted_file, "user2.bin") == 0   ? "user1"
           : strcmp(facts->wanted_file, "user1.bin") == 0 ? "user2"
                                                          : NULL;
}

static bool take_facts(const struct device_facts *facts, struct device *device, int64_t now)
{
    char mac[MAC_SIZE];
    bool version = put_text(device->version, sizeof device->version, facts->version);
    bool changed = version;
    if (version) {
        device->version_since = now;
    }
    changed |= put_text(device->slot, sizeof device->slot, slot_of(facts));
    changed |= put_text(device->sketch_md5, sizeof device->sketch_md5, facts->sketch_md5);
    changed |= put_text(device->sdk, sizeof device->sdk, facts->sdk);
    if (facts->mac != NULL && fleet_mac(facts->mac, mac)) {
        changed |= put_text(device->mac, sizeof device->mac, mac);
    }
    changed |= put_number(&device->free_space, facts->free_space);
    changed |= put_number(&device->chip_size, facts->chip_size);
    changed |= put_number(&device->sketch_size, facts->sketch_size);
    if (facts->map >= 0 && facts->map != device->map) {
        device->map = facts->map;
        changed = true;
    }
    if (facts->protocol != PROTOCOL_NONE && facts->protocol != device->protocol) {
        device->protocol = facts->protocol;
        changed = true;
    }
    return changed;
}

/** Equal, or the same after what Espressif's devices do to a name. */
static bool same_version(const char *reported, const char *version)
{
    struct upd_rom_version one, other;
    if (strcmp(reported, version) == 0) {
        return true;
    }
    if (upd_rom_version_parse(version, (uint32_t)strlen(version), &other, NULL) != UPD_OK) {
        return false;
    }
    if (upd_rom_version_read(reported, (uint32_t)strlen(reported), NULL, &one, NULL) == UPD_OK) {
        return memcmp(&one, &other, sizeof one) == 0;
    }
    /* Cut after its 15th character. */
    return strlen(reported) == UPD_ROM_VERSION_NONOS &&
           strncmp(reported, version, UPD_ROM_VERSION_NONOS) == 0;
}

/** The event that a heard version is for the going update; false: it tells nothing. */
static bool version_event(const struct product *product, const struct update *update,
                          const char *version, int64_t now, enum update_event *event,
                          bool *inferred)
{
    *inferred = false;
    if (same_version(version, update->version)) {
        *event = UPDATE_ON_RUNS_NEW;
        if (update->state == UPDATE_RUNNING) {
            *event = UPDATE_ON_HEALTHY;
            *inferred = true;
            return now - update->changed >= HEALTHY_AFTER_MS;
        }
        return true;
    }
    *event = UPDATE_ON_RUNS_OLD;
    if (!same_version(version, update->before) && update->before[0] != '\0') {
        *event = UPDATE_ON_CANCEL; /* it got something else, by other hands than ours */
        return true;
    }
    *inferred = update->state == UPDATE_DOWNLOADED;
    return update->state == UPDATE_REBOOTING || update->state == UPDATE_RUNNING ||
           (update->state == UPDATE_DOWNLOADED && fleet_reboots_by_itself(product));
}

/** Why a heard version is an event for an update. */
static struct cause version_cause(enum update_event event, const struct update *update,
                                  const char *version)
{
    switch (event) {
    case UPDATE_ON_RUNS_NEW:
        return *CAUSE(RUNS_IT);
    case UPDATE_ON_HEALTHY:
        return *CAUSE(HEARD_AGAIN);
    case UPDATE_ON_RUNS_OLD:
        return (struct cause){update->state == UPDATE_DOWNLOADED ? CAUSE_NOT_INSTALLED
                                                                 : CAUSE_WENT_BACK,
                              {{"version", version, 0}}};
    default:
        return *CAUSE(RUNS_ANOTHER);
    }
}

void device_facts_report(struct device_facts *facts, char *text)
{
    char *rest = NULL;
    const char *word = text == NULL ? NULL : strtok_r(text, " ", &rest);

    if (word == NULL) {
        return;
    }
    if (strcmp(word, "trial") == 0) {
        facts->report = REPORT_TRIAL;
    } else if (strcmp(word, "confirmed") == 0) {
        facts->report = REPORT_CONFIRMED;
    } else if (strcmp(word, "fell") == 0) {
        facts->fall = strtok_r(NULL, " ", &rest);
        facts->fallen = strtok_r(NULL, " ", &rest);
        facts->report = told(facts->fall) ? REPORT_FELL : REPORT_NONE;
    }
}

/* Words for an image that was started and given up; all others tell why it never was. */
static bool was_started(const char *fall)
{
    static const char *const falls[] = {"EXHAUSTED", "UNCONFIRMED", "DAMAGED", "REFUSED", "LOADER"};

    for (size_t i = 0; i < sizeof falls / sizeof falls[0]; i++) {
        if (strcmp(fall, falls[i]) == 0) {
            return true;
        }
    }
    return false;
}

/** A NONOS device that runs the new version runs from the other slot, whether it says so or not. */
static void change_slot(const struct update *update, enum update_event event, const char *slot,
                        struct device *device)
{
    if (event != UPDATE_ON_RUNS_NEW || update->state == UPDATE_RUNNING || told(slot)) {
        return;
    }
    if (strcmp(device->slot, "user1") == 0) {
        strcpy(device->slot, "user2");
    } else if (strcmp(device->slot, "user2") == 0) {
        strcpy(device->slot, "user1");
    }
}

static void move(struct store_view *view, struct check *check, struct update *update,
                 enum update_event event, const struct cause *cause, enum store_result *result)
{
    change_slot(update, event, check->facts->slot, &check->answer->device);
    if (*result == STORE_OK) {
        (void)fleet_move(view, check->base.fleet, update, &check->answer->device, event, false,
                         cause, result);
    }
}

/** What the device says that it gave up. What we did not see of it before must have happened. */
static enum store_result hear_fall(struct store_view *view, struct check *check,
                                   struct update *update)
{
    const struct device_facts *facts = check->facts;
    enum store_result result = STORE_OK;

    struct cause cause = {CAUSE_REFUSED, {{"fall", facts->fall, 0}}};
    if (!was_started(facts->fall)) {
        move(view, check, update, UPDATE_ON_FAIL, &cause, &result);
        return result;
    }
    cause.code = CAUSE_GAVE_UP;
    move(view, check, update, UPDATE_ON_FETCHED, CAUSE(HAD_IT), &result);
    move(view, check, update, UPDATE_ON_REBOOT, CAUSE(STARTED_IT), &result);
    move(view, check, update, UPDATE_ON_RUNS_OLD, &cause, &result);
    return result;
}

/** It started anew, and runs what it ran: it lost power before it installed, and goes on. */
static void hear_interruption(struct store_view *view, struct check *check, struct update *update,
                              enum store_result *result)
{
    if (update->state == UPDATE_DOWNLOADED || update->state == UPDATE_REBOOTING) {
        check->dirty = true;
        if (check->writing) {
            move(view, check, update, UPDATE_ON_BEGIN, CAUSE(STARTED_AGAIN), result);
        }
    }
}

/** @return false: there is nothing in it for this update */
static bool hear_report(struct store_view *view, struct check *check, struct update *update,
                        enum store_result *result)
{
    const struct device_facts *facts = check->facts;
    const bool is_new = told(facts->version) && same_version(facts->version, update->version);

    *result = STORE_OK;
    switch (facts->report) {
    case REPORT_NONE:
        return false;
    case REPORT_FELL:
        if (is_new || (told(facts->fallen) && !same_version(facts->fallen, update->version))) {
            return false;
        }
        check->dirty = true;
        if (check->writing) {
            *result = hear_fall(view, check, update);
        }
        return true;
    case REPORT_CONFIRMED:
        if (told(facts->version) && same_version(facts->version, update->before)) {
            hear_interruption(view, check, update, result);
            return true;
        }
        break;
    case REPORT_TRIAL:
        break;
    }
    if (!is_new) {
        return false;
    }
    const bool runs = update->state == UPDATE_RUNNING;
    if (runs && facts->report == REPORT_TRIAL) {
        return true;
    }
    check->dirty = true;
    if (check->writing && !runs) {
        move(view, check, update, UPDATE_ON_RUNS_NEW, CAUSE(RUNS_IT), result);
    }
    if (check->writing && facts->report == REPORT_CONFIRMED) {
        move(view, check, update, UPDATE_ON_HEALTHY, CAUSE(IS_WELL), result);
    }
    return true;
}

/** A version was heard; `update` is the going one. */
static enum store_result hear(struct store_view *view, struct check *check, struct update *update)
{
    enum update_event event;
    bool inferred;
    enum store_result result = STORE_OK;
    const char *version = check->facts->version;
    if (hear_report(view, check, update, &result)) {
        return result;
    }
    /* Stock NONOS firmware says no version when it comes back. It toggles its slot only when the
     * download was whole, and the SDK's boot loader does not go back. */
    if (!told(version) && check->facts->counts_as_boot && update->state == UPDATE_REBOOTING) {
        check->dirty = true;
        if (check->writing) {
            (void)put_text(check->answer->device.version, sizeof check->answer->device.version,
                           update->version);
            check->answer->device.version_since = check->input.now;
            change_slot(update, UPDATE_ON_RUNS_NEW, check->facts->slot, &check->answer->device);
            (void)fleet_move(view, check->base.fleet, update, &check->answer->device,
                             UPDATE_ON_RUNS_NEW, true, CAUSE(CAME_BACK), &result);
        }
        return result;
    }
    if (!told(version) || check->facts->again ||
        !version_event(check->product, update, version, check->input.now, &event, &inferred)) {
        return STORE_OK;
    }
    check->dirty = true;
    if (!check->writing) {
        return STORE_OK;
    }
    struct cause cause = version_cause(event, update, version);
    change_slot(update, event, check->facts->slot, &check->answer->device);
    (void)fleet_move(view, check->base.fleet, update, &check->answer->device, event, inferred,
                     &cause, &result);
    return result;
}

/* --- The answer
 * ------------------------------------------------------------------------------------ */

static void answer_with(struct fleet_answer *answer, const struct release *release,
                        const struct image *image)
{
    answer->release = release->no;
    memcpy(answer->version, release->version, sizeof answer->version);
    if (image != NULL) {
        answer->image = *image;
    }
}

static void decide_for(struct check *check, int32_t served)
{
    struct fleet_answer *answer = check->answer;
    check->input.product = check->product;
    check->input.device = &answer->device;
    check->input.asked = check->facts->asked;
    check->input.chip = check->facts->chip;
    check->input.served = served;
    snapshot_releases(check->snapshot, check->product, &check->input);
    decide(&check->input, &check->decision);
    answer->reason = check->decision.reason;
    if (check->decision.release != NULL) {
        answer_with(answer, check->decision.release, check->decision.image);
    }
}

/** "user1.bin": a part, whatever the file was called. */
static bool is_part(const char *file, enum part part)
{
    const char *word = part_word(part);
    size_t size = strlen(word);
    return strncmp(file, word, size) == 0 && strcmp(file + size, ".bin") == 0;
}

static const struct release *named_release(const struct check *check, const char *version)
{
    const struct release *found = NULL;
    for (size_t i = 0; i < check->input.release_count; i++) {
        const struct release *release = &check->input.releases[i];
        if (strcmp(version, release->version) == 0) {
            return release;
        }
        if (same_version(version, release->version)) {
            found = release;
        }
    }
    return found;
}

static const struct image *named_image(const struct check *check, const struct release *release,
                                       const char *file)
{
    const struct image *any = NULL;
    for (size_t i = 0; i < check->input.image_count; i++) {
        const struct image *image = &check->input.images[i];
        bool named = file != NULL ? is_part(file, image->part) || strcmp(image->file, file) == 0
                                  : image->part == PART_APP;
        if (image->release != release->no || !named) {
            continue;
        }
        if (strcmp(image->variant, check->answer->device.variant) == 0) {
            return image;
        }
        if (image->variant[0] == '\0') {
            any = image;
        }
    }
    return any;
}

/** The device names what it wants: it may have what it was offered, or is about to fetch. */
static void choose_named(struct check *check, const struct update *update)
{
    struct fleet_answer *answer = check->answer;
    const char *file = check->facts->wanted_file;
    const struct release *release = check->decision.release;
    if (told(check->facts->wanted_version)) {
        release = named_release(check, check->facts->wanted_version);
    }
    const struct image *image = release == NULL ? NULL : named_image(check, release, file);
    bool offered = check->decision.reason == REASON_OFFER && release == check->decision.release;
    bool going = release != NULL && update != NULL && update->no != 0 &&
                 update->release == release->no && update->state >= UPDATE_ACCEPTED &&
                 update->state != UPDATE_DECLINED && update->state != UPDATE_RUNNING &&
                 !update_state_over((enum update_state)update->state);
    /* Nobody in particular gets what is current, file by file. */
    bool plain = answer->device.no == 0 && release != NULL && release->current;
    if (release == NULL || image == NULL) {
        answer->reason = release == NULL ? REASON_NO_RELEASE : REASON_NO_IMAGE;
        return;
    }
    answer_with(answer, release, image);
    if (offered || (going && release->withdrawn == 0) || plain) {
        answer->reason = REASON_OFFER;
    } else if (answer->reason == REASON_OFFER) {
        answer->reason = REASON_NO_RELEASE;
    }
}

/** The next piece of a download is of the image that the first was of, whatever is current now. */
static void stay_with(struct check *check, const struct update *update)
{
    struct fleet_answer *answer = check->answer;
    if (!check->facts->again || answer->reason != REASON_OFFER || update->no == 0 ||
        update->release == answer->release ||
        (update->state != UPDATE_DOWNLOADING && update->state != UPDATE_DOWNLOADED)) {
        return;
    }
    for (size_t i = 0; i < check->input.release_count; i++) {
        const struct release *release = &check->input.releases[i];
        const struct image *image =
            release->no == update->release ? named_image(check, release, NULL) : NULL;
        if (image != NULL && release->withdrawn == 0) {
            answer_with(answer, release, image);
        }
    }
}

/** Make the update that the decision asks for, drop one that it does not. */
static enum store_result follow(struct store_view *view, struct check *check, struct update *update)
{
    struct fleet_answer *answer = check->answer;
    const struct decision *decision = &check->decision;
    bool shown = decision->reason == REASON_OFFER || decision->reason == REASON_WAITS_OWNER;
    bool stale = update->no != 0 && decision->release != NULL &&
                 update->release != decision->release->no && update->state <= UPDATE_ACCEPTED;
    bool fresh = shown && (update->no == 0 || stale) && !check->facts->only_asks &&
                 check->facts->asked == ASKED_APP && answer->device.no != 0;
    bool accept = decision->reason == REASON_OFFER &&
                  (fresh || (update->no != 0 && update->state == UPDATE_OFFERED &&
                             update->release == decision->release->no));
    enum store_result result = STORE_OK;
    if (check->facts->only_asks || (!stale && !fresh && !accept)) {
        return STORE_OK;
    }
    check->dirty = true;
    if (!check->writing) {
        return STORE_OK;
    }
    if (stale) {
        (void)fleet_move(view, check->base.fleet, update, &answer->device, UPDATE_ON_CANCEL, false,
                         CAUSE(REPLACED), &result);
    }
    if (result == STORE_OK && fresh) {
        const struct cause cause = {decision->reason == REASON_OFFER ? CAUSE_OFFERED
                                                                     : CAUSE_ASKS_OWNER,
                                    {{"release", decision->release->version, 0}}};
        result = fleet_begin_update(view, check->base.fleet, &answer->device, decision->release,
                                    decision->image, &cause, update);
    }
    if (result == STORE_OK && accept) {
        (void)fleet_move(view, check->base.fleet, update, &answer->device, UPDATE_ON_ACCEPT, false,
                         CAUSE(AUTOMATIC), &result);
    }
    return result;
}

static bool may_reboot(const struct check *check)
{
    const struct fleet_answer *answer = check->answer;
    const struct device *device = &answer->device;
    if (device->reboot_wanted) {
        return true;
    }
    return answer->update.no != 0 && answer->update.state == UPDATE_DOWNLOADED &&
           device->not_before <= check->input.now &&
           (check->product->consent != CONSENT_ASK_REBOOT || device->reboot_accepted ||
            device->owner == 0);
}

static enum store_result evaluate(struct store_view *view, void *ctx)
{
    struct check *check = ctx;
    struct fleet_answer *answer = check->answer;
    struct update *update = &answer->update;
    enum store_result result = STORE_OK;

    memset(answer, 0, sizeof *answer);
    check->product = NULL;
    answer->recognised = recognise(view, check);
    answer->reply = check->product == NULL ? 401 : check->product->reply_unknown;
    answer->reason = REASON_NO_RELEASE;
    if (answer->recognised != RECOGNISED) {
        return STORE_OK;
    }
    bool anybody = answer->device.no == 0 && !check->dirty;
    if (take_facts(check->facts, &answer->device, check->input.now) && !anybody) {
        check->dirty = true;
        if (check->writing) {
            result = store_update(view, STORE_DEVICE, &answer->device);
            if (result == STORE_OK) {
                result = fleet_event(view, check->base.fleet, "device.changed", check->product->no,
                                     &answer->device, NULL);
            }
        }
    }
    if (result == STORE_OK && fleet_going(view, &answer->device, update)) {
        result = hear(view, check, update);
        if (update_state_over((enum update_state)update->state)) {
            memset(update, 0, sizeof *update);
        }
    }
    if (answer->device.standing == STANDING_BLOCKED) {
        answer->recognised = RECOGNISED_BLOCKED;
        answer->reply = check->product->reply_blocked;
    } else if (!anybody && answer->device.standing != STANDING_ADMITTED) {
        answer->recognised = RECOGNISED_NOT_ADMITTED;
    }
    if (anybody) {
        answer->device.standing = STANDING_ADMITTED;
    }
    decide_for(check, update->no == 0 ? 0 : update->served);
    if (answer->recognised == RECOGNISED && result == STORE_OK) {
        result = follow(view, check, update);
        if (told(check->facts->wanted_version) || told(check->facts->wanted_file)) {
            choose_named(check, update);
        } else {
            stay_with(check, update);
        }
    }
    answer->reboot = answer->recognised == RECOGNISED && may_reboot(check);
    return result;
}

/** Note a contact; `seen` is what is known of its habit, and then what it has become. */
static void note(struct fleet *fleet, const struct device_facts *facts, struct memo *seen,
                 int64_t now)
{
    struct telemetry noted, fresh = {.device = seen->device, .last_seen = now};
    if (store_noted(fleet->store, seen->device, &noted)) {
        seen->last_seen = noted.last_seen > seen->last_seen ? noted.last_seen : seen->last_seen;
        seen->poll_every = noted.poll_every != 0 ? noted.poll_every : seen->poll_every;
        seen->polls = noted.polls != 0 ? noted.polls : seen->polls;
    }
    struct habit habit = {seen->poll_every, seen->polls};
    habit = habit_learn(habit, seen->last_seen, now);
    fresh.poll_every = habit.every;
    fresh.polls = habit.polls;
    text_copy(fresh.address, sizeof fresh.address, facts->address);
    store_note(fleet->store, &fresh);
    seen->last_seen = now;
    seen->poll_every = habit.every;
    seen->polls = habit.polls;
}

/* --- What needs no database
 * ------------------------------------------------------------------------ */

enum { TOLD_SIZE = 1024 };

struct told {
    char bytes[TOLD_SIZE];
    size_t size;
    bool overflow;
};

static void tell(struct told *to, const void *bytes, size_t size)
{
    if (size > sizeof to->bytes - to->size) {
        to->overflow = true;
    } else if (size != 0) {
        memcpy(to->bytes + to->size, bytes, size);
        to->size += size;
    }
}

/** All that decides what a device gets, without its address. Texts with their length before them, so
 *  that two ways to tell something are never the same bytes. */
static bool memo_key(const struct fleet *fleet, const struct device_facts *facts,
                     struct memo_key *key)
{
    const char *const texts[] = {
        facts->device_key,     facts->product_key, facts->product, facts->serial,
        facts->chip_id,        facts->mac,         facts->version, facts->slot,
        facts->sketch_md5,     facts->sdk,         facts->fall,    facts->fallen,
        facts->wanted_version, facts->wanted_file,
    };
    const int64_t numbers[] = {
        facts->protocol,  facts->chip,   facts->sketch_size,    facts->free_space,
        facts->chip_size, facts->map,    facts->asked,          facts->again,
        facts->only_asks, facts->report, facts->counts_as_boot,
    };
    struct told all;
    all.size = 0;
    all.overflow = false;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        /* No text and an empty one are alike to all who read the facts: told(). */
        size_t size = texts[i] == NULL ? 0 : strlen(texts[i]);
        uint16_t length = (uint16_t)size;
        all.overflow |= size > TOLD_SIZE;
        tell(&all, &length, sizeof length);
        tell(&all, texts[i], size);
    }
    tell(&all, numbers, sizeof numbers);
    if (!all.overflow) {
        *key = memos_key(fleet->memos, all.bytes, all.size);
    }
    return !all.overflow;
}

/** Nothing was recorded, nothing offered, nothing is going on, and no time is waited for. */
static bool is_quiet(const struct check *check)
{
    const struct fleet_answer *answer = check->answer;
    return !check->dirty && answer->recognised == RECOGNISED && answer->device.no != 0 &&
           answer->reason != REASON_OFFER && answer->update.no == 0 && !answer->reboot &&
           answer->device.not_before <= check->input.now;
}

/** The contact is noted; and remembered, when there is no more to it. */
static void close_check(struct check *check)
{
    struct fleet *fleet = check->base.fleet;
    struct device *device = &check->answer->device;
    struct memo memo = {.moment = check->moment,
                        .generation = check->generation,
                        .device = device->no,
                        .last_seen = device->last_seen,
                        .poll_every = device->poll_every,
                        .polls = device->polls};
    if (device->no == 0) {
        return;
    }
    note(fleet, check->facts, &memo, check->input.now);
    device->last_seen = memo.last_seen;
    device->poll_every = memo.poll_every;
    device->polls = memo.polls;
    if (is_quiet(check) && memo_key(fleet, check->facts, &memo.key)) {
        memos_put(fleet->memos, &memo);
    }
}

bool fleet_check_quiet(struct fleet *fleet, const struct device_facts *facts)
{
    struct identity identity;
    struct memo_key key;
    struct memo memo;
    if (!memo_key(fleet, facts, &key) || !memos_get(fleet->memos, &key, &memo)) {
        return false;
    }
    read_identity(facts, &identity);
    const char *const names[] = {identity.serial, identity.chip_id, identity.mac,
                                 told(facts->device_key) ? facts->device_key : ""};
    if (memo.generation != atomic_load(&fleet->generation) ||
        !store_unchanged(fleet->store, memo.moment, memo.device, names,
                         sizeof names / sizeof names[0])) {
        return false;
    }
    note(fleet, facts, &memo, fleet_now(fleet));
    memos_put(fleet->memos, &memo);
    return true;
}

/* --- The check
 * ------------------------------------------------------------------------------------ */

/** Evaluate on a snapshot. False: the database cannot be read, *error says so. */
static bool look(struct check *check)
{
    struct fleet *fleet = check->base.fleet;
    struct fleet_answer *answer = check->answer;
    (void)fleet_error_clear(check->base.error);
    check->moment = store_moment(fleet->store);
    check->generation = atomic_load(&fleet->generation);
    check->snapshot = fleet_snapshot(fleet);
    struct store_view *view = check->snapshot == NULL ? NULL : store_read(fleet->store);
    enum store_result result = STORE_FAILED;
    if (view != NULL) {
        result = evaluate(view, check);
    } else {
        memset(answer, 0, sizeof *answer);
    }
    if (result != STORE_OK) {
        answer->recognised = RECOGNISED_NOBODY;
        answer->reply = 503;
    }
    if (view != NULL) {
        store_end(view);
    }
    return fleet_store_error(check->base.error, result) == FLEET_OK;
}

enum fleet_status fleet_check(struct fleet *fleet, const struct device_facts *facts,
                              struct fleet_answer *answer, struct fleet_error *error)
{
    struct check check = {.base = {fleet, &fleet_system, error, false},
                          .facts = facts,
                          .answer = answer,
                          .input = {.now = fleet_now(fleet)}};
    if (look(&check)) {
        if (check.dirty) {
            check.writing = true;
            check.dirty = false;
            (void)fleet_perform(evaluate, &check);
            check.dirty = true; /* what was decided is older than what was written */
        }
        close_check(&check);
    }
    fleet_snapshot_release(fleet, check.snapshot);
    return error->status;
}

bool fleet_check_now(struct fleet *fleet, const struct device_facts *facts,
                     struct fleet_answer *answer, enum fleet_status *status,
                     struct fleet_error *error)
{
    struct check check = {.base = {fleet, &fleet_system, error, false},
                          .facts = facts,
                          .answer = answer,
                          .input = {.now = fleet_now(fleet)}};
    bool read = look(&check);
    if (read && !check.dirty) {
        close_check(&check);
    }
    fleet_snapshot_release(fleet, check.snapshot);
    *status = error->status;
    return !read || !check.dirty;
}

enum fleet_status fleet_answer_open(struct fleet *fleet, const struct fleet_answer *answer, int *fd,
                                    struct fleet_error *error)
{
    (void)fleet_error_clear(error);
    if (answer->recognised != RECOGNISED || answer->reason != REASON_OFFER) {
        return fleet_hidden(error, "image");
    }
    if (fd == NULL) {
        return FLEET_OK;
    }
    int opened = blob_open(fleet->blobs, answer->image.sha256, NULL);
    if (opened < 0) {
        return fleet_fail(error, FLEET_FAILED, REFUSAL_BLOB_MISSING, NULL,
                          VALUES({"problem", strerror(errno), 0}));
    }
    *fd = opened;
    return FLEET_OK;
}

/* --- Downloads
 * ------------------------------------------------------------------------------------- */

struct download {
    struct operation base;
    int64_t update;
    int64_t offset;
    bool finished;
};

static enum store_result move_download(struct store_view *view, void *ctx)
{
    struct download *work = ctx;
    struct update update;
    struct device device;
    enum store_result result = store_get_no(view, STORE_UPDATE, work->update, &update);
    if (result == STORE_OK) {
        result = store_get_no(view, STORE_DEVICE, update.device, &device);
    }
    if (result != STORE_OK || device.update != update.no) {
        return result; /* it is over meanwhile */
    }
    if (work->finished) {
        (void)fleet_move(view, work->base.fleet, &update, &device, UPDATE_ON_FETCHED, true,
                         CAUSE(SENT), &result);
        return result;
    }
    update.served += work->offset == 0;
    if (work->offset == 0) {
        update.bytes = 0;
    }
    if (update.state == UPDATE_DOWNLOADING) {
        return store_update(view, STORE_UPDATE, &update);
    }
    (void)fleet_move(view, work->base.fleet, &update, &device, UPDATE_ON_BEGIN, true,
                     CAUSE(FETCHES), &result);
    return result;
}

enum fleet_status fleet_download_begun(struct fleet *fleet, const struct fleet_answer *answer,
                                       int64_t offset, struct fleet_error *error)
{
    struct download work = {.base = {fleet, &fleet_system, error, false},
                            .update = answer->update.no,
                            .offset = offset};
    (void)fleet_error_clear(error);
    /* A further piece of what is going on changes nothing. */
    if (answer->update.no == 0 || (offset != 0 && answer->update.state >= UPDATE_DOWNLOADING)) {
        return FLEET_OK;
    }
    return fleet_perform(move_download, &work);
}

void fleet_download_progress(struct fleet *fleet, const struct fleet_answer *answer, int64_t sent)
{
    struct telemetry fresh = {.device = answer->device.no,
                              .last_seen = fleet_now(fleet),
                              .update = answer->update.no,
                              .bytes = sent};
    if (answer->update.no != 0) {
        store_note(fleet->store, &fresh);
    }
}

enum fleet_status fleet_download_finished(struct fleet *fleet, const struct fleet_answer *answer,
                                          struct fleet_error *error)
{
    struct download work = {.base = {fleet, &fleet_system, error, false},
                            .update = answer->update.no,
                            .finished = true};
    (void)fleet_error_clear(error);
    return answer->update.no == 0 ? FLEET_OK : fleet_perform(move_download, &work);
}

/* --- Sayings
 * --------------------------------------------------------------------------------------- */

struct said {
    struct operation base;
    const char *id;
    enum saying saying;
    const char *version, *text;
    const char *key, *token, *mac; /* activation */
    bool open;
    struct device device;
};

static enum store_result hear_running(struct store_view *view, struct said *said,
                                      struct update *update, bool going)
{
    struct device *device = &said->device;
    struct product product;
    struct fleet *fleet = said->base.fleet;
    enum update_event event;
    bool inferred;
    enum store_result result = store_get_no(view, STORE_PRODUCT, device->product, &product);
    if (result == STORE_OK && put_text(device->version, sizeof device->version, said->version)) {
        device->version_since = fleet_now(fleet);
        result = store_update(view, STORE_DEVICE, device);
        if (result == STORE_OK) {
            result = fleet_event(view, fleet, "device.changed", device->product, device, NULL);
        }
    }
    if (result == STORE_OK && going &&
        version_event(&product, update, said->version, fleet_now(fleet), &event, &inferred)) {
        const struct cause cause = version_cause(event, update, said->version);
        change_slot(update, event, NULL, device);
        (void)fleet_move(view, fleet, update, device, event, inferred, &cause, &result);
    }
    return result;
}

static enum store_result hear_downloaded(struct store_view *view, struct said *said,
                                         struct update *update)
{
    enum store_result result = STORE_OK;
    if (update->state == UPDATE_DOWNLOADED && update->inferred) {
        update->inferred = false;
        return store_update(view, STORE_UPDATE, update);
    }
    (void)fleet_move(view, said->base.fleet, update, &said->device, UPDATE_ON_FETCHED, false,
                     CAUSE(HAS_IT), &result);
    return result;
}

static enum store_result say(struct store_view *view, void *ctx)
{
    struct said *said = ctx;
    struct update update = {0};
    struct fleet *fleet = said->base.fleet;
    enum store_result result = store_get_text(view, STORE_DEVICE, "id", said->id, &said->device);
    if (result != STORE_OK) {
        return result == STORE_NONE ? fleet_undo(fleet_hidden(said->base.error, "device")) : result;
    }
    bool going = fleet_going(view, &said->device, &update);
    if (said->saying == SAYING_RUNNING && told(said->version)) {
        return hear_running(view, said, &update, going);
    }
    if (said->saying == SAYING_HEALTHY && told(said->version)) {
        result = hear_running(view, said, &update, going);
        going = result == STORE_OK && fleet_going(view, &said->device, &update);
    }
    if (result == STORE_OK && said->saying == SAYING_REBOOTING) {
        said->device.reboot_wanted = false;
        said->device.reboot_accepted = false;
        result = store_update(view, STORE_DEVICE, &said->device);
    }
    if (result != STORE_OK || !going) {
        return result;
    }
    /* Its own words, or what they would come to. */
    bool words = told(said->text);
    struct cause cause = {CAUSE_SAYS, {{"words", said->text, 0}}};
    switch (said->saying) {
    case SAYING_ACKED:
        (void)fleet_move(view, fleet, &update, &said->device, UPDATE_ON_ACCEPT, false,
                         CAUSE(BEGINS), &result);
        break;
    case SAYING_DOWNLOADED:
        return hear_downloaded(view, said, &update);
    case SAYING_FAILED:
        cause.code = words ? CAUSE_FAILED_SAYS : CAUSE_FAILED;
        (void)fleet_move(view, fleet, &update, &said->device, UPDATE_ON_FAIL, false, &cause,
                         &result);
        break;
    case SAYING_REBOOTING:
        (void)fleet_move(view, fleet, &update, &said->device, UPDATE_ON_REBOOT, false,
                         words ? &cause : CAUSE(TOLD_TO_REBOOT), &result);
        break;
    case SAYING_HEALTHY:
        (void)fleet_move(view, fleet, &update, &said->device, UPDATE_ON_HEALTHY, false,
                         words ? &cause : CAUSE(IS_WELL), &result);
        break;
    case SAYING_ROLLED_BACK:
        cause.code = words ? CAUSE_ROLLED_BACK_SAYS : CAUSE_ROLLED_BACK;
        (void)fleet_move(view, fleet, &update, &said->device, UPDATE_ON_RUNS_OLD, false, &cause,
                         &result);
        break;
    case SAYING_RUNNING:
        break;
    }
    return result;
}

enum fleet_status fleet_device_said(struct fleet *fleet, const char *device_id, enum saying saying,
                                    const char *version, const char *text,
                                    struct fleet_error *error)
{
    struct said said = {.base = {fleet, &fleet_system, error, false},
                        .id = device_id,
                        .saying = saying,
                        .version = version,
                        .text = text};
    return fleet_perform(say, &said);
}

/** Espressif's apps make the token up and hand it to the device alone: who shows it within the
 * hour, by fleet_key_authorize(), becomes the owner of a device that has none. */
static enum store_result note_app_token(struct store_view *view, const struct said *said,
                                        const char *hash)
{
    enum { HOUR_MS = 3600000 };
    const struct device *device = &said->device;
    struct token token = {.device = device->no, .kind = TOKEN_ACTIVATION};

    /* One that can be guessed is no proof, and a device has at most one of these. */
    if (strlen(said->token) != 40 || device->owner != 0) {
        return STORE_OK;
    }
    const struct store_where where[] = {STORE_NUMBER("device", device->no),
                                        STORE_NUMBER("kind", TOKEN_ACTIVATION),
                                        STORE_NUMBER("user", 0)};
    enum store_result result =
        store_remove(view, STORE_TOKEN, &(struct store_query){.where = where, .count = 3}, NULL);
    if (result != STORE_OK && result != STORE_NONE) {
        return result;
    }
    token.created = fleet_now(said->base.fleet);
    token.expires = token.created + HOUR_MS;
    fleet_random_id('t', token.id);
    snprintf(token.name, sizeof token.name, "an app's");
    snprintf(token.hash, sizeof token.hash, "%s", hash);
    return store_insert(view, STORE_TOKEN, &token);
}

static enum store_result activate(struct store_view *view, void *ctx)
{
    struct said *said = ctx;
    struct device *device = &said->device;
    struct token token;
    char hash[HEX64_SIZE], mac[MAC_SIZE];
    int64_t now = fleet_now(said->base.fleet);
    enum store_result result = store_get_text(view, STORE_DEVICE, "device_key", said->key, device);
    if (result != STORE_OK || device->standing == STANDING_BLOCKED ||
        device->standing == STANDING_DISABLED) {
        return fleet_undo(
            fleet_fail(said->base.error, FLEET_UNKNOWN, REFUSAL_NO_SUCH_KEY, NULL, NULL));
    }
    device->activated = now;
    if (said->mac != NULL && fleet_mac(said->mac, mac)) {
        strcpy(device->mac, mac);
    }
    if (told(said->token)) {
        fleet_sha256_hex(said->token, hash);
        result = store_get_text(view, STORE_TOKEN, "hash", hash, &token);
        if (result == STORE_NONE) {
            result = note_app_token(view, said, hash);
        } else if (result == STORE_OK && token.kind == TOKEN_ACTIVATION &&
                   (token.expires == 0 || token.expires > now) &&
                   (token.device == 0 || token.device == device->no)) {
            token.device = device->no;
            device->owner = token.user != 0 ? token.user : device->owner;
            result = store_update(view, STORE_TOKEN, &token);
        }
    }
    if (result == STORE_OK) {
        result = store_update(view, STORE_DEVICE, device);
    }
    if (result == STORE_OK) {
        result =
            fleet_event(view, said->base.fleet, "device.activated", device->product, device, NULL);
    }
    struct update update = {0};
    bool going = result == STORE_OK && fleet_going(view, device, &update);
    return result == STORE_OK && told(said->version) ? hear_running(view, said, &update, going)
                                                     : result;
}

enum fleet_status fleet_device_activate(struct fleet *fleet, const char *device_key,
                                        const char *token, const char *mac, const char *version,
                                        struct device *device, struct fleet_error *error)
{
    struct said said = {.base = {fleet, &fleet_system, error, false},
                        .key = device_key == NULL ? "" : device_key,
                        .token = token,
                        .mac = mac,
                        .version = version};
    enum fleet_status status = fleet_perform(activate, &said);
    if (status == FLEET_OK) {
        *device = said.device;
    }
    return status;
}

static enum store_result set_linked(struct store_view *view, void *ctx)
{
    struct said *said = ctx;
    struct device *device = &said->device;
    enum store_result result = store_get_text(view, STORE_DEVICE, "id", said->id, device);
    if (result != STORE_OK) {
        return result == STORE_NONE ? fleet_undo(fleet_hidden(said->base.error, "device")) : result;
    }
    device->linked = said->open;
    device->last_seen = fleet_now(said->base.fleet);
    result = store_update(view, STORE_DEVICE, device);
    return result == STORE_OK ? fleet_event(view, said->base.fleet,
                                            said->open ? "device.online" : "device.offline",
                                            device->product, device, NULL)
                              : result;
}

enum fleet_status fleet_device_linked(struct fleet *fleet, const char *device_id, bool open,
                                      struct fleet_error *error)
{
    struct said said = {
        .base = {fleet, &fleet_system, error, false}, .id = device_id, .open = open};
    return fleet_perform(set_linked, &said);
}
