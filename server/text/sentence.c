#include "sentence.h"

#include <stdio.h>
#include <string.h>

#include <updraft/json.h>
#include <updraft/utf8.h>

void text_copy(char *to, size_t size, const char *from)
{
    const uint8_t *at = (const uint8_t *)(from == NULL ? "" : from);
    size_t length = 0, left = strlen((const char *)at);
    while (left != 0) {
        uint32_t code = 0, bytes = upd_utf8_read(at, (uint32_t)left, &code);
        bool good = bytes != 0 && code >= 0x20 && code != 0x7F;
        size_t take = bytes == 0 ? 1 : bytes;
        if (length + take >= size) {
            break;
        }
        if (good) {
            memcpy(to + length, at, take);
            length += take;
        } else {
            to[length++] = '?';
        }
        at += take;
        left -= take;
    }
    to[length] = '\0';
}

/** The value whose name stands at `at`, behind a brace; NULL: there is none. */
static const struct value *named(const char *at, const struct value *values)
{
    for (; values != NULL && values->name != NULL; values++) {
        size_t size = strlen(values->name);
        if (strncmp(at, values->name, size) == 0 && at[size] == '}') {
            return values;
        }
    }
    return NULL;
}

static void print(const struct value *value, char *text, size_t size)
{
    if (value->text != NULL) {
        text_copy(text, size, value->text);
    } else {
        snprintf(text, size, "%lld", (long long)value->number);
    }
}

void sentence_write(char *to, size_t size, const char *form, const struct value *values)
{
    size_t length = 0;
    while (*form != '\0' && length + 1 < size) {
        const struct value *value = *form == '{' ? named(form + 1, values) : NULL;
        if (value == NULL) {
            to[length++] = *form++;
            continue;
        }
        char text[VALUE_TEXT_MAX + 1];
        print(value, text, sizeof text);
        text_copy(to + length, size - length, text);
        size_t copied = strlen(to + length);
        length += copied;
        if (copied < strlen(text)) {
            break; /* what follows the cut would look as if it followed the rest */
        }
        form += strlen(value->name) + 2;
    }
    to[length] = '\0';
}

void sentence_detail(char *json, size_t size, const char *form, const struct value *values)
{
    struct upd_json out = upd_json_on(json, (uint32_t)size);
    upd_json_open(&out, NULL, '{');
    for (const char *at = strchr(form, '{'); at != NULL; at = strchr(at + 1, '{')) {
        const struct value *value = named(at + 1, values);
        if (value != NULL && value->text != NULL) {
            char text[VALUE_TEXT_MAX + 1];
            print(value, text, sizeof text);
            upd_json_string(&out, value->name, text);
        } else if (value != NULL) {
            upd_json_number(&out, value->name, value->number);
        }
    }
    upd_json_close(&out, '}');
    if (!upd_text_is_whole(&out.text)) {
        snprintf(json, size, "{}");
    }
}
