/*
 * updraft: fetch, an HTTP client of one exchange at a time, for a device: no call waits, memory is
 * one buffer of the caller's, and nothing that a server says is believed.
 *
 *     struct upd_fetch fetch;
 *     upd_fetch_init(&fetch, &config);
 *     upd_fetch_begin(&fetch, &request, now_ms);
 *     for (;;) switch (upd_fetch_poll(&fetch, now_ms)) {
 *     case UPD_FETCH_WAITS:  nothing to do: come again in a while
 *     case UPD_FETCH_BUSY:   more to do: come again soon
 *     case UPD_FETCH_HEAD:   fetch.status, fetch.size, ...: go on, or seek(), or stop()
 *     case UPD_FETCH_BODY:   fetch.piece, at fetch.offset of the content
 *     case UPD_FETCH_DONE:   that was all of it
 *     case UPD_FETCH_FAILED: fetch.trouble tells why; nothing goes on by itself any more
 *     }
 *
 * Requests are HTTP/1.1 or 1.0, GET or HEAD; answers of either version, with a length, in chunks, or
 * up to the end of the connection. What can be read in two ways is refused: two lengths, a length
 * and chunks, lines that do not end in CR LF, folded lines.
 *
 * What breaks off is gone on with by itself, after a pause that grows and is random: from the byte
 * where it broke off, by Range and If-Range when the content has a strong ETag; else from the first
 * byte, of which those that were handed out already are skipped. So the caller sees each byte once,
 * in order. When the content has become another one, the fetch fails with CHANGED. Tries are
 * bounded, and so are redirects, which never lead from https to http.
 *
 * (F1) Never are more than request.most bytes of content handed out, nor more than stated.
 * (F2) DONE comes only after the last byte of a stated length, the last chunk, or, where neither
 *      was stated, an orderly end of the connection.
 * (F3) Every state ends in bounded time, by itself.
 *
 * Cost: the struct, 320 bytes on lx106, and the buffer; stack below 300 bytes and what the port takes.
 */
#ifndef UPDRAFT_FETCH_H
#define UPDRAFT_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/http.h>
#include <updraft/text.h>
#include <updraft/transport.h>

/** Least size of the buffer in bytes: a URL of up to 239 bytes, and lines of up to 272. */
#define UPD_FETCH_BUFFER 512u
/** Most bytes of content that one poll hands out: what the writer takes with one erase at most. */
#define UPD_FETCH_PIECE 256u
/** Bytes of all the lines of a head, at most. */
#define UPD_FETCH_HEAD_MOST 8192u

/** For how long a server is waited for, and how often. */
struct upd_patience {
    uint32_t connect_ms;    /* for a connection, TLS included */
    uint32_t answer_ms;     /* from the first byte of the request to the end of the answer's head */
    uint32_t idle_ms;       /* without a byte of the body */
    uint32_t rate_ms;       /* in each such time ... */
    uint32_t rate_bytes;    /* ... at least so many bytes of content */
    uint32_t pause_ms;      /* before the second try; doubles from try to try ... */
    uint32_t pause_most_ms; /* ... up to this. The half of it is random */
    uint8_t tries;          /* that may fail in a row without 16 KiB of progress; at least 1 */
    uint8_t redirects;      /* that are followed in a row */
};

/** 15 s to connect, 20 s to answer, 15 s idle, 256 bytes in 10 s; 5 tries, 2 s to 60 s apart; 5 redirects. */
extern const struct upd_patience upd_patience_usual;

/** A request. All of it must stay valid until the fetch has ended. */
struct upd_request {
    const char *url; /* "http://" or "https://", host, perhaps port and path; without user names */
    bool head;       /* HEAD instead of GET: no content */
    bool http_1_0;   /* of the request; answers may have either version */
    uint32_t most;   /* bytes of content that are acceptable */
    /** Append to the URL: the rest of path and query. NULL: nothing. */
    void (*target)(void *ctx, struct upd_text *url);
    /**
     * Write field number `index` of the head, from 0 on, as "Name: value" without its end; a field
     * for which nothing is written is left out. Not asked after a redirect to another host, port or scheme: what is in fields is for one server.
     *
     * @return false  there is none with this number. NULL: there is none at all
     */
    bool (*field)(void *ctx, uint32_t index, struct upd_text *line);
    /**
     * Hear a field of an answer, of those that are no redirects; `name` in lower case. NULL, NULL
     * begins an answer: there may be several, after interruptions.
     *
     * @return NONE, or what is wrong with it: the fetch fails with that. NULL: nobody listens
     */
    enum upd_trouble (*heard)(void *ctx, const char *name, const char *value);
    void *ctx;
};

