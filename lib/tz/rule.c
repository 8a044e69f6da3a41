/* The POSIX TZ string at the end of a zone file. Read once, when the zone is
 * read; tzif.c then asks for the changes of 400 years. The text is foreign: all
 * numbers are capped while they are read. */

#include "tz/rule.h"

#include <string.h>

#include "tz/civil.h"
#include "tz/table.h"

/* What is left to read. */
struct cursor {
  const char *p, *end;
};

static bool take(struct cursor *c, char wanted)
{
  if (c->p == c->end || *c->p != wanted) return false;
  c->p++;
  return true;
}

static bool read_number(struct cursor *c, int min, int max, int *value)
{
  const char *start = c->p;
  int n = 0;
  while (c->p < c->end && g_ascii_isdigit(*c->p) && n <= max)
    n = n * 10 + (*c->p++ - '0');
  *value = n;
  return c->p > start && n >= min && n <= max;
}

/* [+-]hh[:mm[:ss]] as seconds. */
static bool read_time(struct cursor *c, int max_hours, int *seconds)
{
  int hours, minutes = 0, rest = 0;
  bool negative = take(c, '-');
  if (!negative) take(c, '+');
  if (!read_number(c, 0, max_hours, &hours)) return false;
  if (take(c, ':')) {
    if (!read_number(c, 0, 59, &minutes)) return false;
    if (take(c, ':') && !read_number(c, 0, 59, &rest)) return false;
  }
  *seconds = (hours * 60 + minutes) * 60 + rest;
  if (negative) *seconds = -*seconds;
  return true;
}

/* Three letters or more, or <+0330>. */
static bool read_name(struct cursor *c, char name[32])
{
  bool quoted = take(c, '<');
  const char *start = c->p;
  while (c->p < c->end &&
         (g_ascii_isalpha(*c->p) || (quoted && (g_ascii_isdigit(*c->p) || *c->p == '+' || *c->p == '-'))))
    c->p++;
  size_t length = (size_t)(c->p - start);
  if (length < 3 || length > 31) return false;
  memcpy(name, start, length);
  name[length] = 0;
  return !quoted || take(c, '>');
}

/* POSIX counts west as positive. */
static bool read_offset(struct cursor *c, int32_t *offset)
{
  int west;
  if (!read_time(c, 24, &west)) return false;
  *offset = -west;
  return *offset >= TZ_OFFSET_MIN && *offset <= TZ_OFFSET_MAX;
}

static bool read_day(struct cursor *c, struct tz_rule_change *change)
{
  if (take(c, 'J')) {
    change->form = TZ_RULE_JULIAN;
    return read_number(c, 1, 365, &change->day);
  }
  if (take(c, 'M')) {
    change->form = TZ_RULE_WEEKDAY;
    return read_number(c, 1, 12, &change->month) && take(c, '.') && read_number(c, 1, 5, &change->week) &&
           take(c, '.') && read_number(c, 0, 6, &change->day);
  }
  change->form = TZ_RULE_DAY;
  return read_number(c, 0, 365, &change->day);
}

static bool read_change(struct cursor *c, struct tz_rule_change *change)
{
  change->time = 2 * 3600;
  return take(c, ',') && read_day(c, change) && (!take(c, '/') || read_time(c, 167, &change->time));
}

bool tz_rule_parse(const char *text, size_t length, struct tz_rule *rule)
{
  struct cursor c = {text, text + length};
  memset(rule, 0, sizeof *rule);
  if (!read_name(&c, rule->names[0]) || !read_offset(&c, &rule->offsets[0])) return false;
  if (c.p == c.end) return true;
  rule->has_dst = true;
  rule->offsets[1] = rule->offsets[0] + 3600;
  if (!read_name(&c, rule->names[1])) return false;
  if (c.p < c.end && *c.p != ',' && !read_offset(&c, &rule->offsets[1])) return false;
  return read_change(&c, &rule->change[1]) && read_change(&c, &rule->change[0]) && c.p == c.end;
}

/* The day of the change, in days since 1970-01-01. */
static int64_t change_day(const struct tz_rule_change *change, int64_t year)
{
  if (change->form == TZ_RULE_WEEKDAY) {
    int64_t first = tz_days_from_civil(year, change->month, 1);
    int ahead = change->day - tz_weekday(first) % 7;
    int day = (ahead < 0 ? ahead + 7 : ahead) + 7 * (change->week - 1);
    return first + (day < tz_days_in_month(year, change->month) ? day : day - 7);
  }
  int64_t january = tz_days_from_civil(year, 1, 1);
  if (change->form == TZ_RULE_DAY) return january + change->day;
  return january + change->day - 1 + (change->day >= 60 && tz_is_leap(year));
}

int64_t tz_rule_instant(const struct tz_rule *rule, int64_t year, bool to_dst)
{
  const struct tz_rule_change *change = &rule->change[to_dst];
  return change_day(change, year) * 86400 + change->time - rule->offsets[!to_dst];
}
