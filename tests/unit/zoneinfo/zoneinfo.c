/* The system's zones: the time rows of the list of traps, names that are no zones, and
 * a release of tzdata that comes while something is planned. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "tz/plan.h"
#include "tz/text.h"
#include "zoneinfo/zoneinfo.h"

#define ZIC "/usr/sbin/zic"

static struct zoneinfo *zones;

static int open_zones(void **state)
{
  (void)state;
  zones = zoneinfo_open(NULL, NULL);
  return !zones;
}

static int close_zones(void **state)
{
  (void)state;
  zoneinfo_close(zones);
  return 0;
}

static const struct tz_zone *zone_of(const char *name)
{
  g_autoptr(GError) error = NULL;
  const struct tz_zone *zone = zoneinfo_get(zones, name, &error);
  if (!zone) fail_msg("%s", error->message);
  return zone;
}

static int64_t at(const char *text)
{
  int64_t instant = 0;
  g_autoptr(GError) error = NULL;
  if (!tz_text_to_instant(text, NULL, &instant, &error)) fail_msg("%s", error->message);
  return instant;
}

/* A wall clock time, its instant, and what the clock shows then. */
static const struct {
  const char *id, *zone, *wall, *instant, *shown;
} traps[] = {
    {"Z1", "Europe/Berlin", "2026-03-29T02:30:00", "2026-03-29T01:30:00Z", "2026-03-29T03:30:00"},
    {"Z2", "Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25T00:30:00Z", "2026-10-25T02:30:00"},
    {"Z3 gap", "America/New_York", "2027-03-14T02:30:00", "2027-03-14T07:30:00Z", "2027-03-14T03:30:00"},
    {"Z3 overlap", "America/New_York", "2026-11-01T01:30:00", "2026-11-01T05:30:00Z", "2026-11-01T01:30:00"},
    {"Z4", "Australia/Lord_Howe", "2026-10-04T02:15:00", "2026-10-03T15:45:00Z", "2026-10-04T02:45:00"},
    {"Z5 Cairo", "Africa/Cairo", "2026-04-24T00:30:00", "2026-04-23T22:30:00Z", "2026-04-24T01:30:00"},
    {"Z5 Santiago", "America/Santiago", "2026-09-06T00:00:00", "2026-09-06T04:00:00Z", "2026-09-06T01:00:00"},
    {"Z5 Beirut", "Asia/Beirut", "2027-03-28T00:00:00", "2027-03-27T22:00:00Z", "2027-03-28T01:00:00"},
    {"Z6", "Pacific/Apia", "2011-12-30T09:00:00", "2011-12-30T19:00:00Z", "2011-12-31T09:00:00"},
    {"Z7", "Antarctica/Troll", "2026-03-29T02:00:00", "2026-03-29T02:00:00Z", "2026-03-29T04:00:00"},
    {"Z8", "America/Nuuk", "2027-03-27T23:30:00", "2027-03-28T01:30:00Z", "2027-03-28T00:30:00"},
    {"Z9 Kathmandu", "Asia/Kathmandu", "2026-07-01T09:00:00", "2026-07-01T03:15:00Z", "2026-07-01T09:00:00"},
    {"Z9 Kiritimati", "Pacific/Kiritimati", "2026-07-01T09:00:00", "2026-06-30T19:00:00Z",
     "2026-07-01T09:00:00"},
    {"Z9 sign", "Etc/GMT+12", "2026-07-01T09:00:00", "2026-07-01T21:00:00Z", "2026-07-01T09:00:00"},
    {"Z11 Kiev", "Europe/Kiev", "2026-07-01T09:00:00", "2026-07-01T06:00:00Z", "2026-07-01T09:00:00"},
    {"Z11 Kyiv", "Europe/Kyiv", "2026-07-01T09:00:00", "2026-07-01T06:00:00Z", "2026-07-01T09:00:00"},
    {"Z11 Calcutta", "Asia/Calcutta", "2026-07-01T09:00:00", "2026-07-01T03:30:00Z", "2026-07-01T09:00:00"},
    {"Z16 2038", "Europe/Berlin", "2038-01-19T04:14:08", "2038-01-19T03:14:08Z", "2038-01-19T04:14:08"},
    {"Z16 after it", "America/New_York", "2100-07-01T09:00:00", "2100-07-01T13:00:00Z",
     "2100-07-01T09:00:00"},
    {"Z16 9999", "America/New_York", "9999-12-31T09:00:00", "9999-12-31T14:00:00Z", "9999-12-31T09:00:00"},
    {"Z16 seconds", "America/New_York", "1850-01-01T09:00:00", "1850-01-01T13:56:02Z", "1850-01-01T09:00:00"},
    {"Z16 long ago", "Europe/Berlin", "-9999-01-01T09:00:00", "-9999-01-01T08:06:32Z",
     "-9999-01-01T09:00:00"},
    {"UTC", "UTC", "2026-03-29T02:30:00", "2026-03-29T02:30:00Z", "2026-03-29T02:30:00"},
};

