/* updraft user, member, token, audit, overview, events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "columns.h"
#include "commands.h"
#include "display.h"
#include "files.h"

struct arguments {
    struct server_options server;
    const char *name, *password_file, *old_password_file, *product, *device, *after, *rename,
        *language;
    struct number days, count;
    struct choice role;
    bool administrator;
};

static const struct option options[] = {SERVER_OPTIONS(struct arguments, server), {0}};

#define NAME_OPERAND(word, text)                                                                   \
    {                                                                                              \
        {.name = word, .kind = VALUE_TEXT, .at = offsetof(struct arguments, name), .help = text},  \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
static const struct operand name_operands[] = NAME_OPERAND("NAME", "the name, for log-in");
static const struct operand user_operands[] = NAME_OPERAND("USER", "the user's id");
static const struct operand token_name_operands[] = NAME_OPERAND("NAME", "what it is for");
static const struct operand token_operands[] = NAME_OPERAND("TOKEN", "the token's id");

static enum exit_code send(struct call *call, const char *method, char *path, json_t *body,
                           const struct column *rows)
{
    const struct arguments *arguments = call->arguments;
    return ask_object(call, &arguments->server, method, path, body, rows);
}

static enum exit_code list(struct call *call, const char *path, const char *name,
                           const struct column *columns)
{
    const struct arguments *arguments = call->arguments;
    return ask_list(call, &arguments->server, strdup(path), name, columns);
}

/* --- Users ------------------------------------------------------------------------------------ */

static const struct column user_lines[] = {{"id", "id"},
                                           {"name", "name"},
                                           {"role", "role"},
                                           {"language", "language"},
                                           {"disabled", "disabled"},
                                           {"last login", "last_login"},
                                           {0}};
static const struct column user_columns[] = {{"ID", "id"},
                                             {"NAME", "name"},
                                             {"ROLE", "role"},
                                             {"DISABLED", "disabled"},
                                             {"LAST LOGIN", "last_login"},
                                             {0}};
static const struct option create_options[] = {
    {.name = "password-file",
     .kind = VALUE_INPUT,
     .value = "FILE",
     .required = true,
     .at = offsetof(struct arguments, password_file),
     .help = "a file with the password in its first line, at least 10 characters"},
    {.name = "administrator",
     .kind = VALUE_FLAG,
     .at = offsetof(struct arguments, administrator),
     .help = "may do everything on this server"},
    SERVER_OPTIONS(struct arguments, server),
    {0},
};

/* Add a password, from the first line of a file. False: reported. */
static bool add_password(struct call *call, json_t *body, const char *name, const char *file)
{
    enum { PASSWORD_LIMIT = 1024 };
    uint8_t *password;
    size_t size;

    if (!input_load(call, file, PASSWORD_LIMIT, "a password", &password, &size)) {
        return false;
    }
    password[strcspn((char *)password, "\r\n")] = '\0';
    json_t *text = json_string((const char *)password);
    free(password);
    if (text == NULL) {
        fail(call, EXIT_USAGE, "usage", "%s: the password is not text in UTF-8", file);
        return false;
    }
    json_object_set_new(body, name, text);
    return true;
}

static enum exit_code create_user(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    json_t *body = json_pack("{s:s, s:s}", "name", arguments->name, "role",
                             arguments->administrator ? "administrator" : "none");

    if (!add_password(call, body, "password", arguments->password_file)) {
        json_decref(body);
        return api_failure(call);
    }
    return send(call, "POST", api_path("/users"), body, user_lines);
}

