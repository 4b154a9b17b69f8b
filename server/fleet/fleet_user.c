/* updraftd: users, log-in, tokens. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "password.h"

enum {
    SESSION_MS = 12 * 3600 * 1000,
    FREE_TRIES = 5,           /* of log-in, before each further one costs time */
    FORGET_MS = 60 * 1000,    /* a failed try is forgotten */
    USED_EVERY_MS = 60 * 1000 /* last_used of a token is written so often at most */
};

static const char setup_key[] = "setup";

struct user_work {
    struct operation base;
    const char *id, *name, *hash;
    struct user *user;
    struct user found;
    struct token *token;
    const char *device;
    char secret_hash[HEX64_SIZE];
    struct device *claimed;
    bool administrator;
    bool password_changed;
};

static enum fleet_status password_good(const char *password, struct fleet_error *error)
{
    size_t size = password == NULL ? 0 : strlen(password);
    if (size < PASSWORD_LEAST || size > PASSWORD_MOST) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_PASSWORD, "password",
                          VALUES({"least", NULL, PASSWORD_LEAST}, {"most", NULL, PASSWORD_MOST}));
    }
    return FLEET_OK;
}

static enum fleet_status hash_failed(struct fleet_error *error)
{
    return fleet_fail(error, FLEET_FAILED, REFUSAL_PASSWORD, NULL, NULL);
}

static enum fleet_status only_administrators(const struct actor *actor, struct fleet_error *error)
{
    struct relation relation = {.exists = true};
    if (access_check(actor, ACTION_USERS, &relation) != ACCESS_ALLOW) {
        return fleet_fail(error, FLEET_FORBIDDEN, REFUSAL_FORBIDDEN_USERS, NULL, NULL);
    }
    return FLEET_OK;
}

static void describe(const struct user *user, char *json, size_t room)
{
    char name[2 * NAME_SIZE];
    fleet_json_string(name, sizeof name, user->name);
    snprintf(json, room, "{\"id\":\"%s\",\"name\":%s,\"administrator\":%s,\"disabled\":%s}",
             user->id, name, user->administrator ? "true" : "false",
             user->disabled ? "true" : "false");
}

static enum store_result add_user(struct store_view *view, struct user_work *work)
{
    struct user other, *user = &work->found;
    char json[1024];
    if (!fleet_name_good(work->name)) {
        return fleet_undo(
            fleet_fail(work->base.error, FLEET_INVALID, REFUSAL_BAD_NAME, "name", NULL));
    }
    if (store_get_text(view, STORE_USER, "name", work->name, &other) == STORE_OK) {
        return fleet_undo(
            fleet_fail(work->base.error, FLEET_CONFLICT, REFUSAL_USER_NAME_TAKEN, "name", NULL));
    }
    memset(user, 0, sizeof *user);
    fleet_random_id('u', user->id);
    strcpy(user->name, work->name);
    strcpy(user->password, work->hash);
    user->administrator = work->administrator;
    user->created = fleet_now(work->base.fleet);
    describe(user, json, sizeof json);
    enum store_result result = store_insert(view, STORE_USER, user);
    return result == STORE_OK ? fleet_audit(view, &work->base, "user.create", user->id, NULL, json)
                              : result;
}

static enum store_result create(struct store_view *view, void *ctx)
{
    return add_user(view, ctx);
}

enum fleet_status fleet_user_create(struct fleet *fleet, const struct actor *actor,
                                    const char *name, const char *password, bool administrator,
                                    struct user *user, struct fleet_error *error)
{
    char hash[PASSWORD_TEXT_SIZE];
    struct user_work work = {.base = {fleet, actor, error, false},
                             .name = name == NULL ? "" : name,
                             .hash = hash,
                             .administrator = administrator};
    (void)fleet_error_clear(error);
    if (only_administrators(actor, error) != FLEET_OK ||
        password_good(password, error) != FLEET_OK) {
        return error->status;
    }
    if (!password_hash(password, PASSWORD_ROUNDS, hash)) {
        return hash_failed(error);
    }
    enum fleet_status status = fleet_perform(create, &work);
    if (status == FLEET_OK) {
        *user = work.found;
        user->password[0] = '\0';
    }
    return status;
}

