#include <stdarg.h>

#include "rom.h"

enum { CONSOLE = 1 };

/* The console is written in pieces of a line's length: a simcall a character is slow. */
struct output {
    uint8_t text[128];
    uint32_t size;
};

static void flush(struct output *out)
{
    host_write(CONSOLE, out->text, out->size);
    out->size = 0;
}

static void put(struct output *out, char c)
{
    out->text[out->size++] = (uint8_t)c;
    if (out->size == sizeof out->text) {
        flush(out);
    }
}

static void put_number(struct output *out, uint32_t value, uint32_t base, uint32_t width, char fill,
                       char first_letter)
{
    char digits[11];
    uint32_t count = 0;
    do {
        uint32_t digit = value % base;
        digits[count++] = (char)(digit < 10 ? '0' + digit : (uint32_t)first_letter + digit - 10);
        value /= base;
    } while (value != 0);
    for (uint32_t i = count; i < width; i++) {
        put(out, fill);
    }
    while (count > 0) {
        put(out, digits[--count]);
    }
}

/* The conversions that boot loaders and firmware use: %c %s %d %u %x %X %p %%, with 0 and width. */
int ets_printf(const char *format, ...)
{
    struct output out = {.size = 0};
    va_list arguments;

    va_start(arguments, format);
    for (const char *at = format; *at != '\0'; at++) {
        if (*at != '%') {
            put(&out, *at);
            continue;
        }
        at++;
        char fill = ' ';
        uint32_t width = 0;
        if (*at == '0') {
            fill = '0';
            at++;
        }
        while (*at >= '0' && *at <= '9') {
            width = width * 10 + (uint32_t)(*at++ - '0');
        }
        while (*at == 'l') {
            at++;
        }
        if (*at == 'c') {
            put(&out, (char)va_arg(arguments, int));
        } else if (*at == 's') {
            const char *text = va_arg(arguments, const char *);
            while (*text != '\0') {
                put(&out, *text++);
            }
        } else if (*at == 'd') {
            int32_t value = va_arg(arguments, int32_t);
            if (value < 0) {
                put(&out, '-');
            }
            put_number(&out, value < 0 ? 0 - (uint32_t)value : (uint32_t)value, 10, width, fill,
                       'a');
        } else if (*at == 'u') {
            put_number(&out, va_arg(arguments, uint32_t), 10, width, fill, 'a');
        } else if (*at == 'x' || *at == 'p') {
            put_number(&out, va_arg(arguments, uint32_t), 16, width, fill, 'a');
        } else if (*at == 'X') {
            put_number(&out, va_arg(arguments, uint32_t), 16, width, fill, 'A');
        } else if (*at == '\0') {
            break;
        } else {
            put(&out, *at);
        }
    }
    va_end(arguments);
    flush(&out);
    return 0;
}

void *memcpy(void *restrict target, const void *restrict source, size_t size)
{
    return memmove(target, source, size);
}

void *memmove(void *target, const void *source, size_t size)
{
    uint8_t *to = target;
    const uint8_t *from = source;
    if (to < from) {
        for (size_t i = 0; i < size; i++) {
            to[i] = from[i];
        }
    } else {
        for (size_t i = size; i > 0; i--) {
            to[i - 1] = from[i - 1];
        }
    }
    return target;
}

void *memset(void *target, int value, size_t size)
{
    uint8_t *to = target;
    for (size_t i = 0; i < size; i++) {
        to[i] = (uint8_t)value;
    }
    return target;
}

int memcmp(const void *one, const void *other, size_t size)
{
    const uint8_t *left = one;
    const uint8_t *right = other;
    for (size_t i = 0; i < size; i++) {
        if (left[i] != right[i]) {
            return left[i] < right[i] ? -1 : 1;
        }
    }
    return 0;
}

bool text_same(const char *one, const char *other)
{
    return text_starts(one, other) && text_starts(other, one);
}

bool text_starts(const char *text, const char *start)
{
    while (*start != '\0') {
        if (*text++ != *start++) {
            return false;
        }
    }
    return true;
}

uint32_t text_number(const char **text)
{
    const char *at = *text;
    uint32_t base = 10;
    uint32_t value = 0;
    if (text_starts(at, "0x")) {
        base = 16;
        at += 2;
    }
    for (;; at++) {
        uint32_t digit = *at >= '0' && *at <= '9'   ? (uint32_t)(*at - '0')
                         : *at >= 'a' && *at <= 'f' ? (uint32_t)(*at - 'a') + 10
                                                    : 99;
        if (digit >= base) {
            break;
        }
        value = value * base + digit;
    }
    *text = at;
    return value;
}
