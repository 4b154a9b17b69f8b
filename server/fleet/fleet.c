/* updraftd: opening a fleet, and what all operations are made of. */
#include "internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include <updraft/json.h>
#include <updraft/sha256.h>
#include <updraft/utf8.h>

enum {
    EVENTS_KEPT = 100000,
    BLOB_AGE_MS = 24 * 3600 * 1000, /* an uploaded image may wait a day for its release */
};

const struct actor fleet_system = {.kind = ACTOR_SYSTEM, .name = "system"};

static const int http_statuses[] = {
#define X(name, http) http,
    FLEET_STATUSES(X)
#undef X
};

int fleet_status_http(enum fleet_status status)
{
    size_t count = sizeof http_statuses / sizeof http_statuses[0];
    return (size_t)status < count ? http_statuses[status] : 500;
}

/* --- Errors ------------------------------------------------------------------------------------
 */

enum fleet_status fleet_error_clear(struct fleet_error *error)
{
    *error = (struct fleet_error){.status = FLEET_OK, .offset = -1};
    return FLEET_OK;
}

enum fleet_status fleet_fail_with(struct fleet_error *error, enum fleet_status status,
                                  const char *code, const char *field, const char *form,
                                  const struct value *values)
{
    (void)fleet_error_clear(error);
    error->status = status;
    snprintf(error->code, sizeof error->code, "%s", code);
    snprintf(error->field, sizeof error->field, "%s", field == NULL ? "" : field);
    sentence_write(error->message, sizeof error->message, form, values);
    sentence_detail(error->detail, sizeof error->detail, form, values);
    return status;
}

enum fleet_status fleet_fail(struct fleet_error *error, enum fleet_status status,
                             enum refusal refusal, const char *field, const struct value *values)
{
    return fleet_fail_with(error, status, refusal_code(refusal), field, refusal_sentence(refusal),
                           values);
}

enum fleet_status fleet_hidden(struct fleet_error *error, const char *noun)
{
    char code[WORD_SIZE];
    snprintf(code, sizeof code, "no_such_%s", noun);
    return fleet_fail_with(error, FLEET_NOT_FOUND, code, NULL, "There is no such {object}.",
                           VALUES({"object", noun, 0}));
}

enum fleet_status fleet_store_error(struct fleet_error *error, enum store_result result)
{
    switch (result) {
    case STORE_OK:
        return fleet_error_clear(error);
    case STORE_UNDONE:
        return error->status;
    case STORE_FULL:
        return fleet_fail(error, FLEET_FULL, REFUSAL_DISK_FULL, NULL, NULL);
    case STORE_CLASH:
        return fleet_fail(error, FLEET_CONFLICT, REFUSAL_EXISTS, NULL, NULL);
    case STORE_NONE:
        return fleet_hidden(error, "object");
    case STORE_FAILED:
    case STORE_NEWER:
        break;
    }
    return fleet_fail(error, FLEET_FAILED, REFUSAL_DATABASE, NULL,
                      VALUES({"problem", store_result_text(result), 0}));
}

struct performing {
    store_work *work;
    struct operation *operation;
};

static enum store_result perform(struct store_view *view, void *ctx)
{
    struct performing *performing = ctx;
    enum store_result result = performing->work(view, performing->operation);
    if (performing->operation->products_changed) {
        performing->operation->fleet->products_changing = true;
    }
    return result;
}

/** After a commit, before anybody else is told of it: who hears of a release finds it. */
static void drop_old_snapshot(void *ctx, int64_t newest)
{
    struct fleet *fleet = ctx;
    (void)newest;
    if (fleet->products_changing) {
        fleet->products_changing = false;
        fleet_snapshot_drop(fleet);
    }
}

enum fleet_status fleet_perform(store_work *work, void *ctx)
{
    struct operation *operation = ctx;
    struct performing performing = {work, operation};
    (void)fleet_error_clear(operation->error);
    enum store_result result = store_write(operation->fleet->store, perform, &performing);
    if (operation->products_changed) {
        fleet_snapshot_drop(operation->fleet);
    }
    return fleet_store_error(operation->error, result);
}

