/* Which part of a file a request wants, and whether it wants it at all (RFC 9110, 13 and 14). Pure.
 */
#ifndef UPDRAFT_SERVER_HTTP_RANGE_H
#define UPDRAFT_SERVER_HTTP_RANGE_H

#include <stdbool.h>
#include <stdint.h>

/** The headers that decide; NULL when absent. */
struct http_conditions {
    const char *range;
    const char *if_range;
    const char *if_match;
    const char *if_none_match;
    bool get; /* GET or HEAD; only GET has ranges, so HEAD is asked with `range` NULL */
};

struct http_part {
    unsigned status; /* 200, 206, 304, 412, 416 */
    uint64_t first;  /* of 200 and 206: the bytes [first, first + count) go out */
    uint64_t count;
};

/**
 * Decide.
 *
 * A range that is not understood, of another unit, or one of several is as no range: the whole goes
 * out (RFC 9110, 14.2 allows it). One that begins behind the end is a 416.
 *
 * @param etag  without quotes, strong; NULL: there is none, If-Range never matches, If-Match only
 * "*"
 * @param size  bytes of the whole
 */
struct http_part http_part_decide(const struct http_conditions *conditions, const char *etag,
                                  uint64_t size);

#endif
