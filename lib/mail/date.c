/* The Date field.
 *
 * The value is a row of words (numbers, names) and signs; each reader below
 * takes its words and says whether they were there. */

#include "mail/date.h"

#include <string.h>

#include <glib.h>

struct reader {
  const char *at, *end;
};

struct civil {
  int year, month, day, hour, minute, second, offset;
};

static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";

static void skip_comment(struct reader *r)
{
  int depth = 0;
  for (; r->at < r->end; r->at++) {
    if (*r->at == '\\' && r->at + 1 < r->end)
      r->at++;
    else if (*r->at == '(')
      depth++;
    else if (*r->at == ')' && --depth == 0) {
      r->at++;
      return;
    }
  }
}

static void skip_space(struct reader *r)
{
  while (r->at < r->end)
    if (*r->at == '(')
      skip_comment(r);
    else if (strchr(" \t\r\n", *r->at) && *r->at)
      r->at++;
    else
      return;
}

/* A number of at most MAX digits; how many there were, or 0. */
static int take_number(struct reader *r, int max, int *number)
{
  int digits = 0;
  skip_space(r);
  for (*number = 0; r->at < r->end && g_ascii_isdigit(*r->at) && digits <= max; digits++)
    *number = *number * 10 + (*r->at++ - '0');
  return digits <= max ? digits : 0;
}

static bool take_sign(struct reader *r, char sign)
{
  skip_space(r);
  if (r->at == r->end || *r->at != sign) return false;
  r->at++;
  return true;
}

/* A word of letters, in lower case, cut to what WORD holds; its length. */
static size_t take_name(struct reader *r, char *word, size_t size)
{
  size_t length = 0;
  skip_space(r);
  for (; r->at < r->end && g_ascii_isalpha(*r->at); r->at++)
    if (length + 1 < size) word[length++] = g_ascii_tolower(*r->at);
  word[length] = '\0';
  return length;
}

static bool take_month(struct reader *r, int *month)
{
  char word[4];
  if (take_name(r, word, sizeof word) < 3) return false;
  const char *found = strstr(months, word);
  if (!found || (found - months) % 3 != 0) return false;
  *month = (int)(found - months) / 3 + 1;
  return true;
}

/* RFC 5322 section 4.3: two digits are 1950 to 2049, three count from 1900. */
static bool take_year(struct reader *r, int *year)
{
  int digits = take_number(r, 4, year);
  if (digits == 2) *year += *year < 50 ? 2000 : 1900;
  if (digits == 3) *year += 1900;
  return digits >= 2;
}

static int days_in_month(int year, int month)
{
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return days[month - 1] + (month == 2 && leap);
}

static bool take_date(struct reader *r, struct civil *c)
{
  char day_name[4];
  take_name(r, day_name, sizeof day_name);
  take_sign(r, ',');
  if (take_number(r, 2, &c->day) == 0) return false;
  take_sign(r, '-');
  if (!take_month(r, &c->month)) return false;
  take_sign(r, '-');
  return take_year(r, &c->year) && c->year > 0 && c->day >= 1 && c->day <= days_in_month(c->year, c->month);
}

static bool take_time(struct reader *r, struct civil *c)
{
  if (take_number(r, 2, &c->hour) == 0 || !take_sign(r, ':') || take_number(r, 2, &c->minute) == 0)
    return false;
  c->second = 0;
  if (take_sign(r, ':') && take_number(r, 2, &c->second) == 0) return false;
  return c->hour <= 23 && c->minute <= 59 && c->second <= 60;
}

static int zone_by_name(const char *word)
{
  static const struct {
    char name[4];
    int hours;
  } zones[] = {{"edt", -4}, {"est", -5}, {"cdt", -5}, {"cst", -6},
               {"mdt", -6}, {"mst", -7}, {"pdt", -7}, {"pst", -8}};
  for (size_t i = 0; i < G_N_ELEMENTS(zones); i++)
    if (strcmp(zones[i].name, word) == 0) return zones[i].hours * 3600;
  return 0;
}

static bool take_zone(struct reader *r, struct civil *c)
{
  char word[5];
  int number, sign = take_sign(r, '-') ? -1 : take_sign(r, '+') ? 1 : 0;
  if (sign == 0) {
    take_name(r, word, sizeof word);
    c->offset = zone_by_name(word);
    return true;
  }
  if (take_number(r, 4, &number) != 4 || number % 100 > 59) return false;
  c->offset = sign * (number / 100 * 3600 + number % 100 * 60);
  return true;
}

/* Days from 1970-01-01 in the Gregorian calendar; a year is taken to begin in
 * March, so the leap day is its last. */
static int64_t days_from_epoch(int year, int month, int day)
{
  int64_t y = month > 2 ? year : year - 1;
  int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

bool mail_date_read(const char *value, size_t length, int64_t *instant, int *offset)
{
  struct reader r = {value, value + length};
  struct civil c = {0};
  if (!take_date(&r, &c) || !take_time(&r, &c) || !take_zone(&r, &c)) return false;
  int64_t seconds =
      days_from_epoch(c.year, c.month, c.day) * 86400 + c.hour * 3600 + c.minute * 60 + c.second;
  *instant = (seconds - c.offset) * 1000000;
  *offset = c.offset;
  return true;
}
