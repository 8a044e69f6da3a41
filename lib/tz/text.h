#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tz/civil.h"

/* Times and durations as people and programs write them. Every error is INPUT (or
 * LIMIT, for a number that is too large), quotes the text, and says what would be
 * accepted. Text may be any bytes before its NUL. */

/* A waiting time. Days and weeks are civil: the same wall clock time on another
 * date. Minutes and hours are absolute. Where both are given the days come first. */
struct tz_duration {
  int32_t days;   /* civil, 0..TZ_DURATION_DAYS_MAX */
  int64_t micros; /* absolute, 0..as many days */
};

/* The longest duration, in days: 100 years. */
#define TZ_DURATION_DAYS_MAX 36525

/* Reads an instant (ISO 8601, RFC 3339): "2026-03-29T01:30:00Z", with an offset
 * ("+02:00", "+0200", "+02"), seconds left out, a fraction (more than six digits
 * are cut), a space or "t" for "T", or a date alone, which is its midnight. Without
 * an offset it is a wall clock time in ZONE (NULL: UTC). Second 60 is read as 59. */
bool tz_text_to_instant(const char *text, const struct tz_zone *zone, int64_t *instant, GError **error);

/* INSTANT as "2026-03-29T01:30:00Z", or as "2026-03-29T03:30:00+02:00" where ZONE is
 * not NULL; a fraction only if there is one. Caller frees. */
char *tz_text_from_instant(int64_t instant, const struct tz_zone *zone);

/* Reads a wall clock time: as above, without an offset. */
bool tz_text_to_civil(const char *text, struct tz_civil *civil, GError **error);

/* CIVIL as "2026-03-29T09:00:00"; a fraction only if there is one. Caller frees. */
char *tz_text_from_civil(const struct tz_civil *civil);

/* Reads a time of day, "09:00" or "9:00" up to "23:59", as minutes after midnight. */
bool tz_text_to_minute(const char *text, int *minute, GError **error);

/* Reads a duration: whole numbers and units, such as "90 min", "2 hours", "3 days",
 * "1 week", "1 day 12 hours". */
bool tz_text_to_duration(const char *text, struct tz_duration *duration, GError **error);

/* DURATION in the largest units that are exact: "3 days", "1 day 90 minutes". "0 minutes"
 * for none. Caller frees. */
char *tz_text_from_duration(const struct tz_duration *duration);
