/*
 * updraft: one HTTP exchange as a vendor's library makes it: the caller writes each line of the
 * request, hears each field of the answer, and judges status and redirects, because in those the
 * vendors differ. What is on the wire is read as strictly as fetch.h does.
 *
 * Calls wait, as programs for these libraries expect. What is new is better written with fetch.h.
 *
 * Cost: the struct, 300 bytes, and the caller's buffer; stack below 200 bytes and the port's.
 */
#ifndef UPDRAFT_EXCHANGE_H
#define UPDRAFT_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/http.h>
#include <updraft/text.h>
#include <updraft/transport.h>

/** Least size of the buffer: a URL of 239 bytes, and lines of 272. */
#define UPD_EXCHANGE_BUFFER 512u

struct upd_exchange_config {
    const struct upd_transport *transport; /* must stay valid */
    uint32_t (*now_ms)(void *ctx);
    /* Called while there is nothing to do: let time and others go on. NULL: nothing to call */
    void (*rest)(void *ctx);
    void *ctx;
    char *buffer; /* must stay valid */
    uint32_t buffer_size;
    uint32_t timeout_ms; /* of each wait: for the connection, for bytes */
};

/** What is asked, and who listens. */
struct upd_question {
    bool no_body; /* HEAD */
    /** Write line number `index` of the request, without its end. @return false: there is none */
    bool (*line)(void *ctx, uint32_t index, struct upd_text *line);
    /** Hear a field; `name` in lower case. NULL: nobody listens */
    void (*heard)(void *ctx, const char *name, const char *value);
    void *ctx;
};

struct upd_exchange {
    struct upd_exchange_config config;
    struct upd_url url;        /* whom to ask */
    struct upd_http_head head; /* of the answer */
    enum upd_trouble trouble;  /* of the last call */
    bool asked;                /* the request has been sent */
    bool complete;             /* the last byte that was stated has been read */
    uint32_t read;             /* bytes of content so far */
    uint32_t wire;             /* offset of the second half of the buffer */
    uint32_t start;            /* bytes that came and wait, in the second half */
    uint32_t end;
    uint8_t framing;
    struct upd_chunks chunks;
};

/** @param config  copied; not NULL */
void upd_exchange_init(struct upd_exchange *exchange, const struct upd_exchange_config *config);

/** Whom to ask: an absolute URL. @return NONE, BAD_URL, URL_TOO_LONG */
enum upd_trouble upd_exchange_to(struct upd_exchange *exchange, const char *url);

/** Append what stands in the field Host: name, and port where it is not the usual one. */
void upd_exchange_host(const struct upd_exchange *exchange, struct upd_text *line);
/** Append path and query. */
void upd_exchange_path(const struct upd_exchange *exchange, struct upd_text *line);

/**
 * Connect, ask, and read the head of the answer. Redirects are not followed: heard() may call
 * upd_url_follow() on exchange->url.
 *
 * @return NONE, or what is wrong; the connection is closed then
 */
enum upd_trouble upd_exchange_ask(struct upd_exchange *exchange,
                                  const struct upd_question *question);

/**
 * Read content: waits until there is some.
 *
 * @return bytes; 0: none will come: exchange->complete, or exchange->trouble tells why not.
 *         STALLED: none came in time, and it may be tried again
 */
uint32_t upd_exchange_read(struct upd_exchange *exchange, void *data, uint32_t size);

/** The first bytes of content that wait, at most `size`, which stay to be read. As read(). */
uint32_t upd_exchange_peek(struct upd_exchange *exchange, const uint8_t **data, uint32_t size);

void upd_exchange_close(struct upd_exchange *exchange);

#endif
