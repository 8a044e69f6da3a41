/* Text for a terminal: nothing foreign moves the cursor, and columns stand. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "ctl/table.h"
#include "ctl/text.h"

static const struct {
  const char *name, *text, *shown;
  size_t width;
} rows[] = {
    {"plain", "abc", "abc", 3},
    {"none", NULL, "", 0},
    {"accents", "Gr\303\266\303\237e", "Gr\303\266\303\237e", 5},
    {"combining", "o\xcc\x88", "o\xcc\x88", 1},
    {"wide", "\346\227\245\346\234\254", "\346\227\245\346\234\254", 4},
    {"escape", "\033[2J", "\\x1b[2J", 7},
    {"line end", "a\r\nb", "a\\x0d\\x0ab", 10},
    {"C1", "\302\233", "\\x9b", 4},
    {"DEL", "\177", "\\x7f", 4},
    {"not UTF-8", "a\xff\xc3", "a\\xff\\xc3", 9},
    {"overlong", "\xc0\xaf", "\\xc0\\xaf", 8},
    {"turned around", "a\342\200\256b", "a\\u202eb", 8},
    {"line separator", "\342\200\250", "\\u2028", 6},
};

static void test_safe(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *shown = text_safe(rows[i].text);
    if (strcmp(shown, rows[i].shown) != 0 || text_width(shown) != rows[i].width)
      fail_msg("%s: <%s> %zu wide", rows[i].name, shown, text_width(shown));
    g_autofree char *again = text_safe(shown);
    assert_string_equal(again, shown);
  }
  g_autofree char *lines = text_safe_lines("a\nb\033");
  assert_string_equal(lines, "a\nb\\x1b");
}

static const struct {
  int64_t instant;
  int32_t offset;
  const char *shown;
} times[] = {
    {0, 0, "1970-01-01 00:00:00Z"},
    {INT64_C(1761379200000000), 3600, "2025-10-25 09:00:00 +0100 (08:00:00Z)"},
    {INT64_C(1761433200000000), 3600, "2025-10-26 00:00:00 +0100 (2025-10-25 23:00:00Z)"},
};

static void test_times(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(times); i++) {
    g_autoptr(tz_zone_auto) fixed = times[i].offset ? tz_zone_fixed(times[i].offset) : NULL;
    g_autofree char *shown = text_time(times[i].instant, fixed ? fixed : tz_zone_utc());
    assert_string_equal(shown, times[i].shown);
  }
}

static const struct {
  const char *json, *shown;
} pairs[] = {
    {"{}", ""},
    {"[1]", ""},
    {"{\"b\":1,\"a\":\"x\"}", "a=x b=1"},
    {"{\"a\":\"two words\",\"c\":null,\"d\":[1,true]}", "a=\"two words\" c=null d=[1,true]"},
    {"{\"a\":\"\",\"big\":9007199254740993}", "a=\"\" big=9007199254740993"},
};

static void test_pairs(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
    json_t *object = json_loads(pairs[i].json, 0, NULL);
    g_autofree char *shown = text_pairs(object);
    json_decref(object);
    assert_string_equal(shown, pairs[i].shown);
  }
}

static const struct {
  const char *json, *by, *about;
} events[] = {
    {"{}", NULL, ""},
    {"{\"verdict\":\"human\",\"reason\":\"none\",\"data\":null}", "human", ""},
    {"{\"verdict\":\"machine\",\"reason\":\"head\",\"data\":{\"method\":\"HEAD\",\"link\":2}}",
     "machine (head)", "link=2"},
    {"{\"subject\":\"A b\",\"data\":{\"action\":\"tracked\",\"reason\":\"tracked\",\"size\":7}}", NULL,
     "\"A b\" action=tracked"},
    {"{\"subject\":\"A b\",\"data\":{\"action\":\"left\",\"reason\":\"signed\"}}", NULL,
     "\"A b\" action=left reason=signed"},
    {"{\"data\":{\"action\":\"tracked\",\"per\":\"message\"}}", NULL, "action=tracked per=message"},
    {"{\"data\":{\"action\":\"tracked\",\"per\":\"recipient\"}}", NULL, "action=tracked"},
    {"{\"data\":{\"action\":\"left\",\"per\":\"message\"}}", NULL, "action=left"},
    {"{\"subject\":\"A b\"}", NULL, "\"A b\""},
};

static void test_events(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(events); i++) {
    json_t *event = json_loads(events[i].json, 0, NULL);
    assert_non_null(event);
    g_autofree char *by = text_verdict(event), *about = text_about(event);
    json_decref(event);
    if (g_strcmp0(by, events[i].by) != 0 || strcmp(about, events[i].about) != 0)
      fail_msg("%s: by %s, about <%s>", events[i].json, by, about);
  }
}

static void test_table(void **state)
{
  (void)state;
  g_autoptr(table_auto) table = table_new("NAME|>N|REST");
  g_autoptr(GString) out = g_string_new(NULL);
  table_cell(table, "\346\227\245\346\234\254\350\252\236");
  table_cell_int(table, 7);
  table_cell(table, NULL);
  table_cell(table, "a\tb");
  table_cell_rate(table, 1, 8);
  table_cell(table, "x");
  assert_int_equal(table_rows(table), 2);
  table_append(table, 1, out);
  assert_string_equal(out->str, " NAME        N  REST\n"
                                " \346\227\245\346\234\254\350\252\236      7  -\n"
                                " a\\x09b  12.5%  x\n");
  g_string_truncate(out, 0);
  table_cell(table, "later");
  table_cell_rate(table, 1, 0);
  table_cell(table, "y");
  table_append(table, 1, out);
  assert_string_equal(out->str, " later       -  y\n");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_safe),   cmocka_unit_test(test_times), cmocka_unit_test(test_pairs),
      cmocka_unit_test(test_events), cmocka_unit_test(test_table),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