struct store_view *fleet_view(struct fleet *fleet, struct fleet_error *error)
{
    (void)fleet_error_clear(error);
    struct store_view *view = store_read(fleet->store);
    if (view == NULL) {
        (void)fleet_store_error(error, STORE_FAILED);
    }
    return view;
}

/* --- Opening -----------------------------------------------------------------------------------
 */

static int64_t wall_clock(void *ctx)
{
    struct timespec now;
    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t fleet_now(const struct fleet *fleet)
{
    return fleet->clock(fleet->clock_ctx);
}

void fleet_set_clock(struct fleet *fleet, int64_t (*now)(void *ctx), void *ctx)
{
    fleet->clock = now;
    fleet->clock_ctx = ctx;
}

struct store *fleet_store(struct fleet *fleet)
{
    return fleet->store;
}

struct blobs *fleet_blobs(struct fleet *fleet)
{
    return fleet->blobs;
}

static bool collect_device(void *ctx, const void *record)
{
    struct device **list = ctx;
    const struct device *device = record;
    struct device *more =
        reallocarray(*list, (size_t)(*list == NULL ? 1 : (*list)[0].no) + 1, sizeof *more);
    if (more == NULL) {
        return false;
    }
    if (*list == NULL) {
        more[0].no = 1;
    }
    more[more[0].no] = *device;
    more[0].no++;
    *list = more;
    return true;
}

/** No link outlives the process that held it. */
static enum store_result unlink_all(struct store_view *view, void *ctx)
{
    struct store_where where = STORE_NUMBER("linked", 1);
    struct store_query query = {.where = &where, .count = 1};
    struct device *list = NULL; /* [0].no counts the entries, itself included */
    (void)ctx;
    enum store_result result = store_each(view, STORE_DEVICE, &query, collect_device, &list);
    for (int64_t i = 1; list != NULL && i < list[0].no && result == STORE_OK; i++) {
        list[i].linked = false;
        result = store_update(view, STORE_DEVICE, &list[i]);
    }
    free(list);
    return result;
}

enum fleet_status fleet_open(const char *data, struct fleet **opened, struct fleet_error *error)
{
    char path[1024], why[SENTENCE_SIZE];
    struct fleet *fleet = calloc(1, sizeof *fleet);
    *opened = NULL;
    (void)fleet_error_clear(error);
    if (fleet == NULL) {
        return fleet_fail(error, FLEET_FAILED, REFUSAL_MEMORY, NULL, NULL);
    }
    fleet->clock = wall_clock;
    fleet->lists.few = LIST_FEW;
    fleet->lists.products = LIST_PRODUCTS;
    store_mutex_init(&fleet->lock);
    fleet->memos = memos_new();
    if (fleet->memos == NULL) {
        (void)fleet_fail(error, FLEET_FAILED, REFUSAL_MEMORY, NULL, NULL);
        fleet_close(fleet);
        return FLEET_FAILED;
    }
    if (mkdir(data, 0750) != 0 && errno != EEXIST) {
        (void)fleet_fail(error, FLEET_FAILED, REFUSAL_DATA, "data",
                         VALUES({"path", data, 0}, {"problem", strerror(errno), 0}));
        fleet_close(fleet);
        return FLEET_FAILED;
    }
    snprintf(path, sizeof path, "%s/updraft.db", data);
    if (store_open(path, NULL, &fleet->store, why) != STORE_OK) {
        (void)fleet_fail(error, FLEET_FAILED, REFUSAL_DATABASE_FILE, "data",
                         VALUES({"path", path, 0}, {"problem", why, 0}));
        fleet_close(fleet);
        return FLEET_FAILED;
    }
    snprintf(path, sizeof path, "%s/blobs", data);
    fleet->blobs = blobs_open(path);
    if (fleet->blobs == NULL) {
        (void)fleet_fail(error, FLEET_FAILED, REFUSAL_DATA, "data",
                         VALUES({"path", path, 0}, {"problem", strerror(errno), 0}));
        fleet_close(fleet);
        return FLEET_FAILED;
    }
    enum store_result result = store_write(fleet->store, unlink_all, NULL);
    /* A full disk keeps nobody from being served what is there. */
    if (result != STORE_OK && result != STORE_FULL) {
        enum fleet_status status = fleet_store_error(error, result);
        fleet_close(fleet);
        return status;
    }
    (void)store_listen(fleet->store, drop_old_snapshot, fleet);
    *opened = fleet;
    return FLEET_OK;
}

void fleet_close(struct fleet *fleet)
{
    if (fleet == NULL) {
        return;
    }
    store_close(fleet->store);
    blobs_close(fleet->blobs);
    fleet_snapshot_drop(fleet);
    memos_free(fleet->memos);
    pthread_mutex_destroy(&fleet->lock);
    free(fleet);
}

/* --- Texts -------------------------------------------------------------------------------------
 */

static void random_bytes(uint8_t *bytes, size_t size)
{
    while (getrandom(bytes, size, 0) != (ssize_t)size) {
        /* Interrupted before the kernel had its first entropy: there is no other way on. */
    }
}

void fleet_random_text(char *text, size_t count)
{
    /* Crockford's base32 in lower case: no i, l, o, u. */
    static const char alphabet[33] = "0123456789abcdefghjkmnpqrstvwxyz";
    uint8_t bytes[64];
    random_bytes(bytes, count);
    for (size_t i = 0; i < count; i++) {
        text[i] = alphabet[bytes[i] % 32];
    }
    text[count] = '\0';
}

void fleet_random_hex(char *text, size_t count)
{
    static const char alphabet[17] = "0123456789abcdef";
    uint8_t bytes[64];
    random_bytes(bytes, count);
    for (size_t i = 0; i < count; i++) {
        text[i] = alphabet[bytes[i] % 16];
    }
    text[count] = '\0';
}

void fleet_random_id(char prefix, char id[ID_SIZE])
{
    id[0] = prefix;
    id[1] = '_';
    fleet_random_text(id + 2, 16);
}

void fleet_sha256_hex(const char *text, char hex[HEX64_SIZE])
{
    struct upd_sha256 sha256;
    uint8_t digest[UPD_SHA256_SIZE];
    upd_sha256_init(&sha256);
    upd_sha256_update(&sha256, text, (uint32_t)strlen(text));
    upd_sha256_final(&sha256, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
}

bool fleet_name_good(const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    size_t size = strlen(text), count = 0;
    if (size == 0 || size >= NAME_SIZE || text[0] == ' ' || text[size - 1] == ' ') {
        return false;
    }
    while (size != 0) {
        uint32_t code = 0, bytes = upd_utf8_read(at, (uint32_t)size, &code);
        /* Control characters, and those that change the direction or hide what is written. */
        if (bytes == 0 || code < 0x20 || (code >= 0x7F && code < 0xA0) ||
            (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
            (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF || ++count > 100) {
            return false;
        }
        at += bytes;
        size -= bytes;
    }
    return true;
}

bool fleet_word_good(const char *text, size_t size)
{
    size_t length = strlen(text);
    if (length == 0 || length >= size) {
        return false;
    }
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < 0x21 || *at > 0x7E) {
            return false;
        }
    }
    return true;
}

bool fleet_mac(const char *text, char mac[MAC_SIZE])
{
    char digits[13];
    size_t count = 0;
    for (; *text != '\0'; text++) {
        if (*text == ':' || *text == '-') {
            continue;
        }
        char c = (char)(*text >= 'A' && *text <= 'F' ? *text + 32 : *text);
        if (strchr("0123456789abcdef", c) == NULL || count == 12) {
            return false;
        }
        digits[count++] = c;
    }
    if (count != 12) {
        return false;
    }
    snprintf(mac, MAC_SIZE, "%.2s:%.2s:%.2s:%.2s:%.2s:%.2s", digits, digits + 2, digits + 4,
             digits + 6, digits + 8, digits + 10);
    return true;
}

void fleet_json_string(char *json, size_t room, const char *text)
{
    struct upd_json out = upd_json_on(json, (uint32_t)room);
    upd_json_string(&out, NULL, text);
}

/* --- Access ------------------------------------------------------------------------------------
 */

enum role fleet_role(struct store_view *view, int64_t user, int64_t product)
{
    struct member member;
    struct store_where where[] = {STORE_NUMBER("product", product), STORE_NUMBER("user", user)};
    struct store_query query = {.where = where, .count = 2};
    if (user == 0 || product == 0 || store_get(view, STORE_MEMBER, &query, &member) != STORE_OK) {
        return ROLE_NONE;
    }
    return member.role;
}

enum fleet_status fleet_allowed(struct store_view *view, const struct actor *actor,
                                enum action action, int64_t product, const struct device *device,
                                const char *noun, struct fleet_error *error)
{
    struct relation relation = {.exists = true};
    if (actor->kind == ACTOR_USER) {
        relation.role = fleet_role(view, actor->user, product);
        relation.owner = device != NULL && device->owner != 0 && device->owner == actor->user &&
                         (actor->device == 0 || actor->device == device->no);
    }
    switch (access_check(actor, action, &relation)) {
    case ACCESS_ALLOW:
        return FLEET_OK;
    case ACCESS_HIDE:
        return fleet_hidden(error, noun);
    case ACCESS_FORBID:
        break;
    }
    return fleet_fail(error, FLEET_FORBIDDEN, REFUSAL_FORBIDDEN, NULL, VALUES({"object", noun, 0}));
}

enum fleet_status fleet_find_product(struct store_view *view, const struct actor *actor,
                                     enum action action, const char *name, struct product *product,
                                     struct fleet_error *error)
{
    static const char *const fields[] = {"id", "name", "key"};
    enum store_result result = STORE_NONE;
    for (size_t i = 0; i < 3 && result == STORE_NONE && name != NULL; i++) {
        result = store_get_text(view, STORE_PRODUCT, fields[i], name, product);
    }
    if (result == STORE_NONE) {
        return fleet_hidden(error, "product");
    }
    if (result != STORE_OK) {
        return fleet_store_error(error, result);
    }
    return fleet_allowed(view, actor, action, product->no, NULL, "product", error);
}

enum fleet_status fleet_find_release(struct store_view *view, const struct actor *actor,
                                     enum action action, const char *product, const char *version,
                                     struct product *found, struct release *release,
                                     struct fleet_error *error)
{
    enum fleet_status status =
        fleet_find_product(view, actor, ACTION_PRODUCT_SHOW, product, found, error);
    if (status != FLEET_OK) {
        return status;
    }
    struct store_where where[] = {STORE_NUMBER("product", found->no),
                                  STORE_TEXT("version|id", version)};
    struct store_query query = {.where = where, .count = 2};
    enum store_result result = version == NULL || version[0] == '\0'
                                   ? STORE_NONE
                                   : store_get(view, STORE_RELEASE, &query, release);
    if (result == STORE_NONE) {
        return fleet_hidden(error, "release");
    }
    if (result != STORE_OK) {
        return fleet_store_error(error, result);
    }
    return fleet_allowed(view, actor, action, found->no, NULL, "release", error);
}

enum fleet_status fleet_find_device(struct store_view *view, const struct actor *actor,
                                    enum action action, const char *id, struct device *device,
                                    struct fleet_error *error)
{
    enum store_result result =
        id == NULL ? STORE_NONE : store_get_text(view, STORE_DEVICE, "id", id, device);
    if (result == STORE_NONE) {
        return fleet_hidden(error, "device");
    }
    if (result != STORE_OK) {
        return fleet_store_error(error, result);
    }
    return fleet_allowed(view, actor, action, device->product, device, "device", error);
}

/* --- The snapshot ------------------------------------------------------------------------------
 */

struct growing {
    uint8_t *items;
    size_t count, room, size;
    bool failed;
};

static bool grow(void *ctx, const void *record)
{
    struct growing *list = ctx;
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 16 : 2 * list->room;
        uint8_t *items = reallocarray(list->items, room, list->size);
        if (items == NULL) {
            list->failed = true;
            return false;
        }
        list->items = items;
        list->room = room;
    }
    memcpy(list->items + list->count * list->size, record, list->size);
    list->count++;
    return true;
}

static bool load_all(struct store_view *view, enum store_kind kind, const char *order, size_t size,
                     void **items, size_t *count)
{
    struct growing list = {.size = size};
    struct store_query query = {.order = order};
    enum store_result result = store_each(view, kind, &query, grow, &list);
    *items = list.items;
    *count = list.count;
    return result == STORE_OK && !list.failed;
}

static void free_snapshot(struct snapshot *snapshot)
{
    if (snapshot != NULL) {
        free(snapshot->products);
        free(snapshot->releases);
        free(snapshot->images);
        free(snapshot);
    }
}

static struct snapshot *make_snapshot(struct fleet *fleet)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    struct store_view *view = snapshot == NULL ? NULL : store_read(fleet->store);
    bool good = view != NULL &&
                load_all(view, STORE_PRODUCT, "no", sizeof *snapshot->products,
                         (void **)&snapshot->products, &snapshot->product_count) &&
                load_all(view, STORE_RELEASE, "product", sizeof *snapshot->releases,
                         (void **)&snapshot->releases, &snapshot->release_count) &&
                load_all(view, STORE_IMAGE, "product", sizeof *snapshot->images,
                         (void **)&snapshot->images, &snapshot->image_count);
    store_end(view);
    if (!good) {
        free_snapshot(snapshot);
        return NULL;
    }
    snapshot->references = 1;
    return snapshot;
}