static const char *const user_roles[] = {"administrator", "none", NULL};
static const struct option edit_options[] = {
    {.name = "name",
     .kind = VALUE_TEXT,
     .value = "NAME",
     .at = offsetof(struct arguments, rename),
     .help = "the name, for log-in"},
    {.name = "password-file",
     .kind = VALUE_INPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, password_file),
     .help = "a file with the new password in its first line, at least 10 characters"},
    {.name = "old-password-file",
     .kind = VALUE_INPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, old_password_file),
     .help = "a file with the present one: needed to change your own"},
    {.name = "role",
     .kind = VALUE_CHOICE,
     .value = "ROLE",
     .choices = user_roles,
     .at = offsetof(struct arguments, role),
     .help = "administrator, or none: what memberships say"},
    {.name = "language",
     .kind = VALUE_TEXT,
     .value = "CODE",
     .at = offsetof(struct arguments, language),
     .help = "of the web page: en, vi, zh"},
    SERVER_OPTIONS(struct arguments, server),
    {0},
};

static enum exit_code edit_user(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    json_t *body = json_object();

    if (arguments->rename != NULL) {
        json_object_set_new(body, "name", json_string(arguments->rename));
    }
    if (arguments->role.word != NULL) {
        json_object_set_new(body, "role", json_string(arguments->role.word));
    }
    if (arguments->language != NULL) {
        json_object_set_new(body, "language", json_string(arguments->language));
    }
    if ((arguments->password_file != NULL &&
         !add_password(call, body, "password", arguments->password_file)) ||
        (arguments->old_password_file != NULL &&
         !add_password(call, body, "old_password", arguments->old_password_file))) {
        json_decref(body);
        return api_failure(call);
    }
    if (json_object_size(body) == 0) {
        json_decref(body);
        return fail(call, EXIT_USAGE, "usage",
                    "nothing to change: --name, --password-file, --role or --language");
    }
    return send(call, "PATCH", api_path("/users/%s", arguments->name), body, user_lines);
}

static enum exit_code show_user(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    return send(call, "GET", api_path("/users/%s", arguments->name), NULL, user_lines);
}

static enum exit_code delete_user(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    return send(call, "DELETE", api_path("/users/%s", arguments->name), NULL, user_lines);
}

static enum exit_code list_users(struct call *call)
{
    return list(call, "/users?limit=500", "users", user_columns);
}

static enum exit_code set_disabled(struct call *call, bool disabled)
{
    const struct arguments *arguments = call->arguments;
    return send(call, "PATCH", api_path("/users/%s", arguments->name),
                json_pack("{s:b}", "disabled", disabled), user_lines);
}

static enum exit_code disable_user(struct call *call)
{
    return set_disabled(call, true);
}

static enum exit_code enable_user(struct call *call)
{
    return set_disabled(call, false);
}

/* --- Members ---------------------------------------------------------------------------------- */

static const char *const roles[] = {"viewer", "operator", "developer", NULL};
static const struct column member_lines[] = {{"user", "id"}, {0}};
static const struct column member_columns[] = {
    {"USER", "user"}, {"NAME", "name"}, {"ROLE", "role"}, {0}};
static const struct option member_options[] = {
    {.name = "role",
     .kind = VALUE_CHOICE,
     .value = "ROLE",
     .required = true,
     .choices = roles,
     .at = offsetof(struct arguments, role),
     .help = "what the user may do: see, run the fleet, or also make releases"},
    SERVER_OPTIONS(struct arguments, server),
    {0},
};
#define PRODUCT_OPERAND                                                                            \
    {                                                                                              \
        .name = "PRODUCT", .kind = VALUE_TEXT, .at = offsetof(struct arguments, product),          \
        .help = "the product: id, name or key"                                                     \
    }
static const struct operand product_operands[] = {PRODUCT_OPERAND, {0}};
static const struct operand member_operands[] = {
    PRODUCT_OPERAND,
    {.name = "USER",
     .kind = VALUE_TEXT,
     .at = offsetof(struct arguments, name),
     .help = "the user's id"},
    {0},
};

static enum exit_code list_members(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    char *path = api_path("/products/%s/members", arguments->product);
    enum exit_code code = list(call, path != NULL ? path : "/", "members", member_columns);
    free(path);
    return code;
}

