#include "http/range.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

static const char *skip(const char *text)
{
    while (blank(*text)) {
        text++;
    }
    return text;
}

/* One entity tag at *text: true when it is ours; *text moves behind it, or becomes NULL on
 * nonsense. */
static bool take_tag(const char **text, const char *etag, bool weak_counts)
{
    const char *at = *text;
    bool weak = at[0] == 'W' && at[1] == '/';
    const char *end;

    if (weak) {
        at += 2;
    }
    end = at[0] == '"' ? strchr(at + 1, '"') : NULL;
    if (end == NULL) {
        *text = NULL;
        return false;
    }
    *text = end + 1;
    return etag != NULL && (weak_counts || !weak) && strlen(etag) == (size_t)(end - at - 1) &&
           memcmp(etag, at + 1, strlen(etag)) == 0;
}

/* Whether a list of entity tags, or "*", has ours. A list that is not one has it not. */
static bool list_has(const char *list, const char *etag, bool weak_counts)
{
    list = skip(list);
    if (list[0] == '*') {
        return *skip(list + 1) == 0;
    }
    for (;;) {
        while (blank(*list) || *list == ',') {
            list++;
        }
        if (*list == 0) {
            return false;
        }
        bool ours = take_tag(&list, etag, weak_counts);
        if (ours || list == NULL) {
            return ours;
        }
    }
}

/* Decimal digits; false when there is none. What is larger than 64 bits becomes the largest. */
static bool take_number(const char **text, uint64_t *value)
{
    const char *at = *text;

    *value = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t next = *value * 10 + (uint64_t)(*at - '0');
        bool over = *value > (UINT64_MAX - 9) / 10;
        *value = over ? UINT64_MAX : next;
    }
    bool some = at != *text;
    *text = at;
    return some;
}

enum asked { WHOLE, PART, NOTHING };

/* "bytes=FIRST-LAST", "bytes=FIRST-", "bytes=-COUNT". */
static enum asked read_range(const char *range, uint64_t size, uint64_t *first, uint64_t *count)
{
    uint64_t last;

    range = skip(range);
    if (strncasecmp(range, "bytes=", 6) != 0) {
        return WHOLE;
    }
    range = skip(range + 6);
    bool has_first = take_number(&range, first);
    if (*range++ != '-') {
        return WHOLE;
    }
    bool has_last = take_number(&range, &last);
    if (*skip(range) != 0 || (!has_first && !has_last) ||
        (has_first && has_last && last < *first)) {
        return WHOLE;
    }
    if (!has_first) {
        *count = last < size ? last : size;
        *first = size - *count;
        return *count > 0 ? PART : NOTHING;
    }
    if (*first >= size) {
        return NOTHING;
    }
    *count = has_last && last < size - 1 ? last - *first + 1 : size - *first;
    return PART;
}

static bool same_tag(const char *header, const char *etag)
{
    /* A date, or a weak tag, is never a strong match. */
    const char *text = skip(header);
    bool ours = take_tag(&text, etag, false);

    return ours && *skip(text) == 0;
}

struct http_part http_part_decide(const struct http_conditions *conditions, const char *etag,
                                  uint64_t size)
{
    struct http_part part = {.status = 200, .first = 0, .count = size};
    enum asked asked = WHOLE;

    if (conditions->if_match != NULL && !list_has(conditions->if_match, etag, false)) {
        part.status = 412;
        return part;
    }
    if (conditions->if_none_match != NULL && list_has(conditions->if_none_match, etag, true)) {
        part.status = conditions->get ? 304 : 412;
        return part;
    }
    if (conditions->range != NULL &&
        (conditions->if_range == NULL || same_tag(conditions->if_range, etag))) {
        asked = read_range(conditions->range, size, &part.first, &part.count);
    }
    if (asked == PART) {
        part.status = 206;
    } else {
        part.status = asked == NOTHING ? 416 : 200;
        part.first = 0;
        part.count = size;
    }
    return part;
}
