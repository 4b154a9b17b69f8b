#include "http/exchange.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct http_block {
    struct http_block *next;
    _Alignas(max_align_t) char bytes[];
};

void (*http_log_line)(const char *line);

void http_log(const char *format, ...)
{
    char line[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (http_log_line != NULL) {
        http_log_line(line);
    } else {
        fprintf(stderr, "%s\n", line);
    }
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void *must(void *memory)
{
    if (memory == NULL) {
        fputs("updraftd: out of memory\n", stderr);
        abort();
    }
    return memory;
}

struct http_exchange *http_exchange_new(void)
{
    struct http_exchange *x = must(malloc(sizeof *x));

    /* The last kilobyte is memory for texts, the tables are guarded by their counts: zeroing both
     * would cost more than most requests. */
    memset(x, 0, offsetof(struct http_exchange, url));
    x->url.segment_count = x->url.parameter_count = x->header_count = 0;
    memset(&x->minor, 0,
           offsetof(struct http_exchange, first_block) - offsetof(struct http_exchange, minor));
    x->free_at = x->first_block;
    x->free_size = sizeof x->first_block;
    return x;
}

void *http_alloc(struct http_exchange *x, size_t size)
{
    char *memory;

    size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (size > x->free_size) {
        /* Large pieces get a block of their own, small ones share one. */
        size_t room = size > 2048 ? size : 4096;
        struct http_block *block = must(malloc(sizeof *block + room));

        block->next = x->blocks;
        x->blocks = block;
        if (size > 2048) {
            return block->bytes;
        }
        x->free_at = block->bytes;
        x->free_size = room;
    }
    memory = x->free_at;
    x->free_at += size;
    x->free_size -= size;
    return memory;
}

static char *print(struct http_exchange *x, const char *format, va_list arguments)
    __attribute__((nonnull));

static char *print(struct http_exchange *x, const char *format, va_list arguments)
{
    /* Where the next piece of memory begins: most texts fit there, and are written once. */
    char *const at = x->free_at;
    va_list again;
    va_copy(again, arguments);
    const size_t size = (size_t)vsnprintf(at, x->free_size, format, again) + 1;
    va_end(again);
    char *text = http_alloc(x, size);

    if (text != at) {
        vsnprintf(text, size, format, arguments);
    }
    return text;
}

char *http_printf(struct http_exchange *x, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = print(x, format, arguments);
    va_end(arguments);
    return text;
}

char *http_join(struct http_exchange *x, const char *a, const char *b, const char *c)
{
    const size_t sizes[] = {strlen(a), strlen(b), strlen(c)};
    char *text = http_alloc(x, sizes[0] + sizes[1] + sizes[2] + 1);

    memcpy(text, a, sizes[0]);
    memcpy(text + sizes[0], b, sizes[1]);
    memcpy(text + sizes[0] + sizes[1], c, sizes[2] + 1);
    return text;
}

static char *keep(struct http_exchange *x, const void *bytes, size_t size)
{
    char *copy = http_alloc(x, size + 1);

    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    copy[size] = 0;
    return copy;
}

/* --- The request ------------------------------------------------------------------------------ */

enum http_method http_method(const struct http_exchange *x)
{
    return x->method;
}

const char *http_method_name(enum http_method method)
{
    static const char *const names[] = {
        [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
        [HTTP_PUT] = "PUT",         [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
        [HTTP_OPTIONS] = "OPTIONS",
    };
    return names[method];
}

const char *http_target(const struct http_exchange *x)
{
    return x->target;
}

const char *http_path(const struct http_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->value_count; i++) {
        if (strcmp(x->values[i].name, name) == 0) {
            return x->values[i].value;
        }
    }
    http_log("http: %s has no {%s}", x->route != NULL ? x->route->pattern : "no row", name);
    return "";
}

static const struct http_pair *parameter(const struct http_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->url.parameter_count; i++) {
        if (strcmp(x->url.parameters[i].name, name) == 0) {
            return &x->url.parameters[i];
        }
    }
    return NULL;
}

const char *http_query(const struct http_exchange *x, const char *name)
{
    const struct http_pair *found = parameter(x, name);
    return found != NULL ? found->value : NULL;
}

const char *http_query_plus(const struct http_exchange *x, const char *name)
{
    const struct http_pair *found = parameter(x, name);
    return found != NULL ? found->plus : NULL;
}

bool http_query_at(const struct http_exchange *x, size_t index, const char **name,
                   const char **value)
{
    if (index >= x->url.parameter_count) {
        return false;
    }
    *name = x->url.parameters[index].name;
    *value = x->url.parameters[index].value;
    return true;
}

bool http_query_number(struct http_exchange *x, const char *name, int64_t min, int64_t max,
                       int64_t otherwise, int64_t *value)
{
    const char *text = http_query(x, name);
    char *end;

    *value = otherwise;
    if (text == NULL) {
        return true;
    }
    errno = 0;
    long long number = strtoll(text, &end, 10);
    bool plain =
        (text[0] >= '0' && text[0] <= '9') || (text[0] == '-' && text[1] >= '0' && text[1] <= '9');
    if (!plain || *end != 0 || errno != 0 || number < min || number > max) {
        http_answer_error(
            x, 422, REFUSAL_BAD_VALUE, name,
            VALUES({"parameter", name, 0}, {"least", NULL, min}, {"most", NULL, max}));
        return false;
    }
    *value = number;
    return true;
}

const char *http_header(const struct http_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->header_count; i++) {
        if (http_same_name(x->headers[i].name, name)) {
            return x->headers[i].value;
        }
    }
    return NULL;
}

bool http_header_at(const struct http_exchange *x, size_t index, const char **name,
                    const char **value)
{
    if (index >= x->header_count) {
        return false;
    }
    *name = x->headers[index].name;
    *value = x->headers[index].value;
    return true;
}

const char *http_body(const struct http_exchange *x, size_t *size)
{
    *size = x->body_size;
    return x->body != NULL ? x->body : "";
}

const struct http_peer *http_peer(const struct http_exchange *x)
{
    return &x->peer;
}

const char *http_origin(struct http_exchange *x)
{
    const char *host = x->proxied ? http_header(x, "X-Forwarded-Host") : NULL;

    if (host == NULL || !http_host_ok(host)) {
        host = http_header(x, "Host");
    }
    if (host == NULL || host[0] == 0) {
        host = "localhost";
    }
    return http_printf(x, "%s://%s", x->peer.tls ? "https" : "http", host);
}

void *http_context(const struct http_exchange *x)
{
    return x->table != NULL ? x->table->context : NULL;
}

const struct http_route *http_route_of(const struct http_exchange *x)
{
    return x->route;
}

const struct http_principal *http_principal(const struct http_exchange *x)
{
    return &x->principal;
}

void *http_state(const struct http_exchange *x)
{
    return x->state;
}

bool http_must_not_wait(const struct http_exchange *x)
{
    return x->brief;
}

void http_defer(struct http_exchange *x)
{
    x->deferred = true;
}

void http_state_set(struct http_exchange *x, void *state)
{
    x->state = state;
}

bool http_last_event(const struct http_exchange *x, uint64_t *id)
{
    const char *text = http_header(x, "Last-Event-ID");
    char *end;

    if (text == NULL || text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (*end != 0 || errno != 0) {
        return false;
    }
    *id = number;
    return true;
}

/* --- Credentials ------------------------------------------------------------------------------ */

/* The value of a cookie; the first when a client sends two. */
static const char *cookie(struct http_exchange *x, const char *name)
{
    size_t name_size = strlen(name);

    for (size_t i = 0; i < x->header_count; i++) {
        if (strcasecmp(x->headers[i].name, "Cookie") != 0) {
            continue;
        }
        for (const char *at = x->headers[i].value; at != NULL;) {
            at += strspn(at, " ;");
            if (strncmp(at, name, name_size) == 0 && at[name_size] == '=') {
                at += name_size + 1;
                return keep(x, at, strcspn(at, "; "));
            }
            at = strchr(at, ';');
        }
    }
    return NULL;
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != 0 ? strchr(digits, c) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

/* "user:password" in base64. What is not that leaves both NULL. */
static void read_basic(struct http_exchange *x, const char *text)
{
    char *plain = http_alloc(x, strlen(text) + 1);
    size_t size = 0;
    unsigned bits = 0;
    unsigned count = 0;

    for (; *text != 0 && *text != '='; text++) {
        int value = base64_digit(*text);
        if (value < 0) {
            return;
        }
        bits = bits << 6 | (unsigned)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            plain[size++] = (char)(bits >> count);
        }
    }
    plain[size] = 0;
    char *colon = memchr(plain, ':', size);
    if (colon == NULL || !http_text_ok(plain, size, false)) {
        return;
    }
    *colon = 0;
    x->credentials.user = plain;
    x->credentials.password = colon + 1;
}

const struct http_credentials *http_credentials(struct http_exchange *x)
{
    static const struct {
        const char *scheme;
        size_t at;
    } schemes[] = {
        {"Bearer ", offsetof(struct http_credentials, bearer)},
        {"token ", offsetof(struct http_credentials, token)},
    };
    const char *header;

    if (x->credentials_read) {
        return &x->credentials;
    }
    x->credentials_read = true;
    x->credentials.session = cookie(x, HTTP_SESSION_COOKIE);
    header = http_header(x, "Authorization");
    if (header == NULL) {
        return &x->credentials;
    }
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t size = strlen(schemes[i].scheme);
        if (strncasecmp(header, schemes[i].scheme, size) == 0) {
            const char *text = header + size + strspn(header + size, " ");
            void *at = (char *)&x->credentials + schemes[i].at;
            *(const char **)at = text;
        }
    }
    if (strncasecmp(header, "Basic ", 6) == 0) {
        read_basic(x, header + 6 + strspn(header + 6, " "));
    }
    return &x->credentials;
}

/* --- The answer ------------------------------------------------------------------------------- */

/* An answer that is replaced lets go of what it holds. */
static void drop(struct http_exchange *x)
{
    struct http_answer *answer = &x->answer;

    if (answer->kind == ANSWER_FILE && answer->file.fd >= 0) {
        close(answer->file.fd);
    }
    if (answer->sent != NULL) {
        bool whole = answer->kind == ANSWER_FILE && x->sent_whole;
        answer->sent(answer->sent_ctx, answer->first, whole ? answer->count : 0, whole);
        answer->sent = NULL;
    }
    if (answer->kind == ANSWER_EVENTS && answer->events.close != NULL) {
        answer->events.close(answer->events.ctx);
    }
    answer->kind = ANSWER_NONE;
    answer->type = NULL;
    answer->size = 0;
    answer->constant = false;
}

bool http_answered(const struct http_exchange *x)
{
    return x->answer.kind != ANSWER_NONE;
}

void http_answer_static(struct http_exchange *x, unsigned status, const char *type,
                        const void *bytes, size_t size)
{
    drop(x);
    x->answer.kind = ANSWER_BYTES;
    x->answer.status = status;
    x->answer.type = type;
    x->answer.bytes = bytes;
    x->answer.size = size;
    x->answer.constant = true;
}

void http_answer(struct http_exchange *x, unsigned status, const char *type, const void *bytes,
                 size_t size)
{
    http_answer_static(x, status, type != NULL ? keep(x, type, strlen(type)) : NULL,
                       keep(x, bytes, size), size);
    x->answer.constant = false;
}

void http_answer_text(struct http_exchange *x, unsigned status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = print(x, format, arguments);
    va_end(arguments);
    http_answer_static(x, status, "text/plain; charset=utf-8", text, strlen(text));
    x->answer.constant = false;
}

void http_answer_empty(struct http_exchange *x, unsigned status)
{
    http_answer_static(x, status, NULL, "", 0);
}

void http_answer_json(struct http_exchange *x, unsigned status, json_t *value)
{
    size_t size = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
    char *text = http_alloc(x, size + 1);

    json_dumpb(value, text, size, JSON_COMPACT | JSON_ENCODE_ANY);
    text[size] = 0;
    json_decref(value);
    http_answer_static(x, status, "application/json", text, size);
    x->answer.constant = false;
}

void http_answer_error_with(struct http_exchange *x, unsigned status, const char *code,
                            const char *field, json_t *detail, const char *message)
{
    json_t *error = json_object();

    json_object_set_new(error, "code", json_string(code));
    /* Not text: it quotes bytes of a client. */
    json_t *text = json_string(message);
    json_object_set_new(error, "message",
                        text != NULL ? text : json_string("The request is not text."));
    if (field != NULL) {
        json_object_set_new(error, "field", json_string(field));
    }
    if (json_object_size(detail) != 0) {
        json_object_set(error, "detail", detail);
    }
    json_decref(detail);
    http_answer_json(x, status, json_pack("{s:o}", "error", error));
}

void http_answer_error(struct http_exchange *x, unsigned status, enum refusal refusal,
                       const char *field, const struct value *values)
{
    enum { MESSAGE_SIZE = 512 };
    const char *sentence = refusal_sentence(refusal);
    char message[MESSAGE_SIZE], detail[DETAIL_SIZE];

    sentence_write(message, sizeof message, sentence, values);
    sentence_detail(detail, sizeof detail, sentence, values);
    http_answer_error_with(x, status, refusal_code(refusal), field, json_loads(detail, 0, NULL),
                           message);
}

void http_answer_not_found(struct http_exchange *x)
{
    http_answer_error(x, 404, REFUSAL_NOT_FOUND, NULL, NULL);
}

void http_answer_redirect(struct http_exchange *x, unsigned status, const char *location)
{
    http_answer_empty(x, status);
    http_answer_header(x, "Location", location);
}

void http_answer_header(struct http_exchange *x, const char *name, const char *value)
{
    struct http_answer *answer = &x->answer;

    for (const char *at = value; *at != 0; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7F) {
            http_log("http: %s: the answer's %s has a control character and is left out", x->target,
                     name);
            return;
        }
    }
    if (answer->header_count == HTTP_ANSWER_HEADERS_MAX) {
        http_log("http: %s: the answer has too many headers", x->target);
        return;
    }
    answer->headers[answer->header_count++] = (struct http_pair){
        .name = keep(x, name, strlen(name)), .value = keep(x, value, strlen(value))};
}