static char *member_path(const struct arguments *arguments)
{
    return api_path("/products/%s/members/%s", arguments->product, arguments->name);
}

static enum exit_code set_member(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    return send(call, "PUT", member_path(arguments),
                json_pack("{s:s}", "role", arguments->role.word), member_lines);
}

static enum exit_code remove_member(struct call *call)
{
    return send(call, "DELETE", member_path(call->arguments), NULL, member_lines);
}

/* --- Tokens ----------------------------------------------------------------------------------- */

static const struct column token_lines[] = {
    {"id", "id"}, {"name", "name"}, {"token", "token"}, {"expires", "expires"}, {0}};
static const struct column token_columns[] = {{"ID", "id"},           {"NAME", "name"},
                                              {"CREATED", "created"}, {"LAST USED", "last_used"},
                                              {"EXPIRES", "expires"}, {0}};
static const struct option token_options[] = {
    {.name = "days",
     .kind = VALUE_NUMBER,
     .value = "N",
     .min = 1,
     .max = 36500,
     .at = offsetof(struct arguments, days),
     .help = "how long it works; until it is revoked without it"},
    SERVER_OPTIONS(struct arguments, server),
    {0},
};

static enum exit_code create_token(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    return send(call, "POST", api_path("/tokens"),
                json_pack("{s:s, s:I}", "name", arguments->name, "days",
                          (json_int_t)(arguments->days.given ? arguments->days.value : 0)),
                token_lines);
}

static enum exit_code list_tokens(struct call *call)
{
    return list(call, "/tokens?limit=500", "tokens", token_columns);
}

static enum exit_code revoke_token(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    return send(call, "DELETE", api_path("/tokens/%s", arguments->name), NULL, token_lines);
}

/* --- The log of changes, and the whole server -------------------------------------------------- */

static const struct column audit_columns[] = {
    {"SEQ", "seq"},   {"TIME", "time"},     {"WHO", "who"},     {"WHAT", "what"},
    {"ON", "object"}, {"BEFORE", "before"}, {"AFTER", "after"}, {0}};
static const struct column chain_lines[] = {{"whole", "chain.ok"},
                                            {"lines checked", "chain.checked"},
                                            {"broken at", "chain.broken_at"},
                                            {0}};
static const struct column overview_lines[] = {{"version", "version"},
                                               {"started", "started"},
                                               {"addresses", "addresses"},
                                               {"products", "products"},
                                               {"devices", "devices"},
                                               {"online", "online"},
                                               {"versions", "versions"},
                                               {"updates", "updates"},
                                               {"failures", "failures"},
                                               {"attention", "attention"},
                                               {0}};

static enum exit_code list_audit(struct call *call)
{
    return list(call, "/audit?limit=500", "audit", audit_columns);
}

/* One object of the chain, and the exit code that says whether it holds. */
static enum exit_code check_audit(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    struct api *api = api_open(call, &arguments->server, false);

    if (api == NULL) {
        return api_failure(call);
    }
    json_t *page = api_send(api, "GET", api_path("/audit?limit=1"), NULL);
    json_t *chain = json_object_get(page, "chain");
    enum exit_code code = EXIT_NETWORK;
    if (page != NULL && chain == NULL) {
        fail(call, EXIT_NETWORK, "server", "%s: said nothing of the chain", api_server(api));
    } else if (page != NULL) {
        const bool whole = json_is_true(json_object_get(chain, "ok"));
        const json_int_t broken = json_integer_value(json_object_get(chain, "broken_at"));
        code = show_object(call, json_pack("{s:O}", "chain", chain), chain_lines);
        if (!whole) {
            fail(call, EXIT_VERIFY, "broken",
                 "the log was changed: line %" JSON_INTEGER_FORMAT " is not what was written",
                 broken);
        }
    }
    json_decref(page);
    api_close(api);
    return call->code != EXIT_DONE ? call->code : code;
}

