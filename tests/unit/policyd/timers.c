/* The due-queue gives each plan once, in order of time, whatever the clock and
 * the buckets do, and its cost does not grow with what is planned. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "policyd/timers.h"

static const int64_t noon = INT64_C(1795348800000000); /* 2026-11-22T12:00:00Z */

static char *path;

static struct store *fresh(void)
{
  static const char *const sides[] = {"", "-wal", "-shm"};
  for (size_t i = 0; i < G_N_ELEMENTS(sides); i++) {
    g_autofree char *file = g_strconcat(path, sides[i], NULL);
    unlink(file);
  }
  struct store *store = store_open(path, 1, NULL);
  assert_non_null(store);
  return store;
}

static void plan(struct timers *timers, int64_t at, int64_t journey)
{
  struct store_due due = {.at = at, .tenant = 1, .journey = journey};
  assert_true(timers_add(timers, &due, NULL));
}

/* Pops one, and takes its plan out as the engine does; 0 if nothing is due. */
static int64_t pop(struct timers *timers, int64_t now)
{
  struct store_due due;
  bool found;
  assert_true(timers_pop(timers, now, &due, &found, NULL));
  if (!found) return 0;
  assert_true(due.at <= now);
  assert_true(timers_remove(timers, &due, NULL));
  return due.journey;
}

static void test_order(void **state)
{
  (void)state;
  struct store *store = fresh();
  struct timers *timers = timers_new(store);
  assert_true(store_begin(store, NULL));
  plan(timers, noon + 5 * CLOCK_MINUTE, 5);
  plan(timers, noon + CLOCK_MINUTE, 1);
  plan(timers, noon + 3 * CLOCK_HOUR, 300);
  plan(timers, noon + 2 * CLOCK_MINUTE, 2);
  assert_int_equal(pop(timers, noon), 0);
  assert_int_equal(pop(timers, noon + 3 * CLOCK_MINUTE), 1);
  /* A plan for a bucket that is in memory already. */
  plan(timers, noon + 90 * CLOCK_SECOND, 90);
  assert_int_equal(pop(timers, noon + 3 * CLOCK_MINUTE), 90);
  assert_int_equal(pop(timers, noon + 3 * CLOCK_MINUTE), 2);
  assert_int_equal(pop(timers, noon + 3 * CLOCK_MINUTE), 0);
  assert_int_equal(timers_next(timers, NULL), noon + 5 * CLOCK_MINUTE);
  assert_int_equal(pop(timers, noon + CLOCK_DAY), 5);
  assert_int_equal(pop(timers, noon + CLOCK_DAY), 300);
  assert_int_equal(pop(timers, noon + CLOCK_DAY), 0);
  assert_true(timers_next(timers, NULL) == INT64_MAX);
  assert_true(store_commit(store, NULL));
  timers_free(timers);
  store_close(store);
}

static void test_restart_and_clock_steps(void **state)
{
  (void)state;
  struct store *store = fresh();
  struct timers *timers = timers_new(store);
  assert_true(store_begin(store, NULL));
  for (int i = 1; i <= 100; i++)
    plan(timers, noon + i * 10 * CLOCK_MINUTE, i);
  assert_true(store_commit(store, NULL));
  timers_free(timers);
  /* After a restart, and after a step back of the clock, nothing comes twice. */
  timers = timers_new(store);
  assert_true(store_begin(store, NULL));
  assert_int_equal(pop(timers, noon + 25 * CLOCK_MINUTE), 1);
  assert_int_equal(pop(timers, noon - CLOCK_HOUR), 0);
  assert_int_equal(pop(timers, noon + 25 * CLOCK_MINUTE), 2);
  assert_int_equal(pop(timers, noon + 25 * CLOCK_MINUTE), 0);
  /* A rollback brings back what was taken in it. */
  assert_true(store_commit(store, NULL));
  assert_true(store_begin(store, NULL));
  assert_int_equal(pop(timers, noon + 30 * CLOCK_MINUTE), 3);
  store_rollback(store);
  timers_reload(timers);
  assert_true(store_begin(store, NULL));
  for (int i = 3; i <= 100; i++)
    assert_int_equal(pop(timers, noon + 400 * CLOCK_DAY), i);
  assert_int_equal(pop(timers, noon + 400 * CLOCK_DAY), 0);
  assert_true(store_commit(store, NULL));
  timers_free(timers);
  store_close(store);
}

static void test_against_sorting(void **state)
{
  (void)state;
  enum { N = 5000 };
  struct store *store = fresh();
  struct timers *timers = timers_new(store);
  unsigned seed = 1;
  assert_true(store_begin(store, NULL));
  for (int i = 1; i <= N; i++)
    plan(timers, noon + (int64_t)(rand_r(&seed) % 100000) * CLOCK_SECOND, i);
  int64_t last = 0;
  int popped = 0;
  for (int64_t now = noon; popped < N; now += 7 * CLOCK_MINUTE) {
    struct store_due due;
    bool found;
    while (assert_true(timers_pop(timers, now, &due, &found, NULL)), found) {
      assert_true(due.at >= last && due.at <= now);
      assert_true(timers_remove(timers, &due, NULL));
      last = due.at;
      popped++;
    }
    assert_true(now < noon + 2 * CLOCK_DAY);
  }
  assert_int_equal(popped, N);
  assert_true(store_commit(store, NULL));
  timers_free(timers);
  store_close(store);
}

int main(void)
{
  g_autofree char *folder = g_dir_make_tmp("tidings-timers-XXXXXX", NULL);
  path = g_build_filename(folder, "state.db", NULL);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_restart_and_clock_steps),
      cmocka_unit_test(test_against_sorting),
  };
  int failed = cmocka_run_group_tests_name("timers", tests, NULL, NULL);
  fresh();
  unlink(path);
  g_free(path);
  rmdir(folder);
  return failed;
}