const char *http_answer_header_of(const struct http_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->answer.header_count; i++) {
        if (strcasecmp(x->answer.headers[i].name, name) == 0) {
            return x->answer.headers[i].value;
        }
    }
    return NULL;
}

void http_answer_session(struct http_exchange *x, const char *value, uint32_t lifetime_s)
{
    x->answer.session_set = true;
    x->answer.session = value != NULL ? keep(x, value, strlen(value)) : NULL;
    x->answer.session_s = lifetime_s;
}

void http_answer_close(struct http_exchange *x)
{
    x->answer.close = true;
}

void http_answer_aligned(struct http_exchange *x)
{
    x->answer.aligned = true;
}

/* Names beyond ASCII go in the extended form (RFC 8187), which those who know only the plain one
 * skip. */
static void add_disposition(struct http_exchange *x, const struct http_file *file)
{
    char *plain, *extended;
    size_t size;

    if (file->filename == NULL) {
        return;
    }
    size = strlen(file->filename);
    plain = http_alloc(x, size + 1);
    extended = http_alloc(x, 3 * size + 1);
    char *to = extended;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)file->filename[i];
        bool safe = isalnum(c) || strchr("-._", c) != NULL;

        plain[i] = (char)(safe || (c == ' ' && i > 0) ? c : '_');
        to += sprintf(to, safe ? "%c" : "%%%02X", c);
    }
    plain[size] = 0;
    *to = 0;
    http_answer_header(
        x, "Content-Disposition",
        http_printf(x, "attachment; filename=\"%s\"; filename*=UTF-8''%s", plain, extended));
}

