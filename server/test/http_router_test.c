/*
 * Goal: a request reaches the row that it means, by whoever may, with a body that the row can use;
 * everything else is refused by a status and a sentence that name what was wrong. Method: exchanges
 * made by hand, in tables of truths and lies.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "http/http_test.h"
#include "http/range.h"
#include "http/url.h"

/* --- Rows ------------------------------------------------------------------------------------- */

static void answer_pattern(struct http_exchange *x)
{
    http_answer_text(x, 200, "%s", http_route_of(x)->pattern);
}

static void answer_value(struct http_exchange *x)
{
    const char *version = http_query(x, "v");
    const char *plus = http_query_plus(x, "v");

    http_answer_text(x, 200, "%s|%s|%s", http_path(x, "name"), version != NULL ? version : "-",
                     plus != NULL ? plus : "-");
}

struct given {
    const char *name, *notes, *kind, *digest;
    int64_t count;
    bool on, has_notes;
    json_t *images, *list;
};

static const char *const kinds[] = {"nonos", "idf", NULL};
#define AT(member) offsetof(struct given, member)
static const struct http_field fields[] = {
    {.name = "name", .kind = HTTP_TEXT, .required = true, .min = 1, .max = 5, .at = AT(name)},
    {.name = "notes",
     .kind = HTTP_LINES,
     .nullable = true,
     .at = AT(notes),
     .given = AT(has_notes)},
    {.name = "kind", .kind = HTTP_CHOICE, .choices = kinds, .at = AT(kind)},
    {.name = "digest", .kind = HTTP_DIGEST, .at = AT(digest)},
    {.name = "count", .kind = HTTP_NUMBER, .min = -1, .max = 10, .at = AT(count)},
    {.name = "on", .kind = HTTP_BOOL, .at = AT(on)},
    {.name = "images", .kind = HTTP_OBJECT, .at = AT(images)},
    {.name = "list", .kind = HTTP_ARRAY, .at = AT(list)},
    {0},
};

static void answer_json(struct http_exchange *x)
{
    struct given given = {0};

    if (http_read_json(x, fields, &given)) {
        http_answer_text(x, 200, "%s %s %d %d", given.name, given.kind != NULL ? given.kind : "-",
                         (int)given.count, given.has_notes);
    }
}

static const struct http_route routes[] = {
    {HTTP_GET, "/", HTTP_PUBLIC, 0, 0, answer_pattern, NULL, NULL},
    {HTTP_GET, "/api/{name}", HTTP_PUBLIC, 0, 0, answer_value, NULL, NULL},
    {HTTP_GET, "/api/fixed", HTTP_PUBLIC, 0, 0, answer_pattern, NULL, NULL},
    {HTTP_GET, "/api/{name}/x", HTTP_PUBLIC, 0, 0, answer_pattern, NULL, NULL},
    {HTTP_POST, "/api/{name}", HTTP_PUBLIC, 0, 1000, answer_json, NULL, NULL},
    {HTTP_GET, "/{product}/{file}.bin", HTTP_DEVICE, 0, 0, answer_pattern, NULL, NULL},
    {HTTP_GET, "/{product}/{file}", HTTP_PUBLIC, 0, 0, answer_pattern, NULL, NULL},
    {HTTP_GET, "/tail/{rest...}", HTTP_PUBLIC, 0, 0, answer_pattern, NULL, NULL},
    {HTTP_GET, "/slash/", HTTP_PUBLIC, 0, 0, answer_pattern, NULL, NULL},
    {HTTP_GET, "/mine", HTTP_USER, 0, 0, answer_pattern, NULL, NULL},
    {HTTP_POST, "/mine", HTTP_USER, 0, 0, answer_pattern, NULL, NULL},
    {HTTP_GET, "/mine-plain", HTTP_USER, HTTP_PLAIN, 0, answer_pattern, NULL, NULL},
    {HTTP_POST, "/log-in", HTTP_PUBLIC, HTTP_NO_CSRF, 0, answer_pattern, NULL, NULL},
    {HTTP_GET, "/hidden", HTTP_OPERATOR, 0, 0, answer_pattern, NULL, NULL},
    {HTTP_GET, "/forbidden", HTTP_ADMINISTRATOR, 0, 0, answer_pattern, NULL, NULL},
};

static int principals;

