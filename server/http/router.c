/*
 * From a request to its row, and through the checks before the row's handler:
 *
 *     route   target, head, row, limits                     never waits
 *     admit   who asks, may he, is it forged; open stream   where the row says
 *     take    pieces of the body                            never waits
 *     handle  the handler                                   where the row says
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/exchange.h"

enum { BODY_COLLECTED_MAX = 16 * 1024 * 1024 };

/* In the order in which a pattern wins over another. */
enum kind { LITERAL, SUFFIXED, VALUE, TAIL };

struct part {
    enum kind kind;
    const char *name; /* of a value; the text of a literal */
    const char *suffix;
    size_t suffix_size;
};

struct row {
    const struct http_route *route;
    const struct http_table *table;
    size_t count;
    struct part parts[HTTP_SEGMENTS_MAX];
    /* By part: the next row in which it, or one before it, is another. */
    size_t other[HTTP_SEGMENTS_MAX];
};

struct http_router {
    struct http_guard guard;
    bool guarded;
    struct http_table *tables;
    char *texts;
    size_t count;
    struct row rows[];
};

/* --- Patterns --------------------------------------------------------------------------------- */

static bool read_part(struct part *part, char *text, bool last)
{
    size_t size = strlen(text);
    char *end = strchr(text, '}');

    *part = (struct part){.kind = LITERAL, .name = text};
    if (text[0] != '{') {
        return strpbrk(text, "{}") == NULL && (size > 0 || last);
    }
    if (end == NULL || end == text + 1 || strpbrk(end + 1, "{}") != NULL) {
        return false;
    }
    part->name = text + 1;
    part->suffix = end + 1;
    part->suffix_size = strlen(end + 1);
    part->kind = part->suffix_size > 0 ? SUFFIXED : VALUE;
    *end = 0;
    if (end - text > 4 && strcmp(end - 3, "...") == 0) {
        end[-3] = 0;
        part->kind = TAIL;
        return last && part->suffix_size == 0;
    }
    return true;
}

static bool read_pattern(struct row *row, char *text)
{
    size_t values = 0;

    if (text[0] != '/') {
        return false;
    }
    while (text != NULL) {
        char *next = strchr(++text, '/');
        if (next != NULL) {
            *next = 0;
        }
        if (row->count == HTTP_SEGMENTS_MAX ||
            !read_part(&row->parts[row->count], text, next == NULL)) {
            return false;
        }
        values += row->parts[row->count].kind != LITERAL;
        row->count++;
        text = next;
    }
    return values <= HTTP_VALUES_MAX;
}

static int compare_parts(const struct part *a, const struct part *b)
{
    if (a->kind != b->kind) {
        return (int)a->kind - (int)b->kind;
    }
    return a->kind == LITERAL                    ? strcmp(a->name, b->name)
           : a->kind == VALUE || a->kind == TAIL ? 0
                                                 : strcmp(a->suffix, b->suffix);
}

static int compare_rows(const void *left, const void *right)
{
    const struct row *a = left;
    const struct row *b = right;

    for (size_t i = 0; i < a->count && i < b->count; i++) {
        int order = compare_parts(&a->parts[i], &b->parts[i]);
        if (order != 0) {
            return order;
        }
    }
    if (a->count != b->count) {
        return a->count < b->count ? -1 : 1;
    }
    return (int)a->route->method - (int)b->route->method;
}

/* After sorting: rows that begin alike stand together, so that all of them are passed at once. */
static void find_others(struct http_router *router)
{
    for (size_t at = router->count; at-- > 0;) {
        struct row *row = &router->rows[at];
        const struct row *next = at + 1 < router->count ? row + 1 : NULL;

        for (size_t i = 0; i < row->count; i++) {
            if (next != NULL &&
                (i >= next->count || compare_parts(&row->parts[i], &next->parts[i]) != 0)) {
                next = NULL;
            }
            row->other[i] = next != NULL ? next->other[i] : at + 1;
        }
    }
}