/** A user for those who may see it: administrators, and the user. */
static enum fleet_status find_user(struct store_view *view, const struct actor *actor,
                                   const char *id, struct user *user, struct fleet_error *error)
{
    enum store_result result =
        id == NULL ? STORE_NONE : store_get_text(view, STORE_USER, "id", id, user);
    if (result == STORE_NONE && id != NULL) {
        result = store_get_text(view, STORE_USER, "name", id, user);
    }
    if (result != STORE_OK && result != STORE_NONE) {
        return fleet_store_error(error, result);
    }
    bool all = actor->kind == ACTOR_SYSTEM || (actor->administrator && actor->device == 0);
    bool self = result == STORE_OK && actor->kind == ACTOR_USER && actor->user == user->no &&
                actor->device == 0;
    return result == STORE_OK && (all || self) ? FLEET_OK : fleet_hidden(error, "user");
}

enum fleet_status fleet_user_show(struct fleet *fleet, const struct actor *actor, const char *id,
                                  struct user *user, struct fleet_error *error)
{
    struct store_view *view = fleet_view(fleet, error);
    struct user found;
    if (view == NULL) {
        return error->status;
    }
    enum fleet_status status = find_user(view, actor, id, &found, error);
    store_end(view);
    if (status == FLEET_OK) {
        *user = found;
        user->password[0] = '\0';
    }
    return status;
}

/** There is an administrator who can log in, apart from one user. */
static bool another_administrator(struct store_view *view, int64_t but)
{
    struct store_where where[] = {
        STORE_NUMBER("administrator", 1), STORE_NUMBER("disabled", 0), {"no", STORE_NE, but, NULL}};
    int64_t count = 0;
    return store_count(view, STORE_USER, &(struct store_query){.where = where, .count = 3},
                       &count) == STORE_OK &&
           count != 0;
}

/** Sessions and keys of a user end. */
static enum store_result drop_tokens(struct store_view *view, int64_t user, bool sessions_only)
{
    struct store_where where[] = {STORE_NUMBER("user", user), STORE_NUMBER("kind", TOKEN_SESSION)};
    return store_remove(view, STORE_TOKEN,
                        &(struct store_query){.where = where, .count = sessions_only ? 2 : 1},
                        NULL);
}

static enum store_result edit(struct store_view *view, void *ctx)
{
    struct user_work *work = ctx;
    const struct actor *actor = work->base.actor;
    struct user *user = &work->found;
    const struct user *want = work->user;
    struct fleet_error *error = work->base.error;
    char before[1024], after[1024];
    bool all = actor->kind == ACTOR_SYSTEM || (actor->administrator && actor->device == 0);