struct snapshot *fleet_snapshot(struct fleet *fleet)
{
    pthread_mutex_lock(&fleet->lock);
    struct snapshot *snapshot = fleet->snapshot;
    uint64_t generation = fleet->generation;
    if (snapshot != NULL) {
        snapshot->references++;
    }
    pthread_mutex_unlock(&fleet->lock);
    if (snapshot != NULL) {
        return snapshot;
    }
    snapshot = make_snapshot(fleet);
    if (snapshot == NULL) {
        return NULL;
    }
    pthread_mutex_lock(&fleet->lock);
    /* What was changed while it was made is not in it: then it serves this caller alone. */
    if (fleet->snapshot == NULL && fleet->generation == generation) {
        fleet->snapshot = snapshot;
        snapshot->references++;
    }
    pthread_mutex_unlock(&fleet->lock);
    return snapshot;
}

void fleet_snapshot_release(struct fleet *fleet, struct snapshot *snapshot)
{
    if (snapshot == NULL) {
        return;
    }
    pthread_mutex_lock(&fleet->lock);
    bool last = --snapshot->references == 0;
    pthread_mutex_unlock(&fleet->lock);
    if (last) {
        free_snapshot(snapshot);
    }
}

void fleet_snapshot_drop(struct fleet *fleet)
{
    pthread_mutex_lock(&fleet->lock);
    struct snapshot *snapshot = fleet->snapshot;
    fleet->snapshot = NULL;
    fleet->generation++;
    pthread_mutex_unlock(&fleet->lock);
    fleet_snapshot_release(fleet, snapshot);
}

