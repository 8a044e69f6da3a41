#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tz/zone.h"

/* Civil time: what a calendar and a clock on the wall show. Proleptic Gregorian,
 * years -9999 to 9999; year 0 is 1 BC. Text is in tz/text.h. */

/* A date and time of day, without a zone. */
struct tz_civil {
  int32_t year;
  uint8_t month, day;           /* 1..12, 1..31 */
  uint8_t hour, minute, second; /* 0..23, 0..59, 0..59 */
  int32_t micro;                /* 0..999999 */
};

/* The years that civil times may have. */
#define TZ_YEAR_MIN (-9999)
#define TZ_YEAR_MAX 9999

bool tz_is_leap(int64_t year);

/* Days in MONTH (1..12) of YEAR. */
int tz_days_in_month(int64_t year, int month);

/* Days from 1970-01-01 to the date; MONTH 1..12, DAY any (0 is the day before the
 * first, and so on). */
int64_t tz_days_from_civil(int64_t year, int month, int day);

/* The date that is DAYS after 1970-01-01. Each result may be NULL. */
void tz_civil_from_days(int64_t days, int64_t *year, int *month, int *day);

/* Weekday of the date DAYS after 1970-01-01: 1 Monday … 7 Sunday (ISO 8601). */
int tz_weekday(int64_t days);

/* 1 on the first of January … 366. */
int tz_day_of_year(const struct tz_civil *civil);

/* Whether every field is in its range. */
bool tz_civil_is_valid(const struct tz_civil *civil);

/* Order of two civil times: below, at or above zero. */
int tz_civil_compare(const struct tz_civil *a, const struct tz_civil *b);

/* What clock and calendar of ZONE show at INSTANT (microseconds UTC). */
struct tz_civil tz_local(const struct tz_zone *zone, int64_t instant);

/* The instant (microseconds UTC) at which ZONE shows CIVIL, which must be valid.
 * Shown twice: the first time. Never shown, because the clocks are put forward
 * over it: moved forward by as much as they are, so 02:30 becomes 03:30. (PEP 495
 * fold=0, RFC 5545 section 3.3.5.) */
int64_t tz_instant(const struct tz_zone *zone, const struct tz_civil *civil);

/* CIVIL with its date moved by DAYS; the time of day stays. The year may leave the
 * valid range. */
struct tz_civil tz_add_days(const struct tz_civil *civil, int32_t days);

/* CIVIL with its date moved by MONTHS. A day that the month does not have becomes
 * its last: 31 January plus one is 28 or 29 February, plus two is 31 March. Count
 * from the first date, not from the last result, and nothing drifts. */
struct tz_civil tz_add_months(const struct tz_civil *civil, int32_t months);

/* When somebody born on 29 February has a birthday in other years. */
enum tz_leap_day { TZ_LEAP_DAY_FEBRUARY_28, TZ_LEAP_DAY_MARCH_1 };

/* The anniversary of CIVIL in YEAR: exactly one a year, same time of day. */
struct tz_civil tz_anniversary(const struct tz_civil *civil, int32_t year, enum tz_leap_day rule);
