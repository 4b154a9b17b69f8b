/*
 * HTTP as the rest of the server sees it. The library below it is known to server/http/ alone.
 *
 * A request and its answer are one exchange. A handler reads the request, describes the answer, and
 * returns; nothing is sent before. So a handler runs without a socket: http_exchange_make() takes a
 * request made by hand, http_router_run() or the handler itself answers it, http_answer_of() shows
 * the answer (http_test.h).
 *
 * Handlers come in tables of rows: method, pattern, who may call it, what body it takes. The row
 * says where the handler runs: on the thread that reads the sockets (it must not wait for a disk or
 * a lock that somebody holds while waiting for one), or on a worker.
 *
 * Texts of a request (path values, query, headers, body) belong to the exchange and live as long
 * as it. Everything is UTF-8 without NUL and control characters, or the request was refused before.
 */
#ifndef UPDRAFT_SERVER_HTTP_H
#define UPDRAFT_SERVER_HTTP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "text/refusal.h"

struct http_exchange;

/* --- The request ------------------------------------------------------------------------------ */

enum http_method {
    HTTP_GET, /* a GET row answers HEAD too: the same answer without its body */
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS, /* answered by the router */
};

/** The method of the request: HTTP_HEAD is told from HTTP_GET here, for handlers that must know. */
enum http_method http_method(const struct http_exchange *x);
/** Its name, such as "GET". */
const char *http_method_name(enum http_method method);

/** The path with its query as it came, percent-encoded: for logs and for caches. */
const char *http_target(const struct http_exchange *x);

/** The decoded value of {name} of the row's pattern. The name must be in the pattern. */
const char *http_path(const struct http_exchange *x, const char *name);

/**
 * The decoded value of a query parameter ('+' is a blank).
 *
 * @return NULL  not there. "" when it is there without a value. The first when it is there twice
 */
const char *http_query(const struct http_exchange *x, const char *name);
/** As http_query(), with '+' left as it is: for versions from clients that do not encode. */
const char *http_query_plus(const struct http_exchange *x, const char *name);
/** The query's parameters in order; false after the last. For those who refuse unknown ones. */
bool http_query_at(const struct http_exchange *x, size_t index, const char **name,
                   const char **value);
/**
 * A whole number of the query, decimal.
 *
 * @param value  set to `otherwise` when the parameter is absent
 * @return false  answered: 422, naming the parameter
 */
bool http_query_number(struct http_exchange *x, const char *name, int64_t min, int64_t max,
                       int64_t otherwise, int64_t *value);

/** A header's value without blanks around it; its name in any case. NULL when absent. */
const char *http_header(const struct http_exchange *x, const char *name);
/** The headers in order; false after the last. */
bool http_header_at(const struct http_exchange *x, size_t index, const char **name,
                    const char **value);

/** The collected body (never NULL, ends in a NUL that `size` does not count). */
const char *http_body(const struct http_exchange *x, size_t *size);

struct http_peer {
    char address[46]; /* as text; behind a configured proxy, the address that the proxy tells */
    uint16_t port;
    bool tls;        /* the client's connection is encrypted (up to a configured proxy) */
    bool loopback;   /* it comes from this machine */
    uint32_t number; /* of the connection since the start, for logs */
};
const struct http_peer *http_peer(const struct http_exchange *x);

/** This server as the client reached it, such as "https://updraft.local:8070". Never ends in '/'.
 */
const char *http_origin(struct http_exchange *x);

/** The context given with the row's table. */
void *http_context(const struct http_exchange *x);
/** The row that is being served; NULL before one was found. */
const struct http_route *http_route_of(const struct http_exchange *x);

