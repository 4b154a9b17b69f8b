/* Any Range, If-Range and If-None-Match, one a line: the part lies within the file, and only where
 * it may be. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth) {
        __builtin_trap();
    }
}

/* The next line, or NULL. */
static char *line(char **text)
{
    char *start = *text;
    char *end = start != NULL ? strchr(start, '\n') : NULL;

    if (end != NULL) {
        *end = 0;
    }
    *text = end != NULL ? end + 1 : NULL;
    return start;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t sizes[] = {0, 1, 10, 400000, UINT64_MAX};
    char *text = malloc(size + 1);
    char *at = text;

    memcpy(text, data, size);
    text[size] = 0;
    struct http_conditions conditions = {.get = true};
    conditions.range = line(&at);
    conditions.if_range = line(&at);
    conditions.if_none_match = line(&at);
    conditions.if_match = line(&at);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct http_part part = http_part_decide(&conditions, "abc", sizes[i]);

        require(part.first <= sizes[i] && part.count <= sizes[i] - part.first);
        require(part.status == 206 ? part.count > 0 : part.first == 0 && part.count == sizes[i]);
        require(part.status == 200 || part.status == 206 || part.status == 304 ||
                part.status == 412 || part.status == 416);
        require(part.status != 416 || conditions.range != NULL);
    }
    free(text);
    return 0;
}
