/* The CSV reader: the same records however the input is cut. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "csv/csv.h"

enum { MAX = 24 };

/* Records are shown as "line:[field][field]" or "line:!" for a fault. */
static const struct {
  const char *name;
  const char *bytes;
  size_t length; /* 0: strlen */
  const char *records;
} rows[] = {
    {"nothing", "", 0, ""},
    {"one", "a,b\n", 0, "1:[a][b] "},
    {"no line end", "a,b", 0, "1:[a][b] "},
    {"CR LF", "a,b\r\nc,d\r\n", 0, "1:[a][b] 2:[c][d] "},
    {"CR at the end of the file", "a\r", 0, "1:[a] "},
    {"CR within", "a\rb\n", 0, "1:[a\rb] "},
    {"empty fields", ",\n,\n", 0, "1:[][] 2:[][] "},
    {"separator at the end of the file", "a,", 0, "1:[a][] "},
    {"empty lines", "\n\r\na\n\n\nb\n", 0, "3:[a] 6:[b] "},
    {"quotes", "\"a\",\"b,c\"\n", 0, "1:[a][b,c] "},
    {"empty quotes", "\"\"\n", 0, "1:[] "},
    {"empty quotes at the end", "a,\"\"", 0, "1:[a][] "},
    {"doubled", "\"a\"\"b\"\n", 0, "1:[a\"b] "},
    {"line end in quotes", "\"a\r\nb\",c\r\nd\n", 0, "1:[a\r\nb][c] 3:[d] "},
    {"quote within a plain field", "5\" disk,x\n", 0, "1:[5\" disk][x] "},
    {"spaces stay", " a , b \n", 0, "1:[ a ][ b ] "},
    {"mark",
     "\xef\xbb\xbf"
     "a\n",
     0, "1:[a] "},
    {"mark and quotes",
     "\xef\xbb\xbf"
     "\"a\"\n",
     0, "1:[a] "},
    {"half a mark",
     "\xef\xbb"
     "a\n",
     0,
     "1:[\xef\xbb"
     "a] "},
    {"half a mark alone", "\xef\xbb", 0, "1:[\xef\xbb] "},
    {"a mark later", "a\n\xef\xbb\xbf\n", 0, "1:[a] 2:[\xef\xbb\xbf] "},
    {"text behind a quote", "\"a\"b,c\nd\n", 0, "1:! 2:[d] "},
    {"CR behind a quote", "\"a\"\rb\nd\n", 0, "1:! 2:[d] "},
    {"CR and end behind a quote", "\"a\"\r", 0, "1:[a] "},
    {"never closed", "a\n\"b\nc\n", 0, "1:[a] 2:! "},
    {"NUL", "a\0b\nc\n", 6, "1:! 2:[c] "},
    {"NUL in quotes", "\"a\0b\"\nc\n", 8, "1:! 2:[c] "},
    {"the longest", "123456789012345678901234\na\n", 0, "1:[123456789012345678901234] 2:[a] "},
    {"too long", "1234567890123456789012345\na\n", 0, "1:! 2:[a] "},
    {"too long by a quote", "\"23456789\n1234567890123456\n7\na\n", 0, "1:! 3:[7] 4:[a] "},
};

static bool show(void *data, size_t line, char *const *fields, size_t count, const char *fault,
                 GError **error)
{
  (void)error;
  GString *out = data;
  g_string_append_printf(out, "%zu:%s", line, fault ? "!" : "");
  if (fault) assert_int_equal(count, 0);
  for (size_t i = 0; i < count; i++)
    g_string_append_printf(out, "[%s]", fields[i]);
  g_string_append_c(out, ' ');
  return true;
}

static void check_cut(size_t row, size_t length, size_t cut)
{
  g_autoptr(GString) out = g_string_new(NULL);
  g_autoptr(csv_auto) csv = csv_new(',', MAX, show, out);
  assert_true(csv_feed(csv, rows[row].bytes, cut, NULL));
  assert_true(csv_feed(csv, rows[row].bytes + cut, length - cut, NULL));
  assert_true(csv_finish(csv, NULL));
  if (strcmp(out->str, rows[row].records) != 0)
    fail_msg("%s, cut at %zu: <%s>, expected <%s>", rows[row].name, cut, out->str, rows[row].records);
}

static void test_rows(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    size_t length = rows[i].length ? rows[i].length : strlen(rows[i].bytes);
    for (size_t cut = 0; cut <= length; cut++)
      check_cut(i, length, cut);
  }
}

static void test_separator(void **state)
{
  (void)state;
  g_autoptr(GString) out = g_string_new(NULL);
  g_autoptr(csv_auto) csv = csv_new(';', MAX, show, out);
  assert_true(csv_feed(csv, "a,b;c", 5, NULL) && csv_finish(csv, NULL));
  assert_string_equal(out->str, "1:[a,b][c] ");
}

static bool refuse(void *data, size_t line, char *const *fields, size_t count, const char *fault,
                   GError **error)
{
  (void)line, (void)fields, (void)count, (void)fault;
  ++*(int *)data;
  g_set_error_literal(error, TIDINGS_ERROR, TIDINGS_ERROR_TEMP, "enough");
  return false;
}

static void test_refusal(void **state)
{
  (void)state;
  int calls = 0;
  g_autoptr(GError) error = NULL;
  g_autoptr(csv_auto) csv = csv_new(',', MAX, refuse, &calls);
  assert_false(csv_feed(csv, "a\nb\n", 4, &error));
  assert_int_equal(calls, 1);
  assert_string_equal(error->message, "enough");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows),
      cmocka_unit_test(test_separator),
      cmocka_unit_test(test_refusal),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
