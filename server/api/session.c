/* Logging in, and the first start. */
#include <stdio.h>

#include "api/events.h"
#include "api/inside.h"
#include "api/show.h"
#include "fleet/report.h"

enum { SESSION_SECONDS = 30 * 24 * 3600 };

struct credentials {
    const char *user, *password, *token;
};

static const struct http_field login_fields[] = {
    {.name = "user",
     .kind = HTTP_TEXT,
     .required = true,
     .min = 1,
     .max = 100,
     .at = offsetof(struct credentials, user),
     .help = "name of the user"},
    {.name = "password",
     .kind = HTTP_TEXT,
     .required = true,
     .min = 1,
     .max = 1000,
     .at = offsetof(struct credentials, password),
     .help = "the password"},
    {0},
};
static const struct http_field setup_fields[] = {
    {.name = "token",
     .kind = HTTP_TEXT,
     .required = true,
     .min = 1,
     .max = 100,
     .at = offsetof(struct credentials, token),
     .help = "what the server printed at its first start"},
    {.name = "user",
     .kind = HTTP_TEXT,
     .required = true,
     .min = 1,
     .max = 100,
     .at = offsetof(struct credentials, user),
     .help = "name of the first administrator"},
    {.name = "password",
     .kind = HTTP_TEXT,
     .required = true,
     .min = 10,
     .max = 1000,
     .at = offsetof(struct credentials, password),
     .help = "at least 10 characters"},
    {0},
};
static const struct http_schema login_schema = {"LogIn", login_fields};
static const struct http_schema setup_schema = {"Setup", setup_fields};

/* Where the event stream stands is said before anything else is asked: who listens from there on
 * misses nothing of what changes while he asks. */
static void answer_session(struct http_exchange *x, const struct actor *actor)
{
    int64_t seq = api_events_newest(api_fleet(x), actor);
    struct user user = {0};
    struct store_view *view = report_begin(api_fleet(x));

    if (!report_user(view, actor->user, &user)) {
        snprintf(user.name, sizeof user.name, "%s", actor->name);
    }
    report_end(view);
    http_answer_json(x, 200,
                     json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "user", user.id, "name", user.name,
                               "role", actor->administrator ? "administrator" : "none", "csrf",
                               actor->csrf, "language", user.language, "seq", (json_int_t)seq));
}

bool api_is_private(struct http_exchange *x)
{
    const struct http_peer *peer = http_peer(x);

    if (!peer->tls && !peer->loopback) {
        http_answer_error(x, 403, REFUSAL_PLAIN_HTTP, NULL, NULL);
        return false;
    }
    return true;
}

static void log_in_as(struct http_exchange *x, const struct credentials *given)
{
    char secret[SECRET_SIZE];
    struct fleet_error error;
    struct actor actor;

    if (!api_failed(x,
                    fleet_login(api_fleet(x), given->user, given->password, http_peer(x)->address,
                                secret, &actor, &error),
                    &error)) {
        answer_session(x, &actor);
        http_answer_session(x, secret, SESSION_SECONDS);
    }
}

static void log_in(struct http_exchange *x)
{
    struct credentials given = {0};

    if (api_is_private(x) && http_read_json(x, login_fields, &given)) {
        log_in_as(x, &given);
    }
}

static void setup(struct http_exchange *x)
{
    struct credentials given = {0};
    struct fleet_error error;
    struct user user;

    if (api_is_private(x) && http_read_json(x, setup_fields, &given) &&
        !api_failed(
            x, fleet_setup(api_fleet(x), given.token, given.user, given.password, &user, &error),
            &error)) {
        log_in_as(x, &given);
    }
}

static void show(struct http_exchange *x)
{
    answer_session(x, api_actor(x));
}

static void log_out(struct http_exchange *x)
{
    struct fleet_error error;

    if (!api_failed(x, fleet_logout(api_fleet(x), api_actor(x), &error), &error)) {
        http_answer_empty(x, 204);
        http_answer_session(x, NULL, 0);
    }
}

static const struct api_about about_setup = {"become the first administrator", &setup_schema,
                                             "Session", false};
static const struct api_about about_login = {"log in, by cookie", &login_schema, "Session", false};
static const struct api_about about_show = {"who is logged in", NULL, "Session", false};
static const struct api_about about_logout = {"log out", NULL, NULL, false};

const struct http_route api_session_routes[] = {
    {HTTP_POST, "/api/v1/setup", HTTP_PUBLIC, HTTP_NO_CSRF, 4096, setup, NULL, &about_setup},
    {HTTP_POST, "/api/v1/session", HTTP_PUBLIC, HTTP_NO_CSRF, 4096, log_in, NULL, &about_login},
    {HTTP_GET, "/api/v1/session", HTTP_USER, 0, 0, show, NULL, &about_show},
    {HTTP_DELETE, "/api/v1/session", HTTP_USER, 0, 0, log_out, NULL, &about_logout},
};
const size_t api_session_count = sizeof api_session_routes / sizeof api_session_routes[0];
