/* The calendar, and the two directions between instants and wall clock times.
 * Everything is arithmetic on days since 1970-01-01; a year begins in March here,
 * so that the leap day is its last and months have lengths without exceptions. */

#include "tz/civil.h"

enum { DAYS_400_YEARS = 146097, DAYS_TO_1970 = 719468 /* from 0000-03-01 */ };

#define MICROS_PER_SECOND INT64_C(1000000)

static int64_t floor_div(int64_t a, int64_t b)
{
  return a / b - (a % b < 0);
}

bool tz_is_leap(int64_t year)
{
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int tz_days_in_month(int64_t year, int month)
{
  static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return days[month - 1] + (month == 2 && tz_is_leap(year));
}

int64_t tz_days_from_civil(int64_t year, int month, int day)
{
  if (month <= 2) year--;
  int64_t cycle = floor_div(year, 400);
  int64_t of_cycle = year - cycle * 400;
  int from_march = month > 2 ? month - 3 : month + 9;
  int64_t of_year = (153 * from_march + 2) / 5 + day - 1;
  return cycle * DAYS_400_YEARS + of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + of_year - DAYS_TO_1970;
}

void tz_civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
  days += DAYS_TO_1970;
  int64_t cycle = floor_div(days, DAYS_400_YEARS);
  int left = (int)(days - cycle * DAYS_400_YEARS);
  /* Take out the leap days that have passed, and what is left is years of 365. */
  int of_cycle = (left - left / 1460 + left / 36524 - left / 146096) / 365;
  int of_year = left - (365 * of_cycle + of_cycle / 4 - of_cycle / 100);
  int from_march = (5 * of_year + 2) / 153;
  int m = from_march < 10 ? from_march + 3 : from_march - 9;
  if (year) *year = cycle * 400 + of_cycle + (m <= 2);
  if (month) *month = m;
  if (day) *day = of_year - (153 * from_march + 2) / 5 + 1;
}

int tz_weekday(int64_t days)
{
  /* 1970-01-01 was a Thursday. */
  return (int)(days + 3 - floor_div(days + 3, 7) * 7) + 1;
}

int tz_day_of_year(const struct tz_civil *civil)
{
  return (int)(tz_days_from_civil(civil->year, civil->month, civil->day) -
               tz_days_from_civil(civil->year, 1, 1)) +
         1;
}

bool tz_civil_is_valid(const struct tz_civil *civil)
{
  return civil->year >= TZ_YEAR_MIN && civil->year <= TZ_YEAR_MAX && civil->month >= 1 &&
         civil->month <= 12 && civil->day >= 1 && civil->day <= tz_days_in_month(civil->year, civil->month) &&
         civil->hour < 24 && civil->minute < 60 && civil->second < 60 && civil->micro >= 0 &&
         civil->micro < MICROS_PER_SECOND;
}

/* Microseconds from 1970-01-01 00:00 on the same clock. */
static int64_t wall_micros(const struct tz_civil *civil)
{
  int64_t days = tz_days_from_civil(civil->year, civil->month, civil->day);
  int64_t seconds = ((days * 24 + civil->hour) * 60 + civil->minute) * 60 + civil->second;
  return seconds * MICROS_PER_SECOND + civil->micro;
}

int tz_civil_compare(const struct tz_civil *a, const struct tz_civil *b)
{
  int64_t x = wall_micros(a), y = wall_micros(b);
  return (x > y) - (x < y);
}

static struct tz_civil with_date(const struct tz_civil *civil, int64_t days)
{
  struct tz_civil moved = *civil;
  int64_t year;
  int month, day;
  tz_civil_from_days(days, &year, &month, &day);
  moved.year = (int32_t)year;
  moved.month = (uint8_t)month;
  moved.day = (uint8_t)day;
  return moved;
}

struct tz_civil tz_local(const struct tz_zone *zone, int64_t instant)
{
  int32_t offset;
  tz_zone_offset(zone, instant, &offset, NULL, NULL);
  int64_t seconds = floor_div(instant, MICROS_PER_SECOND) + offset;
  int64_t days = floor_div(seconds, 86400);
  int of_day = (int)(seconds - days * 86400);
  int32_t micro = (int32_t)(instant % MICROS_PER_SECOND);
  struct tz_civil clock = {.hour = (uint8_t)(of_day / 3600),
                           .minute = (uint8_t)(of_day / 60 % 60),
                           .second = (uint8_t)(of_day % 60),
                           .micro = micro < 0 ? micro + (int32_t)MICROS_PER_SECOND : micro};
  return with_date(&clock, days);
}

int64_t tz_instant(const struct tz_zone *zone, const struct tz_civil *civil)
{
  int64_t wall = wall_micros(civil);
  return wall - tz_zone_wall_offset(zone, floor_div(wall, MICROS_PER_SECOND)) * MICROS_PER_SECOND;
}

struct tz_civil tz_add_days(const struct tz_civil *civil, int32_t days)
{
  return with_date(civil, tz_days_from_civil(civil->year, civil->month, civil->day) + days);
}

struct tz_civil tz_add_months(const struct tz_civil *civil, int32_t months)
{
  struct tz_civil moved = *civil;
  int64_t total = (int64_t)civil->year * 12 + civil->month - 1 + months;
  int64_t year = floor_div(total, 12);
  int month = (int)(total - year * 12) + 1;
  moved.year = (int32_t)year;
  moved.month = (uint8_t)month;
  moved.day = (uint8_t)MIN(civil->day, tz_days_in_month(year, month));
  return moved;
}

struct tz_civil tz_anniversary(const struct tz_civil *civil, int32_t year, enum tz_leap_day rule)
{
  struct tz_civil moved = *civil;
  moved.year = year;
  if (civil->month != 2 || civil->day != 29 || tz_is_leap(year)) return moved;
  moved.month = rule == TZ_LEAP_DAY_MARCH_1 ? 3 : 2;
  moved.day = rule == TZ_LEAP_DAY_MARCH_1 ? 1 : 28;
  return moved;
}
