#include <updraft/utf8.h>

#include <stdbool.h>
#include <stddef.h>

/* A character of 1 + index bytes: its first byte under a mask, and the least code point that needs
 * so many bytes. */
static const struct {
    uint8_t mask, lead;
    uint32_t least;
} shapes[] = {{0x80, 0x00, 0}, {0xE0, 0xC0, 0x80}, {0xF0, 0xE0, 0x800}, {0xF8, 0xF0, 0x10000}};

uint32_t upd_utf8_read(const uint8_t *bytes, uint32_t size, uint32_t *code)
{
    uint32_t length = 0, value;

    if (size == 0) {
        return 0;
    }
    while ((bytes[0] & shapes[length].mask) != shapes[length].lead) {
        if (++length == sizeof shapes / sizeof shapes[0]) {
            return 0;
        }
    }
    if (length >= size) {
        return 0;
    }
    value = bytes[0] & (uint32_t)(uint8_t)~shapes[length].mask;
    for (uint32_t i = 1; i <= length; i++) {
        if ((bytes[i] & 0xC0) != 0x80) {
            return 0;
        }
        value = value << 6 | (bytes[i] & 0x3Fu);
    }
    bool surrogate = value >= 0xD800 && value <= 0xDFFF;
    if (value < shapes[length].least || value > 0x10FFFF || surrogate) {
        return 0;
    }
    if (code != NULL) {
        *code = value;
    }
    return length + 1;
}