static void identify(void *ctx, struct http_exchange *x, const struct http_credentials *credentials,
                     struct http_principal *principal)
{
    (void)ctx;
    (void)x;
    if (credentials->session != NULL && strcmp(credentials->session, "s1") == 0) {
        *principal = (struct http_principal){.who = &principals, .csrf = "c1", .name = "ada"};
    } else if ((credentials->bearer != NULL && strcmp(credentials->bearer, "b1") == 0) ||
               (credentials->token != NULL && strcmp(credentials->token, "t1") == 0) ||
               (credentials->user != NULL && strcmp(credentials->user, "ada") == 0 &&
                strcmp(credentials->password, "p:w") == 0)) {
        *principal = (struct http_principal){.who = &principals, .name = "ada"};
    }
    principals += principal->who != NULL;
}

static enum http_verdict allow(void *ctx, struct http_exchange *x, enum http_access access)
{
    (void)ctx;
    if (http_principal(x)->who == NULL) {
        return HTTP_LOGIN;
    }
    return access == HTTP_OPERATOR        ? HTTP_HIDE
           : access == HTTP_ADMINISTRATOR ? HTTP_FORBID
                                          : HTTP_ALLOW;
}

static void release(void *ctx, void *who)
{
    (void)ctx;
    CHECK(who == &principals);
    principals--;
}

static struct http_router *make_router(void)
{
    static const struct http_table table = {HTTP_TABLE(routes), NULL};
    static const struct http_guard guard = {identify, allow, release, NULL};

    return http_router_new(&table, 1, &guard);
}

/* What a request is answered; the body is copied into `body` when it is not NULL. */
static unsigned run(const struct http_made *made, char *body, size_t size)
{
    struct http_router *router = make_router();
    struct http_exchange *x = http_exchange_make(made);
    struct http_shown shown;

    http_router_run(router, x);
    http_answer_of(x, &shown);
    if (body != NULL) {
        snprintf(body, size, "%s", shown.body);
    }
    http_exchange_free(x);
    http_router_free(router);
    return shown.status;
}

/* --- Tests ------------------------------------------------------------------------------------ */

