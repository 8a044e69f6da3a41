/* UTM tags: where they go, and where not. */

#include "rewrite/utm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TAGS "utm_source=news&utm_medium=email&utm_campaign=Spring%20%26%20sun"

static const struct {
  const char *url, *tagged;
} rows[] = {
    {"https://example.com", "https://example.com?" TAGS},
    {"https://example.com/a", "https://example.com/a?" TAGS},
    {"https://example.com/a?", "https://example.com/a?" TAGS},
    {"https://example.com/a?b=1", "https://example.com/a?b=1&" TAGS},
    {"https://example.com/a?b=1&", "https://example.com/a?b=1&" TAGS},
    {"https://example.com/a?b=%20+c#d", "https://example.com/a?b=%20+c&" TAGS "#d"},
    {"https://example.com/#d?e", "https://example.com/?" TAGS "#d?e"},
    {"https://example.com/#", "https://example.com/?" TAGS "#"},
    {"https://example.com/?utm_source=x#d", "https://example.com/?utm_source=x#d"},
    {"https://example.com/?a=1;UTM_Campaign", "https://example.com/?a=1;UTM_Campaign"},
    {"https://example.com/?xutm_source=x", "https://example.com/?xutm_source=x&" TAGS},
    {"https://example.com/?utm_term=x", "https://example.com/?utm_term=x&" TAGS},
    {"https://example.com/utm_source=x", "https://example.com/utm_source=x?" TAGS},
    {"https://example.com/?a=1#utm_source=x", "https://example.com/?a=1&" TAGS "#utm_source=x"},
};

static void test_tags(void **state)
{
  (void)state;
  const struct rewrite_utm utm = {.source = "news", .medium = "email", .campaign = "Spring & sun"};
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GString) out = g_string_new(NULL);
    rewrite_utm_add(rows[i].url, strlen(rows[i].url), &utm, out);
    if (strcmp(out->str, rows[i].tagged) != 0) print_message("%s\n", rows[i].url);
    assert_string_equal(out->str, rows[i].tagged);
  }
}

static void test_some(void **state)
{
  (void)state;
  const struct rewrite_utm utm = {.medium = "email", .campaign = ""};
  g_autoptr(GString) out = g_string_new(NULL);
  rewrite_utm_add("https://example.com/", 20, &utm, out);
  assert_string_equal(out->str, "https://example.com/?utm_medium=email");
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_tags), cmocka_unit_test(test_some)};
  return cmocka_run_group_tests_name("utm tags", tests, NULL, NULL);
}
