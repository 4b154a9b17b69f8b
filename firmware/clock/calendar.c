#include "calendar.h"

#include "text.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };
enum { DAYS_TO_1970 = 719468 }; /* from 1 March of the year 0 */
enum { DAYS_IN_400_YEARS = 146097, DAYS_IN_100_YEARS = 36524, DAYS_IN_4_YEARS = 1461 };

/*
 * Years are counted from March on, so that the leap day is the last of its year, and months before
 * it have a length of their own: 31, 30, 31, 30, 31 and again, 153 days in five of them.
 */
static struct calendar date_of(uint32_t days)
{
    uint32_t day = days + DAYS_TO_1970;
    uint32_t century4 = day / DAYS_IN_400_YEARS;
    uint32_t in_400 = day % DAYS_IN_400_YEARS;
    uint32_t year = (in_400 - in_400 / (DAYS_IN_4_YEARS - 1) + in_400 / DAYS_IN_100_YEARS -
                     in_400 / (DAYS_IN_400_YEARS - 1)) /
                    365;
    uint32_t in_year = in_400 - (365 * year + year / 4 - year / 100);
    uint32_t month = (5 * in_year + 2) / 153; /* 0 is March */

    return (struct calendar){
        .year = (uint16_t)(400 * century4 + year + (month >= 10)),
        .month = (uint8_t)(month < 10 ? month + 3 : month - 9),
        .day = (uint8_t)(in_year - (153 * month + 2) / 5 + 1),
        .weekday = (uint8_t)((days + 4) % 7), /* 1 January 1970 was a Thursday */
    };
}

struct calendar calendar_of(uint32_t unix_s)
{
    struct calendar calendar = date_of(unix_s / DAY);
    uint32_t second = unix_s % DAY;

    calendar.hour = (uint8_t)(second / HOUR);
    calendar.minute = (uint8_t)(second % HOUR / MINUTE);
    calendar.second = (uint8_t)(second % MINUTE);
    return calendar;
}

const char *calendar_weekday_name(uint32_t weekday)
{
    static const char names[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    return weekday < 7 ? names[weekday] : "???";
}

const char *calendar_month_name(uint32_t month)
{
    static const char names[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    return month >= 1 && month <= 12 ? names[month - 1] : "???";
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* `count` digits. */
static bool take_digits(const char **text, uint32_t count, uint32_t *number)
{
    *number = 0;
    for (; count > 0; count--, (*text)++) {
        if (!is_digit(**text)) {
            return false;
        }
        *number = *number * 10 + (uint32_t)(**text - '0');
    }
    return true;
}

static bool take_text(const char **text, const char *expected)
{
    const char *at = *text;
    for (; *expected != '\0'; at++, expected++) {
        if (*at != *expected) {
            return false;
        }
    }
    *text = at;
    return true;
}

static bool take_name(const char **text, const char *name(uint32_t), uint32_t first, uint32_t limit,
                      uint32_t *number)
{
    for (*number = first; *number < limit; (*number)++) {
        if (take_text(text, name(*number))) {
            return true;
        }
    }
    return false;
}

static uint32_t days_until(uint32_t year, uint32_t month, uint32_t day)
{
    uint32_t from_march = month > 2 ? month - 3 : month + 9;
    uint32_t years = month > 2 ? year : year - 1;

    return 365 * years + years / 4 - years / 100 + years / 400 + (153 * from_march + 2) / 5 + day -
           1 - DAYS_TO_1970;
}

/* hh:mm:ss */
static bool take_time(const char **text, uint32_t *second_of_day)
{
    uint32_t hour, minute, second;

    if (!take_digits(text, 2, &hour) || !take_text(text, ":") || !take_digits(text, 2, &minute) ||
        !take_text(text, ":") || !take_digits(text, 2, &second)) {
        return false;
    }
    *second_of_day = hour * HOUR + minute * MINUTE + second;
    return hour <= 23 && minute <= 59 && second <= 59;
}

/* @return false: no such day, as the 31st of a month of 30 days */
static bool find_day(uint32_t year, uint32_t month, uint32_t day, uint32_t *days)
{
    if (year < 1970 || year > 2105 || month < 1 || month > 12 || day == 0) {
        return false;
    }
    *days = days_until(year, month, day);
    return date_of(*days).month == month;
}

bool calendar_parse_plain(const char *text, uint32_t *unix_s)
{
    uint32_t day, month, year, second, days;

    if (!take_digits(&text, 4, &year) || !take_text(&text, "-") || !take_digits(&text, 2, &month) ||
        !take_text(&text, "-") || !take_digits(&text, 2, &day) || !take_text(&text, " ") ||
        !take_time(&text, &second) || *text != '\0' || !find_day(year, month, day, &days)) {
        return false;
    }
    *unix_s = days * DAY + second;
    return true;
}

bool calendar_parse(const char *text, uint32_t *unix_s)
{
    uint32_t weekday, day, month, year, second, days;

    if (!take_name(&text, calendar_weekday_name, 0, 7, &weekday) || !take_text(&text, ", ") ||
        !take_digits(&text, 2, &day) || !take_text(&text, " ") ||
        !take_name(&text, calendar_month_name, 1, 13, &month) || !take_text(&text, " ") ||
        !take_digits(&text, 4, &year) || !take_text(&text, " ") || !take_time(&text, &second) ||
        !take_text(&text, " GMT") || *text != '\0' || !find_day(year, month, day, &days) ||
        date_of(days).weekday != weekday) {
        return false;
    }
    *unix_s = days * DAY + second;
    return true;
}

bool calendar_parse_interval(const char *text, uint32_t *seconds)
{
    static const struct {
        char name[4];
        uint32_t seconds;
    } units[] = {
        {"s", 1},       {"min", MINUTE},  {"h", HOUR},      {"d", DAY},
        {"w", 7 * DAY}, {"mo", 30 * DAY}, {"y", 365 * DAY},
    };
    const uint32_t longest = 100u * 365 * DAY;
    uint32_t number = 0;

    if (text_same(text, "0")) {
        *seconds = 0;
        return true;
    }
    if (!is_digit(*text)) {
        return false;
    }
    for (; is_digit(*text); text++) {
        if (number > longest / 10) {
            return false;
        }
        number = number * 10 + (uint32_t)(*text - '0');
    }
    for (uint32_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (text_same(text, units[i].name) && number > 0 && number <= longest / units[i].seconds) {
            *seconds = number * units[i].seconds;
            return true;
        }
    }
    return false;
}
