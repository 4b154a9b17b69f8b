/*
 * Goal: what is written is JSON, whatever bytes a value has, and stays within its buffer.
 * Method: one document with every kind of value against its text, in buffers of every size; a table
 * of bytes that need care.
 */
#include <updraft/bytes.h>
#include <updraft/json.h>

#include "check.h"

static uint32_t length_of(const char *text)
{
    uint32_t size = 0;

    while (text[size] != '\0') {
        size++;
    }
    return size;
}

static void write_all(struct upd_json *json)
{
    static const uint8_t bytes[] = {0x00, 0xAB, 0x0F};

    upd_json_open(json, NULL, '{');
    upd_json_number(json, "n", -12);
    upd_json_open(json, "list", '[');
    upd_json_open(json, NULL, '{');
    upd_json_close(json, '}');
    upd_json_string(json, NULL, "a");
    upd_json_null(json, NULL);
    upd_json_close(json, ']');
    upd_json_bool(json, "yes", true);
    upd_json_bool(json, "no", false);
    upd_json_hex(json, "hex", bytes, sizeof bytes);
    upd_json_open(json, "none", '[');
    upd_json_close(json, ']');
    upd_json_number(json, "last", 0);
    upd_json_close(json, '}');
}

static void test_every_kind_of_value_in_every_buffer(void)
{
    static const char whole[] = "{\"n\":-12,\"list\":[{},\"a\",null],\"yes\":true,\"no\":false,"
                                "\"hex\":\"00ab0f\",\"none\":[],\"last\":0}";

    for (uint32_t size = 0; size < sizeof whole + 2; size++) {
        char buffer[sizeof whole + 4];
        memset(buffer, '#', sizeof buffer);
        struct upd_json json = upd_json_on(size == 0 ? NULL : buffer, size);

        write_all(&json);
        CHECK(json.text.length == sizeof whole - 1);
        CHECK(upd_text_is_whole(&json.text) == (size >= sizeof whole));
        CHECK(size < sizeof whole || memcmp(buffer, whole, sizeof whole) == 0);
        CHECK(buffer[size] == '#');
    }
}

static void test_bytes_that_need_care(void)
{
    static const struct {
        const char *bytes;
        uint32_t size;
        const char *text;
    } rows[] = {
        {"", 0, "\"\""},
        {"ab\0cd", 5, "\"ab\""},
        {"abc", 2, "\"ab\""},
        {"\"\\/", 3, "\"\\\"\\\\/\""},
        {"\n\x1b\x7f", 3, "\"\\u000a\\u001b\\u007f\""},
        {"\xE1\xBB\x95", 3, "\"\xE1\xBB\x95\""},        /* one character */
        {"\xE1\xBB\x95", 2, "\"\\\\xe1\\\\xbb\""},      /* cut short */
        {"\xC2\x9B\xC2\xA0", 4, "\"\\u009b\xC2\xA0\""}, /* a control character; a blank */
        {"\xFF<\xC0\x80", 4, "\"\\\\xff<\\\\xc0\\\\x80\""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char buffer[64];
        struct upd_json json = upd_json_on(buffer, sizeof buffer);

        upd_json_bytes(&json, NULL, rows[i].bytes, rows[i].size);
        CHECK(json.text.length == length_of(rows[i].text));
        CHECK(memcmp(buffer, rows[i].text, length_of(rows[i].text) + 1) == 0);
    }
}

static void test_a_string_is_read_to_its_end_only(void)
{
    static const char cut[] = {'a', (char)0xE1, (char)0xBB, '\0'};
    char buffer[32];
    struct upd_json json = upd_json_on(buffer, sizeof buffer);

    upd_json_string(&json, "k", cut);
    CHECK(memcmp(buffer, "\"k\":\"a\\\\xe1\\\\xbb\"", 18) == 0);
}

int main(void)
{
    CHECK_RUN(test_every_kind_of_value_in_every_buffer);
    CHECK_RUN(test_bytes_that_need_care);
    CHECK_RUN(test_a_string_is_read_to_its_end_only);
    check_end();
}
