/* The head of a request: what could be read in two ways, by us and by a proxy before us, is
 * refused. Pure. */
#ifndef UPDRAFT_SERVER_HTTP_HEAD_H
#define UPDRAFT_SERVER_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <strings.h>

#include "http/url.h"

enum {
    HTTP_HEADERS_MAX = 64,
    HTTP_HEAD_MAX = 12 * 1024, /* bytes of request line and headers */
};

/** Whether two names of headers are one. Most are not, and begin with different letters. */
static inline bool http_same_name(const char *a, const char *b)
{
    return ((a[0] ^ b[0]) & 0xDF) == 0 && strcasecmp(a, b) == 0;
}

/** What the head says about the body. */
struct http_framing {
    bool chunked;
    uint64_t size; /* when not chunked */
};

struct http_refusal {
    unsigned status;
    const char *text; /* a sentence without line end */
};

/**
 * Check all headers of a request and find out what body follows.
 *
 * Refused: a name that is not a token, a value with control characters, Content-Length twice or not
 * a number or together with Transfer-Encoding, Transfer-Encoding other than one "chunked" or in
 * HTTP/1.0, no Host or two of them in HTTP/1.1, other things twice that count once.
 *
 * @param headers  values without blanks around
 * @param minor    1 for HTTP/1.1, 0 for HTTP/1.0
 * @return false  refused: *refusal says how; the connection must be closed, since it is not known
 * where the next request begins
 */
bool http_head_check(const struct http_pair *headers, size_t count, int minor,
                     struct http_framing *framing, struct http_refusal *refusal);

/** A Host as browsers and devices send it: name or address, perhaps a port; nothing else. */
bool http_host_ok(const char *host);

#endif
