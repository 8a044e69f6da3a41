/* The wait rules of a workflow, as a table: start, plan, when it is due. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/error.h"
#include "tz/plan.h"
#include "tzif.h"

#define BERLIN   "CET-1CEST,M3.5.0,M10.5.0/3"
#define NEW_YORK "EST5EDT,M3.2.0,M11.1.0"
#define SANTIAGO "<-04>4<-03>,M9.1.6/24,M4.1.6/24"

/* 2026-03-29 and 2026-10-25 are the Sundays of the change in Berlin. */
static const struct {
  const char *id, *rule, *from, *wait, *at;
  int weekdays;
  const char *quiet_from, *quiet_until, *due;
  bool is_wall;
} rows[] = {
    {"nothing asked", BERLIN, "2026-05-04T10:00:00.5Z", NULL, NULL, 0, 0, 0, "2026-05-04T10:00:00.5Z", false},
    {"hours", BERLIN, "2026-05-04T10:00Z", "2 hours", NULL, 0, 0, 0, "2026-05-04T12:00:00Z", false},
    /* Z14: 24 hours and a day differ when the clocks change. */
    {"Z14 24 hours, autumn", BERLIN, "2026-10-24T13:00Z", "24 hours", NULL, 0, 0, 0, "2026-10-25T13:00:00Z",
     false},
    {"Z14 1 day, autumn", BERLIN, "2026-10-24T13:00Z", "1 day", NULL, 0, 0, 0, "2026-10-25T14:00:00Z", true},
    {"Z14 24 hours, spring", BERLIN, "2026-03-28T14:00Z", "24 hours", NULL, 0, 0, 0, "2026-03-29T14:00:00Z",
     false},
    {"Z14 1 day, spring", BERLIN, "2026-03-28T14:00Z", "1 day", NULL, 0, 0, 0, "2026-03-29T13:00:00Z", true},
    {"Z14 1 day 24 hours", BERLIN, "2026-10-24T13:00Z", "1 day 24 hours", NULL, 0, 0, 0,
     "2026-10-26T14:00:00Z", false},
    /* "at" after days: the date counts, even if it comes to less than so many 24 hours. */
    {"2 days at 09:00, from 15:00", BERLIN, "2026-05-04T13:00Z", "2 days", "09:00", 0, 0, 0,
     "2026-05-06T07:00:00Z", true},
    {"2 days at 09:00, from 06:00", BERLIN, "2026-05-04T04:00Z", "2 days", "09:00", 0, 0, 0,
     "2026-05-06T07:00:00Z", true},
    {"2 days at 09:00, over the change", BERLIN, "2026-10-24T13:00Z", "2 days", "09:00", 0, 0, 0,
     "2026-10-26T08:00:00Z", true},
    {"1 week at 09:00", BERLIN, "2026-03-25T13:00Z", "1 week", "09:00", 0, 0, 0, "2026-04-01T07:00:00Z",
     true},
    {"the local date counts, not the UTC one", NEW_YORK, "2026-05-05T02:00Z", "1 day", "09:00", 0, 0, 0,
     "2026-05-05T13:00:00Z", true},
    /* "at" without a wait: strictly after. */
    {"at 09:00, from 08:59", BERLIN, "2026-05-04T06:59Z", NULL, "09:00", 0, 0, 0, "2026-05-04T07:00:00Z",
     true},
    {"at 09:00, from 09:00", BERLIN, "2026-05-04T07:00Z", NULL, "09:00", 0, 0, 0, "2026-05-05T07:00:00Z",
     true},
    {"0 days at 09:00, from 15:00", BERLIN, "2026-05-04T13:00Z", "0 days", "09:00", 0, 0, 0,
     "2026-05-05T07:00:00Z", true},
    /* "at" after hours: not before their end. */
    {"36 hours at 09:00", BERLIN, "2026-05-04T07:00Z", "36 hours", "09:00", 0, 0, 0, "2026-05-06T07:00:00Z",
     true},
    {"24 hours at 09:00, from 09:00", BERLIN, "2026-05-04T07:00Z", "24 hours", "09:00", 0, 0, 0,
     "2026-05-05T07:00:00Z", true},
    {"1 day 1 min at 09:00", BERLIN, "2026-05-04T07:00Z", "1 day 1 min", "09:00", 0, 0, 0,
     "2026-05-06T07:00:00Z", true},
    /* Gaps and overlaps. */
    {"Z1 1 day at 02:30", BERLIN, "2026-03-28T12:00Z", "1 day", "02:30", 0, 0, 0, "2026-03-29T01:30:00Z",
     true},
    {"Z1 daily job runs on", BERLIN, "2026-03-29T01:30Z", NULL, "02:30", 0, 0, 0, "2026-03-30T00:30:00Z",
     true},
    {"Z2 1 day at 02:30", BERLIN, "2026-10-24T12:00Z", "1 day", "02:30", 0, 0, 0, "2026-10-25T00:30:00Z",
     true},
    {"Z2 never again at the second", BERLIN, "2026-10-25T00:30Z", NULL, "02:30", 0, 0, 0,
     "2026-10-26T01:30:00Z", true},
    {"Z2 from the second showing", BERLIN, "2026-10-25T01:10Z", NULL, "02:30", 0, 0, 0,
     "2026-10-26T01:30:00Z", true},
    {"Z2 hours may end there", BERLIN, "2026-10-25T00:30Z", "1 hour", NULL, 0, 0, 0, "2026-10-25T01:30:00Z",
     false},
    {"Z5 daily at 00:00, Santiago", SANTIAGO, "2026-09-05T04:00Z", NULL, "00:00", 0, 0, 0,
     "2026-09-06T04:00:00Z", true},
    {"Z5 and the day after", SANTIAGO, "2026-09-06T04:00Z", NULL, "00:00", 0, 0, 0, "2026-09-07T03:00:00Z",
     true},
    /* Weekdays. 2026-05-01 is a Friday. */
    {"Z13 next business day, from Friday", BERLIN, "2026-05-01T10:00Z", NULL, "09:00", TZ_PLAN_WORKDAYS, 0, 0,
     "2026-05-04T07:00:00Z", true},
    {"Z13 next business day, from Friday 08:00", BERLIN, "2026-05-01T06:00Z", NULL, "09:00", TZ_PLAN_WORKDAYS,
     0, 0, "2026-05-01T07:00:00Z", true},
    {"Z13 from Sunday", BERLIN, "2026-05-03T06:00Z", NULL, "09:00", TZ_PLAN_WORKDAYS, 0, 0,
     "2026-05-04T07:00:00Z", true},
    {"1 day on workdays keeps the time", BERLIN, "2026-05-01T10:20:30Z", "1 day", NULL, TZ_PLAN_WORKDAYS, 0,
     0, "2026-05-04T10:20:30Z", true},
    {"hours that end on a Saturday", BERLIN, "2026-05-01T10:00Z", "24 hours", NULL, TZ_PLAN_WORKDAYS, 0, 0,
     "2026-05-04T10:00:00Z", true},
    {"only Tuesdays", BERLIN, "2026-05-05T10:00Z", NULL, "09:00", 1 << 1, 0, 0, "2026-05-12T07:00:00Z", true},
    /* Quiet hours. */
    {"quiet: outside", BERLIN, "2026-05-04T10:00Z", "1 hour", NULL, 0, "22:00", "08:00",
     "2026-05-04T11:00:00Z", false},
    {"quiet: in the evening", BERLIN, "2026-05-04T20:00Z", "1 hour", NULL, 0, "22:00", "08:00",
     "2026-05-05T06:00:00Z", true},
    {"quiet: in the morning", BERLIN, "2026-05-04T04:00Z", "1 hour", NULL, 0, "22:00", "08:00",
     "2026-05-04T06:00:00Z", true},
    {"quiet: begins on the minute", BERLIN, "2026-05-04T19:00Z", "1 hour", NULL, 0, "22:00", "08:00",
     "2026-05-05T06:00:00Z", true},
    {"quiet: ends on the minute", BERLIN, "2026-05-04T05:00Z", "1 hour", NULL, 0, "22:00", "08:00",
     "2026-05-04T06:00:00Z", false},
    {"quiet: by day", BERLIN, "2026-05-04T10:00Z", NULL, NULL, 0, "12:00", "14:00", "2026-05-04T12:00:00Z",
     true},
    {"quiet: at 23:00 becomes 08:00", BERLIN, "2026-05-04T10:00Z", NULL, "23:00", 0, "22:00", "08:00",
     "2026-05-05T06:00:00Z", true},
    {"quiet: Friday night is Monday morning", BERLIN, "2026-05-01T20:30Z", NULL, NULL, TZ_PLAN_WORKDAYS,
     "22:00", "08:00", "2026-05-04T06:00:00Z", true},
    {"Z14 quiet: over the change, autumn", BERLIN, "2026-10-24T20:30Z", NULL, NULL, 0, "22:00", "08:00",
     "2026-10-25T07:00:00Z", true},
    {"Z14 quiet: over the change, spring", BERLIN, "2026-03-28T21:30Z", NULL, NULL, 0, "22:00", "08:00",
     "2026-03-29T06:00:00Z", true},
    {"Z14 quiet: a gap leads into it", BERLIN, "2026-03-28T12:00Z", "1 day", "02:30", 0, "03:00", "08:00",
     "2026-03-29T06:00:00Z", true},
    {"Z14 quiet: ends in the gap", BERLIN, "2026-03-28T21:30Z", NULL, NULL, 0, "22:00", "02:30",
     "2026-03-29T01:30:00Z", true},
    {"Z14 quiet: from the second showing", BERLIN, "2026-10-25T01:10Z", NULL, NULL, 0, "22:00", "02:30",
     "2026-10-26T01:30:00Z", true},
    {"Z14 quiet: second showing is over", BERLIN, "2026-10-25T01:30Z", NULL, NULL, 0, "22:00", "02:30",
     "2026-10-25T01:30:00Z", false},
    {"the end of the calendar", BERLIN, "9999-12-30T12:00Z", "1 day", "09:00", 0, 0, 0,
     "9999-12-31T08:00:00Z", true},
    {"beyond the calendar", BERLIN, "9999-12-30T12:00Z", "2 days", NULL, 0, 0, 0, NULL, false},
    {"beyond the calendar by hours", BERLIN, "9999-12-30T12:00Z", "48 hours", NULL, 0, 0, 0, NULL, false},
    {"beyond the calendar by weekday", BERLIN, "9999-12-31T12:00Z", NULL, NULL, 1 << 1, 0, 0, NULL, false},
};