static const char *row_problem(const struct http_route *route)
{
    if (route->handle == NULL) {
        return "no handler";
    }
    if (route->method == HTTP_HEAD || route->method == HTTP_OPTIONS) {
        return "a method that the router answers";
    }
    if (route->stream == NULL && route->body > BODY_COLLECTED_MAX) {
        return "a collected body that is too large";
    }
    if (route->stream != NULL && (route->stream->open == NULL || route->stream->take == NULL ||
                                  route->stream->close == NULL || route->body == 0)) {
        return "a stream that lacks a function or the body's limit";
    }
    return NULL;
}

static size_t count_rows(const struct http_table *tables, size_t count, size_t *text_size)
{
    size_t rows = 0;

    *text_size = 0;
    for (size_t i = 0; i < count; i++) {
        rows += tables[i].count;
        for (size_t j = 0; j < tables[i].count; j++) {
            *text_size += strlen(tables[i].routes[j].pattern) + 1;
        }
    }
    return rows;
}

static bool add_rows(struct http_router *router, const struct http_table *table, char **text)
{
    for (size_t i = 0; i < table->count; i++) {
        struct row *row = &router->rows[router->count++];
        const char *problem = row_problem(&table->routes[i]);

        row->route = &table->routes[i];
        row->table = table;
        strcpy(*text, row->route->pattern);
        if (problem == NULL && !read_pattern(row, *text)) {
            problem = "a pattern that is not one";
        }
        *text += strlen(row->route->pattern) + 1;
        if (problem != NULL) {
            http_log("http: the row %s %s has %s", http_method_name(row->route->method),
                     row->route->pattern, problem);
            return false;
        }
    }
    return true;
}

struct http_router *http_router_new(const struct http_table *tables, size_t count,
                                    const struct http_guard *guard)
{
    size_t text_size;
    size_t rows = count_rows(tables, count, &text_size);
    struct http_router *router = calloc(1, sizeof *router + rows * sizeof router->rows[0]);
    bool good = router != NULL;

    if (!good) {
        return NULL;
    }
    char *text = router->texts = malloc(text_size + 1);
    router->tables = calloc(count + 1, sizeof *tables);
    good = text != NULL && router->tables != NULL;
    if (guard != NULL) {
        router->guard = *guard;
        router->guarded = true;
    }
    for (size_t i = 0; good && i < count; i++) {
        router->tables[i] = tables[i];
        good = add_rows(router, &router->tables[i], &text);
    }
    if (good) {
        qsort(router->rows, router->count, sizeof router->rows[0], compare_rows);
    }
    for (size_t i = 1; good && i < router->count; i++) {
        if (compare_rows(&router->rows[i - 1], &router->rows[i]) == 0) {
            http_log("http: two rows answer %s %s", http_method_name(router->rows[i].route->method),
                     router->rows[i].route->pattern);
            good = false;
        }
    }
    if (!good) {
        http_router_free(router);
        return NULL;
    }
    find_others(router);
    return router;
}

void http_router_free(struct http_router *router)
{
    if (router != NULL) {
        free(router->texts);
        free(router->tables);
        free(router);
    }
}

const struct http_route *http_router_row(const struct http_router *router, size_t index)
{
    return index < router->count ? router->rows[index].route : NULL;
}

/* --- Matching --------------------------------------------------------------------------------- */

static bool suffix_fits(const struct part *part, const char *text)
{
    size_t size = strlen(text);

    return size > part->suffix_size &&
           memcmp(text + size - part->suffix_size, part->suffix, part->suffix_size) == 0;
}

/* @param failed  out, when it does not fit: the part that does not; row->count for the path's length */
static bool fits(const struct row *row, const struct http_url *url, size_t *failed)
{
    for (size_t i = 0; i < row->count; i++) {
        const struct part *part = &row->parts[i];

        *failed = i;
        if (part->kind == TAIL) {
            return true;
        }
        if (i >= url->segment_count) {
            return false;
        }
        const char *text = url->segments[i].name;
        if ((part->kind == LITERAL && strcmp(text, part->name) != 0) ||
            (part->kind == SUFFIXED && !suffix_fits(part, text)) ||
            (part->kind == VALUE && text[0] == 0)) {
            return false;
        }
    }
    *failed = row->count;
    return row->count == url->segment_count;
}

