/* updraft login, logout: which server this user talks to, and as whom. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "api.h"
#include "commands.h"
#include "files.h"

struct arguments {
    struct server_options server;
    const char *user, *password_file, *name;
};

static const struct option options[] = {
    SERVER_OPTIONS(struct arguments, server),
    {.name = "user",
     .kind = VALUE_TEXT,
     .value = "NAME",
     .at = offsetof(struct arguments, user),
     .help = "log in with a password; without it the token that is given is kept"},
    {.name = "password-file",
     .kind = VALUE_INPUT,
     .value = "FILE",
     .at = offsetof(struct arguments, password_file),
     .help = "a file with the password in its first line; else it is asked for"},
    {.name = "name",
     .kind = VALUE_TEXT,
     .value = "TEXT",
     .at = offsetof(struct arguments, name),
     .help = "what the token is called in the list of tokens; else the name of this machine"},
    {0},
};
static const struct example examples[] = {
    {"updraft login --server https://updraft.local:8070 --ca-file ca.pem --user admin",
     "ask for the password once"},
    {"updraft login --server https://updraft.local:8070 --token-file admin.token",
     "keep a token that there is"},
    {0},
};

enum { PASSWORD_SIZE = 1024 };

/* From the terminal, without showing it. */
static bool ask_password(struct call *call, char *password)
{
    struct termios before, silent;
    bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;

    if (terminal) {
        fputs("Password: ", stderr);
        silent = before;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    bool read = fgets(password, PASSWORD_SIZE, stdin) != NULL;
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    password[strcspn(password, "\r\n")] = '\0';
    if (!read || password[0] == '\0') {
        fail(call, EXIT_USAGE, "usage",
             "no password was given; --password-file reads it from a file");
        return false;
    }
    return true;
}

static bool get_password(struct call *call, const struct arguments *arguments, char *password)
{
    uint8_t *data;
    size_t size;

    if (arguments->password_file == NULL) {
        return ask_password(call, password);
    }
    if (!input_load(call, arguments->password_file, PASSWORD_SIZE - 1, "a password", &data,
                    &size)) {
        return false;
    }
    snprintf(password, PASSWORD_SIZE, "%.*s", (int)strcspn((char *)data, "\r\n"), (char *)data);
    free(data);
    return true;
}

/* A token is made for this machine, and the session that made it ends. @return allocated; NULL:
 * reported */
static char *make_token(struct call *call, struct api *api, const struct arguments *arguments)
{
    char password[PASSWORD_SIZE], host[256] = "";
    char *token = NULL;

    if (!get_password(call, arguments, password)) {
        return NULL;
    }
    gethostname(host, sizeof host - 1);
    json_t *answer =
        api_send(api, "POST", api_path("/tokens/login"),
                 json_pack("{s:s, s:s, s:s}", "user", arguments->user, "password", password, "name",
                           arguments->name != NULL ? arguments->name
                           : host[0] != '\0'       ? host
                                                   : "updraft"));
    explicit_bzero(password, sizeof password);
    const char *text = json_string_value(json_object_get(answer, "token"));
    if (answer != NULL && text == NULL) {
        fail(call, EXIT_NETWORK, "server", "%s: answered without a token", api_server(api));
    }
    token = text != NULL ? strdup(text) : NULL;
    json_decref(answer);
    return token;
}

static enum exit_code run(struct call *call)
{
    const struct arguments *arguments = call->arguments;
    struct api *api = api_open(call, &arguments->server, arguments->user != NULL);
    char *token = NULL;
    json_t *session;
    enum exit_code code = EXIT_FAILED;

    if (api == NULL) {
        return api_failure(call);
    }
    if (arguments->user != NULL) {
        token = make_token(call, api, arguments);
        if (token == NULL) {
            goto out;
        }
        api_use_token(api, token);
    }
    session = api_send(api, "GET", api_path("/session"), NULL);
    if (session != NULL && api_keep(call, api, api_token(api))) {
        const char *name = json_string_value(json_object_get(session, "name"));
        code = EXIT_DONE;
        if (call->json != NULL) {
            json_object_set_new(call->json, "server", json_string(api_server(api)));
            json_object_set_new(call->json, "user", json_string(name != NULL ? name : ""));
        } else {
            printf("logged in to %s as %s\n", api_server(api), name != NULL ? name : "");
        }
    }
    json_decref(session);
out:
    free(token);
    api_close(api);
    return code == EXIT_DONE ? code : api_failure(call);
}

const struct command login_command = {
    .name = "login",
    .summary = "remember a server, and who you are there",
    .text =
        "Other commands then need neither --server nor --token-file. What is kept is a token of its own, which the "
        "list of tokens names and where it can be revoked; the password is not kept. The file is "
        "$XDG_CONFIG_HOME/updraft/server.json, for this user alone.",
    .examples = examples,
    .options = options,
    .json = true,
    .size = sizeof(struct arguments),
    .run = run,
};
