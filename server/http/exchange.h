/* What an exchange is made of: for server/http/ alone. */
#ifndef UPDRAFT_SERVER_HTTP_EXCHANGE_H
#define UPDRAFT_SERVER_HTTP_EXCHANGE_H

#include <stdatomic.h>

#include "http/head.h"
#include "http/http_test.h"
#include "http/range.h"
#include "http/url.h"

enum { HTTP_VALUES_MAX = 8, HTTP_ANSWER_HEADERS_MAX = 24 };

enum http_answer_kind {
    ANSWER_NONE,
    ANSWER_BYTES,  /* belong to the exchange, or are constants */
    ANSWER_FILE,   /* `file`, of which `part` goes out */
    ANSWER_EVENTS, /* `events` */
};

struct http_answer {
    enum http_answer_kind kind;
    unsigned status;
    const char *type; /* NULL for none */
    const void *bytes;
    size_t size;
    bool constant; /* bytes outlive the exchange */
    struct http_file file;
    uint64_t first, count; /* of the file */
    /* What was asked to be told, also when the answer became another one. */
    void (*sent)(void *ctx, uint64_t first, uint64_t count, bool complete);
    void *sent_ctx;
    struct http_events events;
    struct http_events_handle *stream;
    bool close;
    bool aligned; /* the header's length is a multiple of 4 */
    bool session_set;
    const char *session; /* NULL: the cookie is deleted */
    uint32_t session_s;
    struct http_pair headers[HTTP_ANSWER_HEADERS_MAX];
    size_t header_count;
};

struct http_block;

/** How far the router is. Each step is skipped when an answer is there already. */
enum http_phase {
    PHASE_NEW,
    PHASE_ROUTED,   /* the row is known, the body is wanted */
    PHASE_ADMITTED, /* whoever asks may; a stream is open */
    PHASE_HANDLED,
};

struct http_exchange {
    /* The request. */
    const char *method_name;
    const char *target;
    struct http_url url;
    struct http_pair headers[HTTP_HEADERS_MAX];
    size_t header_count;
    int minor; /* of HTTP/1.minor */
    struct http_framing framing;
    struct http_peer peer;
    const char *accel; /* the proxy's internal location; NULL: none */
    bool proxied;      /* the peer is what a configured proxy says */
    char *body;
    bool body_owned; /* by malloc */
    size_t body_size;
    uint64_t body_seen;
    enum http_method method;

    /* What the router found. */
    enum http_phase phase;
    struct http_router *router;
    const struct http_table *table;
    const struct http_route *route;
    struct http_pair values[HTTP_VALUES_MAX];
    size_t value_count;
    struct http_credentials credentials;
    bool credentials_read;
    struct http_principal principal;
    void *state;
    json_t *json; /* the body, when it was read as JSON */
    bool stream_open;

    struct http_answer answer;
    /* Somebody else will answer. When it becomes false again, by whichever thread, the answer is there. */
    atomic_bool held;
    bool brief, deferred; /* runs where it must not wait; and has said that it would */
    bool sent_whole;      /* the client has all of the answer's body */

    /* Set while the exchange has a connection. */
    void (*on_release)(struct http_exchange *x);
    void (*on_hold)(struct http_exchange *x, uint32_t timeout_ms);
    void (*on_wake)(struct http_exchange *x);
    void (*on_end)(struct http_exchange *x); /* nobody knows the exchange any more */
    void (*cancel)(struct http_exchange *x, void *ctx);
    void *cancel_ctx;
    void *live;

    struct http_block *blocks;
    char *free_at;
    size_t free_size;
    char first_block[1024];
};

/** A stream's handle is its exchange; the type is for those outside. */
struct http_events_handle {
    struct http_exchange *x;
};

/** A new exchange; ends the program when there is no memory. */
struct http_exchange *http_exchange_new(void);

/** PHASE_NEW to PHASE_ROUTED: target, headers and framing are checked, the row is found. Never
 * waits. */
void http_router_route(struct http_router *router, struct http_exchange *x);
/** To PHASE_ADMITTED: who asks, may he, is it forged; opens the row's stream. Where the row says.
 */
void http_router_admit(struct http_exchange *x);
/** A piece of the body. Never waits. */
void http_router_take(struct http_exchange *x, const void *bytes, size_t size);
/** To PHASE_HANDLED: the handler. Where the row says. */
void http_router_handle(struct http_exchange *x);

/** Let go of the principal. */
void http_router_release(struct http_exchange *x);

/** Whether the row's own code may wait, so that admit and handle belong on a worker. */
bool http_router_waits(const struct http_exchange *x);
/** Whether the request has a body that is wanted. */
bool http_exchange_has_body(const struct http_exchange *x);

/** Headers that go out with every answer, after the handler's own. Called once, at the end. */
void http_answer_finish(struct http_exchange *x);

/**
 * Write an event as it goes over the wire.
 *
 * @return bytes; more than `size` when it did not fit (then nothing useful was written)
 */
size_t http_event_write(const struct http_event *event, char *text, size_t size);

/** The name of the session's cookie. */
#define HTTP_SESSION_COOKIE "updraft_session"

/** One line about what went wrong within the server; standard error, or what the program set. */
void http_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern void (*http_log_line)(const char *line);

#endif
