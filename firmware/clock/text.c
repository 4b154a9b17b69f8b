#include "text.h"

struct text text_on(char *buffer, uint32_t size)
{
    buffer[0] = '\0';
    return (struct text){buffer, size, 0};
}

void text_char(struct text *text, char c)
{
    if (text->length + 1 < text->size) {
        text->start[text->length++] = c;
        text->start[text->length] = '\0';
    }
}

void text_add(struct text *text, const char *string)
{
    while (*string != '\0') {
        text_char(text, *string++);
    }
}

void text_number(struct text *text, uint32_t number, uint32_t width, char fill)
{
    char digits[10];
    uint32_t count = 0;

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    for (uint32_t i = count; i < width; i++) {
        text_char(text, fill);
    }
    while (count > 0) {
        text_char(text, digits[--count]);
    }
}

void text_hex(struct text *text, uint32_t number, uint32_t digits)
{
    while (digits > 0) {
        digits--;
        text_char(text, "0123456789ABCDEF"[number >> 4 * digits & 15]);
    }
}

uint32_t text_length(const char *string)
{
    uint32_t length = 0;
    while (string[length] != '\0') {
        length++;
    }
    return length;
}

bool text_same(const char *one, const char *other)
{
    while (*one == *other) {
        if (*one == '\0') {
            return true;
        }
        one++;
        other++;
    }
    return false;
}

void text_copy(char *buffer, uint32_t size, const char *string)
{
    struct text text = text_on(buffer, size);
    text_add(&text, string);
}
