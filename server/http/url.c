#include "http/url.h"

#include <stdint.h>
#include <string.h>

#include <updraft/utf8.h>

bool http_text_ok(const char *text, size_t size, bool tab)
{
    while (size > 0) {
        uint32_t code = 0;
        uint32_t taken = upd_utf8_read((const uint8_t *)text, size > 4 ? 4 : (uint32_t)size, &code);

        if (taken == 0 || code == 0x7F || (code < 0x20 && !(tab && code == '\t'))) {
            return false;
        }
        text += taken;
        size -= taken;
    }
    return true;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes [from, from + size) to `to`, which gets a NUL; returns the end of it, or NULL. */
static char *decode(char *to, const char *from, size_t size, char plus)
{
    for (size_t i = 0; i < size; i++) {
        char c = from[i];

        if (c == '%') {
            int high = i + 2 < size ? digit(from[i + 1]) : -1;
            int low = i + 2 < size ? digit(from[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return NULL;
            }
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+') {
            c = plus;
        }
        *to++ = c;
    }
    *to = 0;
    return to;
}

static const char bad_percent[] = "a '%' without two hexadecimal digits";
static const char bad_text[] = "a character that is not UTF-8 text";

static const char *take(const char **text, const char *from, size_t size, char plus, char **memory)
{
    char *start = *memory;
    char *end = decode(start, from, size, plus);

    if (end == NULL) {
        return bad_percent;
    }
    if (!http_text_ok(start, (size_t)(end - start), false)) {
        return bad_text;
    }
    *text = start;
    *memory = end + 1;
    return NULL;
}

static const char *take_path(struct http_url *url, const char *path, size_t size, char **memory)
{
    const char *end = path + size;

    while (path < end) {
        const char *start = ++path;
        struct http_pair *segment = &url->segments[url->segment_count];

        while (path < end && *path != '/') {
            path++;
        }
        if (url->segment_count == HTTP_SEGMENTS_MAX) {
            return "too many segments";
        }
        const char *problem = take(&segment->name, start, (size_t)(path - start), '+', memory);
        if (problem != NULL) {
            return problem;
        }
        if (strcmp(segment->name, ".") == 0 || strcmp(segment->name, "..") == 0) {
            return "a segment that means another folder";
        }
        if (segment->name[0] == 0 && path < end) {
            return "an empty segment";
        }
        url->segment_count++;
    }
    return NULL;
}

static const char *take_parameter(struct http_url *url, const char *text, size_t size,
                                  char **memory)
{
    const char *equals = memchr(text, '=', size);
    size_t name_size = equals != NULL ? (size_t)(equals - text) : size;
    const char *value = equals != NULL ? equals + 1 : text + size;
    size_t value_size = size - (size_t)(value - text);
    struct http_pair *parameter = &url->parameters[url->parameter_count];
    const char *problem;

    if (size == 0) {
        return NULL;
    }
    if (url->parameter_count == HTTP_PARAMETERS_MAX) {
        return "too many parameters";
    }
    problem = take(&parameter->name, text, name_size, ' ', memory);
    if (problem == NULL) {
        problem = take(&parameter->value, value, value_size, ' ', memory);
    }
    if (problem != NULL) {
        return problem;
    }
    parameter->plus = parameter->value;
    if (memchr(value, '+', value_size) != NULL) {
        problem = take(&parameter->plus, value, value_size, '+', memory);
    }
    url->parameter_count++;
    return problem;
}

size_t http_url_memory(const char *target)
{
    /* A parameter that has a '+' is there twice. Each text ends in a NUL that takes its separator's
     * place. */
    return 2 * strlen(target) + 4;
}

const char *http_url_parse(struct http_url *url, const char *target, char *memory)
{
    const char *query = strchr(target, '?');
    size_t path_size = query != NULL ? (size_t)(query - target) : strlen(target);
    const char *problem;

    url->segment_count = 0;
    url->parameter_count = 0;
    if (target[0] != '/') {
        return "it does not begin with '/'";
    }
    if (strpbrk(target, "# ") != NULL) {
        return "a '#' or a blank";
    }
    problem = take_path(url, target, path_size, &memory);
    while (problem == NULL && query != NULL) {
        const char *next = strchr(++query, '&');
        size_t size = next != NULL ? (size_t)(next - query) : strlen(query);

        problem = take_parameter(url, query, size, &memory);
        query = next;
    }
    return problem;
}
