/* Counters in the text format of Prometheus. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "metrics/metrics.h"

static void test_print(void **state)
{
  (void)state;
  struct metrics metrics = {0};
  metrics_add(&metrics, METRIC_TRACKER_CLICKS, 3);
  metrics_add(&metrics, METRIC_TRACKER_CLICKS, 4);
  g_autoptr(GString) out = g_string_new(NULL);
  metrics_print(&metrics, "tidings_tracker_", out);
  assert_non_null(strstr(out->str, "# HELP tidings_tracker_hits_total Hits with a genuine token.\n"
                                   "# TYPE tidings_tracker_hits_total counter\n"
                                   "tidings_tracker_hits_total{kind=\"open\"} 0\n"
                                   "tidings_tracker_hits_total{kind=\"click\"} 7\n"));
  assert_non_null(strstr(out->str, "\ntidings_tracker_lost_total 0\n"));
  g_string_truncate(out, 0);
  metrics_print(&metrics, "tidings_nobody_", out);
  assert_int_equal(out->len, 0);
}

/* A name's rows stand together, and its first has the help. */
static void test_table(void **state)
{
  (void)state;
  static const char *const names[] = {
#define COUNTER(symbol, name, labels, help) name,
#include "metrics/counters.def"
#undef COUNTER
  };
  static const char *const helps[] = {
#define COUNTER(symbol, name, labels, help) help,
#include "metrics/counters.def"
#undef COUNTER
  };
  for (size_t i = 0; i < METRIC_N; i++) {
    print_message("%s\n", names[i]);
    bool first = i == 0 || strcmp(names[i], names[i - 1]) != 0;
    for (size_t j = 0; first && j < i; j++)
      assert_string_not_equal(names[j], names[i]);
    if (first) assert_int_not_equal(strlen(helps[i]), 0);
    assert_true(g_str_has_prefix(names[i], "tidings_") && g_str_has_suffix(names[i], "_total"));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_print),
      cmocka_unit_test(test_table),
  };
  return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