/** Memory that lives as long as the exchange. Never NULL: out of memory ends the program. */
void *http_alloc(struct http_exchange *x, size_t size);
char *http_printf(struct http_exchange *x, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** The three texts in one, "" for none: for what every request needs, without the cost of a format. */
char *http_join(struct http_exchange *x, const char *a, const char *b, const char *c);

/* --- Who asks --------------------------------------------------------------------------------- */

/** Owned and read by fleet/access.c; http only carries it. */
struct http_principal {
    void *who;        /* NULL: nobody */
    const char *csrf; /* what X-CSRF-Token must say when the session's cookie was the credential */
    const char *name; /* for the log; NULL for none */
};
const struct http_principal *http_principal(const struct http_exchange *x);

/** What a request carries to say who it is. All NULL when nothing. */
struct http_credentials {
    const char *session;  /* value of the session's cookie */
    const char *bearer;   /* Authorization: Bearer … */
    const char *token;    /* Authorization: token … */
    const char *user;     /* Authorization: Basic …, decoded */
    const char *password; /* with user */
};
const struct http_credentials *http_credentials(struct http_exchange *x);

/** Who may call a route. What a role may see within it is the fleet's (access.c). */
enum http_access {
    HTTP_PUBLIC,        /* anybody; the handler asks for nothing */
    HTTP_DEVICE,        /* devices; the handler knows them by keys in query or headers */
    HTTP_USER,          /* anybody who is logged in */
    HTTP_OWNER,         /* an end user, of a device of his own */
    HTTP_VIEWER,        /* of the {product} or {device} of the path, or of any product */
    HTTP_OPERATOR,      /* … */
    HTTP_DEVELOPER,     /* … */
    HTTP_ADMINISTRATOR, /* of the server */
    HTTP_ACCESS_COUNT,
};

enum http_verdict {
    HTTP_ALLOW,
    HTTP_LOGIN,  /* 401: nobody is logged in, and somebody has to be */
    HTTP_HIDE,   /* 404, the same bytes as for what does not exist */
    HTTP_FORBID, /* 403: may see it, and not do this */
};

/** The fleet's part of access control. Both run where the row's handler runs. */
struct http_guard {
    /** Find who the credentials belong to. Unknown ones leave `principal` all zero. */
    void (*identify)(void *ctx, struct http_exchange *x, const struct http_credentials *credentials,
                     struct http_principal *principal);
    /** Whether the exchange's principal may call its row, whose access is not HTTP_PUBLIC or
     * HTTP_DEVICE. */
    enum http_verdict (*allow)(void *ctx, struct http_exchange *x, enum http_access access);
    /** Let go of principal->who; called once for each that is not NULL. */
    void (*release)(void *ctx, void *who);
    void *ctx;
};

/* --- Routes ----------------------------------------------------------------------------------- */

/** A body that is not collected but read as it comes. */
struct http_stream {
    /**
     * The headers are in, access is granted, the body is about to come. May answer, to refuse it.
     * What it needs later it puts where http_state() finds it.
     */
    void (*open)(struct http_exchange *x);
    /** Bytes of the body, in order; runs on the thread of the sockets. May answer: reading stops.
     */
    void (*take)(struct http_exchange *x, const void *bytes, size_t size);
    /** Always called once after open(): after the handler, or when it failed or the client left. */
    void (*close)(struct http_exchange *x);
};

/** Whether the handler of an HTTP_BRIEF row runs where it must not wait. */
bool http_must_not_wait(const struct http_exchange *x);
/** It would have to: the handler returns, and is run again. Only when http_must_not_wait(). */
void http_defer(struct http_exchange *x);

/** A pointer of the handler's own, for streams. */
void *http_state(const struct http_exchange *x);
void http_state_set(struct http_exchange *x, void *state);

enum {
    HTTP_INLINE = 1 << 0,  /* the handler never waits: it runs on the thread of the sockets */
    HTTP_PLAIN = 1 << 1,   /* plain HTTP from anywhere will do, although the access is a user's */
    HTTP_NO_CSRF = 1 << 2, /* no X-CSRF-Token: log-in, and nothing else */
    /**
     * The handler nearly never waits: it runs on the thread of the sockets, and where it would have
     * to wait it calls http_defer() and returns, to be run again from its beginning on a worker.
     * For rows of HTTP_PUBLIC and HTTP_DEVICE.
     */
    HTTP_BRIEF = 1 << 3
};

struct http_route {
    enum http_method method;
    /**
     * "/api/v1/products/{product}/images": segments are literal, {name} (one segment, not empty),
     * {name}.bin (one that ends so), or at the end {name...} (the rest, may be empty, has '/').
     * Of several patterns that fit, the one with the earlier literal wins; rows of different
     * methods with one pattern make up its Allow.
     */
    const char *pattern;
    enum http_access access;
    unsigned flags;
    uint64_t body; /* largest body in bytes; 0: one is refused (413) */
    void (*handle)(struct http_exchange *x);
    const struct http_stream *stream; /* NULL: the body is collected (body <= 16 MiB then) */
    const void *about;                /* the table's own, such as a schema row; NULL for none */
};

struct http_table {
    const struct http_route *routes;
    size_t count;
    void *context; /* http_context() of their handlers */
};

/** `{ HTTP_TABLE(routes), fleet }`: the first two members of a struct http_table */
#define HTTP_TABLE(rows) (rows), sizeof(rows) / sizeof((rows)[0])

/* --- The answer ------------------------------------------------------------------------------- */
/*
 * The last answer given counts. A handler that returns without one, and without http_hold(), is a
 * mistake of ours: 500. Headers that every answer has (Date, security headers, Content-Length,
 * Connection) are not the handler's.
 */

/** Copies the bytes. */
void http_answer(struct http_exchange *x, unsigned status, const char *type, const void *bytes,
                 size_t size);
/** The bytes are a constant, or live until the server has stopped: not copied. */
void http_answer_static(struct http_exchange *x, unsigned status, const char *type,
                        const void *bytes, size_t size);
/** text/plain; charset=utf-8 */
void http_answer_text(struct http_exchange *x, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** No body: 204, 304, or another status with Content-Length: 0. */
void http_answer_empty(struct http_exchange *x, unsigned status);
/** Takes over `value`, which must not be NULL; it is written in one line without blanks. */
void http_answer_json(struct http_exchange *x, unsigned status, json_t *value);
/**
 * {"error": {"code", "message", "field", "detail"}}: the one shape of errors of /api.
 *
 * @param refusal  its code and its sentence
 * @param field    name of the field or parameter to blame; NULL for none
 * @param values   what stands in the sentence, and in "detail"; NULL for nothing
 */
void http_answer_error(struct http_exchange *x, unsigned status, enum refusal refusal,
                       const char *field, const struct value *values);
/** The same of another table: its code, one clear sentence without line end, and what is to stand in
 *  "detail", which is taken over; NULL or empty for nothing. */
void http_answer_error_with(struct http_exchange *x, unsigned status, const char *code,
                            const char *field, json_t *detail, const char *message);
/** The 404 of everything that does not exist or must look so. */
void http_answer_not_found(struct http_exchange *x);
void http_answer_redirect(struct http_exchange *x, unsigned status, const char *location);

/**
 * Add a header to the answer, given before or after it. Values with control characters are refused:
 * the header is left out and the program logs it. Setting a name twice adds a second one.
 */
void http_answer_header(struct http_exchange *x, const char *name, const char *value);
/** The session's cookie: HttpOnly, SameSite=Strict, Secure on TLS. `value` NULL deletes it. */
void http_answer_session(struct http_exchange *x, const char *value, uint32_t lifetime_s);
/** The connection is closed after this answer. */
void http_answer_close(struct http_exchange *x);
/**
 * The header of this answer to GET is a multiple of 4 bytes long, by a header that nobody reads. So is
 * then what the last segment of a body of such a length carries: stock NONOS firmware reads the last
 * 4 bytes from one segment.
 */
void http_answer_aligned(struct http_exchange *x);
/** Whether an answer has been given. */
bool http_answered(const struct http_exchange *x);

/** A file, or a part of one, that goes out by sendfile. */
struct http_file {
    int fd;            /* taken over; -1 with `bytes` set, or where http_proxy_sends() an `accel` */
    const void *bytes; /* instead of fd: lives until the server has stopped */
    uint64_t offset;   /* of the first byte within fd */
    uint64_t size;     /* bytes of the representation */
    const char *type;  /* Content-Type */
    const char *etag;  /* without quotes, such as a SHA-256 in hex; NULL: none, then no If-Range */
    const char *filename; /* for Content-Disposition: attachment; NULL for none */
    const char
        *accel; /* path below the proxy's internal location, such as "ab/abcdef…"; NULL for none */
    /**
     * What became of it: the bytes [first, first + count) were the answer; `complete` when all of
     * them were handed to the client's connection (or to the proxy). Called exactly once, whatever
     * happens, so it may free ctx; count is 0 after HEAD, 304 and the like. On a thread of the
     * sockets: must not wait. NULL when nobody wants to know.
     */
    void (*sent)(void *ctx, uint64_t first, uint64_t count, bool complete);
    /**
     * About how far the client is, while it takes the file: the offset behind the last byte that its
     * system acknowledged. Now and then, before `sent`, on the ticker's thread: must not wait. NULL when
     * nobody wants to know.
     */
    void (*progress)(void *ctx, uint64_t offset);
    void *ctx;
};

/** Whether a proxy sends the files that have an `accel`: they need not be opened then. */
bool http_proxy_sends(const struct http_exchange *x);
/**
 * Answer with a file: 200, 206, 304, 412 or 416 as Range, If-Range, If-None-Match and If-Match of
 * the request say (RFC 9110). Several ranges at once are answered with the whole.
 */
void http_answer_file(struct http_exchange *x, const struct http_file *file);

/* --- Events ----------------------------------------------------------------------------------- */

struct http_event {
    uint64_t id;      /* 0: none is sent */
    const char *name; /* NULL for none */
    const char *data; /* may have lines; not NULL */
};

enum http_next {
    HTTP_EVENT, /* *event is filled; its texts live until the next call */
    HTTP_WAIT,  /* nothing now: call again after http_events_wake() */
    HTTP_END,   /* the stream ends; clients come again by themselves */
};

/**
 * A stream of server-sent events. It is asked for the next event whenever the client can take more:
 * nothing queues up for slow ones. A comment goes out every 15 s while there is nothing.
 */
struct http_events {
    /** On a thread of the sockets: must not wait. */
    enum http_next (*next)(void *ctx, struct http_event *event);
    /** Always called once, when the client or the server ends it. After it no wake may come. */
    void (*close)(void *ctx);
    void *ctx;
};

struct http_events_handle;

/**
 * Answer with events.
 *
 * @return a handle for http_events_wake(); valid until close() returns
 */
struct http_events_handle *http_answer_events(struct http_exchange *x,
                                              const struct http_events *events);
/** There is something new; from any thread, cheap, never calls next() itself. */
void http_events_wake(struct http_events_handle *handle);
/** Last-Event-ID of the request: true and the number, or false when absent or not one of ours. */
bool http_last_event(const struct http_exchange *x, uint64_t *id);

/* --- Answers that wait ------------------------------------------------------------------------ */

/**
 * Return from the handler without an answer; some thread gives it later and then calls
 * http_release(). Between the two the exchange belongs to whoever holds it.
 *
 * @param cancel  called from another thread when the server stops or `timeout_ms` is over: must
 *                see to it that http_release() is called soon (an answer that nobody gave is a
 *                503, or a 504 after the timeout). May be called while http_release() runs.
 */
void http_hold(struct http_exchange *x, uint32_t timeout_ms,
               void (*cancel)(struct http_exchange *x, void *ctx), void *ctx);
void http_release(struct http_exchange *x);

/* --- JSON ------------------------------------------------------------------------------------- */

enum http_kind {
    HTTP_TEXT,   /* const char *; min and max count characters; control characters are refused */
    HTTP_LINES,  /* as HTTP_TEXT, line ends and tabs allowed */
    HTTP_BOOL,   /* bool */
    HTTP_NUMBER, /* int64_t, min <= value <= max */
    HTTP_CHOICE, /* const char *: one of `choices` */
    HTTP_DIGEST, /* const char *: 64 hexadecimal digits, lower case */
    HTTP_OBJECT, /* json_t *, borrowed */
    HTTP_ARRAY,  /* json_t *, borrowed */
};

/** A field of a JSON object; ended by a row of NULLs. */
struct http_field {
    const char *name;
    enum http_kind kind;
    bool required;
    bool nullable;              /* null is as absent, but `given` is set */
    int64_t min, max;           /* max 0: no limit */
    const char *const *choices; /* HTTP_CHOICE: NULL-terminated */
    size_t at;                  /* offset of the value in the caller's struct */
    size_t given;               /* offset of a bool: the field was there; 0 for none */
    const char *help;           /* a phrase, for openapi.json */
};

/** The rows of a body and the size of the struct that they fill. */
struct http_schema {
    const char *name; /* "Release": as in openapi.json */
    const struct http_field *fields;
};

/**
 * Read the body as one JSON object into a struct.
 *
 * @param into  all zero; texts in it belong to the exchange
 * @return false  answered: 415 not JSON by its Content-Type, 400 not JSON (with line and column),
 *                422 a field is unknown, twice, missing, or not what its row says (named)
 */
bool http_read_json(struct http_exchange *x, const struct http_field *fields, void *into);
/** The same for an object within a body; `path` goes before the field's name in messages. */
bool http_read_object(struct http_exchange *x, const json_t *object, const char *path,
                      const struct http_field *fields, void *into);

#endif
