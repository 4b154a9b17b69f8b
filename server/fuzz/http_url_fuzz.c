/* Any target: what is accepted is text without a way out, and reads the same after it is encoded
 * again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth) {
        __builtin_trap();
    }
}

static char *encode(char *to, const char *text)
{
    static const char digits[] = "0123456789abcdef";

    for (; *text != 0; text++) {
        *to++ = '%';
        *to++ = digits[(unsigned char)*text >> 4];
        *to++ = digits[(unsigned char)*text & 15];
    }
    return to;
}

static void check_text(const char *text)
{
    require(http_text_ok(text, strlen(text), false));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_url url, again;

    if (size > 4096) {
        return 0;
    }
    char *target = malloc(size + 1);
    memcpy(target, data, size);
    target[size] = 0;
    char *memory = malloc(http_url_memory(target));
    char *encoded = malloc(4 * size + 64);
    if (http_url_parse(&url, target, memory) == NULL) {
        char *to = encoded;
        for (size_t i = 0; i < url.segment_count; i++) {
            check_text(url.segments[i].name);
            require(strcmp(url.segments[i].name, "..") != 0 &&
                    strcmp(url.segments[i].name, ".") != 0);
            *to++ = '/';
            to = encode(to, url.segments[i].name);
        }
        for (size_t i = 0; i < url.parameter_count; i++) {
            check_text(url.parameters[i].name);
            check_text(url.parameters[i].value);
            check_text(url.parameters[i].plus);
        }
        *to = 0;
        char *second = malloc(http_url_memory(encoded));
        require(http_url_parse(&again, encoded, second) == NULL);
        require(again.segment_count == url.segment_count);
        for (size_t i = 0; i < url.segment_count; i++) {
            require(strcmp(again.segments[i].name, url.segments[i].name) == 0);
        }
        free(second);
    }
    free(encoded);
    free(memory);
    free(target);
    return 0;
}