const struct product *snapshot_product_no(const struct snapshot *snapshot, int64_t no)
{
    for (size_t i = 0; i < snapshot->product_count; i++) {
        if (snapshot->products[i].no == no) {
            return &snapshot->products[i];
        }
    }
    return NULL;
}

/** The same key with other letters' case, or without the dashes of a UUID. */
static bool same_key(const char *key, const char *given)
{
    for (;; key++, given++) {
        while (*key == '-') {
            key++;
        }
        while (*given == '-') {
            given++;
        }
        char c = (char)(*given >= 'A' && *given <= 'F' ? *given + 32 : *given);
        if (*key != c || *key == '\0') {
            return *key == c;
        }
    }
}

const struct product *snapshot_product_key(const struct snapshot *snapshot, const char *key)
{
    for (size_t i = 0; i < snapshot->product_count; i++) {
        if (same_key(snapshot->products[i].key, key)) {
            return &snapshot->products[i];
        }
    }
    return NULL;
}

const struct product *snapshot_product(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot->product_count; i++) {
        const struct product *product = &snapshot->products[i];
        if (strcmp(product->id, name) == 0 || strcmp(product->name, name) == 0) {
            return product;
        }
    }
    return snapshot_product_key(snapshot, name);
}

void snapshot_releases(const struct snapshot *snapshot, const struct product *product,
                       struct decide_input *input)
{
    size_t first = 0, limit;
    while (first < snapshot->release_count && snapshot->releases[first].product != product->no) {
        first++;
    }
    for (limit = first;
         limit < snapshot->release_count && snapshot->releases[limit].product == product->no;) {
        limit++;
    }
    input->releases = snapshot->releases + (limit == first ? 0 : first);
    input->release_count = limit - first;
    for (first = 0; first < snapshot->image_count && snapshot->images[first].product != product->no;
         first++) {
    }
    for (limit = first;
         limit < snapshot->image_count && snapshot->images[limit].product == product->no; limit++) {
    }
    input->images = snapshot->images + (limit == first ? 0 : first);
    input->image_count = limit - first;
}

