/* The clock follows its file, and says what is wrong with a bad one. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "clock/clock.h"

static char path[] = "/tmp/tidings-clock-XXXXXX";

static void write_clock(int64_t start, int64_t since)
{
  int64_t words[2] = {start, since};
  assert_true(g_file_set_contents(path, (char *)words, sizeof words, NULL));
}

static void test_stands_still(void **state)
{
  (void)state;
  write_clock(1234567, 0);
  struct clock *clock = clock_open(path, NULL);
  assert_non_null(clock);
  assert_true(clock_is_controlled(clock));
  assert_int_equal(clock_now(clock), 1234567);
  assert_int_equal(clock_now(clock), 1234567);
  clock_close(clock);
}

static void test_runs(void **state)
{
  (void)state;
  struct clock *real = clock_open(NULL, NULL);
  int64_t base = clock_now(real);
  write_clock(0, base);
  struct clock *clock = clock_open(path, NULL);
  int64_t seen = clock_now(clock);
  int64_t after = clock_now(real);
  assert_true(seen >= 0 && seen <= after - base);
  clock_close(clock);
  clock_close(real);
}

static void test_bad_files(void **state)
{
  (void)state;
  g_autoptr(GError) error = NULL;
  assert_null(clock_open("/nonexistent/clock", &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS));
  g_clear_error(&error);
  assert_true(g_file_set_contents(path, "short", 5, NULL));
  assert_null(clock_open(path, &error));
  assert_non_null(strstr(error->message, "needs 16"));
}

int main(void)
{
  close(mkstemp(path));
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_stands_still),
      cmocka_unit_test(test_runs),
      cmocka_unit_test(test_bad_files),
  };
  int failed = cmocka_run_group_tests_name("clock", tests, NULL, NULL);
  unlink(path);
  return failed;
}