bool http_proxy_sends(const struct http_exchange *x)
{
    return x->accel != NULL;
}

/* The proxy sends the file itself, and decides on ranges: it has the whole, and tells nobody what
 * became of it. */
static void answer_accel(struct http_exchange *x, const struct http_file *file)
{
    if (file->fd >= 0) {
        close(file->fd);
    }
    http_answer_empty(x, 200);
    x->answer.type = file->type;
    http_answer_header(x, "X-Accel-Redirect", http_join(x, x->accel, file->accel, ""));
    add_disposition(x, file);
    if (file->sent != NULL) {
        file->sent(file->ctx, 0, file->size, true);
    }
}

void http_answer_file(struct http_exchange *x, const struct http_file *file)
{
    struct http_answer *answer = &x->answer;
    bool get = x->method == HTTP_GET || x->method == HTTP_HEAD;
    struct http_conditions conditions = {
        .range = x->method == HTTP_GET ? http_header(x, "Range") : NULL,
        .if_range = http_header(x, "If-Range"),
        .if_match = http_header(x, "If-Match"),
        .if_none_match = http_header(x, "If-None-Match"),
        .get = get,
    };
    struct http_part part = http_part_decide(&conditions, file->etag, file->size);

    drop(x);
    if (http_proxy_sends(x) && file->accel != NULL) {
        answer_accel(x, file);
        return;
    }
    if (part.status == 200 || part.status == 206) {
        answer->kind = ANSWER_FILE;
        answer->status = part.status;
        answer->type = file->type;
        answer->file = *file;
        answer->first = part.first;
        answer->count = part.count;
    } else {
        http_answer_empty(x, part.status);
        if (file->fd >= 0) {
            close(file->fd);
        }
    }
    answer->sent = file->sent;
    answer->sent_ctx = file->ctx;
    http_answer_header(x, "Accept-Ranges", "bytes");
    if (file->etag != NULL) {
        http_answer_header(x, "ETag", http_join(x, "\"", file->etag, "\""));
    }
    if (answer->kind == ANSWER_FILE) {
        add_disposition(x, file);
    }
    if (part.status == 206) {
        http_answer_header(x, "Content-Range",
                           http_printf(x, "bytes %llu-%llu/%llu", (unsigned long long)part.first,
                                       (unsigned long long)(part.first + part.count - 1),
                                       (unsigned long long)file->size));
    } else if (part.status == 416) {
        http_answer_header(x, "Content-Range",
                           http_printf(x, "bytes */%llu", (unsigned long long)file->size));
    }
}

