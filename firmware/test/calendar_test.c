/* Goal: dates, and intervals up to years, are right on every day that 32 bits can name. */
#include "calendar.h"
#include "check.h"

static const struct {
    const char *text;
    uint32_t unix_s;
} dates[] = {
    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},           {"Thu, 01 Jan 1970 00:00:01 GMT", 1},
    {"Tue, 29 Feb 2000 12:00:00 GMT", 951825600},   {"Wed, 01 Mar 2000 00:00:00 GMT", 951868800},
    {"Sat, 21 Nov 2026 02:57:35 GMT", 1795229855},  {"Tue, 19 Jan 2038 03:14:08 GMT", 2147483648u},
    {"Mon, 01 Mar 2100 00:00:00 GMT", 4107542400u}, /* 2100 is no leap year */
    {"Thu, 31 Dec 2105 23:59:59 GMT", 4291747199u},
};

static void test_known_dates(void)
{
    for (uint32_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        uint32_t unix_s = 1;
        CHECK_THAT(dates[i].text, calendar_parse(dates[i].text, &unix_s));
        CHECK_THAT(dates[i].text, unix_s == dates[i].unix_s);
    }
    struct calendar now = calendar_of(1795229855);
    CHECK(now.year == 2026 && now.month == 11 && now.day == 21 && now.weekday == 6);
    CHECK(now.hour == 2 && now.minute == 57 && now.second == 35);
}

/* Method: count the days one by one, with the rule of leap years as everybody knows it. */
static void test_every_day_until_2105(void)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint32_t year = 1970, month = 1, day = 1, weekday = 4, wrong = 0;

    for (uint32_t days = 0; year <= 2105; days++) {
        struct calendar date = calendar_of(days * 86400u + 86399);
        wrong += date.year != year || date.month != month || date.day != day ||
                 date.weekday != weekday || date.hour != 23 || date.minute != 59 ||
                 date.second != 59;
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        if (++day > lengths[month - 1] + (uint32_t)(month == 2 && leap)) {
            day = 1;
            month++;
        }
        if (month > 12) {
            month = 1;
            year++;
        }
        weekday = (weekday + 1) % 7;
    }
    CHECK(wrong == 0);
}

static void test_what_is_no_date_is_refused(void)
{
    static const char *const texts[] = {
        "",
        "Sat, 21 Nov 2026 02:57:35",
        "Sat, 21 Nov 2026 02:57:35 GMT ",
        "Sat, 21 Nov 2026 02:57:35 UTC",
        "Sun, 21 Nov 2026 02:57:35 GMT", /* it is a Saturday */
        "Saturday, 21-Nov-26 02:57:35 GMT",
        "Sat Nov 21 02:57:35 2026",
        "Sat, 1 Nov 2026 02:57:35 GMT",
        "Sat, 00 Nov 2026 02:57:35 GMT",
        "Tue, 31 Nov 2026 02:57:35 GMT",
        "Sun, 29 Feb 2026 02:57:35 GMT",
        "Sat, 21 nov 2026 02:57:35 GMT",
        "Sat, 21 Nov 1926 02:57:35 GMT",
        "Sun, 01 Jan 2106 00:00:00 GMT",
        "Sat, 21 Nov 2026 24:00:00 GMT",
        "Sat, 21 Nov 2026 02:60:00 GMT",
        "Sat, 21 Nov 2026 02:57:60 GMT",
        "Sat, 21 Nov 2026 02:57:3x GMT",
        "Sat, 21 Nov 2026 -2:57:35 GMT",
    };
    for (uint32_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint32_t unix_s = 77;
        CHECK_THAT(texts[i], !calendar_parse(texts[i], &unix_s) && unix_s == 77);
    }
}

static void test_plain_dates(void)
{
    static const struct {
        const char *text;
        bool valid;
        uint32_t unix_s;
    } rows[] = {
        {"1970-01-01 00:00:01", true, 1},
        {"2026-11-21 02:57:35", true, 1795229855},
        {"2105-12-31 23:59:59", true, 4291747199u},
        {"0001-01-01 08:05:57", false, 0}, /* how the cloud writes "never" */
        {"2026-11-31 02:57:35", false, 0},
        {"2026-13-21 02:57:35", false, 0},
        {"2026-00-21 02:57:35", false, 0},
        {"2026-11-21 24:57:35", false, 0},
        {"2026-11-21T02:57:35", false, 0},
        {"2026-11-21 02:57:35 ", false, 0},
        {"2026-11-21 02:57", false, 0},
        {"2106-01-01 00:00:00", false, 0},
        {"", false, 0},
    };
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t unix_s = 77;
        CHECK_THAT(rows[i].text, calendar_parse_plain(rows[i].text, &unix_s) == rows[i].valid);
        CHECK_THAT(rows[i].text, unix_s == (rows[i].valid ? rows[i].unix_s : 77));
    }
}

static void test_intervals(void)
{
    static const struct {
        const char *text;
        bool valid;
        uint32_t seconds;
    } rows[] = {
        {"0", true, 0},
        {"10s", true, 10},
        {"5min", true, 300},
        {"12h", true, 43200},
        {"1d", true, 86400},
        {"1w", true, 604800},
        {"2w", true, 1209600},
        {"1mo", true, 2592000},
        {"6mo", true, 15552000},
        {"1y", true, 31536000},
        {"100y", true, 3153600000u},
        {"", false, 0},
        {"s", false, 0},
        {"0s", false, 0},
        {"10", false, 0},
        {"1m", false, 0}, /* months or minutes? */
        {"1W", false, 0},
        {"-1w", false, 0},
        {"1 w", false, 0},
        {"1ww", false, 0},
        {"1.5h", false, 0},
        {"101y", false, 0},
        {"3153600001s", false, 0},
        {"4294967297s", false, 0},
        {"99999999999999999999s", false, 0},
    };
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t seconds = 77;
        CHECK_THAT(rows[i].text, calendar_parse_interval(rows[i].text, &seconds) == rows[i].valid);
        CHECK_THAT(rows[i].text, seconds == (rows[i].valid ? rows[i].seconds : 77));
    }
}

int main(void)
{
    CHECK_RUN(test_known_dates);
    CHECK_RUN(test_every_day_until_2105);
    CHECK_RUN(test_what_is_no_date_is_refused);
    CHECK_RUN(test_plain_dates);
    CHECK_RUN(test_intervals);
    check_end();
}