/* The rest of a path in one text. A slash within a segment would be taken for one between two:
 * refused before. */
static const char *join(struct http_exchange *x, size_t first)
{
    const char *text = "";

    for (size_t i = first; i < x->url.segment_count; i++) {
        text = http_join(x, text, i > first ? "/" : "", x->url.segments[i].name);
    }
    return text;
}

static void take_values(struct http_exchange *x, const struct row *row)
{
    for (size_t i = 0; i < row->count; i++) {
        const struct part *part = &row->parts[i];
        const char *text = i < x->url.segment_count ? x->url.segments[i].name : "";

        if (part->kind == LITERAL) {
            continue;
        }
        if (part->kind == SUFFIXED) {
            char *value = http_join(x, text, "", "");
            value[strlen(text) - part->suffix_size] = '\0';
            text = value;
        } else if (part->kind == TAIL) {
            text = join(x, i);
        }
        x->values[x->value_count++] = (struct http_pair){.name = part->name, .value = text};
    }
}

/* "GET, HEAD, OPTIONS": what the rows that fit allow. */
static const char *allow_text(struct http_exchange *x, unsigned methods)
{
    const char *text = "OPTIONS";

    methods |= methods & 1u << HTTP_GET ? 1u << HTTP_HEAD : 0;
    for (int method = HTTP_DELETE; method >= HTTP_GET; method--) {
        if (methods & 1u << method) {
            text = http_printf(x, "%s, %s", http_method_name((enum http_method)method), text);
        }
    }
    return text;
}

static void find_row(struct http_router *router, struct http_exchange *x)
{
    enum http_method wanted = x->method == HTTP_HEAD ? HTTP_GET : x->method;
    unsigned methods = 0;

    for (size_t i = 0, failed = 0; i < router->count;) {
        const struct row *row = &router->rows[i];

        if (!fits(row, &x->url, &failed)) {
            i = failed < row->count ? row->other[failed] : i + 1;
        } else {
            i++;
            methods |= 1u << row->route->method;
            if (row->route->method == wanted) {
                x->route = row->route;
                x->table = row->table;
                take_values(x, row);
                return;
            }
        }
    }
    if (methods == 0) {
        http_answer_not_found(x);
        return;
    }
    if (x->method == HTTP_OPTIONS) {
        http_answer_empty(x, 204);
    } else {
        http_answer_error(x, 405, REFUSAL_METHOD_NOT_ALLOWED, NULL,
                          VALUES({"method", x->method_name, 0}));
    }
    http_answer_header(x, "Allow", allow_text(x, methods));
}

/* --- The steps -------------------------------------------------------------------------------- */

static bool slash_inside(const struct http_url *url)
{
    for (size_t i = 0; i < url->segment_count; i++) {
        if (strchr(url->segments[i].name, '/') != NULL) {
            return true;
        }
    }
    return false;
}

/*
 * "http://host/path", which clients send who take us for a proxy, and any client may (RFC 9112,
 * 3.2.2). The host has to be that of the header: nobody on the way is to read another one than we do.
 */
static const char *drop_origin(struct http_exchange *x)
{
    const char *host = http_header(x, "Host"), *at = x->target;

    at += strncasecmp(at, "http://", 7) == 0 ? 7 : strncasecmp(at, "https://", 8) == 0 ? 8 : 0;
    if (at == x->target) {
        return NULL;
    }
    const size_t size = strcspn(at, "/?#");
    if (size == 0 || (host != NULL && (strlen(host) != size || strncasecmp(host, at, size) != 0))) {
        return "its host is not that of the header Host";
    }
    at += size;
    x->target = at[0] == '/' ? at : http_printf(x, "/%s", at);
    return NULL;
}