    if (find_user(view, actor, want->id, user, error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    describe(user, before, sizeof before);
    bool more = strcmp(user->name, want->name) != 0 || user->administrator != want->administrator ||
                user->disabled != want->disabled;
    if (more && !all) {
        return fleet_undo(fleet_fail(error, FLEET_FORBIDDEN, REFUSAL_FORBIDDEN_OWN, NULL, NULL));
    }
    if (!fleet_name_good(want->name)) {
        return fleet_undo(fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_NAME, "name", NULL));
    }
    if ((!want->administrator || want->disabled) && user->administrator && !user->disabled &&
        !another_administrator(view, user->no)) {
        return fleet_undo(
            fleet_fail(error, FLEET_CONFLICT, REFUSAL_LAST_ADMINISTRATOR, NULL, NULL));
    }
    bool closed = want->disabled && !user->disabled;
    memcpy(user->name, want->name, sizeof user->name);
    memcpy(user->language, want->language, sizeof user->language);
    user->administrator = want->administrator;
    user->disabled = want->disabled;
    if (work->password_changed) {
        strcpy(user->password, work->hash);
    }
    describe(user, after, sizeof after);
    enum store_result result = store_update(view, STORE_USER, user);
    if (result == STORE_OK && (closed || work->password_changed)) {
        result = drop_tokens(view, user->no, !closed);
    }
    return result == STORE_OK ? fleet_audit(view, &work->base, "user.edit", user->id, before, after)
                              : result;
}

enum fleet_status fleet_user_edit(struct fleet *fleet, const struct actor *actor, struct user *user,
                                  const char *password, struct fleet_error *error)
{
    char hash[PASSWORD_TEXT_SIZE] = "";
    struct user_work work = {.base = {fleet, actor, error, false},
                             .user = user,
                             .hash = hash,
                             .password_changed = password != NULL};
    (void)fleet_error_clear(error);
    if (password != NULL) {
        if (password_good(password, error) != FLEET_OK) {
            return error->status;
        }
        if (!password_hash(password, PASSWORD_ROUNDS, hash)) {
            return hash_failed(error);
        }
    }
    enum fleet_status status = fleet_perform(edit, &work);
    if (status == FLEET_OK) {
        *user = work.found;
        user->password[0] = '\0';
    }
    return status;
}

static enum store_result remove_user(struct store_view *view, void *ctx)
{
    struct user_work *work = ctx;
    struct user *user = &work->found;
    char json[1024];
    if (only_administrators(work->base.actor, work->base.error) != FLEET_OK ||
        find_user(view, work->base.actor, work->id, user, work->base.error) != FLEET_OK) {
        return STORE_UNDONE;
    }
    if (user->administrator && !another_administrator(view, user->no)) {
        return fleet_undo(
            fleet_fail(work->base.error, FLEET_CONFLICT, REFUSAL_LAST_ADMINISTRATOR, NULL, NULL));
    }
    describe(user, json, sizeof json);
    struct store_where of = STORE_NUMBER("user", user->no), self = STORE_NUMBER("no", user->no);
    struct store_where owned = STORE_NUMBER("owner", user->no);
    struct store_query query = {.where = &of, .count = 1}, devices = {.where = &owned, .count = 1};
    struct device device;
    enum store_result result = drop_tokens(view, user->no, false);
    if (result == STORE_OK) {
        result = store_remove(view, STORE_MEMBER, &query, NULL);
    }
    while (result == STORE_OK && store_get(view, STORE_DEVICE, &devices, &device) == STORE_OK) {
        device.owner = 0;
        result = store_update(view, STORE_DEVICE, &device);
    }
    if (result == STORE_OK) {
        result =
            store_remove(view, STORE_USER, &(struct store_query){.where = &self, .count = 1}, NULL);
    }
    return result == STORE_OK ? fleet_audit(view, &work->base, "user.delete", user->id, json, NULL)
                              : result;
}

enum fleet_status fleet_user_delete(struct fleet *fleet, const struct actor *actor, const char *id,
                                    struct fleet_error *error)
{
    struct user_work work = {.base = {fleet, actor, error, false}, .id = id};
    return fleet_perform(remove_user, &work);
}

struct each_user {
    void (*user)(void *ctx, const struct user *user);
    void (*token)(void *ctx, const struct token *token);
    void *ctx;
};

static bool give_user(void *ctx, const void *record)
{
    struct each_user *give = ctx;
    struct user user;
    memcpy(&user, record, sizeof user);
    user.password[0] = '\0';
    give->user(give->ctx, &user);
    return true;
}

enum fleet_status fleet_user_list(struct fleet *fleet, const struct actor *actor,
                                  const struct fleet_query *query,
                                  void (*each)(void *ctx, const struct user *user), void *ctx,
                                  struct fleet_page *page, struct fleet_error *error)
{
    struct store_query list = {.order = "no"};
    struct each_user give = {.user = each, .ctx = ctx};
    int64_t total = 0;
    struct store_view *view = fleet_view(fleet, error);
    if (view == NULL) {
        return error->status;
    }
    enum fleet_status status = only_administrators(actor, error);
    if (status == FLEET_OK) {
        status = fleet_paging(query, "name created last_login no", &list, error);
    }
    if (status == FLEET_OK) {
        enum store_result result = store_count(view, STORE_USER, NULL, &total);
        if (result == STORE_OK) {
            result = store_each(view, STORE_USER, &list, give_user, &give);
        }
        status = fleet_store_error(error, result);
        fleet_page_end(&list, total, page);
    }
    store_end(view);
    return status;
}

/* --- Log-in
 * ------------------------------------------------------------------------------------------ */

static uint64_t key_of(const char *kind, const char *text)
{
    uint64_t hash = 14695981039346656037u;
    for (; *kind != '\0'; kind++) {
        hash = (hash ^ (uint8_t)*kind) * 1099511628211u;
    }
    for (; *text != '\0'; text++) {
        hash = (hash ^ (uint8_t)*text) * 1099511628211u;
    }
    return hash;
}

static struct throttle *throttle_of(struct fleet *fleet, uint64_t key, int64_t now)
{
    struct throttle *throttle = &fleet->throttles[key % THROTTLES];
    if (throttle->key != key) {
        /* Another one's place: who failed less gives way. */
        if (throttle->failures >= FREE_TRIES && now - throttle->last < FORGET_MS) {
            return throttle;
        }
        *throttle = (struct throttle){.key = key};
    }
    double forgotten = (double)(now - throttle->last) / FORGET_MS;
    throttle->failures = throttle->failures > forgotten ? throttle->failures - forgotten : 0;
    throttle->last = now;
    return throttle;
}

/** Seconds to wait; 0: go on. A try counts as failed until it succeeds, so that many at a time
 * count too. */
static int64_t throttled(struct fleet *fleet, const char *name, const char *address)
{
    int64_t now = fleet_now(fleet), wait = 0;
    pthread_mutex_lock(&fleet->lock);
    struct throttle *both[] = {throttle_of(fleet, key_of("user", name), now),
                               throttle_of(fleet, key_of("address", address), now)};
    for (size_t i = 0; i < 2; i++) {
        double over = both[i]->failures - (i == 0 ? FREE_TRIES : 4 * FREE_TRIES) + 1;
        int64_t seconds = over <= 0 ? 0 : (int64_t)(over * FORGET_MS / 1000) + 1;
        wait = seconds > wait ? seconds : wait;
    }
    for (size_t i = 0; i < 2 && wait == 0; i++) {
        both[i]->failures += 1;
    }
    pthread_mutex_unlock(&fleet->lock);
    return wait;
}

static void forgive(struct fleet *fleet, const char *name, const char *address)
{
    int64_t now = fleet_now(fleet);
    pthread_mutex_lock(&fleet->lock);
    throttle_of(fleet, key_of("user", name), now)->failures = 0;
    struct throttle *place = throttle_of(fleet, key_of("address", address), now);
    place->failures = place->failures > 1 ? place->failures - 1 : 0;
    pthread_mutex_unlock(&fleet->lock);
}

static void become(struct actor *actor, const struct user *user, const struct token *token)
{
    memset(actor, 0, sizeof *actor);
    actor->kind = ACTOR_USER;
    actor->user = user->no;
    actor->device = token->device;
    actor->administrator = user->administrator;
    actor->token = token->no;
    memcpy(actor->name, user->name, sizeof actor->name);
    memcpy(actor->csrf, token->csrf, sizeof actor->csrf);
}

static enum store_result begin_session(struct store_view *view, void *ctx)
{
    struct user_work *work = ctx;
    struct user *user = &work->found;
    enum store_result result = store_get_no(view, STORE_USER, user->no, user);
    if (result == STORE_OK) {
        user->last_login = fleet_now(work->base.fleet);
        result = store_update(view, STORE_USER, user);
    }
    return result == STORE_OK ? store_insert(view, STORE_TOKEN, work->token) : result;
}

enum fleet_status fleet_login(struct fleet *fleet, const char *name, const char *password,
                              const char *address, char secret[SECRET_SIZE], struct actor *actor,
                              struct fleet_error *error)
{
    struct store_view *view = fleet_view(fleet, error);
    struct user user = {0};
    if (view == NULL) {
        return error->status;
    }
    enum store_result result = store_get_text(view, STORE_USER, "name", name, &user);
    store_end(view);
    if (result != STORE_OK && result != STORE_NONE) {
        return fleet_store_error(error, result);
    }
    int64_t wait = throttled(fleet, name, address);
    if (wait != 0) {
        (void)fleet_fail(error, FLEET_THROTTLED, REFUSAL_THROTTLED, NULL,
                         VALUES({"seconds", NULL, wait}));
        error->retry_after = wait;
        return FLEET_THROTTLED;
    }
    bool good = password_check(password, user.password) && result == STORE_OK && !user.disabled;
    if (!good) {
        return fleet_fail(error, FLEET_UNKNOWN, REFUSAL_BAD_LOGIN, NULL, NULL);
    }
    forgive(fleet, name, address);
    struct token token = {.user = user.no,
                          .kind = TOKEN_SESSION,
                          .created = fleet_now(fleet),
                          .last_used = fleet_now(fleet),
                          .expires = fleet_now(fleet) + SESSION_MS};
    struct user_work work = {
        .base = {fleet, &fleet_system, error, false}, .token = &token, .found = user};
    char text[SECRET_SIZE];
    fleet_random_id('t', token.id);
    fleet_random_hex(text, 40);
    fleet_random_hex(token.csrf, 32);
    fleet_sha256_hex(text, token.hash);
    enum fleet_status status = fleet_perform(begin_session, &work);
    if (status == FLEET_OK) {
        strcpy(secret, text);
        become(actor, &work.found, &token);
    }
    return status;
}

static enum store_result end_session(struct store_view *view, void *ctx)
{
    struct user_work *work = ctx;
    struct store_where where = STORE_NUMBER("no", work->base.actor->token);
    return store_remove(view, STORE_TOKEN, &(struct store_query){.where = &where, .count = 1},
                        NULL);
}

enum fleet_status fleet_logout(struct fleet *fleet, const struct actor *actor,
                               struct fleet_error *error)
{
    struct user_work work = {.base = {fleet, actor, error, false}};
    return fleet_perform(end_session, &work);
}

static enum store_result mark_used(struct store_view *view, void *ctx)
{
    struct user_work *work = ctx;
    struct token token;
    enum store_result result = store_get_no(view, STORE_TOKEN, work->token->no, &token);
    if (result == STORE_OK) {
        token.last_used = work->token->last_used;
        result = store_update(view, STORE_TOKEN, &token);
    }
    return result == STORE_NONE ? STORE_OK : result;
}

enum fleet_status fleet_authenticate(struct fleet *fleet, const char *secret, bool session,
                                     struct actor *actor, struct fleet_error *error)
{
    char hash[HEX64_SIZE];
    struct token token = {0};
    struct user user = {0};
    int64_t now = fleet_now(fleet);
    struct store_view *view = fleet_view(fleet, error);
    if (view == NULL) {
        return error->status;
    }
    fleet_sha256_hex(secret == NULL ? "" : secret, hash);
    enum store_result result = store_get_text(view, STORE_TOKEN, "hash", hash, &token);
    bool good = result == STORE_OK && (token.expires == 0 || token.expires > now) &&
                token.kind != TOKEN_ACTIVATION && (token.kind == TOKEN_SESSION) == session &&
                store_get_no(view, STORE_USER, token.user, &user) == STORE_OK && !user.disabled;
    store_end(view);
    if (result != STORE_OK && result != STORE_NONE) {
        return fleet_store_error(error, result);
    }
    if (!good) {
        return fleet_fail(error, FLEET_UNKNOWN, REFUSAL_BAD_TOKEN, NULL, NULL);
    }
    if (now - token.last_used > USED_EVERY_MS) {
        struct fleet_error ignored; /* a full disk keeps nobody out */
        token.last_used = now;
        struct user_work work = {.base = {fleet, &fleet_system, &ignored, false}, .token = &token};
        (void)fleet_perform(mark_used, &work);
    }
    become(actor, &user, &token);
    return FLEET_OK;
}

/* --- Tokens --------------------------------------------------------------------------------------
 */

static enum store_result create_token(struct store_view *view, void *ctx)
{
    struct user_work *work = ctx;
    struct token *token = work->token;
    struct device device;
    char json[256];
    if (work->device != NULL) {
        if (fleet_find_device(view, work->base.actor, ACTION_DEVICE_RPC, work->device, &device,
                              work->base.error) != FLEET_OK) {
            return STORE_UNDONE;
        }
        if (device.owner != token->user) {
            return fleet_undo(
                fleet_fail(work->base.error, FLEET_CONFLICT, REFUSAL_NOT_OWNER, "device", NULL));
        }
        token->device = device.no;
    }
    snprintf(json, sizeof json, "{\"kind\":\"%s\"}", token_kind_word(token->kind));
    enum store_result result = store_insert(view, STORE_TOKEN, token);
    return result == STORE_OK
               ? fleet_audit(view, &work->base, "token.create", token->id, NULL, json)
               : result;
}

enum fleet_status fleet_token_create(struct fleet *fleet, const struct actor *actor,
                                     enum token_kind kind, const char *name, const char *device,
                                     int64_t lifetime, char secret[SECRET_SIZE],
                                     struct token *token, struct fleet_error *error)
{
    char text[SECRET_SIZE];
    struct token made = {.user = actor->user, .kind = kind, .created = fleet_now(fleet)};
    struct user_work work = {
        .base = {fleet, actor, error, false}, .token = &made, .device = device};
    (void)fleet_error_clear(error);
    if (actor->kind != ACTOR_USER || actor->device != 0) {
        return fleet_fail(error, FLEET_FORBIDDEN, REFUSAL_FORBIDDEN_TOKENS, NULL, NULL);
    }
    if (name == NULL || !fleet_name_good(name)) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_NAME, "name", NULL);
    }
    if (kind == TOKEN_SESSION || lifetime < 0 || (kind == TOKEN_OWNER_KEY) != (device != NULL)) {
        return fleet_fail(error, FLEET_INVALID, REFUSAL_BAD_KIND, "kind", NULL);
    }
    made.expires = lifetime == 0 ? 0 : made.created + lifetime;
    strcpy(made.name, name);
    fleet_random_id('t', made.id);
    fleet_random_hex(text, 40);
    fleet_sha256_hex(text, made.hash);
    enum fleet_status status = fleet_perform(create_token, &work);
    if (status == FLEET_OK) {
        strcpy(secret, text);
        *token = made;
    }
    return status;
}

