/* updraftd: products and their members. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#include <updraft/flash_map.h>

struct product_work {
    struct operation base;
    struct product *product;
    const char *name;
    struct product found;
    const char *user;
    enum role role;
};

static void describe(const struct product *product, char *json, size_t room)
{
    char name[NAME_SIZE * 2];
    fleet_json_string(name, sizeof name, product->name);
    snprintf(json, room,
             "{\"id\":\"%s\",\"name\":%s,\"kind\":\"%s\",\"consent\":\"%s\",\"strangers\":\"%s\"}",
             product->id, name, product_kind_word(product->kind), consent_word(product->consent),
             strangers_word(product->strangers));
}

static bool reply_good(int32_t reply)
{
    return reply == 304 || reply == 401 || reply == 403 || reply == 404;
}

static bool channels_good(const char *channels)
{
    char copy[SENTENCE_SIZE], *rest = NULL;
    size_t count = 0;
    snprintf(copy, sizeof copy, "%s", channels);
    if (channels[0] == ',' || strstr(channels, ",,") != NULL) {
        return false;
    }
    for (char *word = strtok_r(copy, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest)) {
        if (!fleet_word_good(word, WORD_SIZE)) {
            return false;
        }
        count++;
    }
    return count != 0 && channels[strlen(channels) - 1] != ',';
}

/** The defaults, and what has to hold whoever sets it. */
static enum fleet_status check(struct product *product, struct fleet_error *error)
{
    if (product->channels[0] == '\0') {
        strcpy(product->channels, "stable,beta");
    }
    if (product->reply_unknown == 0) {
        product->reply_unknown = product->kind == KIND_OTADRIVE ? 401 : 304;
    }
    if (product->reply_blocked == 0) {
        product->reply_blocked = product->kind == KIND_OTADRIVE ? 401 : 304;
    }
    if (!fleet_name_good(product->name)) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_NAME, "name", NULL);
    }
    if (product->chip == UPD_CHIP_NONE) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_CHIP, "chip", NULL);
    }
    if (!channels_good(product->channels)) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_CHANNELS, "channels", NULL);
    }
    if (!reply_good(product->reply_unknown)) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_REPLY_UNKNOWN, "reply_unknown", NULL);
    }
    if (!reply_good(product->reply_blocked)) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_REPLY_BLOCKED, "reply_blocked", NULL);
    }
    if (product->ptype < 0 || product->ptype > 9999999999) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_PTYPE, "ptype", NULL);
    }
    const struct upd_flash_map *map =
        product->map >= 0 ? upd_flash_map((uint32_t)product->map) : NULL;
    if (product->map != -1 && (map == NULL || !map->fota)) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_MAP, "map",
                          VALUES({"map", NULL, product->map}));
    }
    if (product->map != -1 && product->kind != KIND_NONOS && product->kind != KIND_UPDRAFT) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_MAP_KIND, "map", NULL);
    }
    if (product->kind == KIND_NONOS && product->chip != UPD_CHIP_ESP8266) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_CHIP_NONOS, "chip", NULL);
    }
    return FLEET_OK;
}

static enum store_result create(struct store_view *view, void *ctx)
{
    struct product_work *work = ctx;
    struct product *product = work->product;
    struct relation nothing = {.exists = true};
    struct product other;
    char json[2048];

