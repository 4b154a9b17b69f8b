#include "http_date.h"

#include <updraft/bytes.h>

/* A number of so many digits; 0xFFFF when they are none. */
static uint32_t digits(const char *text, uint32_t count)
{
    uint32_t value = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return 0xFFFF;
        }
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    return value;
}

static uint32_t month_of(const char *name)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (uint32_t i = 0; i < 12; i++) {
        if (memcmp(names + 3 * i, name, 3) == 0) {
            return i;
        }
    }
    return 12;
}

uint32_t upd_http_date(const char *text)
{
    static const char form[] = "aaa, 00 aaa 0000 00:00:00 GMT";
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};

    for (uint32_t i = 0; i < sizeof form; i++) {
        if (form[i] != 'a' && form[i] != '0' && form[i] != text[i]) {
            return 0;
        }
        if (text[i] == '\0' && i + 1 < sizeof form) {
            return 0;
        }
    }
    uint32_t day = digits(text + 5, 2);
    uint32_t month = month_of(text + 8);
    uint32_t year = digits(text + 12, 4);
    uint32_t hour = digits(text + 17, 2);
    uint32_t minute = digits(text + 20, 2);
    uint32_t second = digits(text + 23, 2);
    /* 32 bits of seconds end in 2106. */
    if (day < 1 || day > 31 || month > 11 || year < 2020 || year > 2105 || hour > 23 ||
        minute > 59 || second > 60) {
        return 0;
    }
    uint32_t days = (year - 1970) * 365 + (year - 1969) / 4 + before[month] + day - 1;
    if (year > 2100 || (year == 2100 && month > 1)) {
        days--; /* 2100 is no leap year */
    }
    if (month > 1 && year % 4 == 0) {
        days++;
    }
    return ((days * 24 + hour) * 60 + minute) * 60 + second;
}