static void test_targets_reach_their_rows(void)
{
    static const struct {
        enum http_method method;
        const char *target;
        unsigned status;
        const char *body; /* NULL: any */
    } rows[] = {
        {HTTP_GET, "/", 200, "/"},
        {HTTP_HEAD, "/", 200, ""},
        {HTTP_GET, "/?a=b", 200, "/"},
        {HTTP_GET, "/api/abc", 200, "abc|-|-"},
        {HTTP_GET, "/api/a%20b", 200, "a b|-|-"},
        {HTTP_GET, "/api/a+b", 200, "a+b|-|-"},
        {HTTP_GET, "/api/%E4%B8%AD", 200, "\xe4\xb8\xad|-|-"},
        {HTTP_GET, "/api/a%2Fb", 200, "a/b|-|-"},
        {HTTP_GET, "/api/a%252e", 200, "a%2e|-|-"},
        {HTTP_GET, "/api/abc?v=1.0+b%2B1", 200, "abc|1.0 b+1|1.0+b+1"},
        {HTTP_GET, "/api/abc?v", 200, "abc||"},
        {HTTP_GET, "/api/abc?v=1&v=2", 200, "abc|1|1"},
        {HTTP_GET, "/api/abc?&&v=1&", 200, "abc|1|1"},
        {HTTP_GET, "/api/fixed", 200, "/api/fixed"},
        {HTTP_GET, "/api/abc/x", 200, "/api/{name}/x"},
        {HTTP_GET, "/clock/a.bin", 200, "/{product}/{file}.bin"},
        {HTTP_GET, "/clock/.bin", 200, "/{product}/{file}"},
        {HTTP_GET, "/clock/a.txt", 200, "/{product}/{file}"},
        {HTTP_GET, "/tail/a", 200, "/tail/{rest...}"},
        {HTTP_GET, "/tail/a/b/c", 200, "/tail/{rest...}"},
        {HTTP_GET, "/tail/", 200, "/tail/{rest...}"},
        {HTTP_GET, "/slash/", 200, "/slash/"},
        {HTTP_GET, "/slash", 404, NULL},
        {HTTP_GET, "/api/", 404, NULL},
        {HTTP_GET, "/api", 404, NULL},
        {HTTP_GET, "/a/b/c/d", 404, NULL},
        {HTTP_PUT, "/api/abc", 405, NULL},
        {HTTP_OPTIONS, "/api/abc", 204, ""},
        {HTTP_OPTIONS, "*", 204, ""},
        {HTTP_OPTIONS, "/a/b/c/d", 404, NULL},
        {HTTP_GET, "", 400, NULL},
        {HTTP_GET, "api", 400, NULL},
        {HTTP_GET, "//", 400, NULL},
        {HTTP_GET, "/api//x", 400, NULL},
        {HTTP_GET, "/api/.", 400, NULL},
        {HTTP_GET, "/api/..", 400, NULL},
        {HTTP_GET, "/api/%2e%2e", 400, NULL},
        {HTTP_GET, "/tail/..%2f..%2fetc", 400, NULL},
        {HTTP_GET, "/api/%", 400, NULL},
        {HTTP_GET, "/api/%4", 400, NULL},
        {HTTP_GET, "/api/%zz", 400, NULL},
        {HTTP_GET, "/api/%00", 400, NULL},
        {HTTP_GET, "/api/%c0%af", 400, NULL},
        {HTTP_GET, "/api/%ed%a0%80", 400, NULL},
        {HTTP_GET, "/api/a%7f", 400, NULL},
        {HTTP_GET, "/api/abc?v=%0a", 400, NULL},
        {HTTP_GET, "/api/abc#x", 400, NULL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char body[512];
        struct http_made made = {.method = rows[i].method, .target = rows[i].target};

        CHECK_THAT(rows[i].target, run(&made, body, sizeof body) == rows[i].status);
        CHECK_THAT(rows[i].target, rows[i].body == NULL || strcmp(body, rows[i].body) == 0);
    }
}

static void test_who_may(void)
{
    static const struct {
        const char *name;
        enum http_method method;
        const char *target, *header, *second;
        bool plain, remote;
        unsigned status;
    } rows[] = {
        {"nobody", HTTP_GET, "/mine", NULL, NULL, false, true, 401},
        {"session", HTTP_GET, "/mine", "Cookie: a=b; updraft_session=s1", NULL, false, true, 200},
        {"wrong session", HTTP_GET, "/mine", "Cookie: updraft_session=s2", NULL, false, true, 401},
        {"name of the cookie within another", HTTP_GET, "/mine", "Cookie: xupdraft_session=s1",
         NULL, false, true, 401},
        {"bearer", HTTP_GET, "/mine", "Authorization: Bearer b1", NULL, false, true, 200},
        {"bearer in lower case", HTTP_GET, "/mine", "authorization: bearer b1", NULL, false, true,
         200},
        {"token", HTTP_GET, "/mine", "Authorization: token t1", NULL, false, true, 200},
        {"basic", HTTP_GET, "/mine", "Authorization: Basic YWRhOnA6dw==", NULL, false, true, 200},
        {"basic that is not base64", HTTP_GET, "/mine", "Authorization: Basic YW*hOnA6dw==", NULL,
         false, true, 401},
        {"another scheme", HTTP_GET, "/mine", "Authorization: Digest b1", NULL, false, true, 401},
        {"two of them", HTTP_GET, "/mine", "Authorization: Bearer b1", "Authorization: Bearer b1",
         false, true, 400},
        {"plain from elsewhere", HTTP_GET, "/mine", "Authorization: Bearer b1", NULL, true, true,
         403},
        {"plain from here", HTTP_GET, "/mine", "Authorization: Bearer b1", NULL, true, false, 200},
        {"plain where it is allowed", HTTP_GET, "/mine-plain", "Authorization: Bearer b1", NULL,
         true, true, 200},
        {"a change without CSRF token", HTTP_POST, "/mine", "Cookie: updraft_session=s1", NULL,
         false, true, 403},
        {"with a wrong one", HTTP_POST, "/mine", "Cookie: updraft_session=s1", "X-CSRF-Token: c2",
         false, true, 403},
        {"with an empty one", HTTP_POST, "/mine", "Cookie: updraft_session=s1",
         "X-CSRF-Token: ", false, true, 403},
        {"with its own", HTTP_POST, "/mine", "Cookie: updraft_session=s1", "X-CSRF-Token: c1",
         false, true, 200},
        {"a change by token", HTTP_POST, "/mine", "Authorization: Bearer b1", NULL, false, true,
         200},
        {"log-in with a session", HTTP_POST, "/log-in", "Cookie: updraft_session=s1", NULL, false,
         true, 200},
        {"a change of a public row with a session", HTTP_POST, "/api/a",
         "Cookie: updraft_session=s1", NULL, false, true, 403},
        {"hidden", HTTP_GET, "/hidden", "Authorization: Bearer b1", NULL, false, true, 404},
        {"forbidden", HTTP_GET, "/forbidden", "Authorization: Bearer b1", NULL, false, true, 403},
        {"forbidden to nobody", HTTP_GET, "/forbidden", NULL, NULL, false, true, 401},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *headers[] = {rows[i].header, rows[i].header != NULL ? rows[i].second : NULL,
                                 NULL};
        struct http_made made = {.method = rows[i].method,
                                 .target = rows[i].target,
                                 .headers = headers,
                                 .plain = rows[i].plain,
                                 .remote = rows[i].remote};

        CHECK_THAT(rows[i].name, run(&made, NULL, 0) == rows[i].status);
        CHECK_THAT(rows[i].name, principals == 0);
    }
}

static void test_what_is_hidden_looks_like_what_is_not_there(void)
{
    static const char *const headers[] = {"Authorization: Bearer b1", NULL};
    struct http_made hidden = {.target = "/hidden", .headers = headers};
    struct http_made absent = {.target = "/a/b/c/d", .headers = headers};
    char first[512], second[512];

    CHECK(run(&hidden, first, sizeof first) == run(&absent, second, sizeof second));
    CHECK(strcmp(first, second) == 0);
}

static void test_json_is_read_by_rows_and_errors_name_the_field(void)
{
    static const struct {
        const char *body;
        unsigned status;
        const char *says;
    } rows[] = {
        {"{\"name\":\"ab\"}", 200, "ab - 0 0"},
        {"{\"name\":\"\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\"}", 200, NULL},
        {"{\"name\":\"ab\",\"kind\":\"idf\",\"count\":-1,\"notes\":null}", 200, "ab idf -1 1"},
        {"{\"name\":\"ab\",\"notes\":\"a\\nb\",\"images\":{},\"list\":[],\"on\":true}", 200, NULL},
        {"", 400, "line 1"},
        {"{", 400, "line 1"},
        {"[]", 400, "one JSON object"},
        {"{\"name\":\"ab\"} x", 400, NULL},
        {"{\"name\":\"a\",\"name\":\"b\"}", 422, "duplicate"},
        {"{}", 422, "\"field\":\"name\""},
        {"{\"name\":null}", 422, "\"field\":\"name\""},
        {"{\"name\":\"\"}", 422, "1 to 5 characters"},
        {"{\"name\":\"abcdef\"}", 422, "1 to 5 characters"},
        {"{\"name\":\"a\\u0000b\"}", 400, NULL},
        {"{\"name\":\"a\\nb\"}", 422, "control characters"},
        {"{\"name\":\"a\\u007f\"}", 422, "control characters"},
        {"{\"name\":5}", 422, "\"field\":\"name\""},
        {"{\"name\":\"ab\",\"nmae\":1}", 422, "\"field\":\"nmae\""},
        {"{\"name\":\"ab\",\"count\":11}", 422, "-1 to 10"},
        {"{\"name\":\"ab\",\"count\":-2}", 422, "\"field\":\"count\""},
        {"{\"name\":\"ab\",\"count\":1.0}", 422, "\"field\":\"count\""},
        {"{\"name\":\"ab\",\"count\":\"1\"}", 422, "\"field\":\"count\""},
        {"{\"name\":\"ab\",\"on\":1}", 422, "true or false"},
        {"{\"name\":\"ab\",\"kind\":\"IDF\"}", 422, "one of nonos, idf"},
        {"{\"name\":\"ab\",\"digest\":\"ab\"}", 422, "64 hexadecimal"},
        {"{\"name\":\"ab\",\"images\":[]}", 422, "an object"},
        {"{\"name\":\"ab\",\"list\":{}}", 422, "an array"},
        {"{\"name\":\"\xff\"}", 400, NULL},
    };
    static const char *const headers[] = {"Content-Type: application/json; charset=utf-8", NULL};
    static const char *const form[] = {"Content-Type: text/plain", NULL};
    char body[512];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_made made = {.method = HTTP_POST,
                                 .target = "/api/a",
                                 .headers = headers,
                                 .body = rows[i].body,
                                 .size = strlen(rows[i].body)};

        CHECK_THAT(rows[i].body, run(&made, body, sizeof body) == rows[i].status);
        CHECK_THAT(rows[i].body, rows[i].says == NULL || strstr(body, rows[i].says) != NULL);
    }
    struct http_made made = {
        .method = HTTP_POST, .target = "/api/a", .headers = form, .body = "{}", .size = 2};
    CHECK(run(&made, NULL, 0) == 415);
}

