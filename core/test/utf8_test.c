/*
 * Goal: exactly the characters of Unicode are read, each in its shortest form.
 * Method: every code point is written by the rule of RFC 3629 and read back, whole and cut short;
 * then a table of what is no character.
 */
#include <updraft/bytes.h>
#include <updraft/utf8.h>

#include "check.h"

/* @return bytes written */
static uint32_t encode(uint32_t code, uint8_t bytes[4])
{
    uint32_t extra = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint8_t lead[4] = {0x00, 0xC0, 0xE0, 0xF0};

    for (uint32_t i = extra; i > 0; i--) {
        bytes[i] = (uint8_t)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    bytes[0] = (uint8_t)(lead[extra] | code);
    return extra + 1;
}

static void test_every_code_point_is_read(void)
{
    /* Every one up to the end of the plane that living languages use, then each 61st. */
    for (uint32_t code = 0; code <= 0x10FFFF; code += code < 0x10000 ? 1 : 61) {
        uint8_t bytes[4] = {0};
        uint32_t size = encode(code, bytes), read = 1;
        bool surrogate = code >= 0xD800 && code <= 0xDFFF;

        CHECK(upd_utf8_read(bytes, size, &read) == (surrogate ? 0 : size));
        CHECK(read == (surrogate ? 1 : code));
        for (uint32_t less = 0; less < size; less++) {
            CHECK(upd_utf8_read(bytes, less, NULL) == 0);
        }
    }
}

static void test_what_is_no_character(void)
{
    static const uint8_t rows[][4] = {
        {0x80}, /* continues nothing */
        {0xBF, 0x80},
        {0xC0, 0x80},             /* NUL in two bytes */
        {0xC1, 0xBF},             /* DEL in two bytes */
        {0xE0, 0x9F, 0xBF},       /* 7FF in three */
        {0xF0, 0x8F, 0xBF, 0xBF}, /* FFFF in four */
        {0xF4, 0x90, 0x80, 0x80}, /* 110000 */
        {0xF5, 0x80, 0x80, 0x80},
        {0xF8, 0x88, 0x80, 0x80}, /* five bytes */
        {0xFE},
        {0xFF},
        {0xC3, 0x28}, /* ends before it is whole */
        {0xE2, 0x28, 0xA1},
        {0xE2, 0x82, 0x28},
        {0xF0, 0x90, 0x8C, 0x28},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t code = 7;
        CHECK(upd_utf8_read(rows[i], 4, &code) == 0 && code == 7);
    }
}

int main(void)
{
    CHECK_RUN(test_every_code_point_is_read);
    CHECK_RUN(test_what_is_no_character);
    check_end();
}
