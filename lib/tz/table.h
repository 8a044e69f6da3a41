#pragma once

/* The inside of a zone, shared by the files that fill it (tzif.c) and read it
 * (zone.c). Not for other modules. */

#include "tz/zone.h"

/* Seconds in 400 Gregorian years: a whole number of weeks, so a rule such as
 * "last Sunday in March" repeats exactly. */
#define TZ_CYCLE INT64_C(12622780800)

/* Offsets that a zone may have (RFC 8536 section 3.2). */
#define TZ_OFFSET_MIN (-25 * 3600 + 1)
#define TZ_OFFSET_MAX (26 * 3600 - 1)

/* What clocks may show: one of a zone's local time types. */
struct tz_type {
  int32_t offset; /* seconds east of UTC */
  bool is_dst;    /* daylight saving time */
  uint16_t name;  /* place of the abbreviation in names */
};

/* Transition I happens at `at[I]`; from there on, until the next one, type
 * `kind[I + 1]` holds. `kind[0]` holds before the first. The footer rule has been
 * written out as transitions for at least 400 years, which then repeat. */
struct tz_zone {
  size_t count;        /* of transitions */
  const int64_t *at;   /* seconds UTC, ascending */
  const int64_t *wall; /* the same on the wall clock: `at` plus the larger offset beside it */
  const uint8_t *kind; /* count + 1 */
  const struct tz_type *types;
  const char *names;      /* abbreviations, each with its NUL */
  int64_t cycle;          /* first second of the 400 years that repeat */
  bool repeats;           /* after those 400 years */
  bool repeats_backwards; /* and before them: the rule is all there is */
};
