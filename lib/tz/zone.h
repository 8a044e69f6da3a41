#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

/* A time zone: what the clocks of a place show at every instant. Immutable, so
 * any number of threads may read one. */
struct tz_zone;

/* The largest zone file that is read. */
#define TZ_ZONE_BYTES_MAX (1024 * 1024)

/* Reads a compiled zone (TZif, RFC 8536, versions 1 to 4): the 64-bit data of a
 * newer file, and its footer rule for all time after the last transition.
 * Caller frees with tz_zone_free(). Errors: INPUT for bytes that are not a zone,
 * for one that counts leap seconds ("right/…": our time has none), and for one
 * whose changes lie so close together that a wall clock time would have three
 * meanings; LIMIT for too many bytes, transitions or types. */
struct tz_zone *tz_zone_parse(const uint8_t *bytes, size_t length, GError **error);

/* A zone that is always OFFSET seconds east of UTC, called "+0545". An offset
 * beyond a day is cut to a day. Caller frees with tz_zone_free(). */
struct tz_zone *tz_zone_fixed(int32_t offset);

/* UTC. Static: freeing it does nothing. */
const struct tz_zone *tz_zone_utc(void);

/* Frees ZONE, which may be NULL. */
void tz_zone_free(struct tz_zone *zone);

/* What the zone's clocks show at INSTANT (microseconds UTC, any): *OFFSET seconds
 * east of UTC, whether that is daylight saving time, and the abbreviation
 * (borrowed from ZONE). Each of the three may be NULL. */
void tz_zone_offset(const struct tz_zone *zone, int64_t instant, int32_t *offset, bool *is_dst,
                    const char **abbreviation);

/* The offset by which the wall clock time WALL (seconds since 1970-01-01 00:00 on
 * the zone's own clocks) is read, so that WALL minus it is UTC: a time that the
 * clocks skip is read by the offset before the gap, a time that they show twice
 * is its first showing (PEP 495 fold=0, RFC 5545 section 3.3.5). */
int32_t tz_zone_wall_offset(const struct tz_zone *zone, int64_t wall);

typedef struct tz_zone tz_zone_auto; /* for g_autoptr */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(tz_zone_auto, tz_zone_free)