static void test_ranges_of_a_file_of_ten_bytes(void)
{
    static const struct {
        const char *range, *if_range, *if_none_match, *if_match;
        unsigned status;
        uint64_t first, count;
    } rows[] = {
        {NULL, NULL, NULL, NULL, 200, 0, 10},
        {"bytes=0-0", NULL, NULL, NULL, 206, 0, 1},
        {"bytes=0-9", NULL, NULL, NULL, 206, 0, 10},
        {"bytes=0-10", NULL, NULL, NULL, 206, 0, 10},
        {"bytes=9-", NULL, NULL, NULL, 206, 9, 1},
        {"bytes=10-", NULL, NULL, NULL, 416, 0, 10},
        {"bytes=10-20", NULL, NULL, NULL, 416, 0, 10},
        {"bytes=-1", NULL, NULL, NULL, 206, 9, 1},
        {"bytes=-10", NULL, NULL, NULL, 206, 0, 10},
        {"bytes=-99", NULL, NULL, NULL, 206, 0, 10},
        {"bytes=-0", NULL, NULL, NULL, 416, 0, 10},
        {"BYTES=1-2", NULL, NULL, NULL, 206, 1, 2},
        {"bytes= 1-2 ", NULL, NULL, NULL, 206, 1, 2},
        {"bytes=2-1", NULL, NULL, NULL, 200, 0, 10},
        {"bytes=1-2,4-5", NULL, NULL, NULL, 200, 0, 10},
        {"bytes=", NULL, NULL, NULL, 200, 0, 10},
        {"bytes=-", NULL, NULL, NULL, 200, 0, 10},
        {"bytes=a-b", NULL, NULL, NULL, 200, 0, 10},
        {"bytes=1", NULL, NULL, NULL, 200, 0, 10},
        {"bytes=+1-2", NULL, NULL, NULL, 200, 0, 10},
        {"octets=1-2", NULL, NULL, NULL, 200, 0, 10},
        {"1-2", NULL, NULL, NULL, 200, 0, 10},
        {"bytes=18446744073709551616-", NULL, NULL, NULL, 416, 0, 10},
        {"bytes=1-18446744073709551616", NULL, NULL, NULL, 206, 1, 9},
        {"bytes=1-2", "\"abc\"", NULL, NULL, 206, 1, 2},
        {"bytes=1-2", "W/\"abc\"", NULL, NULL, 200, 0, 10},
        {"bytes=1-2", "\"abd\"", NULL, NULL, 200, 0, 10},
        {"bytes=1-2", "abc", NULL, NULL, 200, 0, 10},
        {"bytes=1-2", "Sat, 29 Oct 1994 19:43:31 GMT", NULL, NULL, 200, 0, 10},
        {"bytes=10-", "\"abd\"", NULL, NULL, 200, 0, 10},
        {NULL, NULL, "\"abc\"", NULL, 304, 0, 10},
        {NULL, NULL, "W/\"abc\"", NULL, 304, 0, 10},
        {NULL, NULL, "\"x\", \"abc\"", NULL, 304, 0, 10},
        {NULL, NULL, "*", NULL, 304, 0, 10},
        {NULL, NULL, "\"abd\"", NULL, 200, 0, 10},
        {NULL, NULL, "abc", NULL, 200, 0, 10},
        {"bytes=1-2", NULL, "\"abc\"", NULL, 304, 0, 10},
        {"bytes=1-2", NULL, NULL, "\"abc\"", 206, 1, 2},
        {"bytes=1-2", NULL, NULL, "\"abd\"", 412, 0, 10},
        {NULL, NULL, NULL, "W/\"abc\"", 412, 0, 10},
        {NULL, NULL, NULL, "*", 200, 0, 10},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_conditions conditions = {.range = rows[i].range,
                                             .if_range = rows[i].if_range,
                                             .if_none_match = rows[i].if_none_match,
                                             .if_match = rows[i].if_match,
                                             .get = true};
        struct http_part part = http_part_decide(&conditions, "abc", 10);
        char name[64];

        snprintf(name, sizeof name, "row %zu", i);
        CHECK_THAT(name, part.status == rows[i].status);
        CHECK_THAT(name, part.first == rows[i].first && part.count == rows[i].count);
    }
}

