/* Request targets: decoded once, and refused where two readers could read them differently. Pure.
 */
#ifndef UPDRAFT_SERVER_HTTP_URL_H
#define UPDRAFT_SERVER_HTTP_URL_H

#include <stdbool.h>
#include <stddef.h>

/** A segment of a path, or a parameter of a query. Both texts are decoded and end in NUL. */
struct http_pair {
    const char *name; /* of a segment: its text */
    const char *value;
    const char
        *plus; /* of a parameter: the value with '+' left alone; the same text when it has none */
};

enum {
    HTTP_SEGMENTS_MAX = 32,
    HTTP_PARAMETERS_MAX = 64,
    HTTP_TARGET_MAX = 8000, /* bytes of a request target (RFC 9110, 4.1) */
};

struct http_url {
    struct http_pair segments[HTTP_SEGMENTS_MAX];
    size_t segment_count; /* "/" has one, which is empty */
    struct http_pair parameters[HTTP_PARAMETERS_MAX];
    size_t parameter_count;
};

/**
 * Take a request target apart.
 *
 * Refused, besides what is malformed: NUL and control characters, bytes that are not UTF-8, a
 * segment that is "." or ".." (however encoded), and a segment in the middle that is empty. "%2F"
 * is a slash within a segment.
 *
 * @param url     out; texts point into `memory`
 * @param target  NUL-terminated, in origin form ("/path?query")
 * @param memory  at least http_url_memory(target) bytes; must live as long as `url`
 * @return NULL, or a phrase that says what is wrong, such as "a '%' without two hexadecimal digits"
 */
const char *http_url_parse(struct http_url *url, const char *target, char *memory);
size_t http_url_memory(const char *target);

/** True for UTF-8 in its shortest form without NUL, C0 controls (tab allowed if `tab`), and DEL. */
bool http_text_ok(const char *text, size_t size, bool tab);

#endif
