/* updraft user, member, token, events. */
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
    const char *name, *password_file, *product, *device, *after;
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

/* Send one request and show one object. Takes over `path` and `body`. */
static enum exit_code send(struct call *call, const char *method, char *path, json_t *body,
                           const struct column *rows)
{
    const struct arguments *arguments = call->arguments;
    struct api *api = api_open(call, &arguments->server, false);

    if (api == NULL) {
        free(path);
        json_decref(body);
        return api_failure(call);
    }
    enum exit_code code = show_object(call, api_send(api, method, path, body), rows);
    api_close(api);
    return code;
}

static enum exit_code list(struct call *call, const char *path, const char *name,
                           const struct column *columns)
{
    const struct arguments *arguments = call->arguments;
    struct api *api = api_open(call, &arguments->server, false);

    if (api == NULL) {
        return api_failure(call);
    }
    enum exit_code code = show_list(call, all_pages(api, call, strdup(path)), name, columns);
    api_close(api);
    return code;
}

/* --- Users ------------------------------------------------------------------------------------ */

static const struct column user_lines[] = {
    {"id", "id"}, {"name", "name"}, {"role", "role"}, {"last login", "last_login"}, {0}};
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

static enum exit_code create_user(struct call *call)
{
    enum { PASSWORD_LIMIT = 1024 };
    const struct arguments *arguments = call->arguments;
    uint8_t *password;
    size_t size;

    if (!input_load(call, arguments->password_file, PASSWORD_LIMIT, "a password", &password,
                    &size)) {
        return EXIT_FAILED;
    }
    password[strcspn((char *)password, "\r\n")] = '\0';
    json_t *body =
        json_pack("{s:s, s:s, s:s}", "name", arguments->name, "password", (const char *)password,
                  "role", arguments->administrator ? "administrator" : "none");
    free(password);
    if (body == NULL) {
        return fail(call, EXIT_USAGE, "usage", "%s: the password is not text in UTF-8",
                    arguments->password_file);
    }
    return send(call, "POST", api_path("/users"), body, user_lines);
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

#define COMMAND(first, second, id, what, about, with_json, option_rows, operand_rows, function)    \
    const struct command id##_command = {                                                          \
        .group = first,                                                                            \
        .name = second,                                                                            \
        .summary = what,                                                                           \
        .text = about,                                                                             \
        .examples = id##_examples,                                                                 \
        .options = option_rows,                                                                    \
        .operands = operand_rows,                                                                  \
        .json = with_json,                                                                         \
        .size = sizeof(struct arguments),                                                          \
        .run = function,                                                                           \
    }
COMMAND("user", "create", user_create, "make a user",
        "What a user may do in a product is said by the product's members.", true, create_options,
        name_operands, create_user);
COMMAND("user", "list", user_list, "list users", "For administrators.", true, options, NULL,
        list_users);
COMMAND("user", "disable", user_disable, "keep a user out", "Sessions and tokens of the user end.",
        true, options, user_operands, disable_user);
COMMAND("user", "enable", user_enable, "let a user in again", "With the password that there was.",
        true, options, user_operands, enable_user);
COMMAND("member", "list", member_list, "list the members of a product", "For its developers.", true,
        options, product_operands, list_members);
COMMAND("member", "set", member_set, "make a user a member, or change the role",
        "A viewer sees; an operator also sets releases as current and orders updates; a developer "
        "also makes releases and says who is a member.",
        true, member_options, member_operands, set_member);
COMMAND("member", "remove", member_remove, "end a membership",
        "The product does not exist for the user any more.", true, options, member_operands,
        remove_member);
COMMAND("token", "create", token_create, "make a token for a program",
        "Its text is shown once, here. It may do what you may do.", true, token_options,
        token_name_operands, create_token);
COMMAND("token", "list", token_list, "list your tokens",
        "Without their texts, which nobody has but you.", true, options, NULL, list_tokens);
COMMAND("token", "revoke", token_revoke, "revoke a token", "At once.", true, options,
        token_operands, revoke_token);
COMMAND(
    NULL, "events", events, "follow what changes",
    "A line for each change: its number, and JSON. A connection that is lost is made again, and goes "
    "on where it ended.\n\n"
    "With --json a line for each change is an object with seq, event (its name, or null) and data; the "
    "object that every command ends with comes last.",
    true, event_options, NULL, follow);
