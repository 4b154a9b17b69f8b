/* updraftd: devices, as people see and handle them. */
#include "internal.h"
#include "search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "habit.h"

enum {
    ONLINE_MS = 150 * 1000, /* three beacons of Espressif's devices, which come every 50 s */
    DAY_MS = 24 * 3600 * 1000,
};

struct device_work {
    struct operation base;
    const char *product, *id, *version, *code;
    struct device *device; /* in and out of create and edit */
    struct device found;
    struct update update;
    bool downgrade, blocked;
    enum answer answer;
    int64_t east_ms; /* of UTC, the owner's clock */
};

static void describe(const struct device *device, char *json, size_t room)
{
    char name[2 * NAME_SIZE], family[2 * NAME_SIZE];
    fleet_json_string(name, sizeof name, device->name);
    fleet_json_string(family, sizeof family, device->family);
    snprintf(json, room,
             "{\"id\":\"%s\",\"name\":%s,\"group\":%s,\"channel\":\"%s\",\"variant\":\"%s\","
             "\"standing\":\"%s\"}",
             device->id, name, family, device->channel, device->variant,
             standing_word(device->standing));
}

/** The end of every change of a device. */
static enum store_result finish(struct store_view *view, struct device_work *work, const char *what,
                                const char *before)
{
    char after[2048];
    struct device *device = &work->found;
    describe(device, after, sizeof after);
    enum store_result result = store_update(view, STORE_DEVICE, device);
    if (result == STORE_OK) {
        result = fleet_audit(view, &work->base, what, device->id, before, after);
    }
    if (result == STORE_OK) {
        result =
            fleet_event(view, work->base.fleet, "device.changed", device->product, device, after);
    }
    return result;
}

static enum fleet_status check(struct device *device, const struct product *product,
                               struct fleet_error *error)
{
    const struct {
        const char *field, *text;
        size_t size;
    } words[] = {{"serial", device->serial, sizeof device->serial},
                 {"channel", device->channel, sizeof device->channel},
                 {"variant", device->variant, sizeof device->variant}};
    for (size_t i = 0; i < 3; i++) {
        if (words[i].text[0] != '\0' && !fleet_word_good(words[i].text, words[i].size)) {
            return fleet_fail(
                error, FLEET_INVALID, REFUSAL_BAD_WORD, words[i].field,
                VALUES({"field", words[i].field, 0}, {"most", NULL, (int64_t)(words[i].size - 1)}));
        }
    }
    if (device->name[0] == '\0') {
        snprintf(device->name, sizeof device->name, "%s",
                 device->serial[0] != '\0' ? device->serial : device->id);
    }
    if (!fleet_name_good(device->name)) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_NAME, "name", NULL);
    }
    if (device->family[0] != '\0' && !fleet_name_good(device->family)) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_GROUP, "group", NULL);
    }
    char mac[MAC_SIZE];
    if (device->mac[0] != '\0' && !fleet_mac(device->mac, mac)) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_MAC, "mac", NULL);
    }
    if (device->mac[0] != '\0') {
        strcpy(device->mac, mac);
    }
    if (device->channel[0] != '\0') {
        char all[SENTENCE_SIZE + 2], one[WORD_SIZE + 2];
        snprintf(all, sizeof all, ",%s,", product->channels);
        snprintf(one, sizeof one, ",%s,", device->channel);
        if (strstr(all, one) == NULL) {
            return fleet_fail(error, FLEET_INVALID, REFUSAL_NO_SUCH_CHANNEL, "channel",
                              VALUES({"channels", product->channels, 0}));
        }
    }
    return FLEET_OK;
}

static enum fleet_status serial_free(struct store_view *view, const struct device *device,
                                     struct fleet_error *error)
{
    struct device other;
    struct store_where where[] = {STORE_NUMBER("product", device->product),
                                  STORE_TEXT("serial", device->serial)};
    if (device->serial[0] != '\0' &&
        store_get(view, STORE_DEVICE, &(struct store_query){.where = where, .count = 2}, &other) ==
            STORE_OK &&
        other.no != device->no) {
        return fleet_fail(error, FLEET_CONFLICT, REFUSAL_SERIAL_TAKEN, "serial", NULL);
    }
    return FLEET_OK;
}

/** A device that was made for another server keeps the key that lies in its flash. */
static enum fleet_status own_key(struct store_view *view, const char *key, struct device *device,
                                 struct fleet_error *error)
{
    struct device other;

