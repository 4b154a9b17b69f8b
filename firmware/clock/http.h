/*
 * What the clock speaks of HTTP: a GET, and the head of its answer, read in pieces as they come.
 * Strict, because a head that can be read in two ways is an attack or a mistake: lines end in CRLF,
 * a length is stated once, and nothing is chunked.
 */
#ifndef CLOCK_HTTP_H
#define CLOCK_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/flash.h>

enum { HTTP_LINE = 128 };  /* bytes of a line that are looked at, its NUL included */
enum { HTTP_HEAD = 8192 }; /* bytes of a whole head, at most */

/** The head of an answer. `status` to `first` are for reading, once it is complete. */
struct http_head {
    uint16_t status;
    bool has_length;
    uint32_t length; /* bytes of the body */
    uint32_t date;   /* seconds since 1970; 0: none that can be read */
    bool has_range;
    uint32_t first; /* of a partial answer: offset of its first byte */

    char line[HTTP_LINE];
    uint32_t line_size; /* bytes of the line so far, whether they fitted or not */
    uint32_t size;      /* bytes of the head so far */
    bool got_cr;
};

void http_begin(struct http_head *head);

/**
 * Take the next bytes of an answer.
 *
 * @param used  out: how many of them belong to the head; the rest is the body
 *
 * @return UPD_OK        the head is complete
 * @return UPD_E_SHORT   it is not yet; all bytes were used
 * @return UPD_E_FORMAT  it is none that the clock accepts
 */
UPD_MUST_CHECK enum upd_err http_feed(struct http_head *head, const uint8_t *data, uint32_t size,
                                      uint32_t *used);

/**
 * Write a request for a file.
 *
 * @param from  offset of the first byte wanted; 0 asks for all
 * @return its bytes; 0 when they do not fit `size`
 */
uint32_t http_request(char *request, uint32_t size, const char *path, uint32_t from);

#endif
