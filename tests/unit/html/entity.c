/* Character references, decoded and encoded. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "html/entity.h"

static void test_decode(void **state)
{
  (void)state;
  static const struct {
    const char *raw, *text, *attribute; /* attribute NULL: as text */
  } rows[] = {
      {"", "", NULL},
      {"a", "a", NULL},
      {"&", "&", NULL},
      {"&&amp;&", "&&&", NULL},
      {"a&amp;b", "a&b", NULL},
      {"&amp", "&", NULL},
      {"?a=1&amp;b=2", "?a=1&b=2", NULL},
      {"&ampx", "&x", "&ampx"},
      {"?a&copy=1", "?a\xc2\xa9=1", "?a&copy=1"},
      {"?a&copy;=1", "?a\xc2\xa9=1", NULL},
      {"?a&copy&b", "?a\xc2\xa9&b", NULL},
      {"&notit;", "\xc2\xacit;", "&notit;"},
      {"&notin;", "\xe2\x88\x89", NULL},
      {"&notin", "\xc2\xacin", "&notin"},
      {"&not-in", "\xc2\xac-in", NULL},
      {"&AMP;&Amp;", "&&Amp;", NULL},
      {"&unknown;", "&unknown;", NULL},
      {"&nbsp;", "\xc2\xa0", NULL},
      {"&NotEqualTilde;", "\xe2\x89\x82\xcc\xb8", NULL},
      {"&CounterClockwiseContourIntegral;", "\xe2\x88\xb3", NULL},
      {"&CounterClockwiseContourIntegra&lt;", "&CounterClockwiseContourIntegra<", NULL},
      {"&\xc3\xa9;", "&\xc3\xa9;", NULL},
      {"&#38;&#x26;&#X26;", "&&&", NULL},
      {"&#38&#x26", "&&", NULL},
      {"&#38a=1", "&a=1", NULL},
      {"&#x26g", "&g", NULL},
      {"&#;&#x;&#xg;&#a", "&#;&#x;&#xg;&#a", NULL},
      {"&#", "&#", NULL},
      {"&#x", "&#x", NULL},
      {"&#&amp;", "&#&", NULL},
      {"&#0;", "\xef\xbf\xbd", NULL},
      {"&#xd800;&#xDFFF;", "\xef\xbf\xbd\xef\xbf\xbd", NULL},
      {"&#x10ffff;&#x110000;", "\xf4\x8f\xbf\xbf\xef\xbf\xbd", NULL},
      {"&#4294967334;&#99999999999999999999;", "\xef\xbf\xbd\xef\xbf\xbd", NULL},
      {"&#x80;&#146;&#x9f;", "\xe2\x82\xac\xe2\x80\x99\xc5\xb8", NULL},
      {"&#x81;&#xa0;", "\xc2\x81\xc2\xa0", NULL},
      {"&#000000000000000000038;", "&", NULL},
      {"\xff\xfe&lt", "\xff\xfe<", NULL},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    const char *wanted[] = {rows[i].text, rows[i].attribute ? rows[i].attribute : rows[i].text};
    for (int in_attribute = 0; in_attribute < 2; in_attribute++) {
      g_autoptr(GString) out = g_string_new(NULL);
      html_decode(rows[i].raw, strlen(rows[i].raw), in_attribute, out);
      if (strcmp(out->str, wanted[in_attribute]) != 0)
        print_error("row: %s%s\n", rows[i].raw, in_attribute ? " (attribute)" : "");
      assert_string_equal(out->str, wanted[in_attribute]);
    }
  }
}

/* The end of the bytes ends a reference, whatever stands behind them. */
static void test_decode_length(void **state)
{
  (void)state;
  g_autoptr(GString) out = g_string_new("x");
  html_decode("&amp;", 3, false, out);
  html_decode("&#381", 4, false, out);
  html_decode("&#38;", 1, false, out);
  html_decode("a\0b&lt;", 7, false, out);
  assert_int_equal(out->len, 1 + 3 + 1 + 1 + 4);
  assert_memory_equal(out->str, "x&am&&a\0b<", out->len);
}

static void test_encode(void **state)
{
  (void)state;
  static const struct {
    char quote;
    const char *text, *written;
  } rows[] = {
      {'"', "", ""},
      {'"', "https://a/?b=1&c=2", "https://a/?b=1&amp;c=2"},
      {'"', "\"'<>", "&quot;&#39;&lt;&gt;"},
      {'\'', "\"'<>", "&quot;&#39;&lt;&gt;"},
      {'"', "a b\tc\n=`", "a b\tc\n=`"},
      {0, "a b\tc\n\f=`", "a&#32;b&#9;c&#10;&#12;&#61;&#96;"},
      {'"', "\r\n", "&#13;\n"},
      {'"', "\xc3\xa9\xff", "\xc3\xa9\xff"},
      {'"', "&amp;", "&amp;amp;"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GString) out = g_string_new(NULL), back = g_string_new(NULL);
    html_encode_attribute(rows[i].text, strlen(rows[i].text), rows[i].quote, out);
    if (strcmp(out->str, rows[i].written) != 0) print_error("row: %s\n", rows[i].text);
    assert_string_equal(out->str, rows[i].written);
    html_decode(out->str, out->len, true, back);
    assert_string_equal(back->str, rows[i].text);
  }
}

/* Every byte alone: which of them are written as a reference. */
static void test_encode_bytes(void **state)
{
  (void)state;
  for (int c = 1; c < 256; c++) {
    for (int quoted = 0; quoted < 2; quoted++) {
      g_autoptr(GString) out = g_string_new(NULL);
      char text = (char)c;
      html_encode_attribute(&text, 1, quoted ? '"' : 0, out);
      bool special = strchr("&<>\"'\r", c) || (!quoted && strchr("\t\n\f =`", c));
      if ((out->len > 1) != special) print_error("row: byte %d\n", c);
      assert_int_equal(out->len > 1, special);
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_decode),
      cmocka_unit_test(test_decode_length),
      cmocka_unit_test(test_encode_bytes),
      cmocka_unit_test(test_encode),
  };
  return cmocka_run_group_tests_name("html entity", tests, NULL, NULL);
}
