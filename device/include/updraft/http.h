/*
 * updraft: what HTTP is made of, for a client on a device: URLs, lines of a head, chunks. Pure:
 * bytes in, values out. fetch.h puts them together.
 *
 * Strict, because what can be read in two ways is an attack or a mistake, and a device cannot ask.
 */
#ifndef UPDRAFT_HTTP_H
#define UPDRAFT_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/trouble.h>

/* --- URLs ------------------------------------------------------------------------------------- */

/** Where a request goes, in the caller's memory: "host\0/path?query\0". */
struct upd_url {
    char *text;    /* the host, and behind it the path */
    uint16_t room; /* bytes of text, both NULs included; at least 8 */
    uint16_t path; /* offset of the path in text */
    uint16_t port;
    bool tls;
    bool foreign; /* upd_url_follow() has led to another host, port or scheme */
};

/**
 * Take an absolute URL, "http://..." or "https://...". A fragment is dropped; user names are
 * refused, and bytes that are no visible ASCII.
 *
 * @param url   text and room are set; the rest is written
 * @param from  NUL-terminated; not within url->text
 *
 * @return NONE, BAD_URL, URL_TOO_LONG. After an error url->text holds nothing of use
 */
enum upd_trouble upd_url_set(struct upd_url *url, const char *from);

/**
 * Go where a redirect leads: an absolute URL, "//host/path" or "/path".
 *
 * @return NONE, BAD_REDIRECT, URL_TOO_LONG, REDIRECT_TO_PLAIN; as above
 */
enum upd_trouble upd_url_follow(struct upd_url *url, const char *location);

/* --- The head of an answer -------------------------------------------------------------------- */

/** Of an ETag, with its quotes and its NUL. A longer one is taken for none. */
#define UPD_ETAG_SIZE 72u

/** Fields that an answer had: bits of upd_http_head.seen. */
enum {
    UPD_HTTP_LENGTH = 1,
    UPD_HTTP_RANGE = 2,
    UPD_HTTP_CHUNKS = 4,
    UPD_HTTP_LOCATION = 8,
    UPD_HTTP_ETAG = 16,
};

struct upd_http_head {
    uint16_t status; /* 0: no status line was read */
    bool version_1_1;
    uint8_t seen;             /* bits UPD_HTTP_... */
    uint32_t length;          /* with LENGTH: bytes of the body */
    uint32_t first;           /* with RANGE, of status 206 only: offset of the first byte, */
    uint32_t until;           /* behind the last one, */
    uint32_t total;           /* and bytes of the whole content */
    uint32_t date_s;          /* Date, in seconds since 1970; 0: none that can be read */
    uint32_t retry_after_s;   /* Retry-After, at most an hour; 0: none that is a number */
    char etag[UPD_ETAG_SIZE]; /* strong, with its quotes; "": none */
};

/** Begin a head: its first line, without its end. @return NONE, NOT_HTTP, BAD_STATUS */
enum upd_trouble upd_http_status(struct upd_http_head *head, const char *line);

/**
 * Read one of its other lines, in place.
 *
 * @param line   `size` bytes without CR LF; one more byte may be written
 * @param whole  false: only its first bytes are there, because it is too long to be kept. Refused
 *               when it matters
 * @param name   out: in lower case, within `line`
 * @param value  out: without blanks around it, within `line`
 *
 * @return NONE, or what is wrong
 */
enum upd_trouble upd_http_field(struct upd_http_head *head, char *line, uint32_t size, bool whole,
                                const char **name, const char **value);

/* --- A body in chunks ------------------------------------------------------------------------- */

/** All zero: before the first chunk. */
struct upd_chunks {
    uint8_t state;
    uint8_t digits; /* of this chunk's size */
    uint16_t lines; /* bytes between this chunk's data and the one before; of trailers */
    uint32_t left;  /* bytes of this chunk's data that are still to come */
    bool has_cr;    /* the byte before was one */
    bool is_filled; /* the trailer's line is not empty */
};

/**
 * Take bytes up to the next data of a chunk, or up to the end of the body.
 *
 * @param used  out: bytes that were taken
 *
 * @return true   upd_chunks_data() tells how many bytes of data come next, which the caller takes
 *                off chunks->left as it gets them; 0: all bytes were taken, or the body is over
 * @return false  malformed, or lines without end
 */
bool upd_chunks_take(struct upd_chunks *chunks, const uint8_t *bytes, uint32_t size,
                     uint32_t *used);

/** Bytes of data that come next. */
uint32_t upd_chunks_data(const struct upd_chunks *chunks);
/** True when the last chunk and what follows it have been taken. */
bool upd_chunks_over(const struct upd_chunks *chunks);

/* --- Texts ------------------------------------------------------------------------------------ */

/** Whether a text is this one; case is ignored, `lower` has none. */
bool upd_http_same(const char *text, const char *lower);
/** Move *text behind a start that it has; case is ignored, `lower` has none. */
bool upd_http_take(const char **text, const char *lower);
/** Take digits of a number below 2^32 - 1. False: there are none, or too many; nothing is moved. */
bool upd_http_number(const char **text, uint32_t *number);

#endif