/* --- All small tables ------------------------------------------------------------------------- */

enum { DEEPEST = 4, PATTERNS_MAX = 52, PATHS_MAX = 120 };

/* What follows each other in a pattern or in a path. */
struct alphabet {
    const char *const *texts;
    size_t count, last; /* the one behind which nothing follows */
};

/* In the order in which one wins over the next. */
enum { LITERAL, SUFFIXED, VALUE, TAIL, KINDS };
static const char *const kinds_of_parts[KINDS] = {"a", "{v}.x", "{v}", "{t...}"};
static const char *const words[] = {"a", "b", "a.x"};
enum { WORDS = sizeof words / sizeof words[0] };
static const struct alphabet of_patterns = {kinds_of_parts, KINDS, TAIL};
static const struct alphabet of_paths = {words, WORDS, WORDS};

struct chain {
    size_t count, parts[DEEPEST]; /* by number in the alphabet */
    char text[32];
};

/* All of one to `deepest` parts; how many. */
static size_t make_chains(const struct alphabet *of, struct chain *all, size_t deepest)
{
    static const struct chain empty;
    size_t count = 0;

    for (size_t i = 0; i <= count; i++) { /* the empty one, then each that is there, in turn */
        const struct chain *before = i == 0 ? &empty : &all[i - 1];
        if (before->count == deepest ||
            (before->count > 0 && before->parts[before->count - 1] == of->last)) {
            continue;
        }
        for (size_t part = 0; part < of->count; part++) {
            struct chain *chain = &all[count++];
            *chain = *before;
            chain->parts[chain->count++] = part;
            snprintf(chain->text, sizeof chain->text, "%.20s/%s", before->text, of->texts[part]);
        }
    }
    return count;
}