    if (access_check(work->base.actor, ACTION_PRODUCT_CREATE, &nothing) != ACCESS_ALLOW) {
        return fleet_undo(
            fleet_fail(work->base.error, FLEET_FORBIDDEN, REFUSAL_FORBIDDEN_PRODUCTS, NULL, NULL));
    }
    if (check(product, work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    if (store_get_text(view, STORE_PRODUCT, "name", product->name, &other) == STORE_OK) {
        return fleet_undo(
            fleet_fail(work->base.error, FLEET_CONFLICT, REFUSAL_NAME_TAKEN, "name", NULL));
    }
    product->no = 0;
    fleet_random_id('p', product->id);
    char hex[33];
    fleet_random_hex(hex, 32);
    snprintf(product->key, sizeof product->key, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
             hex + 16, hex + 20);
    product->created = fleet_now(work->base.fleet);
    describe(product, json, sizeof json);
    enum store_result result = store_insert(view, STORE_PRODUCT, product);
    if (result == STORE_OK) {
        result = fleet_audit(view, &work->base, "product.create", product->id, NULL, json);
    }
    if (result == STORE_OK) {
        result = fleet_event(view, work->base.fleet, "product.created", product->no, NULL, json);
    }
    work->base.products_changed = true;
    return result;
}

enum fleet_status fleet_product_create(struct fleet *fleet, const struct actor *actor,
                                       struct product *product, struct fleet_error *error)
{
    struct product_work work = {.base = {fleet, actor, error, false}, .product = product};
    return fleet_perform(create, &work);
}

static enum store_result edit(struct store_view *view, void *ctx)
{
    struct product_work *work = ctx;
    struct product *now = &work->found, *want = work->product;
    char before[2048], after[2048];

    if (fleet_find_product(view, work->base.actor, ACTION_PRODUCT_EDIT, want->id, now,
                           work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    describe(now, before, sizeof before);
    memcpy(now->name, want->name, sizeof now->name);
    memcpy(now->channels, want->channels, sizeof now->channels);
    memcpy(now->table, want->table, sizeof now->table);
    now->consent = want->consent;
    now->strangers = want->strangers;
    now->reply_unknown = want->reply_unknown;
    now->reply_blocked = want->reply_blocked;
    now->strict_kinds = want->strict_kinds;
    now->map = want->map;
    if (check(now, work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    describe(now, after, sizeof after);
    enum store_result result = store_update(view, STORE_PRODUCT, now);
    if (result == STORE_OK) {
        result = fleet_audit(view, &work->base, "product.edit", now->id, before, after);
    }
    if (result == STORE_OK) {
        result = fleet_event(view, work->base.fleet, "product.changed", now->no, NULL, after);
    }
    work->base.products_changed = true;
    return result;
}

enum fleet_status fleet_product_edit(struct fleet *fleet, const struct actor *actor,
                                     struct product *product, struct fleet_error *error)
{
    struct product_work work = {.base = {fleet, actor, error, false}, .product = product};
    enum fleet_status status = fleet_perform(edit, &work);
    if (status == FLEET_OK) {
        *product = work.found;
    }
    return status;
}

static enum store_result remove_product(struct store_view *view, void *ctx)
{
    struct product_work *work = ctx;
    struct product *product = &work->found;
    int64_t devices = 0;
    if (fleet_find_product(view, work->base.actor, ACTION_PRODUCT_DELETE, work->name, product,
                           work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    struct store_where of = STORE_NUMBER("product", product->no);
    struct store_where self = STORE_NUMBER("no", product->no);
    struct store_query all = {.where = &of, .count = 1};
    enum store_result result = store_count(view, STORE_DEVICE, &all, &devices);
    if (result == STORE_OK && devices != 0) {
        return fleet_undo(fleet_fail(work->base.error, FLEET_CONFLICT, REFUSAL_HAS_DEVICES, NULL,
                                     VALUES({"devices", NULL, devices})));
    }
    static const enum store_kind owned[] = {STORE_IMAGE, STORE_RELEASE, STORE_MEMBER};
    for (size_t i = 0; i < 3 && result == STORE_OK; i++) {
        result = store_remove(view, owned[i], &all, NULL);
    }
    if (result == STORE_OK) {
        result = store_remove(view, STORE_PRODUCT,
                              &(struct store_query){.where = &self, .count = 1}, NULL);
    }
    if (result == STORE_OK) {
        char json[2048];
        describe(product, json, sizeof json);
        result = fleet_audit(view, &work->base, "product.delete", product->id, json, NULL);
        if (result == STORE_OK) {
            result =
                fleet_event(view, work->base.fleet, "product.deleted", product->no, NULL, json);
        }
    }
    work->base.products_changed = true;
    return result;
}

enum fleet_status fleet_product_delete(struct fleet *fleet, const struct actor *actor,
                                       const char *name, struct fleet_error *error)
{
    struct product_work work = {.base = {fleet, actor, error, false}, .name = name};
    return fleet_perform(remove_product, &work);
}

enum fleet_status fleet_product_show(struct fleet *fleet, const struct actor *actor,
                                     const char *name, struct product *product, enum role *role,
                                     struct fleet_error *error)
{
    struct store_view *view = fleet_view(fleet, error);
    struct product found;
    if (view == NULL) {
        return error->status;
    }
    enum fleet_status status =
        fleet_find_product(view, actor, ACTION_PRODUCT_SHOW, name, &found, error);
    if (status == FLEET_OK) {
        enum role its = actor->administrator || actor->kind == ACTOR_SYSTEM
                            ? ROLE_DEVELOPER
                            : fleet_role(view, actor->user, found.no);
        /* The key is for those who may paste it into a device. */
        if (fleet_allowed(view, actor, ACTION_PRODUCT_KEY, found.no, NULL, "product", error) !=
            FLEET_OK) {
            found.key[0] = '\0';
        }
        (void)fleet_error_clear(error);
        *product = found;
        if (role != NULL) {
            *role = its;
        }
    }
    store_end(view);
    return status;
}

struct listing {
    struct store_view *view;
    const struct actor *actor;
    void (*each)(void *ctx, const struct product *product, enum role role);
    void *ctx;
    int64_t offset, limit, seen;
};

static bool list_product(void *ctx, const void *record)
{
    struct listing *listing = ctx;
    struct product product;
    const struct actor *actor = listing->actor;
    memcpy(&product, record, sizeof product);
    bool all = actor->kind == ACTOR_SYSTEM || (actor->administrator && actor->device == 0);
    enum role role = all                  ? ROLE_DEVELOPER
                     : actor->device != 0 ? ROLE_NONE
                                          : fleet_role(listing->view, actor->user, product.no);
    if (role == ROLE_NONE) {
        return true;
    }
    if (role < ROLE_OPERATOR) {
        product.key[0] = '\0';
    }
    int64_t index = listing->seen++;
    if (index >= listing->offset && index < listing->offset + listing->limit) {
        listing->each(listing->ctx, &product, role);
    }
    return true;
}

enum fleet_status fleet_product_list(struct fleet *fleet, const struct actor *actor,
                                     const struct fleet_query *query,
                                     void (*each)(void *ctx, const struct product *product,
                                                  enum role role),
                                     void *ctx, struct fleet_page *page, struct fleet_error *error)
{
    struct store_query list = {.order = "no"};
    struct store_view *view = fleet_view(fleet, error);
    if (view == NULL) {
        return error->status;
    }
    if (fleet_paging(query, "name created no", &list, error) != FLEET_OK) {
        store_end(view);
        return error->status;
    }
    struct listing listing = {view, actor, each, ctx, list.offset, list.limit, 0};
    struct store_query all = {.order = list.order, .descending = list.descending};
    enum fleet_status status =
        fleet_store_error(error, store_each(view, STORE_PRODUCT, &all, list_product, &listing));
    fleet_page_end(&list, listing.seen, page);
    store_end(view);
    return status;
}

/* --- Members -----------------------------------------------------------------------------------
 */

static enum store_result set_member(struct store_view *view, void *ctx)
{
    struct product_work *work = ctx;
    struct user user;
    struct member member = {0};
    char json[512];

    if (fleet_find_product(view, work->base.actor, ACTION_MEMBER_EDIT, work->name, &work->found,
                           work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    if (store_get_text(view, STORE_USER, "id", work->user, &user) != STORE_OK &&
        store_get_text(view, STORE_USER, "name", work->user, &user) != STORE_OK) {
        return fleet_undo(
            fleet_fail(work->base.error, FLEET_INVALID, REFUSAL_NO_SUCH_USER, "user", NULL));
    }
    struct store_where where[] = {STORE_NUMBER("product", work->found.no),
                                  STORE_NUMBER("user", user.no)};
    struct store_query query = {.where = where, .count = 2};
    enum store_result result = store_get(view, STORE_MEMBER, &query, &member);
    if (result == STORE_OK && work->role == ROLE_NONE) {
        result = store_remove(view, STORE_MEMBER, &query, NULL);
    } else if (result == STORE_OK) {
        member.role = work->role;
        result = store_update(view, STORE_MEMBER, &member);
    } else if (result == STORE_NONE && work->role != ROLE_NONE) {
        member = (struct member){0, work->found.no, user.no, work->role};
        result = store_insert(view, STORE_MEMBER, &member);
    } else if (result == STORE_NONE) {
        return STORE_OK;
    }
    snprintf(json, sizeof json, "{\"user\":\"%s\",\"role\":\"%s\"}", user.id,
             role_word(work->role));
    if (result == STORE_OK) {
        result = fleet_audit(view, &work->base, "member.set", work->found.id, NULL, json);
    }
    if (result == STORE_OK) {
        result = fleet_event(view, work->base.fleet, "product.changed", work->found.no, NULL, json);
    }
    return result;
}

enum fleet_status fleet_member_set(struct fleet *fleet, const struct actor *actor,
                                   const char *product, const char *user, enum role role,
                                   struct fleet_error *error)
{
    struct product_work work = {
        .base = {fleet, actor, error, false}, .name = product, .user = user, .role = role};
    return fleet_perform(set_member, &work);
}

struct members {
    struct store_view *view;
    void (*each)(void *ctx, const struct user *user, enum role role);
    void *ctx;
};

static bool give_member(void *ctx, const void *record)
{
    struct members *members = ctx;
    const struct member *member = record;
    struct user user;
    if (store_get_no(members->view, STORE_USER, member->user, &user) == STORE_OK) {
        user.password[0] = '\0';
        members->each(members->ctx, &user, member->role);
    }
    return true;
}

enum fleet_status fleet_member_list(struct fleet *fleet, const struct actor *actor,
                                    const char *product,
                                    void (*each)(void *ctx, const struct user *user,
                                                 enum role role),
                                    void *ctx, struct fleet_error *error)
{
    struct store_view *view = fleet_view(fleet, error);
    struct product found;
    if (view == NULL) {
        return error->status;
    }
    enum fleet_status status =
        fleet_find_product(view, actor, ACTION_MEMBER_EDIT, product, &found, error);
    if (status == FLEET_OK) {
        struct store_where where = STORE_NUMBER("product", found.no);
        struct store_query query = {.where = &where, .count = 1, .order = "no"};
        struct members members = {view, each, ctx};
        status =
            fleet_store_error(error, store_each(view, STORE_MEMBER, &query, give_member, &members));
    }
    store_end(view);
    return status;
}
