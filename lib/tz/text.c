/* Times and durations as text. Each reader walks a cursor over the text and gives
 * up at the first thing it does not know; the caller of the walk makes the one
 * error, with the text and what is accepted. */

#include "tz/text.h"

#include <string.h>

#include "base/error.h"

#define MICROS_PER_SECOND INT64_C(1000000)

/* TEXT for an error message: cut, and without what could disturb a log. */
static char *quote(const char *text)
{
  GString *quoted = g_string_new("\"");
  for (int i = 0; *text && i < 60; i++) {
    gunichar c = g_utf8_get_char_validated(text, -1);
    bool good = c < (gunichar)-2 && g_unichar_isprint(c);
    g_string_append_unichar(quoted, good ? c : '?');
    text = c < (gunichar)-2 ? g_utf8_next_char(text) : text + 1;
  }
  g_string_append(quoted, *text ? "…\"" : "\"");
  return g_string_free(quoted, false);
}

static bool refuse(GError **error, const char *text, const char *accepted)
{
  g_autofree char *quoted = quote(text);
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "%s is not %s", quoted, accepted);
  return false;
}

static bool take(const char **p, char wanted)
{
  if (**p != wanted) return false;
  (*p)++;
  return true;
}

/* Exactly DIGITS digits, in MIN..MAX. */
static bool read_digits(const char **p, int digits, int min, int max, int *value)
{
  int n = 0;
  for (int i = 0; i < digits; i++, (*p)++) {
    if (!g_ascii_isdigit(**p)) return false;
    n = n * 10 + (**p - '0');
  }
  *value = n;
  return n >= min && n <= max;
}

static bool read_date(const char **p, struct tz_civil *civil)
{
  int year, month, day;
  bool negative = take(p, '-');
  if (!read_digits(p, 4, 0, TZ_YEAR_MAX, &year) || !take(p, '-') || !read_digits(p, 2, 1, 12, &month) ||
      !take(p, '-'))
    return false;
  civil->year = negative ? -year : year;
  if (!read_digits(p, 2, 1, tz_days_in_month(civil->year, month), &day)) return false;
  civil->month = (uint8_t)month;
  civil->day = (uint8_t)day;
  return true;
}

/* The digits after the point, as microseconds. */
static bool read_fraction(const char **p, int32_t *micro)
{
  int32_t unit = 100000;
  if (!g_ascii_isdigit(**p)) return false;
  for (; g_ascii_isdigit(**p); (*p)++, unit /= 10)
    *micro += (**p - '0') * unit;
  return true;
}

static bool read_clock(const char **p, struct tz_civil *civil)
{
  int hour, minute, second = 0;
  if (!read_digits(p, 2, 0, 23, &hour) || !take(p, ':') || !read_digits(p, 2, 0, 59, &minute)) return false;
  if (take(p, ':')) {
    if (!read_digits(p, 2, 0, 60, &second)) return false;
    if ((take(p, '.') || take(p, ',')) && !read_fraction(p, &civil->micro)) return false;
  }
  civil->hour = (uint8_t)hour;
  civil->minute = (uint8_t)minute;
  civil->second = (uint8_t)MIN(second, 59);
  return true;
}

/* A date, and a time of day unless the text ends there. */
static bool read_civil(const char **p, struct tz_civil *civil)
{
  *civil = (struct tz_civil){0};
  if (!read_date(p, civil)) return false;
  if (!**p) return true;
  return (take(p, 'T') || take(p, 't') || take(p, ' ')) && read_clock(p, civil);
}

/* "Z", "+02:00", "+0200" or "+02", as seconds. */
static bool read_offset(const char **p, int32_t *offset)
{
  int hours, minutes = 0;
  *offset = 0;
  if (take(p, 'Z') || take(p, 'z')) return true;
  bool negative = **p == '-';
  if (!take(p, '-') && !take(p, '+')) return false;
  if (!read_digits(p, 2, 0, 23, &hours)) return false;
  bool colon = take(p, ':');
  if ((colon || **p) && !read_digits(p, 2, 0, 59, &minutes)) return false;
  *offset = (hours * 60 + minutes) * (negative ? -60 : 60);
  return true;
}

bool tz_text_to_instant(const char *text, const struct tz_zone *zone, int64_t *instant, GError **error)
{
  struct tz_civil civil;
  int32_t offset = 0;
  const char *p = text;
  bool good = read_civil(&p, &civil);
  bool wall = good && !*p;
  if (!good || (!wall && (!read_offset(&p, &offset) || *p)))
    return refuse(error, text,
                  "a time: write it like 2026-03-29T01:30:00Z, 2026-03-29T03:30+02:00 or 2026-03-29");
  *instant = tz_instant(wall && zone ? zone : tz_zone_utc(), &civil) - offset * MICROS_PER_SECOND;
  return true;
}

bool tz_text_to_civil(const char *text, struct tz_civil *civil, GError **error)
{
  const char *p = text;
  if (read_civil(&p, civil) && !*p) return true;
  return refuse(error, text, "a wall clock time: write it like 2026-03-29T09:00:00, without a zone");
}