static bool is_for(const struct chain *pattern, const struct chain *path)
{
    static const bool fit[KINDS][WORDS] = {{1, 0, 0}, {0, 0, 1}, {1, 1, 1}, {1, 1, 1}};

    for (size_t i = 0; i < pattern->count; i++) {
        if (pattern->parts[i] == TAIL) {
            return true;
        }
        if (i == path->count || !fit[pattern->parts[i]][path->parts[i]]) {
            return false;
        }
    }
    return pattern->count == path->count;
}

/* The one that is to answer: the first, from the left, that says more. */
static const struct chain *best(const struct chain *const *given, size_t count,
                                const struct chain *path)
{
    const struct chain *found = NULL;

    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        if (!is_for(given[i], path)) {
            continue;
        }
        while (found != NULL && given[i]->parts[at] == found->parts[at]) {
            at++; /* two that fit and are not the same differ in a part of both */
        }
        found = found == NULL || given[i]->parts[at] < found->parts[at] ? given[i] : found;
    }
    return found;
}

static unsigned try_table(const struct chain *const *given, size_t count, const struct chain *paths,
                          size_t path_count)
{
    struct http_route rows[3];
    struct http_table table = {rows, count, NULL};

    for (size_t i = 0; i < count; i++) {
        rows[i] = (struct http_route){
            .pattern = given[i]->text, .access = HTTP_PUBLIC, .handle = answer_pattern};
    }
    struct http_router *router = http_router_new(&table, 1, NULL);
    CHECK(router != NULL);
    for (size_t i = 0; i < path_count; i++) {
        struct http_exchange *x = http_exchange_make(&(struct http_made){.target = paths[i].text});
        const struct chain *wanted = best(given, count, &paths[i]);
        struct http_shown shown;

        http_router_run(router, x);
        http_answer_of(x, &shown);
        CHECK_THAT(paths[i].text, shown.status == (wanted != NULL ? 200u : 404u));
        CHECK_THAT(paths[i].text, wanted == NULL || strcmp(shown.body, wanted->text) == 0);
        http_exchange_free(x);
    }
    http_router_free(router);
    return (unsigned)path_count;
}