static void test_traps(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(traps); i++) {
    print_message("%s: %s %s\n", traps[i].id, traps[i].zone, traps[i].wall);
    struct tz_civil wall;
    const struct tz_zone *zone = zone_of(traps[i].zone);
    assert_true(tz_text_to_civil(traps[i].wall, &wall, NULL));
    int64_t instant = tz_instant(zone, &wall);
    struct tz_civil shown = tz_local(zone, instant);
    g_autofree char *instant_text = tz_text_from_instant(instant, NULL);
    g_autofree char *shown_text = tz_text_from_civil(&shown);
    assert_string_equal(instant_text, traps[i].instant);
    assert_string_equal(shown_text, traps[i].shown);
  }
}

/* Z5b: what Havana does in 2027 depends on the release. */
static void test_havana(void **state)
{
  (void)state;
  g_autofree char *version = zoneinfo_version(zones);
  struct tz_civil wall = {.year = 2027, .month = 3, .day = 14, .minute = 30};
  int64_t instant = tz_instant(zone_of("America/Havana"), &wall);
  print_message("tzdata %s\n", version);
  if (strcmp(version, "2025b") <= 0)
    assert_int_equal(instant, at("2027-03-14T05:30:00Z"));
  else if (!strcmp(version, "2026f"))
    assert_int_equal(instant, at("2027-03-14T04:30:00Z"));
  else
    assert_true(instant == at("2027-03-14T05:30:00Z") || instant == at("2027-03-14T04:30:00Z"));
}

/* Z5, Z6: a job at a time of day that a date does not have runs on that date, once; on
 * a date that is left out it runs on the next, once. */
static void test_daily(void **state)
{
  (void)state;
  static const struct {
    const char *id, *zone, *from;
    int minute;
    const char *due[3];
  } rows[] = {
      {"Z5 Cairo",
       "Africa/Cairo",
       "2026-04-23T10:00Z",
       30,
       {"2026-04-23T22:30:00Z", "2026-04-24T21:30:00Z", "2026-04-25T21:30:00Z"}},
      {"Z5 Beirut",
       "Asia/Beirut",
       "2027-03-27T10:00Z",
       0,
       {"2027-03-27T22:00:00Z", "2027-03-28T21:00:00Z", "2027-03-29T21:00:00Z"}},
      {"Z6 Apia",
       "Pacific/Apia",
       "2011-12-29T10:00Z",
       540,
       {"2011-12-29T19:00:00Z", "2011-12-30T19:00:00Z", "2011-12-31T19:00:00Z"}},
      {"Z8 Nuuk",
       "America/Nuuk",
       "2027-03-27T10:00Z",
       23 * 60 + 30,
       {"2027-03-28T01:30:00Z", "2027-03-29T00:30:00Z", "2027-03-30T00:30:00Z"}},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    struct tz_plan plan = TZ_PLAN_INIT;
    struct tz_due due = {.instant = at(rows[i].from)};
    plan.at = rows[i].minute;
    print_message("%s\n", rows[i].id);
    for (size_t run = 0; run < G_N_ELEMENTS(rows[i].due); run++) {
      assert_true(tz_plan_next(&plan, zone_of(rows[i].zone), due.instant, &due, NULL));
      g_autofree char *text = tz_text_from_instant(due.instant, NULL);
      assert_string_equal(text, rows[i].due[run]);
    }
  }
}

