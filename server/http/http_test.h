/* Exchanges made by hand: routes and handlers without a socket, for unit tests and fuzzers. */
#ifndef UPDRAFT_SERVER_HTTP_TEST_H
#define UPDRAFT_SERVER_HTTP_TEST_H

#include "http.h"

/** A request as a client would say it. */
struct http_made {
    enum http_method method;
    const char *target;         /* "/update/k1?x=1", percent-encoded */
    const char *const *headers; /* "name: value", NULL-terminated; NULL for none */
    const void *body;
    size_t size;
    bool plain;  /* came by plain HTTP, not TLS */
    bool remote; /* came from another machine */
};

struct http_router;

/**
 * Put tables together.
 *
 * @param tables  `count` of them; the rows must outlive the router
 * @param guard   NULL: nobody is anybody, and only HTTP_PUBLIC and HTTP_DEVICE rows answer
 * @return NULL  a row is wrong (pattern, body, two of a kind): said on standard error
 */
struct http_router *http_router_new(const struct http_table *tables, size_t count,
                                    const struct http_guard *guard);
void http_router_free(struct http_router *router);

/** The rows of a router, for those who walk them; NULL after the last. */
const struct http_route *http_router_row(const struct http_router *router, size_t index);

/** Never NULL; a target or header that the server refuses is refused by http_router_run(). */
struct http_exchange *http_exchange_make(const struct http_made *made);
/** Calls what must be called at an exchange's end: stream close, events close, sent, release. */
void http_exchange_free(struct http_exchange *x);

/**
 * Do all that the server does: find the row, ask who it is and whether he may, read the body
 * through the row's stream or collect it, run the handler, here and now.
 */
void http_router_run(struct http_router *router, struct http_exchange *x);

/** The answer as it would be sent. Texts belong to the exchange. */
struct http_shown {
    unsigned status; /* 0: none was given (held) */
    const char *body;
    size_t size; /* files are read into memory, events are asked until HTTP_WAIT or HTTP_END */
};
void http_answer_of(struct http_exchange *x, struct http_shown *shown);
/** A header of the answer; NULL when it is not there. */
const char *http_answer_header_of(const struct http_exchange *x, const char *name);

#endif