static bool give_token(void *ctx, const void *record)
{
    struct each_user *give = ctx;
    struct token token;
    memcpy(&token, record, sizeof token);
    if (token.kind != TOKEN_SESSION) {
        token.hash[0] = '\0';
        give->token(give->ctx, &token);
    }
    return true;
}

enum fleet_status fleet_token_list(struct fleet *fleet, const struct actor *actor,
                                   void (*each)(void *ctx, const struct token *token), void *ctx,
                                   struct fleet_error *error)
{
    struct store_where where = STORE_NUMBER("user", actor->user);
    struct store_query list = {.where = &where, .count = 1, .order = "no"};
    struct each_user give = {.token = each, .ctx = ctx};
    struct store_view *view = fleet_view(fleet, error);
    if (view == NULL) {
        return error->status;
    }
    enum fleet_status status =
        actor->kind != ACTOR_USER || actor->device != 0
            ? fleet_fail(error, FLEET_FORBIDDEN, REFUSAL_FORBIDDEN_TOKENS, NULL, NULL)
            : fleet_store_error(error, store_each(view, STORE_TOKEN, &list, give_token, &give));
    store_end(view);
    return status;
}

static enum store_result remove_token(struct store_view *view, void *ctx)
{
    struct user_work *work = ctx;
    const struct actor *actor = work->base.actor;
    struct token token;
    enum store_result result = store_get_text(view, STORE_TOKEN, "id", work->id, &token);
    bool mine = result == STORE_OK && actor->kind == ACTOR_USER && token.user == actor->user &&
                actor->device == 0;
    if (!mine && (result == STORE_OK || result == STORE_NONE)) {
        return fleet_undo(fleet_hidden(work->base.error, "token"));
    }
    struct store_where where = STORE_NUMBER("no", token.no);
    if (result == STORE_OK) {
        result = store_remove(view, STORE_TOKEN, &(struct store_query){.where = &where, .count = 1},
                              NULL);
    }
    return result == STORE_OK ? fleet_audit(view, &work->base, "token.delete", token.id, NULL, NULL)
                              : result;
}

