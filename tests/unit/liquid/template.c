/* Templates: what they give, and what is said about wrong ones. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "liquid/liquid.h"

static const char data[] = "{\"contact\": {\"first_name\": \"Åse\", \"empty\": \"\", \"no\": false, \"age\": "
                           "42, \"tags\": [\"a\", \"b\"]},"
                           " \"event\": {\"total\": 12.5, \"whole\": 5.0, \"big\": 1e20, \"small\": 0.1, "
                           "\"items\": [{\"n\": 1}, {\"n\": 2}]},"
                           " \"evil\": \"<b>&\\\"'\", \"key\": \"first_name\", \"null\": null}";

static const struct row {
  const char *template, *output;
} rows[] = {
    {"", ""},
    {"no outputs { } % {", "no outputs { } % {"},
    {"Hi {{ contact.first_name }}!", "Hi Åse!"},
    {"{{contact.first_name}}", "Åse"},
    {"{{ contact['first_name'] }}", "Åse"},
    {"{{ contact[key] }}", "Åse"},
    {"{{ contact.first_name | default: \"friend\" }}", "Åse"},
    {"{{ contact.nothing | default: \"friend\" }}", "friend"},
    {"{{ contact.empty | default: 'friend' }}", "friend"},
    {"{{ contact.no | default: 'friend' }}", "friend"},
    {"{{ contact.no | default: 'friend', allow_false: true }}", "false"},
    {"{{ nothing.at.all }}", ""},
    {"{{ contact.first_name.below }}", ""},
    {"{{ nothing | default: contact.age }}", "42"},
    {"{{ nothing | default: other | default: 'third' }}", "third"},
    {"{{ event.total }} {{ event.whole }} {{ event.big }} {{ event.small }}", "12.5 5.0 1.0e+20 0.1"},
    {"{{ event.items[1].n }}{{ event.items[-2].n }}{{ event.items[2].n }}", "21"},
    {"{{ event.items.size }} {{ event.items.first.n }} {{ event.items.last.n }}", "2 1 2"},
    {"{{ contact.tags }}", "ab"},
    {"{{ 'text' }} {{ 1 }} {{ -2.50 }} {{ true }} {{ nil }} {{ blank }}", "text 1 -2.5 true  "},
    {"{{ '}}' }}{{ \"{{\" }}", "}}{{"},
    {"a {{- contact.age }} b", "a42 b"},
    {"a {{ contact.age -}} b", "a 42b"},
    {"a\n {{- contact.age -}} \n b", "a42b"},
    {"{{ evil }}", "<b>&\"'"},
    {"{{ }}", ""},
};

static void test_render(void **state)
{
  (void)state;
  json_auto_t *values = json_loads(data, 0, NULL);
  assert_non_null(values);
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    const struct row *row = &rows[i];
    print_message("%s\n", row->template);
    g_autoptr(GError) error = NULL;
    g_autoptr(liquid_auto) template =
        liquid_parse(row->template, strlen(row->template), "hello.eml", 1, &error);
    assert_null(error);
    for (int again = 0; again < 2; again++) { /* rendering leaves the template as it was */
      g_autoptr(GString) out = g_string_new(NULL);
      assert_true(liquid_render(template, values, 1000, out, &error));
      assert_string_equal(out->str, row->output);
    }
  }
}

static const struct wrong {
  const char *template, *message;
} wrongs[] = {
    {"a\n\n{% if x %}", "t.eml:12: tags ({% if %}, {% for %} and so on) come later"},
    {"a\n{{ x", "t.eml:11: this {{ has no }}"},
    {"{{ 'x }}", "t.eml:10: this {{ has no }}"},
    {"{{ x\n| upcas }}", "t.eml:11: there is no filter 'upcas' yet; there is: default"},
    {"{{ x | }}", "t.eml:10: there is no filter ''"},
    {"{{ x y }}", "t.eml:10: 'y' is not expected here"},
    {"{{ x. }}", "t.eml:10: a name is missing here"},
    {"{{ .x }}", "t.eml:10: a field, a text in quotes or a number is expected"},
    {"{{ x[ }}", "t.eml:10: a field, a text in quotes or a number is expected"},
    {"{{ x[1 }}", "t.eml:10: a ']' is missing here"},
    {"{{ x['a }}", "t.eml:10: this {{ has no }}"},
    {"{{ x..y }}", "t.eml:10: ranges come later"},
    {"{{ x | default: 1, 2 }}", "t.eml:10: the filter 'default' takes 1 value after its ':'"},
    {"{{ x | default: 1, other: 2 }}", "t.eml:10: the filter 'default' has no 'other'"},
    {"{{ 1234567890123456789 }}", "t.eml:10: this number has too many digits"},
    {"{{ (1..3) }}", "t.eml:10: a field, a text in quotes or a number is expected"},
};

