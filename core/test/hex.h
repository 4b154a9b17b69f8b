/* Digests written as text in tests. */
#ifndef UPDRAFT_TEST_HEX_H
#define UPDRAFT_TEST_HEX_H

#include <stdbool.h>
#include <stdint.h>

/** True when the `size` bytes, written as lower-case hexadecimal digits, are `text`. */
static inline bool hex_is(const uint8_t *bytes, uint32_t size, const char *text)
{
    static const char digits[] = "0123456789abcdef";

    for (uint32_t i = 0; i < size; i++) {
        if (text[2 * i] != digits[bytes[i] >> 4] || text[2 * i + 1] != digits[bytes[i] & 15]) {
            return false;
        }
    }
    return text[2 * size] == '\0';
}

#endif