static void test_every_small_table_finds_what_a_search_of_all_rows_finds(void)
{
    struct chain all[PATTERNS_MAX];
    struct chain paths[PATHS_MAX];
    size_t count = make_chains(&of_patterns, all, 2), path_count = make_chains(&of_paths, paths, 3);
    unsigned tried = 0;

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            for (size_t k = 0; k < j; k++) {
                const struct chain *const given[] = {&all[i], &all[k], &all[j]};
                tried += try_table(given, 3, paths, path_count);
            }
        }
    }
    count = make_chains(&of_patterns, all, 3);
    path_count = make_chains(&of_paths, paths, DEEPEST);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            const struct chain *const given[] = {&all[i], &all[j]};
            tried += try_table(given, 2, paths, path_count);
        }
    }
    CHECK(tried == 560 * 39 + 1326 * 120);
}

static void nothing(struct http_exchange *x)
{
    (void)x;
}

static void test_wrong_rows_stop_the_start(void)
{
    static const struct http_route rows[] = {
        {HTTP_GET, "api", HTTP_PUBLIC, 0, 0, nothing, NULL, NULL},
        {HTTP_GET, "/{}", HTTP_PUBLIC, 0, 0, nothing, NULL, NULL},
        {HTTP_GET, "/{a", HTTP_PUBLIC, 0, 0, nothing, NULL, NULL},
        {HTTP_GET, "/a}", HTTP_PUBLIC, 0, 0, nothing, NULL, NULL},
        {HTTP_GET, "/{a...}/b", HTTP_PUBLIC, 0, 0, nothing, NULL, NULL},
        {HTTP_GET, "//b", HTTP_PUBLIC, 0, 0, nothing, NULL, NULL},
        {HTTP_HEAD, "/b", HTTP_PUBLIC, 0, 0, nothing, NULL, NULL},
        {HTTP_GET, "/b", HTTP_PUBLIC, 0, 0, NULL, NULL, NULL},
        {HTTP_POST, "/b", HTTP_PUBLIC, 0, 17 * 1024 * 1024, nothing, NULL, NULL},
    };
    static const struct http_route twice[] = {
        {HTTP_GET, "/{a}/b", HTTP_PUBLIC, 0, 0, nothing, NULL, NULL},
        {HTTP_GET, "/{other}/b", HTTP_PUBLIC, 0, 0, nothing, NULL, NULL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_table table = {&rows[i], 1, NULL};
        CHECK_THAT(rows[i].pattern, http_router_new(&table, 1, NULL) == NULL);
    }
    struct http_table table = {HTTP_TABLE(twice), NULL};
    CHECK(http_router_new(&table, 1, NULL) == NULL);
}

static void test_a_handler_that_does_not_answer_is_a_500(void)
{
    static const struct http_route row = {HTTP_GET, "/", HTTP_PUBLIC, 0, 0, nothing, NULL, NULL};
    struct http_table table = {&row, 1, NULL};
    struct http_router *router = http_router_new(&table, 1, NULL);
    struct http_exchange *x = http_exchange_make(&(struct http_made){.target = "/"});
    struct http_shown shown;

    http_router_run(router, x);
    http_answer_of(x, &shown);
    CHECK(shown.status == 500);
    CHECK(strcmp(http_answer_header_of(x, "X-Content-Type-Options"), "nosniff") == 0);
    http_exchange_free(x);
    http_router_free(router);
}

int main(void)
{
    CHECK_RUN(test_targets_reach_their_rows);
    CHECK_RUN(test_who_may);
    CHECK_RUN(test_what_is_hidden_looks_like_what_is_not_there);
    CHECK_RUN(test_json_is_read_by_rows_and_errors_name_the_field);
    CHECK_RUN(test_ranges_of_a_file_of_ten_bytes);
    CHECK_RUN(test_every_small_table_finds_what_a_search_of_all_rows_finds);
    CHECK_RUN(test_wrong_rows_stop_the_start);
    CHECK_RUN(test_a_handler_that_does_not_answer_is_a_500);
    check_end();
}
