/* Counters in the text format of Prometheus. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/error.h"
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

/* A whole file that everybody may read; a failure leaves the last one, and
 * nothing beside it. */
static void test_write(void **state)
{
  (void)state;
  g_autofree char *dir = g_dir_make_tmp("metrics-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(dir, "m.prom", NULL), *aside = g_strconcat(path, ".new", NULL);
  g_autofree char *text = NULL, *missing = g_build_filename(dir, "none", "m.prom", NULL);
  struct metrics metrics = {0};
  g_autoptr(GError) error = NULL;
  umask(077);
  assert_true(g_file_set_contents(aside, "left by one that was killed", -1, NULL));
  for (int i = 1; i <= 2; i++) {
    metrics_add(&metrics, METRIC_MILTER_TRACKED, 1);
    assert_true(metrics_write(&metrics, "tidings_milter_", path, NULL));
    g_clear_pointer(&text, g_free);
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    assert_non_null(strstr(text, i == 1 ? "{action=\"tracked\"} 1\n" : "{action=\"tracked\"} 2\n"));
    assert_null(strstr(text, "tracker"));
  }
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0644);
  assert_int_not_equal(access(aside, F_OK), 0);
  assert_false(metrics_write(&metrics, "tidings_milter_", missing, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS));
  assert_non_null(strstr(error->message, missing));
  unlink(path);
  rmdir(dir);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_print),
      cmocka_unit_test(test_table),
      cmocka_unit_test(test_write),
  };
  return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
