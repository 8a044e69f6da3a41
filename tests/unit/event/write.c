/* What event_write_*() writes is read back by jansson. */

#include "event/write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static void test_texts(void **state)
{
  static const struct {
    const char *name, *text, *read;
  } rows[] = {
      {"plain", "anna@example.com", "anna@example.com"},
      {"empty", "", ""},
      {"quote and backslash", "a\"b\\c", "a\"b\\c"},
      {"controls", "a\tb\nc\x01\x1f\x7f", "a\tb\nc\x01\x1f\x7f"},
      {"UTF-8", "gr\xC3\xBC\xC3\x9F \xF0\x9F\x93\xA8", "gr\xC3\xBC\xC3\x9F \xF0\x9F\x93\xA8"},
      {"no UTF-8", "a\xFFz", "a\xEF\xBF\xBDz"},
      {"a surrogate", "\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"ends like a list", "x[", "x["},
  };
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("%s\n", rows[i].name);
    g_autoptr(GString) out = g_string_new("{");
    event_write_text(out, "a", rows[i].text);
    event_write_text(out, "b", rows[i].text);
    event_write_end(out, '}');
    json_t *read = json_loads(out->str, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(read);
    assert_int_equal(json_object_size(read), 2);
    assert_string_equal(json_string_value(json_object_get(read, "a")), rows[i].read);
    assert_string_equal(json_string_value(json_object_get(read, "b")), rows[i].read);
    json_decref(read);
  }
}

static void test_whole(void **state)
{
  (void)state;
  g_autoptr(GString) out = g_string_new("{");
  event_write_begin(out, "none", '[');
  event_write_end(out, ']');
  event_write_begin(out, "to", '[');
  event_write_text(out, NULL, "a");
  event_write_text(out, NULL, NULL);
  event_write_end(out, ']');
  event_write_begin(out, "links", '[');
  for (int i = 1; i <= 2; i++) {
    event_write_begin(out, NULL, '{');
    event_write_number(out, "n", i);
    event_write_text(out, "url", "u");
    event_write_end(out, '}');
  }
  event_write_end(out, ']');
  event_write_number(out, "least", INT64_MIN);
  event_write_number(out, "most", INT64_MAX);
  event_write_bool(out, "yes", true);
  event_write_bool(out, "no", false);
  event_write_end(out, '}');
  assert_string_equal(out->str,
                      "{\"none\":[],\"to\":[\"a\",null],\"links\":[{\"n\":1,\"url\":\"u\"},{\"n\":2,"
                      "\"url\":\"u\"}],\"least\":-9223372036854775808,"
                      "\"most\":9223372036854775807,\"yes\":true,\"no\":false}");
  json_t *read = json_loads(out->str, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(read);
  json_decref(read);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_texts),
      cmocka_unit_test(test_whole),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