struct upd_fetch_config {
    const struct upd_transport *transport; /* must stay valid */
    const struct upd_patience *patience;   /* must stay valid; NULL: upd_patience_usual */
    uint8_t *buffer;                       /* must stay valid */
    uint32_t buffer_size;                  /* at least UPD_FETCH_BUFFER; 1024 to 2048 are good */
    uint32_t (*random)(void *ctx); /* 32 random bits, so that devices do not come together */
    void *ctx;
};

enum upd_fetch_news {
    UPD_FETCH_WAITS,
    UPD_FETCH_BUSY,
    UPD_FETCH_HEAD,
    UPD_FETCH_BODY,
    UPD_FETCH_DONE,
    UPD_FETCH_FAILED,
};

/** A fetch. The caller's memory; the first fields are for reading, the rest is its own. */
struct upd_fetch {
    enum upd_trouble trouble; /* the last one, also while the next try is waited for */
    uint16_t status;          /* from HEAD on */
    bool has_size;            /* false: the content ends when it ends */
    bool has_end;             /* false: with the connection, which may have ended too early */
    uint32_t size;            /* bytes of the whole content */
    uint32_t offset;          /* of the piece in the content; DONE: the bytes there were */
    const uint8_t *piece;     /* BODY: in the buffer, until the next call */
    uint32_t piece_size;
    uint32_t date_s;          /* the last Date that was heard, in seconds since 1970; 0: none */
    uint32_t failures;        /* tries that failed */
    char etag[UPD_ETAG_SIZE]; /* strong, with its quotes; "": none */

    struct upd_fetch_config config;
    const struct upd_request *request;
    uint8_t state;
    uint8_t hops;
    uint8_t tries_left;
    bool announced;    /* HEAD was handed out */
    bool resumes;      /* a part is asked for, from `next` on */
    uint32_t next;     /* offset of the next byte to be handed out */
    uint32_t forgiven; /* offset from which on failures count anew */
    uint32_t since_ms; /* when this state began */
    uint32_t pause_ms;
    struct upd_url url; /* in the first part of the buffer */
    uint32_t line;      /* of the request: the next one to be written */
    uint32_t start;     /* of the bytes on the wire's part of the buffer that wait there */
    uint32_t end;
    struct upd_http_head head; /* that is being read */
    uint32_t head_size;
    bool has_cr;
    bool skips; /* the rest of a line that is too long */
    uint8_t framing;
    uint32_t at;        /* offset in the content of the next byte from the wire */
    uint32_t until;     /* behind the last byte of this answer; UINT32_MAX: not known */
    uint32_t heard_ms;  /* when the last byte came */
    uint32_t window_ms; /* when the window of the rate began */
    uint32_t window_at; /* offset then */
    struct upd_chunks chunks;
};

/** @param config  copied; not NULL */
void upd_fetch_init(struct upd_fetch *fetch, const struct upd_fetch_config *config);

/** Begin, in place of what was going on. @param request  not NULL */
void upd_fetch_begin(struct upd_fetch *fetch, const struct upd_request *request, uint32_t now_ms);

/**
 * Go on. Does a bounded piece of work, and returns.
 *
 * @param now_ms  milliseconds from any start; wraps
 */
enum upd_fetch_news upd_fetch_poll(struct upd_fetch *fetch, uint32_t now_ms);

/**
 * After HEAD: the bytes before `offset` are not needed. Asks anew for the rest where the content
 * has a strong ETag; else skips them as they come. When that is all of them, DONE is next.
 *
 * @param offset  at most fetch->size, where the size is known
 */
void upd_fetch_seek(struct upd_fetch *fetch, uint32_t offset, uint32_t now_ms);

/** End, whatever is going on. */
void upd_fetch_stop(struct upd_fetch *fetch);

/** What a status means that is not what was hoped for. */
enum upd_trouble upd_trouble_of_status(uint16_t status);

/**
 * How long to pause after so many failures in a row: between the half and the whole of
 * first_ms x 2^(failures - 1), or of most_ms where that is less.
 */
uint32_t upd_pause_ms(uint32_t first_ms, uint32_t most_ms, uint32_t failures, uint32_t random);

#endif
