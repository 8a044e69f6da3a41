/* Reading a zone: one binary search in a sorted table, for an instant or for a
 * wall clock time. tzif.c made the table, and nothing changes it. The search has
 * no branch that depends on the data, which is what makes it quick. */

#include "tz/table.h"

#include <stdlib.h>

/* How many of the COUNT ascending TIMES are <= T. */
static size_t count_until(const int64_t *times, size_t count, int64_t t)
{
  const int64_t *base = times;
  if (!count) return 0;
  for (size_t half; count > 1; count -= half) {
    half = count / 2;
    base = base[half - 1] <= t ? base + half : base;
  }
  return (size_t)(base - times) + (*base <= t);
}

/* T moved by whole 400 years into the part of the table that repeats. Instants
 * and wall clock times alike: the table goes on for some days on both sides. */
static int64_t fold(const struct tz_zone *zone, int64_t t)
{
  bool after = zone->repeats && t >= zone->cycle + TZ_CYCLE;
  bool before = zone->repeats_backwards && t < zone->cycle;
  if (!after && !before) return t;
  int64_t within = (t - zone->cycle) % TZ_CYCLE;
  return zone->cycle + (within < 0 ? within + TZ_CYCLE : within);
}

void tz_zone_offset(const struct tz_zone *zone, int64_t instant, int32_t *offset, bool *is_dst,
                    const char **abbreviation)
{
  int64_t seconds = instant / 1000000 - (instant % 1000000 < 0);
  size_t i = count_until(zone->at, zone->count, fold(zone, seconds));
  const struct tz_type *type = &zone->types[zone->kind[i]];
  if (offset) *offset = type->offset;
  if (is_dst) *is_dst = type->is_dst;
  if (abbreviation) *abbreviation = zone->names + type->name;
}

int32_t tz_zone_wall_offset(const struct tz_zone *zone, int64_t wall)
{
  /* In a gap and in an overlap alike the offset before the transition counts:
   * `wall` has the end of either. */
  size_t i = count_until(zone->wall, zone->count, fold(zone, wall));
  return zone->types[zone->kind[i]].offset;
}

static const uint8_t fixed_kind[1] = {0};
static const struct tz_type utc_type = {0};
static const struct tz_zone utc = {.kind = fixed_kind, .types = &utc_type, .names = "UTC"};

const struct tz_zone *tz_zone_utc(void)
{
  return &utc;
}

struct tz_zone *tz_zone_fixed(int32_t offset)
{
  offset = CLAMP(offset, -86400, 86400);
  int32_t size = abs(offset);
  char sign = offset < 0 ? '-' : '+';
  struct tz_type *type = g_new0(struct tz_type, 1);
  struct tz_zone *zone = g_new0(struct tz_zone, 1);
  type->offset = offset;
  zone->types = type;
  zone->kind = g_memdup2(fixed_kind, sizeof fixed_kind);
  zone->names = size % 60 ? g_strdup_printf("%c%02d%02d%02d", sign, size / 3600, size / 60 % 60, size % 60)
                          : g_strdup_printf("%c%02d%02d", sign, size / 3600, size / 60 % 60);
  return zone;
}

void tz_zone_free(struct tz_zone *zone)
{
  if (!zone || zone == &utc) return;
  g_free((void *)zone->at);
  g_free((void *)zone->wall);
  g_free((void *)zone->kind);
  g_free((void *)zone->types);
  g_free((void *)zone->names);
  g_free(zone);
}
