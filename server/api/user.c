/* Users, their tokens, and the audit log. */
#include <stdio.h>
#include <string.h>

#include "api/inside.h"
#include "api/show.h"

static const char *const roles[] = {"none", "administrator", NULL};

struct fields {
    const char *name, *password, *old_password, *role, *language;
    bool disabled;
    bool has_name, has_role, has_language, has_disabled;
};

static const struct http_field create_fields[] = {
    {.name = "name",
     .kind = HTTP_TEXT,
     .required = true,
     .min = 1,
     .max = 100,
     .at = offsetof(struct fields, name),
     .help = "for log-in; unique"},
    {.name = "password",
     .kind = HTTP_TEXT,
     .required = true,
     .min = 10,
     .max = 1000,
     .at = offsetof(struct fields, password),
     .help = "at least 10 characters"},
    {.name = "role",
     .kind = HTTP_CHOICE,
     .choices = roles,
     .at = offsetof(struct fields, role),
     .help = "administrator, or none: what memberships say"},
    {0},
};
static const struct http_field edit_fields[] = {
    {.name = "name",
     .kind = HTTP_TEXT,
     .min = 1,
     .max = 100,
     .at = offsetof(struct fields, name),
     .given = offsetof(struct fields, has_name),
     .help = "for log-in; unique"},
    {.name = "password",
     .kind = HTTP_TEXT,
     .min = 10,
     .max = 1000,
     .at = offsetof(struct fields, password),
     .help = "at least 10 characters"},
    {.name = "old_password",
     .kind = HTTP_TEXT,
     .min = 1,
     .max = 1000,
     .at = offsetof(struct fields, old_password),
     .help = "needed to change one's own"},
    {.name = "role",
     .kind = HTTP_CHOICE,
     .choices = roles,
     .at = offsetof(struct fields, role),
     .given = offsetof(struct fields, has_role),
     .help = "administrator or none"},
    {.name = "language",
     .kind = HTTP_TEXT,
     .max = 7,
     .at = offsetof(struct fields, language),
     .given = offsetof(struct fields, has_language),
     .help = "en, vi, zh"},
    {.name = "disabled",
     .kind = HTTP_BOOL,
     .at = offsetof(struct fields, disabled),
     .given = offsetof(struct fields, has_disabled),
     .help = "cannot log in"},
    {0},
};
static const struct http_schema create_schema = {"NewUser", create_fields};
static const struct http_schema edit_schema = {"EditUser", edit_fields};

static void add_user(void *ctx, const struct user *user)
{
    json_array_append_new(ctx, show_user(user));
}

static void list(struct http_exchange *x)
{
    struct fleet_query query;
    struct fleet_page page;
    struct fleet_error error;
    json_t *items;

    if (!api_query(x, API_TEXT, &query)) {
        return;
    }
    items = json_array();
    if (api_failed(
            x, fleet_user_list(api_fleet(x), api_actor(x), &query, add_user, items, &page, &error),
            &error)) {
        json_decref(items);
        return;
    }
    api_answer_page(x, items, &page);
}

static void create(struct http_exchange *x)
{
    struct fields fields = {0};
    struct user user;
    struct fleet_error error;

    if (http_read_json(x, create_fields, &fields) &&
        !api_failed(x,
                    fleet_user_create(api_fleet(x), api_actor(x), fields.name, fields.password,
                                      fields.role != NULL && strcmp(fields.role, roles[1]) == 0,
                                      &user, &error),
                    &error)) {
        http_answer_json(x, 201, show_user(&user));
    }
}

static bool find(struct http_exchange *x, struct user *user)
{
    struct fleet_error error;

    return !api_failed(
        x, fleet_user_show(api_fleet(x), api_actor(x), http_path(x, "user"), user, &error), &error);
}

static void show(struct http_exchange *x)
{
    struct user user;

    if (find(x, &user)) {
        http_answer_json(x, 200, show_user(&user));
    }
}

/* A session that somebody left open does not change the password: the old one is asked for. */
static bool is_himself(struct http_exchange *x, const struct user *user,
                       const struct fields *fields)
{
    char secret[SECRET_SIZE];
    struct actor actor;
    struct fleet_error error;

    if (fields->password == NULL || user->no != api_actor(x)->user) {
        return true;
    }
    if (fields->old_password == NULL) {
        http_answer_error(x, 422, REFUSAL_MISSING_PASSWORD, "old_password", NULL);
        return false;
    }
    enum fleet_status status = fleet_login(api_fleet(x), user->name, fields->old_password,
                                           http_peer(x)->address, secret, &actor, &error);
    if (status == FLEET_UNKNOWN) {
        /* Not 401: the session of who asks is as good as before. */
        http_answer_error(x, 422, REFUSAL_WRONG, "old_password", NULL);
        return false;
    }
    if (api_failed(x, status, &error)) {
        return false;
    }
    (void)fleet_logout(api_fleet(x), &actor, &error); /* the session was only for the question */
    return true;
}