char *tz_text_from_civil(const struct tz_civil *civil)
{
  char fraction[16] = "";
  if (civil->micro) {
    g_snprintf(fraction, sizeof fraction, ".%06d", civil->micro);
    for (size_t end = 6; fraction[end] == '0'; end--)
      fraction[end] = 0;
  }
  return g_strdup_printf("%s%04d-%02d-%02dT%02d:%02d:%02d%s", civil->year < 0 ? "-" : "", ABS(civil->year),
                         civil->month, civil->day, civil->hour, civil->minute, civil->second, fraction);
}

char *tz_text_from_instant(int64_t instant, const struct tz_zone *zone)
{
  struct tz_civil civil = tz_local(zone ? zone : tz_zone_utc(), instant);
  g_autofree char *wall = tz_text_from_civil(&civil);
  int32_t offset = 0;
  if (!zone) return g_strconcat(wall, "Z", NULL);
  tz_zone_offset(zone, instant, &offset, NULL, NULL);
  int minutes = ABS(offset) / 60;
  /* An offset with seconds (before 1972) cannot be written in RFC 3339. */
  if (offset % 60) return tz_text_from_instant(instant, NULL);
  return g_strdup_printf("%s%c%02d:%02d", wall, offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

bool tz_text_to_minute(const char *text, int *minute, GError **error)
{
  int hours, minutes;
  const char *p = text;
  int digits = g_ascii_isdigit(text[0]) && text[1] == ':' ? 1 : 2;
  if (!read_digits(&p, digits, 0, 23, &hours) || !take(&p, ':') || !read_digits(&p, 2, 0, 59, &minutes) || *p)
    return refuse(error, text, "a time of day: write it like 09:00, up to 23:59");
  *minute = hours * 60 + minutes;
  return true;
}

/* A unit of a duration: civil days or absolute microseconds. */
static const struct unit {
  const char *names[4]; /* the first two are how we write one and several */
  int32_t days;
  int64_t micros;
} units[] = {
    {{"week", "weeks", "w"}, 7, 0},
    {{"day", "days", "d"}, 1, 0},
    {{"hour", "hours", "h"}, 0, 3600 * MICROS_PER_SECOND},
    {{"minute", "minutes", "min"}, 0, 60 * MICROS_PER_SECOND},
    {{"second", "seconds", "sec", "s"}, 0, MICROS_PER_SECOND},
};

#define ACCEPTED_DURATION                                                                                    \
  "a duration: write whole numbers of minutes, hours, days or weeks, like \"90 min\", \"2 hours\", "         \
  "\"3 days\" or \"1 week\""

static const struct unit *find_unit(const char *name, size_t length)
{
  for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
    for (size_t j = 0; j < G_N_ELEMENTS(units[i].names) && units[i].names[j]; j++)
      if (strlen(units[i].names[j]) == length && !g_ascii_strncasecmp(units[i].names[j], name, length))
        return &units[i];
  return NULL;
}

static void skip_spaces(const char **p)
{
  while (**p == ' ')
    (*p)++;
}

enum reading { READ, NOT_ONE, TOO_LONG };

/* One number and its unit, added to DURATION. */
static enum reading read_part(const char **p, struct tz_duration *duration)
{
  int64_t n = 0;
  if (!g_ascii_isdigit(**p)) return NOT_ONE;
  for (; g_ascii_isdigit(**p); (*p)++)
    n = MIN(n * 10 + (**p - '0'), INT64_C(1000000000000));
  skip_spaces(p);
  const char *name = *p;
  while (g_ascii_isalpha(**p))
    (*p)++;
  const struct unit *unit = find_unit(name, (size_t)(*p - name));
  if (!unit) return NOT_ONE;
  const int64_t day = 86400 * MICROS_PER_SECOND;
  int64_t most = unit->days ? TZ_DURATION_DAYS_MAX / unit->days : TZ_DURATION_DAYS_MAX * (day / unit->micros);
  if (n > most) return TOO_LONG;
  duration->days += (int32_t)n * unit->days;
  duration->micros += n * unit->micros;
  return duration->days <= TZ_DURATION_DAYS_MAX && duration->micros <= TZ_DURATION_DAYS_MAX * day ? READ
                                                                                                  : TOO_LONG;
}

bool tz_text_to_duration(const char *text, struct tz_duration *duration, GError **error)
{
  const char *p = text;
  *duration = (struct tz_duration){0};
  skip_spaces(&p);
  do {
    enum reading reading = read_part(&p, duration);
    if (reading == NOT_ONE) return refuse(error, text, ACCEPTED_DURATION);
    if (reading == TOO_LONG) {
      g_autofree char *quoted = quote(text);
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "%s is too long: a wait is at most %d days",
                  quoted, TZ_DURATION_DAYS_MAX);
      return false;
    }
    skip_spaces(&p);
  } while (*p);
  return true;
}

static void append_part(GString *text, int64_t n, const struct unit *unit)
{
  g_string_append_printf(text, "%s%" G_GINT64_FORMAT " %s", text->len ? " " : "", n, unit->names[n != 1]);
}

char *tz_text_from_duration(const struct tz_duration *duration)
{
  GString *text = g_string_new(NULL);
  int64_t days = duration->days, micros = duration->micros;
  const struct unit *unit = &units[2];
  if (days) append_part(text, days % 7 ? days : days / 7, &units[days % 7 ? 1 : 0]);
  while (micros % unit->micros && unit->micros > MICROS_PER_SECOND)
    unit++;
  if (micros) append_part(text, micros / unit->micros, unit);
  if (!text->len) append_part(text, 0, &units[3]);
  return g_string_free(text, false);
}