static int minute(const char *text, int otherwise)
{
  int value = otherwise;
  if (text) assert_true(tz_text_to_minute(text, &value, NULL));
  return value;
}

static void test_plans(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("%s\n", rows[i].id);
    g_autoptr(GError) error = NULL;
    g_autoptr(tz_zone_auto) zone = tzif_zone(rows[i].rule, NULL);
    struct tz_plan plan = TZ_PLAN_INIT;
    struct tz_due due;
    int64_t from;
    assert_true(tz_text_to_instant(rows[i].from, NULL, &from, NULL));
    if (rows[i].wait) assert_true(tz_text_to_duration(rows[i].wait, &plan.wait, NULL));
    plan.at = minute(rows[i].at, TZ_PLAN_NO_TIME);
    plan.weekdays = (uint8_t)rows[i].weekdays;
    plan.quiet_from = minute(rows[i].quiet_from, 0);
    plan.quiet_until = minute(rows[i].quiet_until, 0);
    bool good = tz_plan_next(&plan, zone, from, &due, &error);
    assert_int_equal(good, rows[i].due != NULL);
    if (!good) {
      assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT));
      continue;
    }
    g_autofree char *text = tz_text_from_instant(due.instant, NULL);
    assert_string_equal(text, rows[i].due);
    assert_int_equal(due.is_wall, rows[i].is_wall);
    if (due.is_wall) assert_int_equal(tz_plan_resolve(&plan, zone, &due.wall), due.instant);
  }
}

