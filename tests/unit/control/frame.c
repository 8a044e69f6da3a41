/* Lines of the control protocol: the same however the stream is cut. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "control/frame.h"

enum { MAX = 8 };

static const struct {
  const char *name, *stream, *lines; /* the lines, each closed by | */
  bool limit, partial;
} rows[] = {
    {"nothing", "", "", false, false},
    {"one line", "abc\n", "abc|", false, false},
    {"two lines", "abc\nd\n", "abc|d|", false, false},
    {"empty lines are left out", "\n\na\n\n", "a|", false, false},
    {"CR LF", "a\r\n\r\nb\r\n", "a|b|", false, false},
    {"CR inside stays", "a\rb\n", "a\rb|", false, false},
    {"no end", "a\nbc", "a|", false, true},
    {"exactly the maximum", "12345678\n1\n", "12345678|1|", false, false},
    {"one too many", "ab\n123456789\nx\n", "ab|", true, false},
    {"one too many, without end", "123456789", "", true, false},
};

static bool collect(void *data, const char *line, size_t length, GError **error)
{
  (void)error;
  g_string_append_len(data, line, (gssize)length);
  g_string_append_c(data, '|');
  return true;
}

/* Feeds a row's stream in two pieces, cut at CUT. */
static void check_cut(size_t row, size_t cut)
{
  g_autoptr(control_frame) frame = control_frame_new(MAX);
  g_autoptr(GString) lines = g_string_new(NULL);
  g_autoptr(GError) error = NULL;
  const char *s = rows[row].stream;
  bool good = control_frame_feed(frame, s, cut, collect, lines, &error) &&
              control_frame_feed(frame, s + cut, strlen(s) - cut, collect, lines, &error);
  if (strcmp(lines->str, rows[row].lines) != 0 || good == rows[row].limit ||
      (good && control_frame_is_partial(frame) != rows[row].partial))
    fail_msg("%s, cut at %zu: <%s>", rows[row].name, cut, lines->str);
  if (!good) assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT));
}

static void test_cuts(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
    for (size_t cut = 0; cut <= strlen(rows[i].stream); cut++)
      check_cut(i, cut);
}

static bool refuse(void *data, const char *line, size_t length, GError **error)
{
  (void)line, (void)length;
  ++*(int *)data;
  g_set_error_literal(error, TIDINGS_ERROR, TIDINGS_ERROR_TEMP, "enough");
  return false;
}

static void test_refusal(void **state)
{
  (void)state;
  int calls = 0;
  g_autoptr(control_frame) frame = control_frame_new(MAX);
  g_autoptr(GError) error = NULL;
  assert_false(control_frame_feed(frame, "a\nb\n", 4, refuse, &calls, &error));
  assert_int_equal(calls, 1);
  assert_string_equal(error->message, "enough");
}

static const struct {
  const char *line;
  bool good;
} parses[] = {
    {"{}", true},
    {"{\"do\":\"x\"}", true},
    {"[]", false},
    {"1", false},
    {"", false},
    {"{\"a\":1,\"a\":2}", false},
    {"{} {}", false},
    {"{\"a\"", false},
    {"{\"a\":\"\xff\"}", false},
};

static void test_parse(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(parses); i++) {
    g_autoptr(GError) error = NULL;
    json_t *value = control_parse(parses[i].line, strlen(parses[i].line), &error);
    if ((value != NULL) != parses[i].good) fail_msg("<%s>", parses[i].line);
    if (!value) assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
    json_decref(value);
  }
}

/* Every kind of error goes through the wire and comes out the same. */
static void test_errors(void **state)
{
  (void)state;
  for (int code = TIDINGS_ERROR_INPUT; code <= TIDINGS_ERROR_DENIED; code++) {
    g_autoptr(GError) sent = g_error_new(TIDINGS_ERROR, code, "line 1\nwith \"quotes\"");
    g_autoptr(GError) got = NULL;
    g_autoptr(GString) line = g_string_new(NULL);
    control_put_error(line, sent);
    assert_int_equal(strlen(line->str), strcspn(line->str, "\n") + 1);
    json_t *value = control_parse(line->str, line->len - 1, NULL);
    assert_non_null(value);
    control_take_error(json_object_get(value, "error"), &got);
    assert_true(g_error_matches(got, TIDINGS_ERROR, code));
    assert_string_equal(got->message, sent->message);
    json_decref(value);
  }
}

static void test_odd_errors(void **state)
{
  (void)state;
  g_autoptr(GError) odd = NULL, bytes = g_error_new(TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "bad \xff byte");
  control_take_error(NULL, &odd);
  assert_true(g_error_matches(odd, TIDINGS_ERROR, TIDINGS_ERROR_SYS));
  g_autoptr(GString) line = g_string_new(NULL);
  control_put_error(line, bytes);
  assert_true(g_utf8_validate(line->str, -1, NULL));
  g_string_truncate(line, 0);
  control_put(line, "ok", NULL);
  assert_string_equal(line->str, "{\"ok\":{}}\n");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cuts),   cmocka_unit_test(test_refusal),    cmocka_unit_test(test_parse),
      cmocka_unit_test(test_errors), cmocka_unit_test(test_odd_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
