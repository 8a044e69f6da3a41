/* Zones: whatever the bytes, parsing ends with a zone or an error; in a zone, offsets
 * are bounded, an instant's wall clock time leads back to that instant or to the first
 * showing of the same time, and a wall clock time that is skipped moves forward.
 * Texts: what is accepted is written back and read again as the same.
 * Bytes that begin with "T" are a zone file; else the first byte chooses the reader. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "tz/civil.h"
#include "tz/plan.h"
#include "tz/table.h"
#include "tz/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t micros_of(const struct tz_civil *civil)
{
  return tz_instant(tz_zone_utc(), civil);
}

static void check_instant(const struct tz_zone *zone, int64_t instant)
{
  int32_t offset;
  const char *abbreviation;
  tz_zone_offset(zone, instant, &offset, NULL, &abbreviation);
  g_assert_true(offset >= TZ_OFFSET_MIN && offset <= TZ_OFFSET_MAX && strlen(abbreviation) < 5000);
  struct tz_civil local = tz_local(zone, instant);
  int64_t back = tz_instant(zone, &local);
  g_assert_true(back <= instant);
  struct tz_civil twin = tz_local(zone, back);
  g_assert_true(!tz_civil_compare(&local, &twin));
}

static void check_wall(const struct tz_zone *zone, int64_t wall)
{
  struct tz_civil civil = tz_local(tz_zone_utc(), wall);
  struct tz_civil shown = tz_local(zone, tz_instant(zone, &civil));
  int64_t moved = micros_of(&shown) - wall;
  g_assert_true(moved >= 0 && moved <= (TZ_OFFSET_MAX - TZ_OFFSET_MIN) * INT64_C(1000000));
}

static void check_plan(const struct tz_zone *zone, int64_t from, uint8_t byte)
{
  struct tz_plan plan = TZ_PLAN_INIT;
  struct tz_due due;
  plan.at = byte * 5;
  plan.quiet_from = byte * 3;
  plan.quiet_until = 480;
  plan.wait.days = byte % 3;
  plan.weekdays = byte;
  if (!tz_plan_next(&plan, zone, from, &due, NULL)) return;
  g_assert_true(tz_civil_is_valid(&due.wall) && due.is_wall);
  g_assert_true(plan.wait.days || due.instant > from);
  g_assert_true(tz_plan_resolve(&plan, zone, &due.wall) == due.instant);
}

/* Around N of the transitions, and at instants all over the calendar. */
static void check_zone(const struct tz_zone *zone, uint8_t byte)
{
  static const int64_t sides[] = {-7200, -3600, -1800, -1, 0, 1, 1800, 3599, 3600, 7200, 86400};
  const int64_t second = 1000000, least = tz_days_from_civil(TZ_YEAR_MIN, 1, 3) * 86400,
                most = tz_days_from_civil(TZ_YEAR_MAX, 12, 29) * 86400;
  size_t step = zone->count / 50 + 1;
  for (size_t i = 0; i < zone->count; i += step)
    for (size_t j = 0; j < G_N_ELEMENTS(sides); j++) {
      int64_t at = CLAMP(zone->at[i], least, most) + sides[j];
      check_instant(zone, at * second);
      check_wall(zone, at * second);
      check_wall(zone, (CLAMP(zone->wall[i], least, most) + sides[j]) * second);
      check_plan(zone, at * second, byte);
    }
  for (int64_t t = least; t < most; t += (most - least) / 100) {
    check_instant(zone, t * second + byte);
    check_wall(zone, t * second);
  }
  check_instant(zone, zone->cycle * second);
  check_instant(zone, zone->cycle * second - 1);
  check_instant(zone, (zone->cycle + TZ_CYCLE) * second);
  check_instant(zone, (zone->cycle + TZ_CYCLE) * second - 1);
}

static void check_instant_text(const char *text)
{
  int64_t instant, again;
  if (!tz_text_to_instant(text, NULL, &instant, NULL)) return;
  g_autofree char *written = tz_text_from_instant(instant, NULL);
  /* An offset may lead out of the calendar by a day. */
  struct tz_civil civil = tz_local(tz_zone_utc(), instant);
  if (!tz_civil_is_valid(&civil)) return;
  g_assert_true(tz_text_to_instant(written, NULL, &again, NULL) && again == instant);
}

static void check_civil_text(const char *text)
{
  struct tz_civil civil, again;
  if (!tz_text_to_civil(text, &civil, NULL)) return;
  g_assert_true(tz_civil_is_valid(&civil));
  g_autofree char *written = tz_text_from_civil(&civil);
  g_assert_true(tz_text_to_civil(written, &again, NULL) && !tz_civil_compare(&civil, &again));
}

static void check_duration_text(const char *text)
{
  struct tz_duration duration, again;
  if (!tz_text_to_duration(text, &duration, NULL)) return;
  g_assert_true(duration.days >= 0 && duration.days <= TZ_DURATION_DAYS_MAX && duration.micros >= 0);
  g_autofree char *written = tz_text_from_duration(&duration);
  g_assert_true(tz_text_to_duration(written, &again, NULL));
  g_assert_true(again.days == duration.days && again.micros == duration.micros);
}

static void check_minute_text(const char *text)
{
  int minute;
  g_autoptr(GError) error = NULL;
  if (tz_text_to_minute(text, &minute, &error))
    g_assert_true(minute >= 0 && minute < 24 * 60);
  else
    g_assert_true(g_utf8_validate(error->message, -1, NULL) && strlen(error->message) < 300);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (!size) return 0;
  if (data[0] == 'T') {
    g_autoptr(GError) error = NULL;
    g_autoptr(tz_zone_auto) zone = tz_zone_parse(data, size, &error);
    g_assert_true(!zone == !!error);
    if (zone) check_zone(zone, data[size - 1]);
    return 0;
  }
  g_autofree char *text = g_strndup((const char *)data + 1, size - 1);
  if (data[0] == 'i') check_instant_text(text);
  if (data[0] == 'c') check_civil_text(text);
  if (data[0] == 'd') check_duration_text(text);
  if (data[0] == 'm') check_minute_text(text);
  return 0;
}
