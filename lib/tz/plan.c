/* The due time of a waiting step: wait, then "at", then weekdays and quiet hours.
 * Pure calendar work on wall clock times; instants come in only where the order of
 * two times matters, because near a change of the clocks two wall clock times may
 * stand the other way round. */

#include "tz/plan.h"

#include "base/error.h"

enum { MINUTES_PER_DAY = 24 * 60, STEPS_MAX = 32 };

static int minute_of(const struct tz_civil *wall)
{
  return wall->hour * 60 + wall->minute;
}

static void set_minute(struct tz_civil *wall, int minute)
{
  wall->hour = (uint8_t)(minute / 60);
  wall->minute = (uint8_t)(minute % 60);
  wall->second = 0;
  wall->micro = 0;
}

static bool is_allowed_day(const struct tz_plan *plan, const struct tz_civil *wall)
{
  int weekday = tz_weekday(tz_days_from_civil(wall->year, wall->month, wall->day));
  return !(plan->weekdays & TZ_PLAN_ANY_DAY) || plan->weekdays >> (weekday - 1) & 1;
}

static bool is_quiet(const struct tz_plan *plan, const struct tz_civil *wall)
{
  int minute = minute_of(wall);
  bool after = minute >= plan->quiet_from, before = minute < plan->quiet_until;
  return plan->quiet_from <= plan->quiet_until ? after && before : after || before;
}

/* The end of the quiet hours that WALL is in. */
static void leave_quiet(const struct tz_plan *plan, struct tz_civil *wall)
{
  if (minute_of(wall) >= plan->quiet_until) *wall = tz_add_days(wall, 1);
  set_minute(wall, plan->quiet_until);
}

/* Moves WALL forward until the clock, when it comes, shows an allowed day and no
 * quiet hour. What the clock shows differs from WALL where WALL is skipped. */
static void move_to_allowed(const struct tz_plan *plan, const struct tz_zone *zone, struct tz_civil *wall)
{
  for (int step = 0; step < STEPS_MAX && wall->year <= TZ_YEAR_MAX; step++) {
    struct tz_civil shown = tz_local(zone, tz_instant(zone, wall));
    if (!is_allowed_day(plan, &shown)) {
      *wall = tz_add_days(wall, 1);
    } else if (is_quiet(plan, &shown)) {
      *wall = shown;
      leave_quiet(plan, wall);
    } else {
      return;
    }
  }
}

/* The first time that the clock shows MINUTE, not before LANDING; strictly after it if
 * STRICTLY. */
static struct tz_civil next_at(const struct tz_zone *zone, int minute, int64_t landing, bool strictly)
{
  struct tz_civil wall = tz_local(zone, landing);
  set_minute(&wall, minute);
  for (int step = 0; step < STEPS_MAX && wall.year <= TZ_YEAR_MAX; step++) {
    int64_t instant = tz_instant(zone, &wall);
    if (strictly ? instant > landing : instant >= landing) break;
    wall = tz_add_days(&wall, 1);
  }
  return wall;
}

/* Rules 1 and 2. False: outside the calendar. */
static bool wait_out(const struct tz_plan *plan, const struct tz_zone *zone, int64_t from, struct tz_due *due)
{
  struct tz_civil start = tz_local(zone, from);
  const struct tz_duration *wait = &plan->wait;
  due->instant = from;
  due->is_wall = false;
  if (start.year < TZ_YEAR_MIN || start.year > TZ_YEAR_MAX) return false;
  if (wait->days) {
    due->is_wall = true;
    due->wall = tz_add_days(&start, wait->days);
    if (due->wall.year > TZ_YEAR_MAX) return false;
    if (!wait->micros && plan->at != TZ_PLAN_NO_TIME) set_minute(&due->wall, plan->at);
    due->instant = tz_instant(zone, &due->wall);
  }
  if (wait->micros) {
    due->is_wall = false;
    due->instant += wait->micros;
  }
  if (plan->at != TZ_PLAN_NO_TIME && !due->is_wall) {
    due->wall = next_at(zone, plan->at, due->instant, !wait->micros);
    due->is_wall = true;
  }
  if (!due->is_wall) due->wall = tz_local(zone, due->instant);
  return due->wall.year <= TZ_YEAR_MAX;
}

static bool is_absolute_and_allowed(const struct tz_plan *plan, const struct tz_due *due)
{
  return !due->is_wall && is_allowed_day(plan, &due->wall) && !is_quiet(plan, &due->wall);
}

/* Rules 3 and 4. False: outside the calendar. */
static bool move_on(const struct tz_plan *plan, const struct tz_zone *zone, struct tz_due *due)
{
  move_to_allowed(plan, zone, &due->wall);
  int64_t instant = tz_instant(zone, &due->wall);
  if (instant < due->instant) {
    /* The wait ended in the second showing of an hour, and the first is over. */
    due->wall = next_at(zone, minute_of(&due->wall), due->instant, false);
    move_to_allowed(plan, zone, &due->wall);
    instant = tz_instant(zone, &due->wall);
  }
  due->is_wall = true;
  due->instant = instant;
  return due->wall.year <= TZ_YEAR_MAX;
}

bool tz_plan_next(const struct tz_plan *plan, const struct tz_zone *zone, int64_t from, struct tz_due *due,
                  GError **error)
{
  bool good = wait_out(plan, zone, from, due);
  /* An absolute end that is fine is kept to the microsecond: as a wall clock time it
   * could be the second showing of an hour, and be lost. */
  if (good && is_absolute_and_allowed(plan, due)) return true;
  if (good) good = move_on(plan, zone, due);
  if (good) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "the wait ends outside the years %d to %d",
              TZ_YEAR_MIN, TZ_YEAR_MAX);
  return false;
}

int64_t tz_plan_resolve(const struct tz_plan *plan, const struct tz_zone *zone, const struct tz_civil *wall)
{
  struct tz_civil moved = *wall;
  move_to_allowed(plan, zone, &moved);
  return tz_instant(zone, moved.year <= TZ_YEAR_MAX ? &moved : wall);
}
