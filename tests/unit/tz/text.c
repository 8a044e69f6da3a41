/* Calendar arithmetic, and times and durations as text. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "tz/civil.h"
#include "tz/text.h"
#include "tzif.h"

static void test_every_day(void **state)
{
  (void)state;
  int64_t days = tz_days_from_civil(TZ_YEAR_MIN, 1, 1);
  int weekday = tz_weekday(days);
  for (int32_t year = TZ_YEAR_MIN; year <= TZ_YEAR_MAX; year++) {
    int of_year = 1;
    for (int month = 1; month <= 12; month++)
      for (int day = 1; day <= tz_days_in_month(year, month); day++, days++, of_year++) {
        int64_t y;
        int m, d;
        struct tz_civil civil = {.year = year, .month = (uint8_t)month, .day = (uint8_t)day};
        tz_civil_from_days(days, &y, &m, &d);
        if (tz_days_from_civil(year, month, day) != days || y != year || m != month || d != day ||
            tz_weekday(days) != weekday || tz_day_of_year(&civil) != of_year || !tz_civil_is_valid(&civil))
          fail_msg("%d-%d-%d", year, month, day);
        weekday = weekday % 7 + 1;
      }
  }
  assert_int_equal(tz_days_from_civil(1970, 1, 1), 0);
  assert_int_equal(tz_days_from_civil(2026, 3, 29), 20541);
  assert_int_equal(tz_weekday(20541), 7);
  assert_false(tz_is_leap(2100));
}

static const struct {
  const char *text, *instant; /* NULL: refused */
} instants[] = {
    {"2026-03-29T01:30:00Z", "2026-03-29T01:30:00Z"},
    {"2026-03-29t01:30z", "2026-03-29T01:30:00Z"},
    {"2026-03-29 01:30:00Z", "2026-03-29T01:30:00Z"},
    {"2026-03-29T03:30:00+02:00", "2026-03-29T01:30:00Z"},
    {"2026-03-29T03:30:00+0200", "2026-03-29T01:30:00Z"},
    {"2026-03-29T03:30+02", "2026-03-29T01:30:00Z"},
    {"2026-03-28T21:30:00-04:00", "2026-03-29T01:30:00Z"},
    {"2026-03-29", "2026-03-28T23:00:00Z"},       /* midnight in the zone */
    {"2026-03-29T02:30", "2026-03-29T01:30:00Z"}, /* Z1: a gap */
    {"2026-10-25T02:30:00", "2026-10-25T00:30:00Z"},
    {"2026-03-29T01:30:00.5Z", "2026-03-29T01:30:00.5Z"},
    {"2026-03-29T01:30:00,000001Z", "2026-03-29T01:30:00.000001Z"},
    {"2026-03-29T01:30:00.1234567899Z", "2026-03-29T01:30:00.123456Z"},
    {"2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"},
    {"1969-12-31T23:59:59.9Z", "1969-12-31T23:59:59.9Z"},
    {"9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"},
    {"-0001-02-03T00:00Z", "-0001-02-03T00:00:00Z"},
    {"", NULL},
    {"tomorrow", NULL},
    {"2026", NULL},
    {"2026-3-29", NULL},
    {"2026-02-29", NULL},
    {"2100-02-29", NULL},
    {"2026-13-01", NULL},
    {"2026-00-01", NULL},
    {"2026-01-00", NULL},
    {"2026-04-31T00:00Z", NULL},
    {"2026-03-29T", NULL},
    {"2026-03-29T1:30Z", NULL},
    {"2026-03-29T24:00Z", NULL},
    {"2026-03-29T01:60Z", NULL},
    {"2026-03-29T01:30:61Z", NULL},
    {"2026-03-29T01:30:00.Z", NULL},
    {"2026-03-29T01:30:00Zx", NULL},
    {"2026-03-29T01:30:00+", NULL},
    {"2026-03-29T01:30:00+02:", NULL},
    {"2026-03-29T01:30:00+24:00", NULL},
    {"2026-03-29T01:30:00 Europe/Berlin", NULL},
    {" 2026-03-29", NULL},
    {"20260329T013000Z", NULL},
    {"2026-03-29T01:30:00\xc3\xa9\n", NULL},
};