enum fleet_status fleet_token_delete(struct fleet *fleet, const struct actor *actor, const char *id,
                                     struct fleet_error *error)
{
    struct user_work work = {.base = {fleet, actor, error, false}, .id = id == NULL ? "" : id};
    return fleet_perform(remove_token, &work);
}

static enum store_result authorize(struct store_view *view, void *ctx)
{
    struct user_work *work = ctx;
    struct token activation, *token = work->token;
    struct device device;
    int64_t now = fleet_now(work->base.fleet);
    enum store_result result =
        store_get_text(view, STORE_TOKEN, "hash", work->secret_hash, &activation);
    /* Of a token that an app made up, nobody is told whose it is: the first to show it. */
    const int64_t user = work->base.actor->user;
    bool good = result == STORE_OK && activation.kind == TOKEN_ACTIVATION &&
                activation.device != 0 && (activation.user == user || activation.user == 0) &&
                work->base.actor->kind == ACTOR_USER && work->base.actor->device == 0 &&
                (activation.expires == 0 || activation.expires > now) &&
                store_get_no(view, STORE_DEVICE, activation.device, &device) == STORE_OK &&
                device.owner == activation.user;
    if (!good) {
        return fleet_undo(
            fleet_fail(work->base.error, FLEET_NOT_FOUND, REFUSAL_NO_SUCH_TOKEN, "token", NULL));
    }
    struct store_where where = STORE_NUMBER("no", activation.no);
    result =
        store_remove(view, STORE_TOKEN, &(struct store_query){.where = &where, .count = 1}, NULL);
    token->user = user;
    token->device = device.no;
    if (result == STORE_OK) {
        result = store_insert(view, STORE_TOKEN, token);
    }
    if (result == STORE_OK && device.owner != user) {
        device.owner = user;
        result = store_update(view, STORE_DEVICE, &device);
    }
    *work->claimed = device;
    return result == STORE_OK
               ? fleet_audit(view, &work->base, "device.authorize", device.id, NULL, NULL)
               : result;
}