struct http_events_handle *http_answer_events(struct http_exchange *x,
                                              const struct http_events *events)
{
    drop(x);
    x->answer.kind = ANSWER_EVENTS;
    x->answer.status = 200;
    x->answer.type = "text/event-stream";
    x->answer.events = *events;
    x->answer.stream = http_alloc(x, sizeof *x->answer.stream);
    x->answer.stream->x = x;
    http_answer_header(x, "Cache-Control", "no-store");
    /* A proxy that collects answers would hold the events back. */
    http_answer_header(x, "X-Accel-Buffering", "no");
    return x->answer.stream;
}

void http_events_wake(struct http_events_handle *handle)
{
    if (handle->x->on_wake != NULL) {
        handle->x->on_wake(handle->x);
    }
}

void http_hold(struct http_exchange *x, uint32_t timeout_ms,
               void (*cancel)(struct http_exchange *x, void *ctx), void *ctx)
{
    x->held = true;
    x->cancel = cancel;
    x->cancel_ctx = ctx;
    if (x->on_hold != NULL) {
        x->on_hold(x, timeout_ms);
    }
}

void http_release(struct http_exchange *x)
{
    if (x->on_release != NULL) {
        x->on_release(x);
    } else {
        x->held = false;
    }
}

static void add_once(struct http_exchange *x, const char *name, const char *value)
{
    if (http_answer_header_of(x, name) == NULL) {
        http_answer_header(x, name, value);
    }
}