static void test_wrong(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(wrongs); i++) {
    print_message("%s\n", wrongs[i].template);
    g_autoptr(GError) error = NULL;
    assert_null(liquid_parse(wrongs[i].template, strlen(wrongs[i].template), "t.eml", 10, &error));
    assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
    print_message("  %s\n", error->message);
    assert_true(g_str_has_prefix(error->message, wrongs[i].message));
  }
}

static const struct use {
  const char *template, *path;
  bool uses;
} uses[] = {
    {"{{ unsubscribe_url }}", "unsubscribe_url", true},
    {"{{ contact.first_name }}", "contact", true},
    {"{{ contact.first_name }}", "contact.first_name", true},
    {"{{ contact['first_name'] }}", "contact.first_name", true},
    {"{{ contact[key] }}", "contact.first_name", true},
    {"{{ contact[event.key] }}", "event", true},
    {"{{ contact }}", "contact.first_name", false},
    {"{{ contact.last_name }}", "contact.first_name", false},
    {"{{ x | default: unsubscribe_url }}", "unsubscribe_url", true},
    {"unsubscribe_url {{ 'unsubscribe_url' }}", "unsubscribe_url", false},
};

static void test_uses(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(uses); i++) {
    print_message("%s uses %s\n", uses[i].template, uses[i].path);
    g_autoptr(liquid_auto) template = liquid_parse(uses[i].template, strlen(uses[i].template), "t", 1, NULL);
    assert_int_equal(liquid_uses(template, uses[i].path), uses[i].uses);
  }
}

/* Each output has its own escape; where they stand is to be seen. */
static void test_escapes(void **state)
{
  (void)state;
  json_auto_t *values = json_loads(data, 0, NULL);
  g_autoptr(GError) error = NULL;
  static const char text[] = "<p>{{ evil }}</p>\n\n<p>{{ evil }}{{-\n'b' }}x";
  g_autoptr(liquid_auto) template = liquid_parse(text, strlen(text), "t", 5, &error);
  assert_int_equal(liquid_outputs(template), 3);
  assert_int_equal(liquid_output_line(template, 0), 5);
  assert_int_equal(liquid_output_line(template, 1), 7);
  assert_int_equal(liquid_output_line(template, 2), 7);
  g_autoptr(GString) skeleton = g_string_new(NULL);
  liquid_skeleton(template, '$', skeleton);
  assert_string_equal(skeleton->str, "<p>$</p>\n\n<p>$$x");
  liquid_set_escape(template, 0, liquid_escape_html);
  g_autoptr(GString) out = g_string_new(NULL);
  assert_true(liquid_render(template, values, 1000, out, &error));
  assert_string_equal(out->str, "<p>&lt;b&gt;&amp;&quot;&#39;</p>\n\n<p><b>&\"'bx");
}

static void test_limits(void **state)
{
  (void)state;
  json_auto_t *values = json_loads(data, 0, NULL);
  g_autoptr(GError) error = NULL;
  static const char text[] = "{{ contact.first_name }}{{ contact.first_name }}";
  g_autoptr(liquid_auto) template = liquid_parse(text, strlen(text), "t", 1, &error);
  g_autoptr(GString) out = g_string_new(NULL);
  assert_false(liquid_render(template, values, 7, out, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT));
  assert_int_equal(out->len, 7);
  g_clear_error(&error);

  g_autoptr(GString) many = g_string_new(NULL);
  for (int i = 0; i <= LIQUID_OUTPUTS_MAX; i++)
    g_string_append(many, "{{x}}");
  assert_null(liquid_parse(many->str, many->len, "t", 1, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT));
  g_clear_error(&error);

  g_autoptr(GString) deep = g_string_new("{{");
  for (int i = 0; i < 100000; i++)
    g_string_append(deep, "a[");
  g_string_append(deep, "}}");
  assert_null(liquid_parse(deep->str, deep->len, "t", 1, &error));
  assert_true(strstr(error->message, "brackets in brackets") != NULL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_render),  cmocka_unit_test(test_wrong),  cmocka_unit_test(test_uses),
      cmocka_unit_test(test_escapes), cmocka_unit_test(test_limits),
  };
  return cmocka_run_group_tests_name("liquid template", tests, NULL, NULL);
}