    if (key[0] == '\0') {
        return FLEET_OK;
    }
    if (strlen(key) != 40 || strspn(key, "0123456789abcdef") != 40) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_KEY, "device_key", NULL);
    }
    if (store_get_text(view, STORE_DEVICE, "device_key", key, &other) == STORE_OK) {
        return fleet_fail(error, FLEET_CONFLICT, REFUSAL_KEY_TAKEN, "device_key", NULL);
    }
    memcpy(device->device_key, key, 41);
    return FLEET_OK;
}

static enum store_result create(struct store_view *view, void *ctx)
{
    struct device_work *work = ctx;
    struct device *device = &work->found;
    struct product product;
    char json[2048];

    if (fleet_find_product(view, work->base.actor, ACTION_DEVICE_CREATE, work->product, &product,
                           work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    memset(device, 0, sizeof *device);
    memcpy(device->name, work->device->name, sizeof device->name);
    memcpy(device->serial, work->device->serial, sizeof device->serial);
    memcpy(device->mac, work->device->mac, sizeof device->mac);
    memcpy(device->family, work->device->family, sizeof device->family);
    memcpy(device->channel, work->device->channel, sizeof device->channel);
    memcpy(device->variant, work->device->variant, sizeof device->variant);
    device->product = product.no;
    device->map = -1;
    device->standing = STANDING_ADMITTED;
    device->created = fleet_now(work->base.fleet);
    fleet_random_id('d', device->id);
    fleet_random_hex(device->device_key, 40);
    fleet_random_text(device->claim_code, 8);
    if (own_key(view, work->device->device_key, device, work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    if (check(device, &product, work->base.error) != FLEET_OK ||
        serial_free(view, device, work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    describe(device, json, sizeof json);
    enum store_result result = store_insert(view, STORE_DEVICE, device);
    if (result == STORE_OK) {
        result = fleet_audit(view, &work->base, "device.create", device->id, NULL, json);
    }
    if (result == STORE_OK) {
        result = fleet_event(view, work->base.fleet, "device.created", product.no, device, json);
    }
    return result;
}

enum fleet_status fleet_device_create(struct fleet *fleet, const struct actor *actor,
                                      const char *product, struct device *device,
                                      struct fleet_error *error)
{
    struct device_work work = {
        .base = {fleet, actor, error, false}, .product = product, .device = device};
    enum fleet_status status = fleet_perform(create, &work);
    if (status == FLEET_OK) {
        *device = work.found;
    }
    return status;
}

static enum store_result edit(struct store_view *view, void *ctx)
{
    struct device_work *work = ctx;
    struct device *device = &work->found;
    const struct device *want = work->device;
    struct product product;
    char before[2048];

    if (fleet_find_device(view, work->base.actor, ACTION_DEVICE_EDIT, want->id, device,
                          work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    enum store_result result = store_get_no(view, STORE_PRODUCT, device->product, &product);
    if (result != STORE_OK) {
        return result;
    }
    describe(device, before, sizeof before);
    memcpy(device->name, want->name, sizeof device->name);
    memcpy(device->serial, want->serial, sizeof device->serial);
    memcpy(device->family, want->family, sizeof device->family);
    memcpy(device->channel, want->channel, sizeof device->channel);
    memcpy(device->variant, want->variant, sizeof device->variant);
    device->standing = want->standing;
    if (check(device, &product, work->base.error) != FLEET_OK ||
        serial_free(view, device, work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    return finish(view, work, "device.edit", before);
}

enum fleet_status fleet_device_edit(struct fleet *fleet, const struct actor *actor,
                                    struct device *device, struct fleet_error *error)
{
    struct device_work work = {.base = {fleet, actor, error, false}, .device = device};
    enum fleet_status status = fleet_perform(edit, &work);
    if (status == FLEET_OK) {
        *device = work.found;
    }
    return status;
}

static enum store_result remove_device(struct store_view *view, void *ctx)
{
    struct device_work *work = ctx;
    struct device *device = &work->found;
    char json[2048];
    if (fleet_find_device(view, work->base.actor, ACTION_DEVICE_DELETE, work->id, device,
                          work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    describe(device, json, sizeof json);
    struct update update;
    struct store_where of = STORE_NUMBER("device", device->no);
    struct store_where self = STORE_NUMBER("no", device->no);
    struct store_query updates = {.where = &of, .count = 1};
    enum store_result result = STORE_OK;
    while (result == STORE_OK && store_get(view, STORE_UPDATE, &updates, &update) == STORE_OK) {
        struct store_where steps = STORE_NUMBER("update", update.no);
        struct store_where one = STORE_NUMBER("no", update.no);
        result = store_remove(view, STORE_STEP, &(struct store_query){.where = &steps, .count = 1},
                              NULL);
        if (result == STORE_OK) {
            result = store_remove(view, STORE_UPDATE,
                                  &(struct store_query){.where = &one, .count = 1}, NULL);
        }
    }
    if (result == STORE_OK) {
        result = store_remove(view, STORE_TOKEN, &updates, NULL);
    }
    if (result == STORE_OK) {
        result = store_remove(view, STORE_DEVICE, &(struct store_query){.where = &self, .count = 1},
                              NULL);
    }
    if (result == STORE_OK) {
        result = fleet_audit(view, &work->base, "device.delete", device->id, json, NULL);
    }
    return result == STORE_OK ? fleet_event(view, work->base.fleet, "device.deleted",
                                            device->product, device, json)
                              : result;
}

enum fleet_status fleet_device_delete(struct fleet *fleet, const struct actor *actor,
                                      const char *id, struct fleet_error *error)
{
    struct device_work work = {.base = {fleet, actor, error, false}, .id = id};
    return fleet_perform(remove_device, &work);
}

/* --- Looking -------------------------------------------------------------------------------------
 */

bool fleet_device_online(const struct fleet *fleet, const struct device *device)
{
    return device->linked ||
           (device->last_seen != 0 && fleet_now(fleet) - device->last_seen < ONLINE_MS);
}

int64_t fleet_device_due(const struct device *device)
{
    return habit_due((struct habit){device->poll_every, device->polls}, device->last_seen);
}

/** What is noted and not written yet; and keys only for those who may have them. */
static void dress(struct fleet *fleet, struct store_view *view, const struct actor *actor,
                  struct device *device)
{
    struct telemetry noted;
    struct fleet_error error;
    if (store_noted(fleet->store, device->no, &noted)) {
        device->last_seen =
            noted.last_seen > device->last_seen ? noted.last_seen : device->last_seen;
        device->poll_every = noted.poll_every != 0 ? noted.poll_every : device->poll_every;
        if (noted.address[0] != '\0') {
            memcpy(device->address, noted.address, sizeof device->address);
        }
    }
    if (fleet_allowed(view, actor, ACTION_DEVICE_KEYS, device->product, device, "device", &error) !=
        FLEET_OK) {
        device->device_key[0] = '\0';
        device->claim_code[0] = '\0';
    }
}

enum fleet_status fleet_device_may(struct fleet *fleet, const struct actor *actor, const char *id,
                                   enum action action, struct device *device,
                                   struct fleet_error *error)
{
    struct store_view *view = fleet_view(fleet, error);
    struct device found;
    if (view == NULL) {
        return error->status;
    }
    enum fleet_status status = fleet_find_device(view, actor, action, id, &found, error);
    if (status == FLEET_OK) {
        dress(fleet, view, actor, &found);
        *device = found;
    }
    store_end(view);
    return status;
}

enum fleet_status fleet_device_show(struct fleet *fleet, const struct actor *actor, const char *id,
                                    struct device *device, struct fleet_error *error)
{
    return fleet_device_may(fleet, actor, id, ACTION_DEVICE_SHOW, device, error);
}

static const char updating[] = "updating"; /* any state that is not an update's end */

enum { SHORT = 2 /* characters, which no trigram has */ };

static bool is_short(const char *text)
{
    int characters = 0;
    for (; *text != '\0'; text++) {
        characters += (*text & 0xC0) != 0x80;
    }
    return characters <= SHORT;
}

/** Whether a text that no trigram finds is more than a moment's work to look for. */
static bool is_large(struct fleet *fleet, struct store_view *view)
{
    int64_t few = fleet->lists.few, count = few;
    const struct store_query all = {.count_max = few};
    (void)store_count(view, STORE_DEVICE, &all, &count);
    return count == few;
}

/** The conditions of a list; the first place of `where` is left for what the actor may see. */
static enum fleet_status conditions(struct fleet *fleet, struct store_view *view,
                                    const struct fleet_query *query,
                                    struct store_where where[SEARCH_CONDITIONS], size_t *count,
                                    struct fleet_error *error)
{
    enum update_state state = UPDATE_OFFERED;
    enum standing standing;
    size_t used = 1;
    /* No update that failed is going on: the device remembers it. */
    bool failed = query->state != NULL && strcmp(query->state, "failed") == 0;
    if (query->state != NULL && strcmp(query->state, updating) != 0 &&
        !update_state_find(query->state, &state)) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_STATE, "state",
                          VALUES({"state", query->state, 0}));
    }
    if (query->standing != NULL && !standing_find(query->standing, &standing)) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_STANDING, "standing",
                          VALUES({"standing", query->standing, 0}));
    }
    if (query->standing != NULL) {
        where[used++] = STORE_NUMBER("standing", standing);
    }
    if (query->state != NULL && (failed || strcmp(query->state, updating) == 0)) {
        where[used++] = (struct store_where){failed ? "failed" : "update", STORE_GT, 0, NULL};
    } else if (query->state != NULL) {
        where[used++] = (struct store_where){"update", STORE_GOING_IN, (int64_t)state, NULL};
    }
    if (query->version != NULL) {
        where[used++] = STORE_TEXT("version", query->version);
    }
    if (query->family != NULL) {
        where[used++] = STORE_TEXT("family", query->family);
    }
    if (query->text != NULL && query->text[0] != '\0') {
        bool id = strncmp(query->text, "d_", 2) == 0 && strlen(query->text) == 18;
        bool brief = is_short(query->text) && is_large(fleet, view);
        where[used++] =
            id ? STORE_TEXT("id", query->text)
               : (struct store_where){STORE_DEVICE_TEXTS, brief ? STORE_BEGINS : STORE_LIKE, 0,
                                      query->text};
    }
    if (query->heard_before != 0) {
        where[used++] = (struct store_where){"last_seen", STORE_LT, query->heard_before, NULL};
    }
    if (query->online > 0) {
        where[used++] =
            (struct store_where){"last_seen", STORE_GE, fleet_now(fleet) - ONLINE_MS, NULL};
    } else if (query->online < 0) {
        where[used++] =
            (struct store_where){"last_seen", STORE_LT, fleet_now(fleet) - ONLINE_MS, NULL};
        where[used++] = STORE_NUMBER("linked", 0);
    }
    *count = used;
    return FLEET_OK;
}

#define DEVICE_SORTS "name serial version last_seen created family no"

struct each_device {
    void (*device)(void *ctx, const struct device *device);
    void *ctx;
};

static enum store_result give_device(const struct search *search, int64_t number, void *ctx)
{
    struct each_device *give = ctx;
    struct device device;
    struct fleet_error error;
    enum store_result result = store_get_no(search->view, STORE_DEVICE, number, &device);
    if (result == STORE_OK &&
        fleet_allowed(search->view, search->actor, ACTION_DEVICE_SHOW, device.product, &device,
                      "device", &error) == FLEET_OK) {
        dress(search->fleet, search->view, search->actor, &device);
        give->device(give->ctx, &device);
    }
    return result;
}

enum fleet_status fleet_device_list(struct fleet *fleet, const struct actor *actor,
                                    const struct fleet_query *query,
                                    void (*each)(void *ctx, const struct device *device), void *ctx,
                                    struct fleet_page *page, struct fleet_error *error)
{
    struct store_where where[SEARCH_CONDITIONS] = {{"no", STORE_EQ, 0, NULL}};
    struct search search = {.fleet = fleet,
                            .view = fleet_view(fleet, error),
                            .actor = actor,
                            .kind = STORE_DEVICE,
                            .where = where,
                            .list = {.order = "no"}};
    struct each_device give = {.device = each, .ctx = ctx};
    struct product product;
    enum fleet_status status = search.view == NULL ? error->status : FLEET_OK;
    if (status == FLEET_OK && query->product != NULL) {
        status = fleet_find_product(search.view, actor, ACTION_PRODUCT_SHOW, query->product,
                                    &product, error);
        search.only = STORE_NUMBER("product", product.no);
    }
    if (status == FLEET_OK) {
        status = conditions(fleet, search.view, query, where, &search.list.count, error);
    }
    if (status == FLEET_OK) {
        status = fleet_paging(query, DEVICE_SORTS, &search.list, error);
    }
    if (status == FLEET_OK) {
        /* As they were made is the order of their numbers, which needs no index. */
        if (strcmp(search.list.order, "created") == 0) {
            search.list.order = "no";
        }
        /* What an index without a product serves: a text that few have, and all by name or age. */
        search.plain = query->text != NULL && query->text[0] != '\0'
                           ? store_text_few(search.view, STORE_DEVICE, query->text)
                           : search.list.count == 1 && actor->administrator &&
                                 strstr("no name last_seen", search.list.order) != NULL;
        status = fleet_store_error(error, fleet_search(&search, give_device, &give, page));
    }
    store_end(search.view);
    return status;
}

struct own_devices {
    struct fleet *fleet;
    struct store_view *view;
    const struct actor *actor;
    void (*each)(void *ctx, const struct device *device);
    void *ctx;
};

static bool give_own(void *ctx, const void *record)
{
    const struct own_devices *own = ctx;
    struct fleet_error error;
    struct device device;
    memcpy(&device, record, sizeof device);
    if (fleet_allowed(own->view, own->actor, ACTION_DEVICE_SHOW, device.product, &device, "device",
                      &error) == FLEET_OK) {
        dress(own->fleet, own->view, own->actor, &device);
        own->each(own->ctx, &device);
    }
    return true;
}

enum fleet_status fleet_my_devices(struct fleet *fleet, const struct actor *actor,
                                   void (*each)(void *ctx, const struct device *device), void *ctx,
                                   struct fleet_error *error)
{
    struct store_where where = STORE_NUMBER("owner", actor->user);
    struct store_query list = {.where = &where, .count = 1, .order = "no"};
    struct store_view *view = fleet_view(fleet, error);
    if (view == NULL) {
        return error->status;
    }
    struct own_devices give = {fleet, view, actor, each, ctx};
    enum fleet_status status =
        actor->user == 0
            ? FLEET_OK
            : fleet_store_error(error, store_each(view, STORE_DEVICE, &list, give_own, &give));
    store_end(view);
    return status;
}

enum fleet_status fleet_device_explain(struct fleet *fleet, const struct actor *actor,
                                       const char *id, struct fleet_why *why,
                                       struct fleet_error *error)
{
    struct store_view *view = fleet_view(fleet, error);
    struct snapshot *snapshot = fleet_snapshot(fleet);
    struct device device;
    struct update going;
    memset(why, 0, sizeof *why);
    enum fleet_status status =
        view == NULL ? error->status
                     : fleet_find_device(view, actor, ACTION_DEVICE_SHOW, id, &device, error);
    const struct product *product = status == FLEET_OK && snapshot != NULL
                                        ? snapshot_product_no(snapshot, device.product)
                                        : NULL;
    if (status == FLEET_OK && product == NULL) {
        status = fleet_store_error(error, STORE_FAILED);
    }
    if (status == FLEET_OK) {
        struct decision decision;
        struct decide_input input = {
            .product = product, .device = &device, .now = fleet_now(fleet)};
        input.served = fleet_going(view, &device, &going) ? going.served : 0;
        snapshot_releases(snapshot, product, &input);
        decide(&input, &decision);
        decide_explain(&input, &decision, &why->words);
        why->reason = decision.reason;
        memcpy(why->rules, decision.rules, sizeof why->rules);
        if (decision.release != NULL) {
            memcpy(why->version, decision.release->version, sizeof why->version);
        }
    }
    fleet_snapshot_release(fleet, snapshot);
    store_end(view);
    return status;
}

/* --- Orders and answers
 * ---------------------------------------------------------------------------- */

static bool first_record(void *ctx, const void *record)
{
    struct release *release = ctx;
    memcpy(release, record, sizeof *release);
    return false;
}

static enum fleet_status release_to_order(struct store_view *view, struct device_work *work,
                                          const struct product *product, struct release *release)
{
    struct fleet_error *error = work->base.error;
    size_t size = strcspn(product->channels, ",");
    char channel[WORD_SIZE];
    snprintf(channel, sizeof channel, "%.*s", (int)size, product->channels);
    if (work->found.channel[0] != '\0') {
        memcpy(channel, work->found.channel, sizeof channel);
    }
    struct store_where named[] = {STORE_NUMBER("product", product->no),
                                  STORE_TEXT("version", work->version)};
    struct store_where current[] = {STORE_NUMBER("product", product->no),
                                    STORE_NUMBER("current", 1), STORE_TEXT("channel", channel)};
    struct store_query query = {.where = work->version != NULL ? named : current,
                                .count = work->version != NULL ? 2 : 3};
    memset(release, 0, sizeof *release);
    enum store_result result = store_each(view, STORE_RELEASE, &query, first_record, release);
    if (result != STORE_OK) {
        return fleet_store_error(error, result);
    }
    if (release->no == 0) {
        return fleet_fail(error, FLEET_INVALID,
                          work->version != NULL ? REFUSAL_NO_SUCH_RELEASE
                                                : REFUSAL_NO_CURRENT_RELEASE,
                          "version", NULL);
    }
    if (release->withdrawn != 0) {
        return fleet_fail(error, FLEET_CONFLICT, REFUSAL_WITHDRAWN, "version",
                          VALUES({"release", release->version, 0}));
    }
    return FLEET_OK;
}

/** Would the order be obeyed? The rules that an order cannot waive are asked by decide(). */
static enum store_result check_order(struct store_view *view, struct device_work *work,
                                     const struct product *product, const struct release *release,
                                     enum reason *reason, struct explanation *why,
                                     struct image *image)
{
    struct decide_input input = {.product = product,
                                 .device = &work->found,
                                 .releases = release,
                                 .release_count = 1,
                                 .now = fleet_now(work->base.fleet)};
    struct image images[16];
    size_t count = 0;
    for (enum part part = PART_APP; part <= PART_FILESYSTEM; part++) {
        struct store_where where[] = {STORE_NUMBER("release", release->no),
                                      STORE_NUMBER("part", part),
                                      STORE_TEXT("variant", work->found.variant)};
        struct store_query query = {.where = where, .count = 3};
        if (store_get(view, STORE_IMAGE, &query, &images[count]) == STORE_OK) {
            count++;
            continue;
        }
        where[2].text = "";
        if (store_get(view, STORE_IMAGE, &query, &images[count]) == STORE_OK) {
            count++;
        }
    }
    input.images = images;
    input.image_count = count;
    struct decision decision;
    decide(&input, &decision);
    decide_explain(&input, &decision, why);
    *reason = decision.reason;
    if (decision.image != NULL) {
        *image = *decision.image;
    }
    return STORE_OK;
}

static enum store_result order(struct store_view *view, void *ctx)
{
    struct device_work *work = ctx;
    struct device *device = &work->found;
    struct fleet_error *error = work->base.error;
    struct product product;
    struct release release;
    enum reason reason;
    struct explanation why;
    struct image image = {0};
    struct update going;
    char before[2048];

    if (fleet_find_device(view, work->base.actor, ACTION_DEVICE_ORDER, work->id, device, error) !=
        FLEET_OK) {
        return STORE_UNDONE;
    }
    describe(device, before, sizeof before);
    enum store_result result = store_get_no(view, STORE_PRODUCT, device->product, &product);
    if (result != STORE_OK) {
        return result;
    }
    if (release_to_order(view, work, &product, &release) != FLEET_OK) {
        return STORE_UNDONE;
    }
    device->ordered = release.no;
    device->downgrade = work->downgrade;
    device->not_before = 0;
    if (device->declined == release.no) {
        device->declined = 0;
    }
    result = check_order(view, work, &product, &release, &reason, &why, &image);
    if (result == STORE_OK && reason != REASON_OFFER && reason != REASON_WAITS_OWNER) {
        (void)fleet_fail_with(error, FLEET_CONFLICT, reason_code(reason), NULL,
                              "The order is refused: {why}.", VALUES({"why", why.text, 0}));
        memcpy(error->detail, why.detail, sizeof error->detail);
        return STORE_UNDONE;
    }
    if (result == STORE_OK && fleet_going(view, device, &going)) {
        if (going.release == release.no) {
            work->update = going;
        } else {
            int64_t ordered = device->ordered;
            (void)fleet_move(view, work->base.fleet, &going, device, UPDATE_ON_CANCEL, false,
                             CAUSE(OTHER_ORDERED), &result);
            device->ordered = ordered;
            device->downgrade = work->downgrade;
        }
    }
    const struct cause cause = {CAUSE_ORDERED, {{"user", work->base.actor->name, 0}}};
    if (result == STORE_OK && work->update.no == 0) {
        result = fleet_begin_update(view, work->base.fleet, device, &release, &image, &cause,
                                    &work->update);
    }
    if (result == STORE_OK && reason == REASON_OFFER && work->update.state == UPDATE_OFFERED) {
        (void)fleet_move(view, work->base.fleet, &work->update, device, UPDATE_ON_ACCEPT, false,
                         &cause, &result);
    }
    return result == STORE_OK ? finish(view, work, "device.order", before) : result;
}

enum fleet_status fleet_device_order(struct fleet *fleet, const struct actor *actor, const char *id,
                                     const char *version, bool downgrade, struct update *update,
                                     struct fleet_error *error)
{
    struct device_work work = {
        .base = {fleet, actor, error, false}, .id = id, .version = version, .downgrade = downgrade};
    enum fleet_status status = fleet_perform(order, &work);
    if (status == FLEET_OK) {
        *update = work.update;
    }
    return status;
}

static enum store_result want_reboot(struct store_view *view, void *ctx)
{
    struct device_work *work = ctx;
    char before[2048];
    if (fleet_find_device(view, work->base.actor, ACTION_DEVICE_REBOOT, work->id, &work->found,
                          work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    describe(&work->found, before, sizeof before);
    work->found.reboot_wanted = true;
    return finish(view, work, "device.reboot", before);
}

enum fleet_status fleet_device_reboot(struct fleet *fleet, const struct actor *actor,
                                      const char *id, struct fleet_error *error)
{
    struct device_work work = {.base = {fleet, actor, error, false}, .id = id};
    return fleet_perform(want_reboot, &work);
}

static enum store_result block(struct store_view *view, void *ctx)
{
    struct device_work *work = ctx;
    struct update update;
    enum store_result result = STORE_OK;
    char before[2048];
    if (fleet_find_device(view, work->base.actor, ACTION_DEVICE_EDIT, work->id, &work->found,
                          work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    describe(&work->found, before, sizeof before);
    work->found.standing = work->blocked ? STANDING_BLOCKED : STANDING_ADMITTED;
    if (work->blocked && fleet_going(view, &work->found, &update)) {
        (void)fleet_move(view, work->base.fleet, &update, &work->found, UPDATE_ON_CANCEL, false,
                         CAUSE(BLOCKED), &result);
    }
    return result == STORE_OK
               ? finish(view, work, work->blocked ? "device.block" : "device.unblock", before)
               : result;
}

enum fleet_status fleet_device_block(struct fleet *fleet, const struct actor *actor, const char *id,
                                     bool blocked, struct fleet_error *error)
{
    struct device_work work = {.base = {fleet, actor, error, false}, .id = id, .blocked = blocked};
    return fleet_perform(block, &work);
}

static enum store_result claim(struct store_view *view, void *ctx)
{
    struct device_work *work = ctx;
    struct device *device = &work->found;
    char code[WORD_SIZE], before[2048];
    text_copy(code, sizeof code, work->code);
    if (work->base.actor->kind != ACTOR_USER || work->base.actor->device != 0 ||
        store_get_text(view, STORE_DEVICE, "claim_code", code, device) != STORE_OK) {
        return fleet_undo(
            fleet_fail(work->base.error, FLEET_NOT_FOUND, REFUSAL_NO_SUCH_CODE, "code", NULL));
    }
    describe(device, before, sizeof before);
    device->owner = work->base.actor->user;
    device->claim_code[0] = '\0'; /* used up */
    return finish(view, work, "device.claim", before);
}

enum fleet_status fleet_device_claim(struct fleet *fleet, const struct actor *actor,
                                     const char *code, struct device *device,
                                     struct fleet_error *error)
{
    struct device_work work = {.base = {fleet, actor, error, false},
                               .code = code == NULL ? "" : code};
    enum fleet_status status = fleet_perform(claim, &work);
    if (status == FLEET_OK) {
        work.found.device_key[0] = '\0';
        *device = work.found;
    }
    return status;
}

static enum store_result answer(struct store_view *view, void *ctx)
{
    struct device_work *work = ctx;
    struct device *device = &work->found;
    struct fleet *fleet = work->base.fleet;
    struct update update;
    enum store_result result = STORE_OK;
    char before[2048];

    if (fleet_find_device(view, work->base.actor, ACTION_DEVICE_ANSWER, work->id, device,
                          work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    describe(device, before, sizeof before);
    if (!fleet_going(view, device, &update) ||
        (update.state > UPDATE_ACCEPTED && update.state != UPDATE_DOWNLOADED)) {
        return fleet_undo(
            fleet_fail(work->base.error, FLEET_CONFLICT, REFUSAL_NOTHING_TO_ANSWER, NULL, NULL));
    }
    bool reboot = update.state == UPDATE_DOWNLOADED;
    device->not_before = 0;
    switch (work->answer) {
    case ANSWER_NOW:
        device->reboot_accepted = reboot;
        device->accepted = update.release;
        if (update.state == UPDATE_OFFERED) {
            (void)fleet_move(view, fleet, &update, device, UPDATE_ON_ACCEPT, false, CAUSE(ACCEPTED),
                             &result);
        }
        break;
    case ANSWER_TONIGHT: {
        /* Three in the morning of the owner's clock, at least an hour away. */
        int64_t here = fleet_now(fleet) + work->east_ms;
        int64_t night = here - here % DAY_MS + 3 * 3600 * 1000;
        while (night < here + 3600 * 1000) {
            night += DAY_MS;
        }
        device->not_before = night - work->east_ms;
        device->accepted = update.release;
        device->reboot_accepted = reboot;
        break;
    }
    case ANSWER_NO:
        device->declined = update.release;
        device->accepted = 0;
        (void)fleet_move(view, fleet, &update, device,
                         reboot ? UPDATE_ON_CANCEL : UPDATE_ON_DECLINE, false, CAUSE(DECLINED),
                         &result);
        break;
    }
    return result == STORE_OK ? finish(view, work, "device.answer", before) : result;
}

enum fleet_status fleet_device_answer(struct fleet *fleet, const struct actor *actor,
                                      const char *id, enum answer given, int32_t east_minutes,
                                      struct fleet_error *error)
{
    struct device_work work = {.base = {fleet, actor, error, false},
                               .id = id,
                               .answer = given,
                               .east_ms = east_minutes * (int64_t)60000};
    return fleet_perform(answer, &work);
}

/* --- Counts
 * ---------------------------------------------------------------------------------------- */

static void count_state(void *ctx, const char *value, int64_t count)
{
    struct fleet_overview *overview = ctx;
    long state = strtol(value, NULL, 10);
    if (state >= 0 && state <= UPDATE_ROLLED_BACK) {
        overview->updates[state] += count;
    }
}

static void count_standing(void *ctx, const char *value, int64_t count)
{
    struct fleet_overview *overview = ctx;
    overview->devices += count;
    overview->fresh += strtol(value, NULL, 10) == STANDING_NEW ? count : 0;
}

static enum store_result count_product(struct fleet *fleet, struct store_view *view,
                                       int64_t product, struct fleet_overview *overview)
{
    int64_t now = fleet_now(fleet), count = 0;
    struct store_where heard[] = {STORE_NUMBER("product", product),
                                  {"last_seen", STORE_GE, now - ONLINE_MS, NULL}};
    struct store_where silent[] = {STORE_NUMBER("product", product),
                                   {"last_seen", STORE_LT, now - DAY_MS, NULL},
                                   {"last_seen", STORE_GT, 0, NULL}};
    struct store_query online = {.where = heard, .count = 2};
    struct store_query quiet = {.where = silent, .count = 3};
    enum store_result result = store_count(view, STORE_DEVICE, &online, &count);
    overview->online += count;
    if (result == STORE_OK) {
        result = store_count(view, STORE_DEVICE, &quiet, &count);
        overview->silent += count;
    }
    if (result == STORE_OK) {
        result = store_kept(view, STORE_DEVICE, "standing", product, count_standing, overview);
    }
    if (result == STORE_OK) {
        result = store_kept(view, STORE_UPDATE, "state", product, count_state, overview);
    }
    overview->products++;
    return result;
}

struct overview_walk {
    struct fleet *fleet;
    struct store_view *view;
    const struct actor *actor;
    struct fleet_overview *overview;
    enum store_result result;
};

static bool overview_product(void *ctx, const void *record)
{
    struct overview_walk *walk = ctx;
    const struct product *product = record;
    struct fleet_error error;
    if (fleet_allowed(walk->view, walk->actor, ACTION_PRODUCT_SHOW, product->no, NULL, "product",
                      &error) == FLEET_OK) {
        walk->result = count_product(walk->fleet, walk->view, product->no, walk->overview);
    }
    return walk->result == STORE_OK;
}

enum fleet_status fleet_overview(struct fleet *fleet, const struct actor *actor,
                                 const char *product, struct fleet_overview *overview,
                                 struct fleet_error *error)
{
    struct store_view *view = fleet_view(fleet, error);
    struct product found;
    if (view == NULL) {
        return error->status;
    }
    memset(overview, 0, sizeof *overview);
    struct overview_walk walk = {fleet, view, actor, overview, STORE_OK};
    enum fleet_status status = FLEET_OK;
    if (product != NULL) {
        status = fleet_find_product(view, actor, ACTION_PRODUCT_SHOW, product, &found, error);
        if (status == FLEET_OK) {
            status = fleet_store_error(error, count_product(fleet, view, found.no, overview));
        }
    } else {
        enum store_result result = store_each(view, STORE_PRODUCT, NULL, overview_product, &walk);
        status = fleet_store_error(error, result == STORE_OK ? walk.result : result);
    }
    overview->waiting = overview->updates[UPDATE_OFFERED];
    store_end(view);
    return status;
}

enum fleet_status fleet_versions(struct fleet *fleet, const struct actor *actor,
                                 const char *product,
                                 void (*each)(void *ctx, const char *version, int64_t devices),
                                 void *ctx, struct fleet_error *error)
{
    struct store_view *view = fleet_view(fleet, error);
    struct product found;
    if (view == NULL) {
        return error->status;
    }
    enum fleet_status status =
        fleet_find_product(view, actor, ACTION_PRODUCT_SHOW, product, &found, error);
    if (status == FLEET_OK) {
        status = fleet_store_error(error,
                                   store_kept(view, STORE_DEVICE, "version", found.no, each, ctx));
    }
    store_end(view);
    return status;
}