/* Z11 */
static void test_bad_names(void **state)
{
  (void)state;
  static const char *const names[] = {
      "",
      "Mars/Olympus",
      "US/Pacific-New",
      "right/UTC",
      "../../etc/passwd",
      "Europe/../UTC",
      "./UTC",
      "/etc/localtime",
      "Europe",
      "Europe/",
      "/Europe/Berlin",
      "Europe//Berlin",
      "europe berlin",
      "Europe/Berlin\n",
      "Europe/Berlin\xff",
      "Europe/Berlin/Mitte",
      "tzdata.zi",
      "leapseconds",
      "%s%n",
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
  };
  for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autoptr(GError) error = NULL;
    assert_null(zoneinfo_get(zones, names[i], &error));
    print_message("%s\n", error->message);
    assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND));
    assert_true(g_str_is_ascii(error->message) && !strchr(error->message, '\n'));
  }
  assert_ptr_equal(zone_of("Europe/Berlin"), zone_of("Europe/Berlin"));
}

static void test_no_folder(void **state)
{
  (void)state;
  g_autoptr(GError) error = NULL;
  assert_null(zoneinfo_open("/nonexistent", &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS));
  assert_non_null(strstr(error->message, "tzdata"));
}

/* A folder of our own. */
static char folder[] = "/tmp/tidings-zones-XXXXXX";

static int make_folder(void **state)
{
  (void)state;
  strcpy(folder + strlen(folder) - 6, "XXXXXX");
  return !mkdtemp(folder);
}

static int remove_path(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
  (void)st, (void)type, (void)ftw;
  return remove(path);
}

static int remove_folder(void **state)
{
  (void)state;
  return nftw(folder, remove_path, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *name, const char *bytes, gssize length)
{
  g_autofree char *path = g_build_filename(folder, name, NULL);
  assert_true(g_file_set_contents(path, bytes, length, NULL));
}

static void compile(const char *source)
{
  g_autofree char *path = g_build_filename(folder, "source.zi", NULL);
  char *command[] = {(char *)ZIC, (char *)"-b", (char *)"slim", (char *)"-d", folder, path, NULL};
  int status = -1;
  put("source.zi", source, -1);
  assert_true(g_spawn_sync(NULL, command, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL, &status, NULL));
  assert_int_equal(status, 0);
}

#define RULES                                                                                                \
  "R C 1970 ma - Mar Su>=8 2 1 D\n"                                                                          \
  "R C 1970 ma - N Su>=1 2 0 S\n"
#define BEFORE                                                                                               \
  RULES "Z America/Edmonton -7 C M%sT\n"                                                                     \
        "Z America/Vancouver -8 C P%sT\n"                                                                    \
        "Z Africa/Casablanca 1 - +01\n"                                                                      \
        "Z Asia/Tokyo 9 - JST\n"
#define AFTER                                                                                                \
  RULES "Z America/Edmonton -7 C M%sT 2026 Jun 18\n"                                                         \
        "-6 - CST\n"                                                                                         \
        "Z America/Vancouver -8 C P%sT 2026 Jul 1\n"                                                         \
        "-7 - PDT\n"                                                                                         \
        "Z Africa/Casablanca 1 - +01 2026 S 20\n"                                                            \
        "0 - +00\n"                                                                                          \
        "Z Asia/Tokyo 9 - JST\n"

/* Z10: what is planned as a wall clock time follows the new rules; the date has one
 * run, not two. */
static void test_new_release(void **state)
{
  (void)state;
  static const struct {
    const char *zone, *before, *after, *next;
  } rows[] = {
      {"America/Edmonton", "2026-12-01T16:00:00Z", "2026-12-01T15:00:00Z", "2026-12-02T15:00:00Z"},
      {"America/Vancouver", "2026-12-01T17:00:00Z", "2026-12-01T16:00:00Z", "2026-12-02T16:00:00Z"},
      {"Africa/Casablanca", "2026-12-01T08:00:00Z", "2026-12-01T09:00:00Z", "2026-12-02T09:00:00Z"},
      {"Asia/Tokyo", "2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z"},
  };
  enum { COUNT = G_N_ELEMENTS(rows) };
  const struct tz_zone *old[COUNT];
  struct tz_due due[COUNT], next;
  struct tz_plan plan = TZ_PLAN_INIT, daily = TZ_PLAN_INIT;
  plan.wait.days = 30;
  plan.at = daily.at = 9 * 60;
  if (access(ZIC, X_OK)) {
    print_message("Z10 is left out: no " ZIC "\n");
    skip();
  }
  compile(BEFORE);
  put("tzdata.zi", "# version 2025b\nR x\n", -1);
  g_autoptr(zoneinfo_auto) cache = zoneinfo_open(folder, NULL);
  for (size_t i = 0; i < COUNT; i++) {
    print_message("Z10 %s\n", rows[i].zone);
    assert_non_null(old[i] = zoneinfo_get(cache, rows[i].zone, NULL));
    assert_true(tz_plan_next(&plan, old[i], at("2026-11-01T12:00Z"), &due[i], NULL));
    assert_int_equal(due[i].instant, at(rows[i].before));
  }
  assert_int_equal(zoneinfo_refresh(cache), 0);
  compile(AFTER);
  put("tzdata.zi", "# version 2026f\nR x\n", -1);
  assert_int_equal(zoneinfo_refresh(cache), 3);
  g_autofree char *version = zoneinfo_version(cache);
  assert_string_equal(version, "2026f");
  for (size_t i = 0; i < COUNT; i++) {
    print_message("Z10 %s\n", rows[i].zone);
    const struct tz_zone *zone = zoneinfo_get(cache, rows[i].zone, NULL);
    int64_t instant = tz_plan_resolve(&plan, zone, &due[i].wall);
    assert_int_equal(instant, at(rows[i].after));
    assert_true(tz_plan_next(&daily, zone, instant, &next, NULL));
    assert_int_equal(next.instant, at(rows[i].next));
    /* Whoever still holds the old zone may still read it. */
    assert_int_equal(tz_instant(old[i], &due[i].wall), at(rows[i].before));
  }
}

static void test_broken_files(void **state)
{
  (void)state;
  g_autoptr(GError) error = NULL;
  if (access(ZIC, X_OK)) skip();
  compile("Z Good 1 - CET\n");
  put("Broken", "TZif2 and then nothing", -1);
  put("Text", "hello", -1);
  put("Empty", "", 0);
  put("+VERSION", "2024a\n", -1);
  g_autofree char *path = g_build_filename(folder, "Pipe", NULL);
  assert_int_equal(mkfifo(path, 0600), 0);
  g_autoptr(zoneinfo_auto) cache = zoneinfo_open(folder, NULL);
  assert_null(zoneinfo_get(cache, "Broken", &error));
  print_message("%s\n", error->message);
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS));
  assert_non_null(strstr(error->message, "/Broken: "));
  for (size_t i = 0; i < 3; i++) {
    static const char *const names[] = {"Text", "Empty", "Pipe"};
    g_clear_error(&error);
    print_message("%s\n", names[i]);
    assert_null(zoneinfo_get(cache, names[i], &error));
    assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND));
  }
  g_autofree char *version = zoneinfo_version(cache);
  assert_string_equal(version, "2024a");
  /* A zone in use outlives its file, broken or gone. */
  const struct tz_zone *good = zoneinfo_get(cache, "Good", NULL);
  assert_non_null(good);
  put("Good", "TZif2 and then nothing", -1);
  assert_int_equal(zoneinfo_refresh(cache), 0);
  g_autofree char *good_path = g_build_filename(folder, "Good", NULL);
  assert_int_equal(unlink(good_path), 0);
  assert_int_equal(zoneinfo_refresh(cache), 0);
  assert_ptr_equal(zoneinfo_get(cache, "Good", NULL), good);
}