static void edit(struct http_exchange *x)
{
    struct fields fields = {0};
    struct user user;
    struct fleet_error error;

    if (!find(x, &user) || !http_read_json(x, edit_fields, &fields) ||
        !is_himself(x, &user, &fields)) {
        return;
    }
    if (fields.has_name) {
        snprintf(user.name, sizeof user.name, "%s", fields.name);
    }
    if (fields.has_language) {
        snprintf(user.language, sizeof user.language, "%s", fields.language);
    }
    user.administrator = fields.has_role ? strcmp(fields.role, roles[1]) == 0 : user.administrator;
    user.disabled = fields.has_disabled ? fields.disabled : user.disabled;
    if (!api_failed(x, fleet_user_edit(api_fleet(x), api_actor(x), &user, fields.password, &error),
                    &error)) {
        http_answer_json(x, 200, show_user(&user));
    }
}

static void delete (struct http_exchange *x)
{
    struct fleet_error error;

    if (!api_failed(x, fleet_user_delete(api_fleet(x), api_actor(x), http_path(x, "user"), &error),
                    &error)) {
        http_answer_empty(x, 204);
    }
}

/* --- Tokens ----------------------------------------------------------------------------------- */

struct token_fields {
    const char *name, *kind, *device;
    int64_t days;
};
static const char *const token_kinds[] = {"api", "user_key", "owner_key", "activation", NULL};
static const struct http_field token_fields[] = {
    {.name = "name",
     .kind = HTTP_TEXT,
     .required = true,
     .min = 1,
     .max = 100,
     .at = offsetof(struct token_fields, name),
     .help = "what it is for"},
    {.name = "days",
     .kind = HTTP_NUMBER,
     .min = 0,
     .max = 36500,
     .at = offsetof(struct token_fields, days),
     .help = "how long it works; 0: until it is revoked"},
    {.name = "kind",
     .kind = HTTP_CHOICE,
     .choices = token_kinds,
     .at = offsetof(struct token_fields, kind),
     .help = "api, else one of Espressif's: user_key, owner_key of one device, activation, which "
             "makes you the owner of the device that is given it"},
    {.name = "device",
     .kind = HTTP_TEXT,
     .min = 1,
     .max = ID_SIZE - 1,
     .at = offsetof(struct token_fields, device),
     .help = "of an owner_key: the device that it opens"},
    {0},
};
static const struct http_schema token_schema = {"NewToken", token_fields};

static void add_token(void *ctx, const struct token *token)
{
    if (token->kind != TOKEN_SESSION) {
        json_array_append_new(ctx, show_token(token));
    }
}

static void list_tokens(struct http_exchange *x)
{
    struct fleet_error error;
    json_t *items = json_array();

    if (api_failed(x, fleet_token_list(api_fleet(x), api_actor(x), add_token, items, &error),
                   &error)) {
        json_decref(items);
        return;
    }
    const struct fleet_page page = {.total = (int64_t)json_array_size(items)};
    api_answer_page(x, items, &page);
}

static void create_token(struct http_exchange *x)
{
    enum { DAY_MS = 86400000 };
    static const enum token_kind kinds[] = {TOKEN_API, TOKEN_USER_KEY, TOKEN_OWNER_KEY,
                                            TOKEN_ACTIVATION};
    struct token_fields fields = {.kind = token_kinds[0]};
    char secret[SECRET_SIZE];
    struct token token;
    struct fleet_error error;
    size_t kind = 0;

    if (!http_read_json(x, token_fields, &fields)) {
        return;
    }
    while (strcmp(token_kinds[kind], fields.kind) != 0) {
        kind++; /* one of the choices */
    }
    if ((kinds[kind] == TOKEN_OWNER_KEY) != (fields.device != NULL)) {
        http_answer_error(x, 422,
                          fields.device != NULL ? REFUSAL_INVALID_DEVICE : REFUSAL_MISSING_DEVICE,
                          "device", NULL);
        return;
    }
    if (!api_failed(x,
                    fleet_token_create(api_fleet(x), api_actor(x), kinds[kind], fields.name,
                                       fields.device, fields.days * DAY_MS, secret, &token, &error),
                    &error)) {
        json_t *object = show_token(&token);
        json_object_set_new(object, "token", json_string(secret));
        http_answer_json(x, 201, object);
    }
}

struct login_fields {
    const char *user, *password, *name;
};
static const struct http_field login_fields[] = {
    {.name = "user",
     .kind = HTTP_TEXT,
     .required = true,
     .min = 1,
     .max = 100,
     .at = offsetof(struct login_fields, user),
     .help = "name of the user"},
    {.name = "password",
     .kind = HTTP_TEXT,
     .required = true,
     .min = 1,
     .max = 1000,
     .at = offsetof(struct login_fields, password),
     .help = "the password"},
    {.name = "name",
     .kind = HTTP_TEXT,
     .required = true,
     .min = 1,
     .max = 100,
     .at = offsetof(struct login_fields, name),
     .help = "what the token is for"},
    {0},
};
static const struct http_schema login_schema = {"TokenLogIn", login_fields};

