/*
 * Dates out of seconds since 1970, and seconds out of dates and intervals. UTC; no leap seconds; 32
 * bits last until February 2106.
 */
#ifndef CLOCK_CALENDAR_H
#define CLOCK_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

struct calendar {
    uint16_t year;
    uint8_t month;   /* 1 to 12 */
    uint8_t day;     /* 1 to 31 */
    uint8_t weekday; /* 0 is Sunday */
    uint8_t hour, minute, second;
};

struct calendar calendar_of(uint32_t unix_s);

/** Three letters. Months from 1. */
const char *calendar_weekday_name(uint32_t weekday);
const char *calendar_month_name(uint32_t month);

/**
 * Read a date as HTTP writes it: "Sat, 21 Nov 2026 02:57:35 GMT", and nothing else.
 *
 * @return false: it is none, or before 1970 or after 2105; *unix_s is unchanged
 */
bool calendar_parse(const char *text, uint32_t *unix_s);

/** The same for a date as Espressif's cloud writes it: "2026-11-21 02:57:35", taken for UTC. */
bool calendar_parse_plain(const char *text, uint32_t *unix_s);

/**
 * Read an interval: a number and a unit of s, min, h, d, w (weeks), mo (months of 30 days) or y
 * (years of 365 days): "10s", "2w", "3mo", "1y". "0" is never.
 *
 * @return false: it is none, or longer than 100 years; *seconds is unchanged
 */
bool calendar_parse_interval(const char *text, uint32_t *seconds);

#endif