/* --- Pages ---------------------------------------------------------------------------------------
 */

static bool has_word(const char *words, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = words; *at != '\0';) {
        size_t length = strcspn(at, " ");
        if (length == size && memcmp(at, word, size) == 0) {
            return true;
        }
        at += length + (at[length] == ' ');
    }
    return false;
}

enum fleet_status fleet_paging(const struct fleet_query *query, const char *sorts,
                               struct store_query *into, struct fleet_error *error)
{
    into->limit = query->limit < 1 ? 100 : query->limit > 500 ? 500 : query->limit;
    into->offset = 0;
    if (query->after != NULL && query->after[0] != '\0') {
        char *end;
        errno = 0;
        into->offset = strtoll(query->after, &end, 10);
        if (*end != '\0' || errno != 0 || query->after[0] < '0' || query->after[0] > '9' ||
            into->offset > INT32_MAX) {
            return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_AFTER, "after", NULL);
        }
    }
    if (query->sort != NULL && query->sort[0] != '\0') {
        bool descending = query->sort[0] == '-';
        if (!has_word(sorts, query->sort + descending)) {
            return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_SORT, "sort",
                              VALUES({"sorts", sorts, 0}));
        }
        into->descending = descending;
        into->order = query->sort + descending;
    }
    return FLEET_OK;
}