static void test_instants(void **state)
{
  (void)state;
  g_autoptr(tz_zone_auto) berlin = tzif_zone("CET-1CEST,M3.5.0,M10.5.0/3", NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(instants); i++) {
    int64_t instant;
    g_autoptr(GError) error = NULL;
    print_message("\"%s\"\n", instants[i].text);
    bool good = tz_text_to_instant(instants[i].text, berlin, &instant, &error);
    assert_int_equal(good, instants[i].instant != NULL);
    if (good) {
      g_autofree char *text = tz_text_from_instant(instant, NULL);
      assert_string_equal(text, instants[i].instant);
    } else {
      assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
      assert_non_null(strstr(error->message, "write it like"));
      assert_true(g_utf8_validate(error->message, -1, NULL) && !strchr(error->message, '\n'));
    }
  }
}

static void test_local_format(void **state)
{
  (void)state;
  static const struct {
    const char *rule, *instant, *text;
  } rows[] = {
      {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:30:00Z", "2026-03-29T03:30:00+02:00"},
      {"<-0330>3:30", "2026-03-29T01:30:00.25Z", "2026-03-28T22:00:00.25-03:30"},
      {"UTC0", "2026-03-29T01:30:00Z", "2026-03-29T01:30:00+00:00"},
      {"LMT0:44:30", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    int64_t instant, again;
    print_message("%s\n", rows[i].text);
    g_autoptr(tz_zone_auto) zone = tzif_zone(rows[i].rule, NULL);
    assert_true(tz_text_to_instant(rows[i].instant, NULL, &instant, NULL));
    g_autofree char *text = tz_text_from_instant(instant, zone);
    assert_string_equal(text, rows[i].text);
    assert_true(tz_text_to_instant(text, NULL, &again, NULL));
    assert_int_equal(again, instant);
  }
}

static void test_civil(void **state)
{
  (void)state;
  struct tz_civil civil;
  g_autoptr(GError) error = NULL;
  assert_true(tz_text_to_civil("2026-03-29T02:30", &civil, NULL));
  g_autofree char *text = tz_text_from_civil(&civil);
  assert_string_equal(text, "2026-03-29T02:30:00");
  assert_false(tz_text_to_civil("2026-03-29T02:30Z", &civil, &error));
  assert_non_null(strstr(error->message, "without a zone"));
}

static void test_minutes(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    int minute; /* -1: refused */
  } rows[] = {{"00:00", 0},     {"09:00", 540}, {"9:00", 540},  {"23:59", 1439}, {"24:00", -1},
              {"09:60", -1},    {"0900", -1},   {"9", -1},      {"9:0", -1},     {"09:00 ", -1},
              {"09:00:00", -1}, {"", -1},       {"9am", -1},    {"-9:00", -1},   {"009:00", -1},
              {":30", -1},      {"1:", -1},     {"\xff:00", -1}};
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    int minute = -1;
    g_autoptr(GError) error = NULL;
    print_message("\"%s\"\n", rows[i].text);
    assert_int_equal(tz_text_to_minute(rows[i].text, &minute, &error), rows[i].minute >= 0);
    if (!error) assert_int_equal(minute, rows[i].minute);
    if (error) assert_non_null(strstr(error->message, "like 09:00"));
  }
}

