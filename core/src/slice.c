#include "slice.h"

#include <updraft/bytes.h>

struct slice upd_slice_of(const char *string)
{
    struct slice text = {string, 0};

    while (string[text.size] != '\0') {
        text.size++;
    }
    return text;
}

bool upd_slice_equal(struct slice one, struct slice other)
{
    return one.size == other.size && (one.size == 0 || memcmp(one.at, other.at, one.size) == 0);
}

int upd_slice_compare(struct slice one, struct slice other)
{
    uint32_t common = one.size < other.size ? one.size : other.size;
    int order = common == 0 ? 0 : memcmp(one.at, other.at, common);

    return order != 0 ? order : (one.size > other.size) - (one.size < other.size);
}

struct slice upd_slice_trim(struct slice text)
{
    uint32_t point = 0;
    uint32_t size;

    while ((size = upd_utf8_decode(text.at, text.size, &point)) != 0 && upd_is_blank(point)) {
        text.at += size;
        text.size -= size;
    }
    while (text.size != 0) {
        /* The last character begins at the last byte that does not continue one. */
        uint32_t first = text.size - 1;
        while (first != 0 && ((uint8_t)text.at[first] & 0xC0) == 0x80) {
            first--;
        }
        size = upd_utf8_decode(text.at + first, text.size - first, &point);
        if (size != text.size - first || !upd_is_blank(point)) {
            break;
        }
        text.size = first;
    }
    return text;
}

struct slice upd_slice_split(struct slice *rest, char separator)
{
    struct slice first = {rest->at, 0};

    while (first.size < rest->size && rest->at[first.size] != separator) {
        first.size++;
    }
    uint32_t taken = first.size < rest->size ? first.size + 1 : first.size;
    rest->at += taken;
    rest->size -= taken;
    return first;
}

uint32_t upd_utf8_decode(const void *bytes, uint32_t left, uint32_t *point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* what needs so many bytes */
    const uint8_t *p = bytes;
    uint32_t size, value;

    if (left == 0) {
        return 0;
    }
    if (p[0] < 0x80) {
        *point = p[0];
        return 1;
    }
    size = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC0 || p[0] > 0xF7 || size > left) {
        return 0;
    }
    value = p[0] & (0x7Fu >> size);
    for (uint32_t i = 1; i < size; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
        value = value << 6 | (p[i] & 0x3F);
    }
    if (value < least[size] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
        return 0;
    }
    *point = value;
    return size;
}

uint32_t upd_utf8_encode(uint32_t point, char bytes[4])
{
    uint32_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

    for (uint32_t i = size; i-- > 1;) {
        bytes[i] = (char)(0x80 | (point & 0x3F));
        point >>= 6;
    }
    bytes[0] = (char)(size == 1 ? point : (0xF00u >> size & 0xF0) | point);
    return size;
}

bool upd_is_line_end(uint32_t point)
{
    return (point >= 0x0A && point <= 0x0D) || (point >= 0x1C && point <= 0x1E) || point == 0x85 ||
           point == 0x2028 || point == 0x2029;
}

bool upd_is_blank(uint32_t point)
{
    return upd_is_line_end(point) || point == ' ' || point == '\t' || point == 0x1F ||
           point == 0xA0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200A) ||
           point == 0x202F || point == 0x205F || point == 0x3000;
}

bool upd_is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}
