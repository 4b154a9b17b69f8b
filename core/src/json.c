#include <updraft/json.h>

#include <stddef.h>

#include <updraft/utf8.h>

struct upd_json upd_json_on(char *buffer, uint32_t size)
{
    return (struct upd_json){.text = upd_text_on(buffer, size)};
}

/* What stands in front of a value. */
static void begin(struct upd_json *json, const char *key)
{
    if (json->more) {
        upd_text_add(&json->text, ",");
    }
    json->more = true;
    if (key != NULL) {
        upd_text_add(&json->text, "\"");
        upd_text_add(&json->text, key);
        upd_text_add(&json->text, "\":");
    }
}

void upd_json_open(struct upd_json *json, const char *key, char bracket)
{
    begin(json, key);
    upd_text_bytes(&json->text, &bracket, 1);
    json->more = false;
}

void upd_json_close(struct upd_json *json, char bracket)
{
    upd_text_bytes(&json->text, &bracket, 1);
    json->more = true;
}

void upd_json_number(struct upd_json *json, const char *key, int64_t value)
{
    begin(json, key);
    upd_text_decimal(&json->text, value);
}

void upd_json_bool(struct upd_json *json, const char *key, bool value)
{
    begin(json, key);
    upd_text_add(&json->text, value ? "true" : "false");
}

void upd_json_null(struct upd_json *json, const char *key)
{
    begin(json, key);
    upd_text_add(&json->text, "null");
}

/* One character, or one byte that is none. @return the bytes consumed */
static uint32_t escape(struct upd_text *text, const uint8_t *at, uint32_t left)
{
    uint32_t code = 0;
    uint32_t length = upd_utf8_read(at, left, &code);

    if (length == 0) {
        upd_text_add(text, "\\\\x");
        upd_text_hex(text, at[0], 2);
        return 1;
    }
    if (code < 0x20 || (code >= 0x7F && code < 0xA0)) { /* what a terminal obeys */
        upd_text_add(text, "\\u");
        upd_text_hex(text, code, 4);
        return length;
    }
    if (code == '"' || code == '\\') {
        upd_text_add(text, "\\");
    }
    upd_text_bytes(text, at, length);
    return length;
}

void upd_json_bytes(struct upd_json *json, const char *key, const void *bytes, uint32_t size)
{
    const uint8_t *at = bytes;

    begin(json, key);
    upd_text_add(&json->text, "\"");
    for (uint32_t i = 0; i < size && at[i] != 0;) {
        i += escape(&json->text, at + i, size - i);
    }
    upd_text_add(&json->text, "\"");
}

void upd_json_string(struct upd_json *json, const char *key, const char *value)
{
    upd_json_bytes(json, key, value, UINT32_MAX);
}

void upd_json_hex(struct upd_json *json, const char *key, const uint8_t *bytes, uint32_t size)
{
    begin(json, key);
    upd_text_add(&json->text, "\"");
    for (uint32_t i = 0; i < size; i++) {
        upd_text_hex(&json->text, bytes[i], 2);
    }
    upd_text_add(&json->text, "\"");
}