/* Resolved late: the wall clock time stays, and the zone's rules of that day count
 * (Z10), or another zone's (Z17); quiet hours hold by the new rules too. */
static void test_resolved_late(void **state)
{
  (void)state;
  g_autoptr(tz_zone_auto) before = tzif_zone("MST7MDT,M3.2.0,M11.1.0", NULL);
  g_autoptr(tz_zone_auto) after = tzif_zone("<-06>6", NULL);
  g_autoptr(tz_zone_auto) berlin = tzif_zone(BERLIN, NULL);
  struct tz_plan plan = TZ_PLAN_INIT;
  struct tz_due due;
  int64_t from, expected;
  plan.wait.days = 10;
  plan.at = 9 * 60;
  assert_true(tz_text_to_instant("2026-11-21T18:00Z", NULL, &from, NULL));
  assert_true(tz_plan_next(&plan, before, from, &due, NULL));
  assert_true(tz_text_to_instant("2026-12-01T16:00Z", NULL, &expected, NULL));
  assert_int_equal(due.instant, expected);
  assert_true(tz_text_to_instant("2026-12-01T15:00Z", NULL, &expected, NULL));
  assert_int_equal(tz_plan_resolve(&plan, after, &due.wall), expected);
  /* A plan made where 02:30 exists, resolved where it leads into quiet hours. */
  plan.quiet_from = 3 * 60;
  plan.quiet_until = 8 * 60;
  due.wall = (struct tz_civil){.year = 2026, .month = 3, .day = 29, .hour = 2, .minute = 30};
  assert_true(tz_text_to_instant("2026-03-29T06:00Z", NULL, &expected, NULL));
  assert_int_equal(tz_plan_resolve(&plan, berlin, &due.wall), expected);
}

/* Every daily job runs exactly once on every date of 40 years, whatever its time of
 * day and whatever the clocks do. */
static void test_daily(void **state)
{
  (void)state;
  static const char *const rules[] = {BERLIN, SANTIAGO, "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
                                      "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3"};
  for (size_t r = 0; r < G_N_ELEMENTS(rules); r++)
    for (int at = 0; at < 24 * 60; at += 45) {
      g_autoptr(tz_zone_auto) zone = tzif_zone(rules[r], NULL);
      struct tz_plan plan = TZ_PLAN_INIT;
      struct tz_due due = {.instant = 0};
      plan.at = at;
      int64_t date = INT64_MIN;
      for (int run = 0; run < 40 * 365; run++) {
        assert_true(tz_plan_next(&plan, zone, due.instant, &due, NULL));
        struct tz_civil shown = tz_local(zone, due.instant);
        int64_t next = tz_days_from_civil(shown.year, shown.month, shown.day);
        if (run && next != date + 1) fail_msg("%s at %d: run %d skips or repeats a date", rules[r], at, run);
        date = next;
      }
    }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plans),
      cmocka_unit_test(test_resolved_late),
      cmocka_unit_test(test_daily),
  };
  return cmocka_run_group_tests_name("tz/plan", tests, NULL, NULL);
}