void fleet_page_end(const struct store_query *query, int64_t total, struct fleet_page *page)
{
    page->total = total;
    page->more = false;
    page->next[0] = '\0';
    int64_t next = query->offset + query->limit;
    if (next < total) {
        snprintf(page->next, sizeof page->next, "%" PRId64, next);
    }
}

/* --- Now and then
 * ---------------------------------------------------------------------------------- */

static bool blob_used(void *ctx, const char *sha256)
{
    struct store_view *view = ctx;
    struct image image;
    return store_get_text(view, STORE_IMAGE, "sha256", sha256, &image) != STORE_NONE;
}

struct sweep {
    struct operation base;
    int64_t now;
};

static enum store_result sweep_old(struct store_view *view, void *ctx)
{
    struct sweep *sweep = ctx;
    struct event newest;
    struct store_query last = {.order = "no", .descending = true};
    enum store_result result = store_get(view, STORE_EVENT, &last, &newest);
    if (result == STORE_OK && newest.no > EVENTS_KEPT) {
        struct store_where old = {"no", STORE_LE, newest.no - EVENTS_KEPT, NULL};
        result =
            store_remove(view, STORE_EVENT, &(struct store_query){.where = &old, .count = 1}, NULL);
    }
    struct store_where expired[] = {{"expires", STORE_GT, 0, NULL},
                                    {"expires", STORE_LT, sweep->now, NULL}};
    if (result == STORE_OK || result == STORE_NONE) {
        result = store_remove(view, STORE_TOKEN,
                              &(struct store_query){.where = expired, .count = 2}, NULL);
    }
    struct store_where forgotten[] = {STORE_NUMBER("release", 0),
                                      {"created", STORE_LT, sweep->now - BLOB_AGE_MS, NULL}};
    if (result == STORE_OK) {
        result = store_remove(view, STORE_IMAGE,
                              &(struct store_query){.where = forgotten, .count = 2}, NULL);
    }
    return result;
}

void fleet_housekeeping(struct fleet *fleet)
{
    struct fleet_error error;
    struct sweep sweep = {.base = {.fleet = fleet, .actor = &fleet_system, .error = &error},
                          .now = fleet_now(fleet)};
    if (fleet_perform(sweep_old, &sweep) != FLEET_OK) {
        return;
    }
    fleet_give_up_stuck(fleet);
    struct store_view *view = store_read(fleet->store);
    if (view != NULL) {
        (void)blobs_collect(fleet->blobs, BLOB_AGE_MS, blob_used, view);
        store_end(view);
    }
}
