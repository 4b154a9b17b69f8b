#include "display.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <updraft/utf8.h>

#include "files.h"

/* Bytes of the UTF-8 character at `at`, or 0: not one, or one that a terminal obeys. */
static size_t character(const uint8_t *at, size_t left)
{
    uint32_t code = 0;
    uint32_t bytes = upd_utf8_read(at, left < 4 ? (uint32_t)left : 4, &code);

    return code < 0x20 || (code >= 0x7F && code < 0xA0) ? 0 : bytes;
}

const char *display(const void *text, size_t count, char *shown, size_t size)
{
    const uint8_t *at = text;
    size_t length = 0;

    count = strnlen(text, count);
    while (count > 0) {
        size_t bytes = character(at, count);
        if (length + (bytes > 0 ? bytes : 4) >= size) {
            break;
        }
        if (bytes > 0) {
            memcpy(shown + length, at, bytes);
            length += bytes;
        } else {
            length += (size_t)snprintf(shown + length, size - length, "\\x%02x", at[0]);
            bytes = 1;
        }
        at += bytes;
        count -= bytes;
    }
    shown[length] = '\0';
    return shown;
}

void display_lines(FILE *out, const char *text, const char *prefix)
{
    char shown[1024];

    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        fprintf(out, "%s%s\n", prefix, display(text, length, shown, sizeof shown));
        text += length + (text[length] == '\n');
    }
}

json_t *display_json(const void *text, size_t count)
{
    char shown[4 * 64 + 1];
    json_t *string = json_stringn(text, strnlen(text, count));
    return string != NULL ? string : json_string(display(text, count, shown, sizeof shown));
}

const char *hex_text(const uint8_t *bytes, size_t size, char *hex)
{
    for (size_t i = 0; i < size; i++) {
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    }
    hex[2 * size] = '\0';
    return hex;
}

json_t *hex_json(const uint8_t *bytes, size_t size)
{
    char hex[2 * 64 + 1];
    return json_string(hex_text(bytes, size < 64 ? size : 64, hex));
}

const char *size_text(uint64_t size, char *text, size_t room)
{
    if (size < 4096) {
        snprintf(text, room, "%llu bytes", (unsigned long long)size);
    } else if (size % (1 << 20) == 0) {
        snprintf(text, room, "%llu bytes (%llu MiB)", (unsigned long long)size,
                 (unsigned long long)(size >> 20));
    } else {
        uint64_t tenths = (size * 10 + 512) / 1024;
        snprintf(text, room, "%llu bytes (%llu.%llu KiB)", (unsigned long long)size,
                 (unsigned long long)(tenths / 10), (unsigned long long)(tenths % 10));
    }
    return text;
}

const char *colour_good(void)
{
    return colours() ? "\x1b[32m" : "";
}

const char *colour_bad(void)
{
    return colours() ? "\x1b[31m" : "";
}

const char *colour_end(void)
{
    return colours() ? "\x1b[0m" : "";
}