static void test_durations(void **state)
{
  (void)state;
  const int64_t minute = INT64_C(60000000);
  const struct {
    const char *text;
    int days;
    int64_t micros;
    const char *written; /* NULL: refused */
  } rows[] = {
      {"90 min", 0, 90 * minute, "90 minutes"},
      {"90min", 0, 90 * minute, "90 minutes"},
      {"1 minute", 0, minute, "1 minute"},
      {"2 hours", 0, 120 * minute, "2 hours"},
      {"24 h", 0, 1440 * minute, "24 hours"},
      {"3 days", 3, 0, "3 days"},
      {"1 Week", 7, 0, "1 week"},
      {"2w", 14, 0, "2 weeks"},
      {"8 days", 8, 0, "8 days"},
      {"1 day 12 hours", 1, 720 * minute, "1 day 12 hours"},
      {" 1d  30 s ", 1, minute / 2, "1 day 30 seconds"},
      {"0 days", 0, 0, "0 minutes"},
      {"36525 days", 36525, 0, "36525 days"},
      {"", 0, 0, NULL},
      {"3", 0, 0, NULL},
      {"days", 0, 0, NULL},
      {"1.5 hours", 0, 0, NULL},
      {"-1 day", 0, 0, NULL},
      {"1 month", 0, 0, NULL},
      {"1 m", 0, 0, NULL},
      {"1 day, 2 hours", 0, 0, NULL},
      {"two days", 0, 0, NULL},
      {"2 días", 0, 0, NULL},
      {"\xc3\xff 1 day", 0, 0, NULL},
      {"1\tday", 0, 0, NULL},
      {"36526 days", 0, 0, NULL},
      {"5218 weeks", 0, 0, NULL},
      {"36525 days 1 day", 0, 0, NULL},
      {"99999999999999999999999999 hours", 0, 0, NULL},
      {"876600 hours 1 s", 0, 0, NULL},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    struct tz_duration duration, again;
    g_autoptr(GError) error = NULL;
    print_message("\"%s\"\n", rows[i].text);
    assert_int_equal(tz_text_to_duration(rows[i].text, &duration, &error), rows[i].written != NULL);
    if (error) {
      print_message("  %s\n", error->message);
      assert_non_null(strstr(error->message, "\""));
      continue;
    }
    assert_int_equal(duration.days, rows[i].days);
    assert_int_equal(duration.micros, rows[i].micros);
    g_autofree char *written = tz_text_from_duration(&duration);
    assert_string_equal(written, rows[i].written);
    assert_true(tz_text_to_duration(written, &again, NULL));
    assert_int_equal(again.days, duration.days);
    assert_int_equal(again.micros, duration.micros);
  }
}

/* Z12, Z13 */
static void test_months(void **state)
{
  (void)state;
  static const struct {
    const char *id, *from;
    int months;
    const char *to;
  } rows[] = {{"Z13", "2026-01-31", 1, "2026-02-28"},   {"Z13", "2028-01-31", 1, "2028-02-29"},
              {"Z13", "2026-01-31", 2, "2026-03-31"},   {"Z13", "2026-01-31", 3, "2026-04-30"},
              {"back", "2026-03-31", -1, "2026-02-28"}, {"years", "2028-02-29", 12, "2029-02-28"},
              {"back", "2026-01-15", -13, "2024-12-15"}};
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    struct tz_civil from, to, got;
    print_message("%s: %s %+d\n", rows[i].id, rows[i].from, rows[i].months);
    assert_true(tz_text_to_civil(rows[i].from, &from, NULL));
    assert_true(tz_text_to_civil(rows[i].to, &to, NULL));
    got = tz_add_months(&from, rows[i].months);
    assert_int_equal(tz_civil_compare(&got, &to), 0);
  }
}

static void test_anniversaries(void **state)
{
  (void)state;
  static const struct {
    const char *id, *born;
    int year;
    enum tz_leap_day rule;
    const char *to;
  } rows[] = {
      {"Z12", "2000-02-29", 2026, TZ_LEAP_DAY_FEBRUARY_28, "2026-02-28"},
      {"Z12", "2000-02-29", 2026, TZ_LEAP_DAY_MARCH_1, "2026-03-01"},
      {"Z12", "2000-02-29", 2028, TZ_LEAP_DAY_FEBRUARY_28, "2028-02-29"},
      {"Z12", "2000-02-29", 2028, TZ_LEAP_DAY_MARCH_1, "2028-02-29"},
      {"Z12 2100", "2000-02-29", 2100, TZ_LEAP_DAY_MARCH_1, "2100-03-01"},
      {"Z12 2100", "2000-02-29", 2100, TZ_LEAP_DAY_FEBRUARY_28, "2100-02-28"},
      {"any day", "1980-12-24T09:00", 2026, TZ_LEAP_DAY_MARCH_1, "2026-12-24T09:00"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    struct tz_civil born, to, got;
    print_message("%s: %s in %d\n", rows[i].id, rows[i].born, rows[i].year);
    assert_true(tz_text_to_civil(rows[i].born, &born, NULL));
    assert_true(tz_text_to_civil(rows[i].to, &to, NULL));
    got = tz_anniversary(&born, rows[i].year, rows[i].rule);
    assert_int_equal(tz_civil_compare(&got, &to), 0);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_day),    cmocka_unit_test(test_instants),
      cmocka_unit_test(test_local_format), cmocka_unit_test(test_civil),
      cmocka_unit_test(test_minutes),      cmocka_unit_test(test_durations),
      cmocka_unit_test(test_months),       cmocka_unit_test(test_anniversaries),
  };
  return cmocka_run_group_tests_name("tz/text", tests, NULL, NULL);
}
