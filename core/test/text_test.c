/*
 * Goal: a writer never leaves its buffer, always ends its text, and counts what did not fit.
 * Method: the same text into every buffer size from none to more than enough, with guard bytes
 * behind; numbers at the limits of their type.
 */
#include <updraft/bytes.h>
#include <updraft/text.h>

#include "check.h"

static bool is_text(const struct upd_text *text, const char *expected)
{
    uint32_t size = 0;

    while (expected[size] != '\0') {
        size++;
    }
    return text->length == size && memcmp(text->start, expected, size + 1) == 0;
}

static void write_all(struct upd_text *text)
{
    upd_text_add(text, "row ");
    upd_text_decimal(text, 94);
    upd_text_add(text, " at 0x");
    upd_text_hex(text, 0x9000, 1);
    upd_text_bytes(text, "!?", 1);
}

static void test_every_buffer_size_is_respected(void)
{
    static const char whole[] = "row 94 at 0x9000!";

    for (uint32_t size = 0; size < sizeof whole + 3; size++) {
        char buffer[sizeof whole + 8];
        memset(buffer, '#', sizeof buffer);
        struct upd_text text = upd_text_on(size == 0 ? NULL : buffer, size);
        CHECK(size == 0 || buffer[0] == '\0');

        write_all(&text);
        CHECK(text.length == sizeof whole - 1);
        CHECK(upd_text_is_whole(&text) == (size >= sizeof whole));
        uint32_t kept = size == 0 ? 0 : size < sizeof whole ? size - 1 : (uint32_t)sizeof whole - 1;
        CHECK(memcmp(buffer, whole, kept) == 0);
        CHECK(size == 0 || buffer[kept] == '\0');
        for (uint32_t i = size; i < sizeof buffer; i++) {
            CHECK(buffer[i] == '#');
        }
    }
}

static void test_the_length_does_not_wrap(void)
{
    struct upd_text text = upd_text_on(NULL, 0);

    upd_text_bytes(&text, "", UINT32_MAX - 1);
    upd_text_add(&text, "abc");
    CHECK(text.length == UINT32_MAX && !upd_text_is_whole(&text));
}

static void test_numbers(void)
{
    static const struct {
        int64_t value;
        const char *decimal, *hex, *hex8;
    } rows[] = {
        {0, "0", "0", "00000000"},
        {9, "9", "9", "00000009"},
        {10, "10", "a", "0000000a"},
        {65535, "65535", "ffff", "0000ffff"},
        {65536, "65536", "10000", "00010000"},
        {655360, "655360", "a0000", "000a0000"},
        {4294967295, "4294967295", "ffffffff", "ffffffff"},
        {4294967296, "4294967296", "100000000", "100000000"},
        {-1, "-1", "-1", "-00000001"},
        {-4096, "-4096", "-1000", "-00001000"},
        {1000000000000000000, "1000000000000000000", "de0b6b3a7640000", "de0b6b3a7640000"},
        {INT64_MAX, "9223372036854775807", "7fffffffffffffff", "7fffffffffffffff"},
        {INT64_MIN, "-9223372036854775808", "-8000000000000000", "-8000000000000000"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char buffer[24];
        struct upd_text text = upd_text_on(buffer, sizeof buffer);
        upd_text_decimal(&text, rows[i].value);
        CHECK_THAT(rows[i].decimal, is_text(&text, rows[i].decimal));
        text = upd_text_on(buffer, sizeof buffer);
        upd_text_hex(&text, rows[i].value, 1);
        CHECK_THAT(rows[i].hex, is_text(&text, rows[i].hex));
        text = upd_text_on(buffer, sizeof buffer);
        upd_text_hex(&text, rows[i].value, 8);
        CHECK_THAT(rows[i].hex8, is_text(&text, rows[i].hex8));
    }
}

int main(void)
{
    CHECK_RUN(test_every_buffer_size_is_respected);
    CHECK_RUN(test_the_length_does_not_wrap);
    CHECK_RUN(test_numbers);
    check_end();
}
