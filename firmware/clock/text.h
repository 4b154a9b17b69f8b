/*
 * The clock's texts, put together in a buffer of the caller. What does not fit is cut off; the
 * buffer always holds a NUL-terminated text.
 */
#ifndef CLOCK_TEXT_H
#define CLOCK_TEXT_H

#include <stdbool.h>
#include <stdint.h>

struct text {
    char *start;
    uint32_t size; /* bytes of the buffer, the NUL included; at least 1 */
    uint32_t length;
};

/** Start an empty text in a buffer of `size` bytes. */
struct text text_on(char *buffer, uint32_t size);
void text_char(struct text *text, char c);
void text_add(struct text *text, const char *string);
/** Append a decimal number, at least `width` digits, filled up with `fill`. */
void text_number(struct text *text, uint32_t number, uint32_t width, char fill);
/** Append 8 or fewer hexadecimal digits. */
void text_hex(struct text *text, uint32_t number, uint32_t digits);

uint32_t text_length(const char *string);
bool text_same(const char *one, const char *other);
/** Copy a string into a buffer of `size` bytes. */
void text_copy(char *buffer, uint32_t size, const char *string);

#endif
