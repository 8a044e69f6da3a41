/* What a contact's local time costs: wall clock time → instant and back, with eight
 * zones in turn, as contacts of the world come; beside it the C library's way,
 * setenv("TZ"), tzset, mktime. Medians of ROUNDS. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tz/plan.h"
#include "zoneinfo/zoneinfo.h"

enum { ROUNDS = 9, ZONES = 8, TIMES = 1024, COUNT = 1 << 18 };

static const char *const names[ZONES] = {"Europe/Berlin",    "America/New_York",   "Asia/Kolkata",
                                         "Australia/Sydney", "America/Sao_Paulo",  "Africa/Cairo",
                                         "Asia/Tokyo",       "America/Los_Angeles"};
static const struct tz_zone *zones[ZONES];
static struct tz_civil walls[TIMES]; /* 2020 to 2050 */
static int64_t instants[TIMES];
static volatile int64_t sink;

static void own_instant(int count)
{
  for (int i = 0; i < count; i++)
    sink = tz_instant(zones[i % ZONES], &walls[i % TIMES]);
}

static void own_offset(int count)
{
  int32_t offset;
  for (int i = 0; i < count; i++) {
    tz_zone_offset(zones[i % ZONES], instants[i % TIMES], &offset, NULL, NULL);
    sink = offset;
  }
}

static void own_local(int count)
{
  for (int i = 0; i < count; i++)
    sink = tz_local(zones[i % ZONES], instants[i % TIMES]).day;
}

static void own_plan(int count)
{
  struct tz_plan plan = TZ_PLAN_INIT;
  struct tz_due due;
  plan.wait.days = 2;
  plan.at = 9 * 60;
  plan.weekdays = TZ_PLAN_WORKDAYS;
  plan.quiet_from = 22 * 60;
  plan.quiet_until = 8 * 60;
  for (int i = 0; i < count; i++) {
    tz_plan_next(&plan, zones[i % ZONES], instants[i % TIMES], &due, NULL);
    sink = due.instant;
  }
}

static void library_instant(int count)
{
  for (int i = 0; i < count; i++) {
    const struct tz_civil *wall = &walls[i % TIMES];
    struct tm tm = {.tm_year = wall->year - 1900,
                    .tm_mon = wall->month - 1,
                    .tm_mday = wall->day,
                    .tm_hour = wall->hour,
                    .tm_min = wall->minute,
                    .tm_sec = wall->second,
                    .tm_isdst = -1};
    setenv("TZ", names[i % ZONES], 1);
    tzset();
    sink = mktime(&tm);
  }
}

static double nanoseconds(void (*work)(int), int count)
{
  struct timespec before, after;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  work(count);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  return ((double)(after.tv_sec - before.tv_sec) * 1e9 + (double)(after.tv_nsec - before.tv_nsec)) / count;
}

static int compare(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(void)
{
  static const struct {
    const char *name;
    void (*work)(int);
    int count;
  } rows[] = {{"setenv, tzset, mktime", library_instant, COUNT / 32},
              {"wall clock to instant", own_instant, COUNT},
              {"instant to offset", own_offset, COUNT},
              {"instant to wall clock", own_local, COUNT},
              {"due time of \"2 days at 09:00\", workdays, quiet hours", own_plan, COUNT}};
  double took[G_N_ELEMENTS(rows)][ROUNDS];
  g_autoptr(GError) error = NULL;
  struct zoneinfo *cache = zoneinfo_open(NULL, &error);
  for (int i = 0; cache && i < ZONES; i++)
    if (!(zones[i] = zoneinfo_get(cache, names[i], &error))) break;
  if (error) {
    fprintf(stderr, "tz: %s\n", error->message);
    return 1;
  }
  srandom(2026);
  for (int i = 0; i < TIMES; i++) {
    instants[i] = (1577836800 + random() % 946684800) * INT64_C(1000000);
    walls[i] = tz_local(zones[i % ZONES], instants[i]);
  }
  for (int round = 0; round < ROUNDS; round++)
    for (size_t r = 0; r < G_N_ELEMENTS(rows); r++)
      took[r][round] = nanoseconds(rows[r].work, rows[r].count);
  for (size_t r = 0; r < G_N_ELEMENTS(rows); r++)
    qsort(took[r], ROUNDS, sizeof took[r][0], compare);
  double library = took[0][ROUNDS / 2];
  for (size_t r = 0; r < G_N_ELEMENTS(rows); r++)
    printf("bench: tz, %s: %.1f ns, %.4f of setenv, tzset, mktime\n", rows[r].name, took[r][ROUNDS / 2],
           took[r][ROUNDS / 2] / library);
  zoneinfo_close(cache);
  return 0;
}