enum fleet_status fleet_key_authorize(struct fleet *fleet, const struct actor *actor,
                                      const char *activation, char key[SECRET_SIZE],
                                      struct device *device, struct fleet_error *error)
{
    char text[SECRET_SIZE];
    struct token token = {.kind = TOKEN_OWNER_KEY, .created = fleet_now(fleet)};
    struct device claimed;
    struct user_work work = {
        .base = {fleet, actor, error, false}, .token = &token, .claimed = &claimed};
    fleet_sha256_hex(activation == NULL ? "" : activation, work.secret_hash);
    strcpy(token.name, "owner key");
    fleet_random_id('t', token.id);
    fleet_random_hex(text, 40);
    fleet_sha256_hex(text, token.hash);
    enum fleet_status status = fleet_perform(authorize, &work);
    if (status == FLEET_OK) {
        strcpy(key, text);
        claimed.device_key[0] = '\0';
        *device = claimed;
    }
    return status;
}

/* --- The first start
 * ------------------------------------------------------------------------------ */

/* Users who can log in with a password. */
static enum store_result count_passwords(struct store_view *view, int64_t *users)
{
    const struct store_where where = {"password", STORE_NE, 0, ""};
    return store_count(view, STORE_USER, &(struct store_query){.where = &where, .count = 1}, users);
}

