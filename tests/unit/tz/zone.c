/* Zones from bytes: rules, the repetition of 400 years, and bytes that are no zone. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/error.h"
#include "tz/civil.h"
#include "tz/text.h"
#include "tzif.h"

static int64_t at(const char *text)
{
  int64_t instant = 0;
  g_autoptr(GError) error = NULL;
  if (!tz_text_to_instant(text, NULL, &instant, &error)) fail_msg("%s", error->message);
  return instant;
}

/* What a rule shows at an instant. */
static const struct {
  const char *rule, *instant, *local, *abbreviation;
  int is_dst;
} shown[] = {
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T00:59:59Z", "2026-03-29T01:59:59", "CET", 0},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00", "CEST", 1},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T00:59:59Z", "2026-10-25T02:59:59", "CEST", 1},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00", "CET", 0},
    /* Z16: far away on both sides, and past 2038. */
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2038-01-19T03:14:08Z", "2038-01-19T04:14:08", "CET", 0},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "9999-07-01T00:00:00Z", "9999-07-01T02:00:00", "CEST", 1},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "9999-12-31T22:59:59Z", "9999-12-31T23:59:59", "CET", 0},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "-9999-07-01T00:00:00Z", "-9999-07-01T02:00:00", "CEST", 1},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "0000-02-29T00:00:00Z", "0000-02-29T01:00:00", "CET", 0},
    /* South of the equator the year begins in summer. */
    {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-01-01T00:00:00Z", "2026-01-01T11:00:00", "AEDT", 1},
    {"AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-07-01T00:00:00Z", "2026-07-01T10:00:00", "AEST", 0},
    /* A half hour, quoted names, an offset with minutes; Lord Howe. */
    {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-10-03T15:29:59Z", "2026-10-04T01:59:59", "+1030", 0},
    {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-10-03T15:30:00Z", "2026-10-04T02:30:00", "+11", 1},
    /* Hours below zero and above 24 (RFC 8536): Nuuk, Gaza. */
    {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2027-03-28T00:59:59Z", "2027-03-27T22:59:59", "-02", 0},
    {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2027-03-28T01:00:00Z", "2027-03-28T00:00:00", "-01", 1},
    {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-27T23:59:59Z", "2026-03-28T01:59:59", "EET", 0},
    {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-28T00:00:00Z", "2026-03-28T03:00:00", "EEST", 1},
    {"AAA0BBB,0/-167,J100/0", "2025-12-25T00:59:59Z", "2025-12-25T00:59:59", "AAA", 0},
    {"AAA0BBB,0/-167,J100/0", "2025-12-25T01:00:00Z", "2025-12-25T02:00:00", "BBB", 1},
    {"AAA0BBB,J100,J365/167", "2026-01-06T21:59:59Z", "2026-01-06T22:59:59", "BBB", 1},
    {"AAA0BBB,J100,J365/167", "2026-01-06T22:00:00Z", "2026-01-06T22:00:00", "AAA", 0},
    /* Jn skips 29 February, n counts it. */
    {"AAA0BBB,J60/0,J300/0", "2028-03-01T00:00:00Z", "2028-03-01T01:00:00", "BBB", 1},
    {"AAA0BBB,J60/0,J300/0", "2028-02-29T23:59:59Z", "2028-02-29T23:59:59", "AAA", 0},
    {"AAA0BBB,59/0,J300/0", "2028-02-29T00:00:00Z", "2028-02-29T01:00:00", "BBB", 1},
    {"AAA0BBB,59/0,J300/0", "2027-03-01T00:00:00Z", "2027-03-01T01:00:00", "BBB", 1},
    /* Daylight saving time all year (RFC 8536 section 3.3.1), and below standard. */
    {"EST5EDT,0/0,J365/25", "2026-01-01T05:00:00Z", "2026-01-01T01:00:00", "EDT", 1},
    {"EST5EDT,0/0,J365/25", "2026-12-31T23:59:59Z", "2026-12-31T19:59:59", "EDT", 1},
    {"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-01T00:00:00Z", "2026-07-01T01:00:00", "IST", 0},
    {"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-12-01T00:00:00Z", "2026-12-01T00:00:00", "GMT", 1},
    /* No daylight saving time; seconds in the offset. */
    {"<-12>12", "2026-07-01T21:00:00Z", "2026-07-01T09:00:00", "-12", 0},
    {"LMT0:44:30", "2026-01-01T00:00:00Z", "2025-12-31T23:15:30", "LMT", 0},
};

static void test_rules(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(shown); i++) {
    print_message("%s at %s\n", shown[i].rule, shown[i].instant);
    g_autoptr(GError) error = NULL;
    g_autoptr(tz_zone_auto) zone = tzif_zone(shown[i].rule, &error);
    if (!zone) fail_msg("%s", error->message);
    int64_t instant = at(shown[i].instant);
    struct tz_civil local = tz_local(zone, instant);
    g_autofree char *text = tz_text_from_civil(&local);
    const char *abbreviation;
    bool is_dst;
    tz_zone_offset(zone, instant, NULL, &is_dst, &abbreviation);
    assert_string_equal(text, shown[i].local);
    assert_string_equal(abbreviation, shown[i].abbreviation);
    assert_int_equal(is_dst, shown[i].is_dst);
  }
}

static const char *const bad_rules[] = {
    "X",
    "CE-1",
    "CET",
    "CET-25",
    "CET-1CEST", /* days of the change left to the system: none of ours */
    "CET-1CEST,M3.5.0",
    "CET-1CEST,M13.5.0,M10.5.0",
    "CET-1CEST,M3.6.0,M10.5.0",
    "CET-1CEST,M3.5.7,M10.5.0",
    "CET-1CEST,J0,J365",
    "CET-1CEST,0,366",
    "CET-1CEST,M3.5.0/168,M10.5.0",
    "CET-1CEST,M3.5.0,M10.5.0/3x",
    "CET-1:60",
    "<+01-1",
    "CET-99999999999999999999",
    "AAA0BBB,M3.1.0/0,M3.1.0/1:30", /* there and back within the hour */
    "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ0",
};

static void test_bad_rules(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(bad_rules); i++) {
    print_message("%s\n", bad_rules[i]);
    g_autoptr(GError) error = NULL;
    assert_null(tzif_zone(bad_rules[i], &error));
    assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
  }
}

/* Transitions before the rule: the first type holds before the first of them, and
 * the rule takes over after the last. */
static void test_transitions_then_rule(void **state)
{
  (void)state;
  const struct tzif_type types[] = {{-1800, 0, 0}, {3600, 0, 4}};
  const int64_t times[] = {0};
  const uint8_t kinds[] = {1};
  g_autoptr(GByteArray) bytes = tzif_file(times, kinds, 1, types, 2, "CET-1CEST,M3.5.0,M10.5.0/3");
  g_autoptr(tz_zone_auto) zone = tz_zone_parse(bytes->data, bytes->len, NULL);
  assert_non_null(zone);
  static const struct {
    const char *instant;
    int offset;
    const char *abbreviation;
  } rows[] = {
      {"-9999-07-01", -1800, "AAA"}, {"1969-12-31T23:59:59Z", -1800, "AAA"},
      {"1970-01-01", 3600, "BBB"},   {"1970-07-01", 7200, "CEST"},
      {"1971-01-01", 3600, "CET"},   {"2371-07-01", 7200, "CEST"},
      {"2375-01-01", 3600, "CET"},   {"9999-07-01", 7200, "CEST"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    int32_t offset;
    const char *abbreviation;
    print_message("%s\n", rows[i].instant);
    tz_zone_offset(zone, at(rows[i].instant), &offset, NULL, &abbreviation);
    assert_int_equal(offset, rows[i].offset);
    assert_string_equal(abbreviation, rows[i].abbreviation);
  }
}

/* 400 years later everything is the same, for instants and for wall clock times. */
static void test_cycle(void **state)
{
  (void)state;
  g_autoptr(tz_zone_auto) zone = tzif_zone("AEST-10AEDT,M10.1.0,M4.1.0/3", NULL);
  const int64_t cycle = INT64_C(12622780800) * 1000000;
  for (int64_t t = at("1970-01-01"); t < at("1980-01-01"); t += INT64_C(7201) * 1000000)
    for (int k = -20; k <= 20; k += 5) {
      struct tz_civil here = tz_local(zone, t), there = tz_local(zone, t + k * cycle);
      assert_int_equal(here.year + 400 * k, there.year);
      there.year = here.year;
      assert_int_equal(tz_civil_compare(&here, &there), 0);
      there.year += 400 * k;
      assert_int_equal(tz_instant(zone, &there), tz_instant(zone, &here) + k * cycle);
    }
}

/* No instant of int64 microseconds is too far. */
static void test_ends_of_time(void **state)
{
  (void)state;
  g_autoptr(tz_zone_auto) zone = tzif_zone("CET-1CEST,M3.5.0,M10.5.0/3", NULL);
  assert_int_equal(tz_local(zone, INT64_MAX).year, 294247);
  assert_int_equal(tz_local(zone, INT64_MIN).year, -290308);
}

static void test_fixed(void **state)
{
  (void)state;
  static const struct {
    int32_t offset, kept;
    const char *name;
  } rows[] = {{0, 0, "+0000"},     {20700, 20700, "+0545"},     {-12600, -12600, "-0330"},
              {-1, -1, "-000001"}, {INT32_MAX, 86400, "+2400"}, {INT32_MIN, -86400, "-2400"}};
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    int32_t offset;
    const char *name;
    print_message("%d\n", rows[i].offset);
    g_autoptr(tz_zone_auto) zone = tz_zone_fixed(rows[i].offset);
    tz_zone_offset(zone, 0, &offset, NULL, &name);
    assert_int_equal(offset, rows[i].kept);
    assert_string_equal(name, rows[i].name);
    assert_int_equal(tz_zone_wall_offset(zone, 0), rows[i].kept);
  }
  const char *name;
  tz_zone_offset(tz_zone_utc(), INT64_MAX, NULL, NULL, &name);
  assert_string_equal(name, "UTC");
  tz_zone_free((struct tz_zone *)tz_zone_utc());
}

/* Each file is a good one with one thing wrong. */
static void refused(const char *name, GByteArray *bytes, int code)
{
  g_autoptr(GError) error = NULL;
  print_message("%s\n", name);
  assert_null(tz_zone_parse(bytes->data, bytes->len, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, code));
  g_byte_array_unref(bytes);
}

static GByteArray *with_byte(size_t place, uint8_t byte)
{
  const struct tzif_type types[] = {{0, 0, 0}, {3600, 1, 4}};
  const int64_t times[] = {0, 10000000};
  const uint8_t kinds[] = {1, 0};
  GByteArray *bytes = tzif_file(times, kinds, 2, types, 2, "");
  assert_true(place < bytes->len);
  bytes->data[place] = byte;
  return bytes;
}

/* An hour forward, and back before that hour is over. */
static GByteArray *close_together(void)
{
  const struct tzif_type types[] = {{0, 0, 0}, {3600, 1, 4}};
  const int64_t times[] = {0, 3599};
  const uint8_t kinds[] = {1, 0};
  return tzif_file(times, kinds, 2, types, 2, "");
}

enum { BLOCK = 44 + 7, DATA = BLOCK + 44, KINDS = DATA + 16, TYPES = KINDS + 2 };

static void test_bad_files(void **state)
{
  (void)state;
  g_autoptr(GByteArray) good = with_byte(0, 'T');
  g_autoptr(tz_zone_auto) zone = tz_zone_parse(good->data, good->len, NULL);
  assert_non_null(zone);
  refused("magic", with_byte(0, 't'), TIDINGS_ERROR_INPUT);
  refused("version 1.5", with_byte(4, '1'), TIDINGS_ERROR_INPUT);
  refused("version 5", with_byte(BLOCK + 4, '5'), TIDINGS_ERROR_INPUT);
  refused("leap seconds", with_byte(BLOCK + 31, 1), TIDINGS_ERROR_INPUT);
  refused("2^24 transitions", with_byte(BLOCK + 32, 1), TIDINGS_ERROR_LIMIT);
  refused("too many types", with_byte(BLOCK + 38, 1), TIDINGS_ERROR_LIMIT);
  refused("no types", with_byte(BLOCK + 39, 0), TIDINGS_ERROR_INPUT);
  refused("more types than bytes", with_byte(BLOCK + 39, 200), TIDINGS_ERROR_INPUT);
  refused("one UT indicator of two", with_byte(BLOCK + 23, 1), TIDINGS_ERROR_INPUT);
  refused("transitions in descending order", with_byte(DATA, 1), TIDINGS_ERROR_INPUT);
  refused("transition before everything", with_byte(DATA, 0x80), TIDINGS_ERROR_INPUT);
  refused("transitions too close", close_together(), TIDINGS_ERROR_INPUT);
  refused("no such type", with_byte(KINDS, 2), TIDINGS_ERROR_INPUT);
  refused("offset of years", with_byte(TYPES, 1), TIDINGS_ERROR_INPUT);
  refused("isdst 2", with_byte(TYPES + 4, 2), TIDINGS_ERROR_INPUT);
  refused("name out of range", with_byte(TYPES + 5, 8), TIDINGS_ERROR_INPUT);
  refused("name without end", with_byte(TYPES + 12 + 7, 'x'), TIDINGS_ERROR_INPUT);
  refused("no newline before the footer", with_byte(TYPES + 12 + 8, 'x'), TIDINGS_ERROR_INPUT);
  refused("no newline after the footer", with_byte(TYPES + 12 + 9, 'x'), TIDINGS_ERROR_INPUT);
  GByteArray *large = g_byte_array_new_take(g_malloc0(TZ_ZONE_BYTES_MAX + 1), TZ_ZONE_BYTES_MAX + 1);
  refused("more than 1 MB", large, TIDINGS_ERROR_LIMIT);
}

static void test_cut_everywhere(void **state)
{
  (void)state;
  g_autoptr(GByteArray) good = with_byte(0, 'T');
  for (guint length = 0; length < good->len; length++) {
    g_autofree uint8_t *exact = g_memdup2(good->data, length);
    struct tz_zone *zone = tz_zone_parse(exact, length, NULL);
    if (zone) fail_msg("cut at %u of %u: accepted", length, good->len);
  }
}

/* Version 1: 32-bit times, no footer, the last type goes on. */
static void test_version_1(void **state)
{
  (void)state;
  g_autoptr(GByteArray) bytes = g_byte_array_new();
  tzif_put_header(bytes, 0, 1, 2, 8);
  bytes->data[4] = 0;
  tzif_put(bytes, (uint32_t)-100, 4);
  tzif_put(bytes, 1, 1);
  tzif_put(bytes, 0, 6);
  tzif_put(bytes, 3600, 4);
  tzif_put(bytes, 0x0104, 2);
  g_byte_array_append(bytes, (const uint8_t *)"AAA\0BBB", 8);
  g_autoptr(tz_zone_auto) zone = tz_zone_parse(bytes->data, bytes->len, NULL);
  assert_non_null(zone);
  int32_t offset;
  tz_zone_offset(zone, -100 * INT64_C(1000000) - 1, &offset, NULL, NULL);
  assert_int_equal(offset, 0);
  tz_zone_offset(zone, -100 * INT64_C(1000000), &offset, NULL, NULL);
  assert_int_equal(offset, 3600);
  tz_zone_offset(zone, INT64_MAX, &offset, NULL, NULL);
  assert_int_equal(offset, 3600);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rules),
      cmocka_unit_test(test_bad_rules),
      cmocka_unit_test(test_transitions_then_rule),
      cmocka_unit_test(test_cycle),
      cmocka_unit_test(test_ends_of_time),
      cmocka_unit_test(test_fixed),
      cmocka_unit_test(test_bad_files),
      cmocka_unit_test(test_cut_everywhere),
      cmocka_unit_test(test_version_1),
  };
  return cmocka_run_group_tests_name("tz/zone", tests, NULL, NULL);
}