/* A password is shown once, for a token; the session that it opened ends at once. */
static void log_in_for_token(struct http_exchange *x)
{
    struct login_fields fields = {0};
    char session[SECRET_SIZE], secret[SECRET_SIZE];
    struct actor actor;
    struct token token;
    struct fleet_error error, ignored;

    if (!api_is_private(x) || !http_read_json(x, login_fields, &fields) ||
        api_failed(x,
                   fleet_login(api_fleet(x), fields.user, fields.password, http_peer(x)->address,
                               session, &actor, &error),
                   &error)) {
        return;
    }
    enum fleet_status status = fleet_token_create(api_fleet(x), &actor, TOKEN_API, fields.name,
                                                  NULL, 0, secret, &token, &error);
    (void)fleet_logout(api_fleet(x), &actor, &ignored);
    if (!api_failed(x, status, &error)) {
        json_t *object = show_token(&token);
        json_object_set_new(object, "token", json_string(secret));
        http_answer_json(x, 201, object);
    }
}

static void delete_token(struct http_exchange *x)
{
    struct fleet_error error;

    if (!api_failed(x,
                    fleet_token_delete(api_fleet(x), api_actor(x), http_path(x, "token"), &error),
                    &error)) {
        http_answer_empty(x, 204);
    }
}

/* --- Audit ------------------------------------------------------------------------------------ */

static void add_line(void *ctx, const struct audit *line)
{
    json_array_append_new(ctx, show_audit(line));
}

static void audit(struct http_exchange *x)
{
    struct fleet_query query;
    struct fleet_page page;
    struct fleet_chain chain;
    struct fleet_error error;
    json_t *items;

    if (!api_query(x, 0, &query)) {
        return;
    }
    query.sort = query.sort != NULL ? query.sort : "-no";
    items = json_array();
    if (api_failed(
            x, fleet_audit_list(api_fleet(x), api_actor(x), &query, add_line, items, &page, &error),
            &error) ||
        api_failed(x, fleet_audit_check(api_fleet(x), api_actor(x), &chain, &error), &error)) {
        json_decref(items);
        return;
    }
    http_answer_json(x, 200,
                     json_pack("{s:o, s:s?, s:I, s:{s:b, s:I, s:o}}", "items", items, "next",
                               page.next[0] != '\0' ? page.next : NULL, "total",
                               (json_int_t)page.total, "chain", "ok", chain.broken_at == 0,
                               "checked", (json_int_t)chain.checked, "broken_at",
                               chain.broken_at != 0 ? json_integer(chain.broken_at) : json_null()));
}

#define ABOUT(name, text, schema, answer, list)                                                    \
    static const struct api_about about_##name = {text, schema, answer, list}
ABOUT(list, "users", NULL, "User", true);
ABOUT(create, "make a user", &create_schema, "User", false);
ABOUT(show, "one user", NULL, "User", false);
ABOUT(edit, "change a user; everybody may change his own password and language", &edit_schema,
      "User", false);
ABOUT(delete, "delete a user", NULL, NULL, false);
ABOUT(tokens, "your tokens", NULL, "Token", true);
ABOUT(create_token, "make a token; its text is in this answer alone", &token_schema, "Token",
      false);
ABOUT(token_login, "make a token with a password instead of a session", &login_schema, "Token",
      false);
ABOUT(delete_token, "revoke a token", NULL, NULL, false);
ABOUT(audit, "who changed what, and whether the log is whole", NULL, "Audit", false);

const struct http_route api_user_routes[] = {
    {HTTP_GET, "/api/v1/users", HTTP_ADMINISTRATOR, 0, 0, list, NULL, &about_list},
    {HTTP_POST, "/api/v1/users", HTTP_ADMINISTRATOR, 0, 4096, create, NULL, &about_create},
    {HTTP_GET, "/api/v1/users/{user}", HTTP_USER, 0, 0, show, NULL, &about_show},
    {HTTP_PATCH, "/api/v1/users/{user}", HTTP_USER, 0, 4096, edit, NULL, &about_edit},
    {HTTP_DELETE, "/api/v1/users/{user}", HTTP_ADMINISTRATOR, 0, 0, delete, NULL, &about_delete},
    {HTTP_GET, "/api/v1/tokens", HTTP_USER, 0, 0, list_tokens, NULL, &about_tokens},
    {HTTP_POST, "/api/v1/tokens", HTTP_USER, 0, 4096, create_token, NULL, &about_create_token},
    {HTTP_POST, "/api/v1/tokens/login", HTTP_PUBLIC, HTTP_NO_CSRF, 4096, log_in_for_token, NULL,
     &about_token_login},
    {HTTP_DELETE, "/api/v1/tokens/{token}", HTTP_USER, 0, 0, delete_token, NULL,
     &about_delete_token},
    {HTTP_GET, "/api/v1/audit", HTTP_ADMINISTRATOR, 0, 0, audit, NULL, &about_audit},
};
const size_t api_user_count = sizeof api_user_routes / sizeof api_user_routes[0];