static void *ask(void *data)
{
  static const char *const names[] = {"Europe/Berlin", "Asia/Tokyo", "Nowhere/Land", "America/New_York"};
  size_t found = 0;
  for (int i = 0; i < 2000; i++) {
    found += zoneinfo_get(data, names[i % 4], NULL) != NULL;
    if (i % 500 == 0) zoneinfo_refresh(data);
  }
  return GSIZE_TO_POINTER(found);
}

static void test_threads(void **state)
{
  (void)state;
  GThread *threads[4];
  for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
    threads[i] = g_thread_new("ask", ask, zones);
  for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
    assert_int_equal(GPOINTER_TO_SIZE(g_thread_join(threads[i])), 1500);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_traps),
      cmocka_unit_test(test_havana),
      cmocka_unit_test(test_daily),
      cmocka_unit_test(test_bad_names),
      cmocka_unit_test(test_no_folder),
      cmocka_unit_test_setup_teardown(test_new_release, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(test_broken_files, make_folder, remove_folder),
      cmocka_unit_test(test_threads),
  };
  if (!g_file_test(ZONEINFO_FOLDER, G_FILE_TEST_IS_DIR)) {
    printf("skipped: no " ZONEINFO_FOLDER ", install tzdata\n");
    return 77;
  }
  return cmocka_run_group_tests_name("zoneinfo", tests, open_zones, close_zones);
}