bool fleet_needs_setup(struct fleet *fleet)
{
    int64_t users = 1;
    struct store_view *view = store_read(fleet->store);
    if (view != NULL && count_passwords(view, &users) != STORE_OK) {
        users = 1;
    }
    store_end(view);
    return users == 0;
}

/* The administrator of the first start: the one that the setup token belongs to. */
static enum store_result find_first(struct store_view *view, const char *hash, struct token *token,
                                    struct user *user)
{
    enum store_result result = store_get_text(view, STORE_TOKEN, "hash", hash, token);
    return result == STORE_OK ? store_get_no(view, STORE_USER, token->user, user) : result;
}

/*
 * The token that is printed is one of an administrator without a password: programs use it at once,
 * and whoever opens the page sets a name and a password with it. When it was lost, another one
 * takes its place.
 */
static enum store_result set_setup(struct store_view *view, void *ctx)
{
    struct user_work *work = ctx;
    struct setting setting = {0};
    struct token token = {0};
    int64_t users = 0;
    enum store_result result = count_passwords(view, &users);
    if (result == STORE_OK && users != 0) {
        return fleet_undo(fleet_fail(work->base.error, FLEET_CONFLICT, REFUSAL_SET_UP, NULL, NULL));
    }
    if (result != STORE_OK) {
        return result;
    }
    bool known = store_get_text(view, STORE_SETTING, "key", setup_key, &setting) == STORE_OK;
    if (known && find_first(view, setting.value, &token, &work->found) == STORE_OK) {
        strcpy(token.hash, work->secret_hash);
        result = store_update(view, STORE_TOKEN, &token);
    } else {
        result = add_user(view, work);
        token = (struct token){.user = work->found.no,
                               .kind = TOKEN_API,
                               .name = "first start",
                               .created = work->found.created};
        fleet_random_id('t', token.id);
        strcpy(token.hash, work->secret_hash);
        result = result == STORE_OK ? store_insert(view, STORE_TOKEN, &token) : result;
    }
    if (result != STORE_OK) {
        return result;
    }
    strcpy(setting.key, setup_key);
    strcpy(setting.value, work->secret_hash);
    return known ? store_update(view, STORE_SETTING, &setting)
                 : store_insert(view, STORE_SETTING, &setting);
}