static bool read_target(struct http_exchange *x)
{
    const char *problem;

    if (strlen(x->target) > HTTP_TARGET_MAX) {
        http_answer_error(x, 414, REFUSAL_TARGET_TOO_LONG, NULL,
                          VALUES({"most", NULL, HTTP_TARGET_MAX}));
        return false;
    }
    problem = drop_origin(x);
    if (problem == NULL) {
        problem = http_url_parse(&x->url, x->target, http_alloc(x, http_url_memory(x->target)));
    }
    if (problem != NULL) {
        http_answer_error(x, 400, REFUSAL_BAD_ADDRESS, NULL, VALUES({"problem", problem, 0}));
        return false;
    }
    return true;
}

static void check_limits(struct http_exchange *x)
{
    const struct http_route *route = x->route;
    const char *coding = http_header(x, "Content-Encoding");

    if (route->access > HTTP_DEVICE && !(route->flags & HTTP_PLAIN) && !x->peer.tls &&
        !x->peer.loopback) {
        http_answer_error(x, 403, REFUSAL_HTTPS_REQUIRED, NULL, NULL);
    } else if (!x->framing.chunked && x->framing.size > route->body) {
        http_answer_error(x, 413, REFUSAL_BODY_TOO_LARGE, NULL,
                          VALUES({"most", NULL, (int64_t)route->body}));
    } else if (http_exchange_has_body(x) && coding != NULL && strcasecmp(coding, "identity") != 0) {
        http_answer_error(x, 415, REFUSAL_CONTENT_ENCODING, NULL, NULL);
    } else if (slash_inside(&x->url) && strstr(route->pattern, "...}") != NULL) {
        http_answer_error(x, 400, REFUSAL_BAD_ADDRESS_SLASH, NULL, NULL);
    }
}

void http_router_route(struct http_router *router, struct http_exchange *x)
{
    struct http_refusal refusal;

    x->router = router;
    x->phase = PHASE_ROUTED;
    if (!http_head_check(x->headers, x->header_count, x->minor, &x->framing, &refusal)) {
        http_answer_error(x, refusal.status, REFUSAL_BAD_REQUEST, NULL,
                          VALUES({"problem", refusal.text, 0}));
        http_answer_close(x);
        return;
    }
    if (x->method == HTTP_OPTIONS && strcmp(x->target, "*") == 0) {
        http_answer_empty(x, 204);
        http_answer_header(x, "Allow", allow_text(x, (1u << HTTP_OPTIONS) - 1));
        return;
    }
    if (read_target(x)) {
        find_row(router, x);
    }
    if (x->route != NULL) {
        check_limits(x);
    }
}

static bool same_text(const char *a, const char *b)
{
    size_t size = strlen(a);
    unsigned difference = size != strlen(b);

    for (size_t i = 0; !difference && i < size; i++) {
        difference |= (unsigned)(a[i] ^ b[i]) << 1;
    }
    return difference == 0;
}

/* A request that a browser sends by itself, with the cookie, because another site told it to. */
static bool forged(struct http_exchange *x)
{
    const char *given = http_header(x, "X-CSRF-Token");

    if (x->method == HTTP_GET || x->method == HTTP_HEAD || x->principal.csrf == NULL ||
        (x->route->flags & HTTP_NO_CSRF)) {
        return false;
    }
    return given == NULL || !same_text(x->principal.csrf, given);
}

static void identify(struct http_exchange *x)
{
    const struct http_credentials *given = http_credentials(x);

    if (x->router->guarded && x->route->access != HTTP_DEVICE &&
        (given->session != NULL || given->bearer != NULL || given->token != NULL ||
         given->user != NULL)) {
        x->router->guard.identify(x->router->guard.ctx, x, given, &x->principal);
    }
}

static enum http_verdict judge(struct http_exchange *x)
{
    const struct http_guard *guard = &x->router->guard;