static enum exit_code show_overview(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    struct api *api = api_open(call, &arguments->server, false);

    if (api == NULL) {
        return api_failure(call);
    }
    json_t *server = api_send(api, "GET", api_path("/server"), NULL);
    json_t *overview = server != NULL ? api_send(api, "GET", api_path("/overview"), NULL) : NULL;
    if (overview != NULL) {
        json_object_update_missing(overview, server);
    }
    json_decref(server);
    enum exit_code code = show_object(call, overview, overview_lines);
    api_close(api);
    return code;
}

/* --- Events ----------------------------------------------------------------------------------- */

static const struct option event_options[] = {
    {.name = "product",
     .kind = VALUE_TEXT,
     .value = "PRODUCT",
     .at = offsetof(struct arguments, product),
     .help = "only of this product, by its id"},
    {.name = "device",
     .kind = VALUE_TEXT,
     .value = "DEVICE",
     .at = offsetof(struct arguments, device),
     .help = "only of this device"},
    {.name = "after",
     .kind = VALUE_TEXT,
     .value = "SEQ",
     .at = offsetof(struct arguments, after),
     .help = "go on behind this event, as far as the server keeps them"},
    {.name = "count",
     .kind = VALUE_NUMBER,
     .value = "N",
     .min = 1,
     .at = offsetof(struct arguments, count),
     .help = "end after so many"},
    SERVER_OPTIONS(struct arguments, server),
    {0},
};

struct following {
    uint32_t left; /* 0: without end */
    bool json;
};

static bool print_event(void *ctx, const char *id, const char *name, const char *data)
{
    struct following *following = ctx;
    char text[4096];

    if (strcmp(name, "hello") == 0) {
        return true;
    }
    if (following->json) {
        json_t *change = json_loads(data, JSON_DECODE_ANY, NULL);
        json_t *line = json_pack("{s:I, s:s?, s:o?}", "seq", (json_int_t)strtoll(id, NULL, 10),
                                 "event", name[0] != '\0' ? name : NULL, "data", change);
        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(line);
    } else {
        printf("%s %s\n", id, display(data, strlen(data), text, sizeof text));
    }
    fflush(stdout);
    return following->left == 0 || --following->left > 0;
}

static enum exit_code follow(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    struct following following = {arguments->count.given ? arguments->count.value : 0,
                                  call->json != NULL};
    struct api *api = api_open(call, &arguments->server, false);

    if (api == NULL) {
        return api_failure(call);
    }
    char *path =
        arguments->product != NULL && arguments->device != NULL
            ? api_path("/events?product=%s&device=%s", arguments->product, arguments->device)
        : arguments->product != NULL ? api_path("/events?product=%s", arguments->product)
        : arguments->device != NULL  ? api_path("/events?device=%s", arguments->device)
                                     : api_path("/events");
    enum exit_code code = api_follow(api, path, arguments->after, print_event, &following);
    api_close(api);
    return code;
}

static const struct example user_create_examples[] = {
    {"updraft user create an --password-file password.txt", "a user"}, {0}};
static const struct example user_list_examples[] = {{"updraft user list", "all of them"}, {0}};
static const struct example user_show_examples[] = {
    {"updraft user show u_0123456789abcdef", "role, language, last log-in"}, {0}};
static const struct example user_edit_examples[] = {
    {"updraft user edit u_0123456789abcdef --role administrator", "may do everything from now on"},
    {"updraft user edit u_0123456789abcdef --password-file password.txt", "a new password"},
    {0},
};
static const struct example user_delete_examples[] = {
    {"updraft user delete u_0123456789abcdef", "with sessions, tokens and memberships"}, {0}};
static const struct example audit_list_examples[] = {
    {"updraft audit list --json | jq -r '.audit[0].what'", "the last change"}, {0}};