void http_answer_finish(struct http_exchange *x)
{
    struct http_answer *answer = &x->answer;

    if (answer->type != NULL) {
        add_once(x, "Content-Type", answer->type);
    }
    if (answer->session_set) {
        bool set = answer->session != NULL;
        http_answer_header(x, "Set-Cookie",
                           http_printf(x, "%s=%s; Path=/; Max-Age=%u; HttpOnly; SameSite=Strict%s",
                                       HTTP_SESSION_COOKIE, set ? answer->session : "",
                                       set ? answer->session_s : 0, x->peer.tls ? "; Secure" : ""));
    }
    if (x->route != NULL && x->route->access == HTTP_DEVICE) {
        /* Devices have small buffers for headers, and no use for those of browsers. */
        return;
    }
    add_once(x, "X-Content-Type-Options", "nosniff");
    add_once(x, "Referrer-Policy", "no-referrer");
    add_once(x, "X-Frame-Options", "DENY");
    add_once(x, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    add_once(x, "Cache-Control", "no-store");
}

/* --- Made by hand ----------------------------------------------------------------------------- */

static const char *trimmed(struct http_exchange *x, const char *text)
{
    size_t size;

    text += strspn(text, " \t");
    for (size = strlen(text); size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t');) {
        size--;
    }
    return keep(x, text, size);
}

struct http_exchange *http_exchange_make(const struct http_made *made)
{
    struct http_exchange *x = http_exchange_new();
    bool has_host = false;

    x->method = made->method;
    x->method_name = http_method_name(made->method);
    x->target = keep(x, made->target, strlen(made->target));
    x->minor = 1;
    x->peer = (struct http_peer){.tls = !made->plain, .loopback = !made->remote, .port = 40000};
    strcpy(x->peer.address, made->remote ? "192.0.2.7" : "127.0.0.1");
    for (const char *const *at = made->headers; at != NULL && *at != NULL; at++) {
        const char *colon = strchr(*at, ':');
        if (x->header_count < HTTP_HEADERS_MAX) {
            struct http_pair *header = &x->headers[x->header_count++];
            header->name = keep(x, *at, colon != NULL ? (size_t)(colon - *at) : strlen(*at));
            header->value = trimmed(x, colon != NULL ? colon + 1 : "");
            has_host = has_host || strcasecmp(header->name, "Host") == 0;
        }
    }
    if (!has_host && x->header_count < HTTP_HEADERS_MAX) {
        x->headers[x->header_count++] = (struct http_pair){.name = "Host", .value = "updraft.test"};
    }
    if (made->size > 0 && http_header(x, "Content-Length") == NULL &&
        x->header_count < HTTP_HEADERS_MAX) {
        x->headers[x->header_count++] = (struct http_pair){
            .name = "Content-Length", .value = http_printf(x, "%zu", made->size)};
    }
    x->body = keep(x, made->body, made->size);
    x->body_size = made->size;
    return x;
}

/* The events that are there, as they would go over the wire. */
static void show_events(struct http_exchange *x, struct http_shown *shown)
{
    struct http_event event = {0};
    char *text = NULL;

    while (x->answer.events.next(x->answer.events.ctx, &event) == HTTP_EVENT) {
        size_t size = http_event_write(&event, NULL, 0);
        text = must(realloc(text, shown->size + size + 1));
        http_event_write(&event, text + shown->size, size + 1);
        shown->size += size;
        event = (struct http_event){0};
    }
    shown->body = keep(x, text, shown->size);
    free(text);
}

static void show_file(struct http_exchange *x, struct http_shown *shown)
{
    const struct http_answer *answer = &x->answer;
    char *bytes = http_alloc(x, answer->count + 1);

    if (answer->file.fd < 0) {
        memcpy(bytes, (const char *)answer->file.bytes + answer->first, answer->count);
        shown->size = answer->count;
    } else {
        ssize_t got = pread(answer->file.fd, bytes, answer->count,
                            (off_t)(answer->file.offset + answer->first));
        shown->size = got > 0 ? (size_t)got : 0;
    }
    bytes[shown->size] = 0;
    shown->body = bytes;
}

void http_answer_of(struct http_exchange *x, struct http_shown *shown)
{
    *shown = (struct http_shown){.status = x->answer.status, .body = ""};
    switch (x->answer.kind) {
    case ANSWER_NONE:
        break;
    case ANSWER_BYTES:
        shown->body = x->answer.bytes;
        shown->size = x->answer.size;
        break;
    case ANSWER_FILE:
        show_file(x, shown);
        break;
    case ANSWER_EVENTS:
        show_events(x, shown);
        break;
    }
    if (x->method == HTTP_HEAD) {
        shown->body = "";
        shown->size = 0;
    }
}

void http_exchange_free(struct http_exchange *x)
{
    if (x->stream_open) {
        x->stream_open = false;
        x->route->stream->close(x);
    }
    drop(x);
    if (x->principal.who != NULL && x->router != NULL) {
        http_router_release(x);
    }
    if (x->on_end != NULL) {
        x->on_end(x);
    }
    json_decref(x->json);
    if (x->body_owned) {
        free(x->body);
    }
    while (x->blocks != NULL) {
        struct http_block *block = x->blocks;
        x->blocks = block->next;
        free(block);
    }
    free(x);
}
