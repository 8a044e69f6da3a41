/* Ids keep their order whatever the clock does. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/id.h"

static const int64_t noon = INT64_C(1795348800000000); /* 2026-11-22T12:00:00Z */

static void test_round_trip(void **state)
{
  (void)state;
  struct id_source source = {.node = 5, .producer = ID_TRACKER};
  int64_t id = id_next(&source, noon + 999);
  assert_true(id > 0);
  assert_int_equal(id_time(id), noon);
  assert_int_equal(id_node(id), 5);
  assert_int_equal(id_producer_of(id), ID_TRACKER);
}

static void test_never_backwards(void **state)
{
  (void)state;
  static const int64_t steps[] = {
      0, 1000, -3600000000, 0, 63072000000000, -63072000000000, -1795348800000000};
  struct id_source source = {.node = 1, .producer = ID_MILTER};
  int64_t last = 0;
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    for (int n = 0; n < 10000; n++) {
      int64_t id = id_next(&source, noon + steps[i]);
      assert_true(id > last);
      assert_int_equal(id_producer_of(id), ID_MILTER);
      last = id;
    }
  }
}

static void test_derived(void **state)
{
  (void)state;
  static const struct {
    const char *name;
    int64_t at;
    uint64_t hash;
  } rows[] = {
      {"no bits", noon, 0},
      {"all bits", noon, UINT64_MAX},
      {"some bits", noon, UINT64_C(0x123456789abcdef0)},
      {"before all time", 0, UINT64_MAX},
      {"after all time", INT64_MAX, 0},
      {"far in the past", INT64_MIN, 7},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    print_message("%s\n", rows[i].name);
    int64_t id = id_derive(3, rows[i].at, rows[i].hash);
    assert_true(id > 0);
    assert_true(id == id_derive(3, rows[i].at, rows[i].hash));
    assert_int_equal(id_node(id), 3);
    assert_true(id_producer_of(id) >= ID_DERIVED);
    if (rows[i].at != noon) continue;
    assert_true(id_time(id) <= noon);
    assert_true(noon - id_time(id) < INT64_C(16777216000));
  }
  /* Each bit that is used tells apart. */
  for (int bit = 0; bit < 39; bit++)
    assert_true(id_derive(3, noon, UINT64_C(1) << bit) != id_derive(3, noon, 0));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_never_backwards),
      cmocka_unit_test(test_derived),
  };
  return cmocka_run_group_tests_name("id", tests, NULL, NULL);
}