static const struct example audit_check_examples[] = {
    {"updraft audit check", "exit code 3 when a line was changed or taken out"}, {0}};
static const struct example overview_examples[] = {
    {"updraft overview", "how many devices, what they run, what failed"}, {0}};
static const struct example user_disable_examples[] = {
    {"updraft user disable u_0123456789abcdef", "cannot log in any more"}, {0}};
static const struct example user_enable_examples[] = {
    {"updraft user enable u_0123456789abcdef", "can again"}, {0}};
static const struct example member_list_examples[] = {{"updraft member list clock", "all of them"},
                                                      {0}};
static const struct example member_set_examples[] = {
    {"updraft member set clock u_0123456789abcdef --role operator", "may run this fleet"}, {0}};
static const struct example member_remove_examples[] = {
    {"updraft member remove clock u_0123456789abcdef", "sees nothing of it any more"}, {0}};
static const struct example token_create_examples[] = {
    {"updraft token create ci --days 90", "for a program that uploads releases"}, {0}};
static const struct example token_list_examples[] = {{"updraft token list", "your own"}, {0}};
static const struct example token_revoke_examples[] = {
    {"updraft token revoke t_0123456789abcdef", "it opens nothing any more"}, {0}};
static const struct example events_examples[] = {
    {"updraft events --product p_0123456789abcdef", "until Ctrl-C"},
    {"updraft events --after 1000 --count 10", "ten of those that were missed"},
    {0},
};

COMMAND(user, create, "make a user",
        "What a user may do in a product is said by the product's members.", create_options,
        name_operands, create_user);
COMMAND(user, list, "list users", "For administrators.", options, NULL, list_users);
COMMAND(user, show, "show a user", "Yourself, or for administrators anybody.", options,
        user_operands, show_user);
COMMAND(
    user, edit, "change a user",
    "Only what is given changes. Everybody may change the own password and language; the rest is "
    "the administrators'.",
    edit_options, user_operands, edit_user);
COMMAND(user, delete, "delete a user",
        "What the user did stays in the log. Devices of the user have no owner any more.", options,
        user_operands, delete_user);
COMMAND(audit, list, "list who changed what", "The newest first; for administrators.", options,
        NULL, list_audit);
COMMAND(
    audit, check, "check that the log of changes is whole",
    "Each line holds a digest of itself and of the line before: a line that was changed or taken "
    "out breaks the chain.",
    options, NULL, check_audit);
COMMAND_AS(overview, NULL, "overview", "show how the whole fleet is doing",
           "The server, and what you may see of its devices.", options, NULL, show_overview);
COMMAND(user, disable, "keep a user out", "Sessions and tokens of the user end.", options,
        user_operands, disable_user);
COMMAND(user, enable, "let a user in again", "With the password that there was.", options,
        user_operands, enable_user);
COMMAND(member, list, "list the members of a product", "For its developers.", options,
        product_operands, list_members);
COMMAND(member, set, "make a user a member, or change the role",
        "A viewer sees; an operator also sets releases as current and orders updates; a developer "
        "also makes releases and says who is a member.",
        member_options, member_operands, set_member);
COMMAND(member, remove, "end a membership", "The product does not exist for the user any more.",
        options, member_operands, remove_member);
COMMAND(token, create, "make a token for a program",
        "Its text is shown once, here. It may do what you may do.", token_options,
        token_name_operands, create_token);
COMMAND(token, list, "list your tokens", "Without their texts, which nobody has but you.", options,
        NULL, list_tokens);
COMMAND(token, revoke, "revoke a token", "At once.", options, token_operands, revoke_token);
COMMAND_AS(
    events, NULL, "events", "follow what changes",
    "A line for each change: its number, and JSON. A connection that is lost is made again, and goes "
    "on where it ended.\n\n"
    "With --json a line for each change is an object with seq, event (its name, or null) and data; the "
    "object that every command ends with comes last.",
    event_options, NULL, follow);
