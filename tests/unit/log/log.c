/* The log: no foreign byte breaks a line, and repeated faults stay few. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "log/log.h"

static char path[] = "/tmp/tidings-log-XXXXXX";

static const struct {
  const char *value, *shown;
} values[] = {
    {"plain", "plain"},
    {"", "\"\""},
    {NULL, "-"},
    {"two words", "\"two words\""},
    {"a\"b\\c", "\"a\\\"b\\\\c\""},
    {"a\r\nx: failed reason=forged", "\"a\\x0d\\x0ax: failed reason=forged\""},
    {"\033[2J", "\"\\x1b[2J\""},
    {"gr\303\274n", "gr\303\274n"},
    {"c1 \302\205", "\"c1 \\xc2\\x85\""},
    {"broken \303", "\"broken \\xc3\""},
    {"\177", "\"\\x7f\""},
};

static char *last_line(void)
{
  char *text = NULL;
  assert_true(g_file_get_contents(path, &text, NULL, NULL));
  g_strchomp(text);
  char *newline = strrchr(text, '\n');
  if (newline) memmove(text, newline + 1, strlen(newline));
  return text;
}

static void test_values(void **state)
{
  (void)state;
  struct clock *clock = clock_open(NULL, NULL);
  struct log *log = log_open(path, "test", clock, NULL);
  assert_non_null(log);
  for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
    log_event(log, LOG_EVENT_FAILED, "4Q1", "reason=%s", LOG_VALUE(values[i].value));
    g_autofree char *line = last_line();
    g_autofree char *want =
        g_strdup_printf("test[%d]: 4Q1: failed reason=%s", (int)getpid(), values[i].shown);
    if (!g_str_has_suffix(line, want)) fail_msg("row %zu: <%s>, expected <%s>", i, line, want);
  }
  log_close(log);
  clock_close(clock);
}

/* A careless caller cannot break a line either, and no line is endless. */
static void test_whole_line(void **state)
{
  (void)state;
  struct clock *clock = clock_open(NULL, NULL);
  struct log *log = log_open(path, "test", clock, NULL);
  log_event(log, LOG_EVENT_FAILED, "a\nb", "reason=%s", "x\ny");
  g_autofree char *line = last_line();
  assert_true(g_str_has_suffix(line, ": a\\x0ab: failed reason=x\\x0ay"));
  g_autofree char *monster = g_strnfill(100000, '\001');
  log_event(log, LOG_EVENT_FAILED, NULL, "reason=%s", monster);
  g_autofree char *cut = last_line();
  assert_true(strlen(cut) < LOG_MAX_LINE + 128);
  log_event(log, LOG_EVENT_FAILED, NULL, "reason=%s", LOG_VALUE(monster));
  g_free(g_steal_pointer(&cut));
  cut = last_line();
  assert_true(strlen(cut) < LOG_MAX_LINE + 128);
  log_event(NULL, LOG_EVENT_FAILED, NULL, "reason=%s", "nobody listens");
  log_close(log);
  clock_close(clock);
}

static void test_reopen(void **state)
{
  (void)state;
  struct clock *clock = clock_open(NULL, NULL);
  struct log *log = log_open(path, "test", clock, NULL);
  g_autofree char *rotated = g_strconcat(path, ".1", NULL);
  assert_int_equal(rename(path, rotated), 0);
  log_event(log, LOG_EVENT_STARTED, NULL, "n=%d", 1);
  assert_true(log_reopen(log, NULL));
  log_event(log, LOG_EVENT_STARTED, NULL, "n=%d", 2);
  g_autofree char *line = last_line();
  assert_true(g_str_has_suffix(line, "started n=2"));
  assert_null(strchr(line, '\n'));
  unlink(rotated);
  log_close(log);
  assert_null(log_open("/nonexistent/x", "test", clock, NULL));
  clock_close(clock);
}

static void test_limit(void **state)
{
  (void)state;
  static const struct {
    int64_t now;
    bool due;
    uint64_t held;
  } rows[] = {{1000, true, 0}, {1001, false, 0}, {1099, false, 0},
              {1100, true, 2}, {1150, false, 0}, {500, true, 1} /* the clock stepped back */};
  struct log_limit limit = {0};
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    uint64_t held = 99;
    print_message("at %d\n", (int)rows[i].now);
    assert_int_equal(log_due(&limit, rows[i].now, 100, &held), rows[i].due);
    if (rows[i].due) assert_int_equal(held, rows[i].held);
  }
}

int main(void)
{
  close(mkstemp(path));
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values),
      cmocka_unit_test(test_whole_line),
      cmocka_unit_test(test_reopen),
      cmocka_unit_test(test_limit),
  };
  int failed = cmocka_run_group_tests_name("log", tests, NULL, NULL);
  unlink(path);
  return failed;
}
