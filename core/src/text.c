#include <updraft/bytes.h>
#include <updraft/text.h>

struct upd_text upd_text_on(char *buffer, uint32_t size)
{
    if (size != 0) {
        buffer[0] = '\0';
    }
    return (struct upd_text){.start = buffer, .size = size};
}

void upd_text_bytes(struct upd_text *text, const void *bytes, uint32_t size)
{
    uint32_t at = text->length;

    /* A length that has reached its limit stays there: a text so long is not whole anyway. */
    text->length = size > UINT32_MAX - at ? UINT32_MAX : at + size;
    if (at < text->size) {
        uint32_t room = text->size - 1 - at;
        uint32_t fits = size < room ? size : room;
        if (fits != 0) {
            memcpy(text->start + at, bytes, fits);
        }
        text->start[at + fits] = '\0';
    }
}

void upd_text_add(struct upd_text *text, const char *string)
{
    uint32_t size = 0;

    while (string[size] != '\0') {
        size++;
    }
    upd_text_bytes(text, string, size);
}

/* The magnitude of a number, and its sign written; INT64_MIN has one too. */
static uint64_t magnitude(struct upd_text *text, int64_t value)
{
    if (value >= 0) {
        return (uint64_t)value;
    }
    upd_text_bytes(text, "-", 1);
    return 0 - (uint64_t)value;
}

void upd_text_decimal(struct upd_text *text, int64_t value)
{
    uint64_t rest = magnitude(text, value);
    char digits[20];
    uint32_t first = sizeof digits;

    /*
     * Small chips have no 64-bit division: long division in base 65536 keeps each step within 32
     * bits.
     */
    do {
        uint32_t remainder = 0;
        uint64_t quotient = 0;
        for (uint32_t shift = 64; shift != 0;) {
            shift -= 16;
            remainder = remainder << 16 | (uint32_t)(rest >> shift & 0xFFFF);
            quotient = quotient << 16 | remainder / 10;
            remainder %= 10;
        }
        digits[--first] = (char)('0' + remainder);
        rest = quotient;
    } while (rest != 0);
    upd_text_bytes(text, digits + first, (uint32_t)sizeof digits - first);
}

void upd_text_hex(struct upd_text *text, int64_t value, uint32_t digits)
{
    uint64_t rest = magnitude(text, value);
    bool started = false;

    for (uint32_t left = 16; left != 0; left--) {
        uint32_t digit = (uint32_t)(rest >> (left - 1) * 4) & 0xF;
        started = started || digit != 0 || left <= digits || left == 1;
        if (started) {
            upd_text_bytes(text, &"0123456789abcdef"[digit], 1);
        }
    }
}
