#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tz/civil.h"
#include "tz/text.h"

/* When a waiting step is due.
 *
 * The rules, in this order (the ids are of the test tables):
 *  1. The wait. Days are civil: the same wall clock time on a later date, so "1 day"
 *     across a change of the clocks is 23 or 25 hours. Hours are absolute: "24 hours"
 *     is 24 hours, whatever the clocks show then (Z14). Both: first days, then hours.
 *  2. "at". After a wait of days only, the date is the start's date plus the days and
 *     the time of day is `at`, even if that is less than so many times 24 hours: two
 *     days at 09:00, from Monday 15:00, is Wednesday 09:00. After a wait with hours in
 *     it, the first `at` not before its end. Without a wait, the next `at` strictly
 *     after the start.
 *  3. Weekdays. A day that is not allowed is passed over; the time of day stays.
 *     ("Next business day 09:00" is no wait, at 09:00, Monday to Friday: Z13.)
 *  4. Quiet hours. A time inside them becomes their end; if that is on another day,
 *     rule 3 is asked again, and the time of day is then their end.
 *
 * A result that came from a calendar is a wall clock time, to be kept with the name
 * of the zone and resolved late, by tz_plan_resolve(), since the zone's rules may
 * change in between (Z10) and the contact may move (Z17). A wall clock time that is
 * skipped moves forward, one that is shown twice is its first showing (Z1-Z8); quiet
 * hours hold for the time that the clock then really shows. A date that is left out
 * altogether (Z6) falls to the next one. A step that repeats by "next `at` strictly
 * after the last" therefore runs once for every date that there is. */

/* A time of day that is not asked for. */
#define TZ_PLAN_NO_TIME (-1)

/* All seven days; and Monday is bit 0. */
#define TZ_PLAN_ANY_DAY  0x7f
#define TZ_PLAN_WORKDAYS 0x1f

struct tz_plan {
  struct tz_duration wait;
  int at;                      /* minutes after midnight, or TZ_PLAN_NO_TIME */
  uint8_t weekdays;            /* allowed days, bit 0 Monday; 0 counts as all */
  int quiet_from, quiet_until; /* minutes after midnight; quiet_from <= t < quiet_until, overnight if
                                  it is the larger; equal: none */
};

/* A plan without any wait or wish: due at once. */
#define TZ_PLAN_INIT                                                                                         \
  {                                                                                                          \
    .at = TZ_PLAN_NO_TIME, .weekdays = TZ_PLAN_ANY_DAY                                                       \
  }

/* When something is due. */
struct tz_due {
  bool is_wall;         /* true: `wall` counts, and is resolved late; false: `instant` does */
  struct tz_civil wall; /* in the zone that the plan was made for */
  int64_t instant;      /* microseconds UTC, by the zone's rules at hand */
};

/* The first due time of PLAN after FROM (microseconds UTC) in ZONE. Errors: LIMIT if
 * that is beyond the year 9999. */
bool tz_plan_next(const struct tz_plan *plan, const struct tz_zone *zone, int64_t from, struct tz_due *due,
                  GError **error);

/* The instant of a wall clock time that tz_plan_next() gave, by the rules that ZONE has
 * now; if the clock would now show a quiet hour, or a day that is not allowed, the next
 * time that is fine. Where WALL would leave the year 9999 it is taken as it is. */
int64_t tz_plan_resolve(const struct tz_plan *plan, const struct tz_zone *zone, const struct tz_civil *wall);