enum fleet_status fleet_setup_token(struct fleet *fleet, char secret[SECRET_SIZE],
                                    struct fleet_error *error)
{
    char text[SECRET_SIZE];
    struct user_work work = {.base = {fleet, &fleet_system, error, false},
                             .name = "admin",
                             .hash = "",
                             .administrator = true};
    fleet_random_hex(text, 40);
    fleet_sha256_hex(text, work.secret_hash);
    enum fleet_status status = fleet_perform(set_setup, &work);
    if (status == FLEET_OK) {
        strcpy(secret, text);
    }
    return status;
}

/* The administrator of the first start gets a name and a password; the token stays his, until he
 * revokes it. */
static enum store_result first_user(struct store_view *view, void *ctx)
{
    struct user_work *work = ctx;
    struct user other, *user = &work->found;
    struct setting setting;
    struct token token;
    char json[1024];
    int64_t users = 1;
    enum store_result result = count_passwords(view, &users);
    if (result != STORE_OK) {
        return result;
    }
    if (users != 0 || store_get_text(view, STORE_SETTING, "key", setup_key, &setting) != STORE_OK ||
        strcmp(setting.value, work->secret_hash) != 0 ||
        find_first(view, setting.value, &token, user) != STORE_OK) {
        return fleet_undo(
            fleet_fail(work->base.error, FLEET_UNKNOWN, REFUSAL_USED_TOKEN, "token", NULL));
    }
    if (!fleet_name_good(work->name)) {
        return fleet_undo(
            fleet_fail(work->base.error, FLEET_INVALID, REFUSAL_BAD_NAME, "name", NULL));
    }
    if (store_get_text(view, STORE_USER, "name", work->name, &other) == STORE_OK &&
        other.no != user->no) {
        return fleet_undo(
            fleet_fail(work->base.error, FLEET_CONFLICT, REFUSAL_USER_NAME_TAKEN, "name", NULL));
    }
    strcpy(user->name, work->name);
    strcpy(user->password, work->hash);
    describe(user, json, sizeof json);
    result = store_update(view, STORE_USER, user);
    result = result == STORE_OK
                 ? fleet_audit(view, &work->base, "user.set_up", user->id, NULL, json)
                 : result;
    struct store_where where = STORE_TEXT("key", setup_key);
    return result == STORE_OK
               ? store_remove(view, STORE_SETTING,
                              &(struct store_query){.where = &where, .count = 1}, NULL)
               : result;
}

enum fleet_status fleet_setup(struct fleet *fleet, const char *secret, const char *name,
                              const char *password, struct user *user, struct fleet_error *error)
{
    char hash[PASSWORD_TEXT_SIZE];
    struct user_work work = {.base = {fleet, &fleet_system, error, false},
                             .name = name == NULL ? "" : name,
                             .hash = hash,
                             .administrator = true};
    (void)fleet_error_clear(error);
    fleet_sha256_hex(secret == NULL ? "" : secret, work.secret_hash);
    if (password_good(password, error) != FLEET_OK) {
        return error->status;
    }
    /* The hash is slow: nobody makes the server work before the token is seen to be right. */
    struct store_view *view = fleet_view(fleet, error);
    struct setting setting;
    bool right = view != NULL &&
                 store_get_text(view, STORE_SETTING, "key", setup_key, &setting) == STORE_OK &&
                 strcmp(setting.value, work.secret_hash) == 0;
    store_end(view);
    if (!right) {
        return fleet_fail(error, FLEET_UNKNOWN, REFUSAL_USED_TOKEN, "token", NULL);
    }
    if (!password_hash(password, PASSWORD_ROUNDS, hash)) {
        return hash_failed(error);
    }
    enum fleet_status status = fleet_perform(first_user, &work);
    if (status == FLEET_OK) {
        *user = work.found;
        user->password[0] = '\0';
    }
    return status;
}