    if (x->route->access <= HTTP_DEVICE) {
        return HTTP_ALLOW;
    }
    return x->router->guarded ? guard->allow(guard->ctx, x, x->route->access) : HTTP_LOGIN;
}

void http_router_admit(struct http_exchange *x)
{
    x->phase = PHASE_ADMITTED;
    if (http_answered(x)) {
        return;
    }
    identify(x);
    if (forged(x)) {
        http_answer_error(x, 403, REFUSAL_CSRF, NULL, NULL);
        return;
    }
    switch (judge(x)) {
    case HTTP_ALLOW:
        break;
    case HTTP_LOGIN:
        http_answer_error(x, 401, REFUSAL_LOG_IN, NULL, NULL);
        http_answer_header(x, "WWW-Authenticate", "Bearer");
        return;
    case HTTP_HIDE:
        http_answer_not_found(x);
        return;
    case HTTP_FORBID:
        http_answer_error(x, 403, REFUSAL_FORBIDDEN_ROLE, NULL, NULL);
        return;
    }
    if (x->route->stream != NULL) {
        x->stream_open = true;
        x->route->stream->open(x);
    }
}

static void collect(struct http_exchange *x, const void *bytes, size_t size)
{
    char *body = x->body;

    /* Twice as much each time, and never more than the row's limit: a slow sender of a large length
     * costs what he sent. */
    if (x->body_size == 0 || (x->body_size & (x->body_size - 1)) == 0 ||
        (x->body_size ^ (x->body_size + size)) > x->body_size) {
        size_t room = 1;
        while (room < x->body_size + size + 1) {
            room *= 2;
        }
        body = realloc(x->body_owned ? x->body : NULL, room);
        if (body == NULL) {
            http_answer_error(x, 503, REFUSAL_NO_MEMORY, NULL, NULL);
            return;
        }
    }
    x->body = body;
    x->body_owned = true;
    memcpy(body + x->body_size, bytes, size);
    x->body_size += size;
    body[x->body_size] = 0;
}

void http_router_take(struct http_exchange *x, const void *bytes, size_t size)
{
    x->body_seen += size;
    if (http_answered(x)) {
        return;
    }
    if (x->body_seen > x->route->body) {
        http_answer_error(x, 413, REFUSAL_BODY_TOO_LARGE, NULL,
                          VALUES({"most", NULL, (int64_t)x->route->body}));
    } else if (x->stream_open) {
        x->route->stream->take(x, bytes, size);
    } else {
        collect(x, bytes, size);
    }
}

void http_router_handle(struct http_exchange *x)
{
    x->phase = PHASE_HANDLED;
    if (http_answered(x)) {
        return;
    }
    x->route->handle(x);
    /* First whether it is held: as long as it is, the answer is somebody else's to write. */
    if (!x->held && !http_answered(x) && !x->deferred) {
        http_log("http: %s %s was not answered", x->method_name, x->route->pattern);
        http_answer_error(x, 500, REFUSAL_NOT_ANSWERED, NULL, NULL);
    }
}

bool http_router_waits(const struct http_exchange *x)
{
    return x->route != NULL && !(x->route->flags & (HTTP_INLINE | HTTP_BRIEF));
}

bool http_exchange_has_body(const struct http_exchange *x)
{
    return x->framing.chunked || x->framing.size > 0;
}

void http_router_release(struct http_exchange *x)
{
    if (x->principal.who != NULL && x->router->guarded && x->router->guard.release != NULL) {
        x->router->guard.release(x->router->guard.ctx, x->principal.who);
    }
    x->principal = (struct http_principal){0};
}

void http_router_run(struct http_router *router, struct http_exchange *x)
{
    http_router_route(router, x);
    http_router_admit(x);
    if (!http_answered(x) && x->route->stream != NULL) {
        http_router_take(x, x->body, x->body_size);
    }
    http_router_handle(x);
    http_answer_finish(x);
}
