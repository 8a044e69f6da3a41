#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

/* The footer of a zone file: a POSIX TZ string such as "CET-1CEST,M3.5.0,M10.5.0/3"
 * (POSIX.1 section 8.3; hours of a change from -167 to 167, RFC 8536 section 3.3.1). */

/* One change of the clocks, the same every year. */
struct tz_rule_change {
  enum { TZ_RULE_JULIAN, TZ_RULE_DAY, TZ_RULE_WEEKDAY } form; /* Jn, n, Mm.w.d */
  int day;   /* Jn: 1..365, 29 February not counted; n: 0..365; else weekday 0 (Sunday)..6 */
  int month; /* 1..12, of Mm.w.d */
  int week;  /* 1..5, 5 is the last */
  int time;  /* seconds after midnight, on the clock before the change */
};

struct tz_rule {
  char names[2][32];               /* standard, daylight */
  int32_t offsets[2];              /* seconds east of UTC */
  bool has_dst;                    /* false: only the first of each */
  struct tz_rule_change change[2]; /* to standard, to daylight */
};

/* Reads TEXT into RULE. False: not a TZ string that this project reads. */
bool tz_rule_parse(const char *text, size_t length, struct tz_rule *rule);

/* The instant (seconds UTC) in YEAR at which the clocks change to daylight
 * saving time (TO_DST) or back. */
int64_t tz_rule_instant(const struct tz_rule *rule, int64_t year, bool to_dst);
