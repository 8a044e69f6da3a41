/* Stopped links: the spelling in which addresses are compared, and what a stop
 * covers. */

#include "directory/stop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
  const char *url, *plain;
} spellings[] = {
    {"https://k.test", "k.test/"},
    {"HTTP://K.Test:80/A#b", "k.test/A"},
    {"https://u:p@k.test.:443/a?b=1", "k.test/a?b=1"},
    {"https://k.test:8443/", "k.test:8443/"},
    {"https://k.test?b=1", "k.test/?b=1"},
    {"https://k.test\\a", "k.test/a"},
    {"https://k.test/a?utm_source=x&b=1&utm_medium=y&utm_campaign=z#c", "k.test/a?b=1"},
    {"https://k.test/a?utm_source=x", "k.test/a"},
    {"https://[2001:db8::1]:443/", "[2001:db8::1]/"},
    {"https://", NULL},
    {"https:///a", NULL},
    {"mailto:a@k.test", NULL},
    {"k.test", NULL},
};

static void test_spelling(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(spellings); i++) {
    print_message("%s\n", spellings[i].url);
    g_autofree char *plain = directory_stop_plain(spellings[i].url, strlen(spellings[i].url));
    if (!spellings[i].plain)
      assert_null(plain);
    else
      assert_string_equal(plain, spellings[i].plain);
  }
}

static const struct {
  int64_t tenant, mail;
  const char *url;
  bool stopped;
} rows[] = {
    {1, 7, "https://k.test/exact", true},        {1, 7, "http://k.test/exact#x", true},
    {1, 7, "https://k.test/exact/more", false},  {2, 7, "https://k.test/exact", false},
    {1, 7, "https://k.test/one", true},          {1, 8, "https://k.test/one", false},
    {1, 0, "https://k.test/one", false},         {1, 7, "https://bad.test/any?x", true},
    {2, 8, "https://x@BAD.test", true},          {2, 8, "https://bad.test.example/", false},
    {2, 8, "https://k.test/?u=bad.test", false}, {1, 7, "mailto:a@bad.test", false},
};

static void test_match(void **state)
{
  (void)state;
  struct directory_stops *stops = directory_stops_new();
  assert_false(directory_stops_match(stops, 1, 7, "https://k.test/exact", 20));
  directory_stops_add(stops, &(struct directory_stop){.tenant = 1, .url = "k.test/exact"});
  directory_stops_add(stops, &(struct directory_stop){.tenant = 1, .mail = 7, .url = "k.test/one"});
  directory_stops_add(stops, &(struct directory_stop){.url = "bad.test/", .prefix = true});
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("%zu %s\n", i, rows[i].url);
    assert_int_equal(
        directory_stops_match(stops, rows[i].tenant, rows[i].mail, rows[i].url, strlen(rows[i].url)),
        rows[i].stopped);
  }
  directory_stops_free(stops);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_spelling), cmocka_unit_test(test_match)};
  return cmocka_run_group_tests_name("stopped links", tests, NULL, NULL);
}
