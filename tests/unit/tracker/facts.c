/* Hits as JSON: always valid, whatever a client calls itself. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include <jansson.h>

#include "tracker/facts.h"

static const struct {
  const char *user_agent, *json;
} rows[] = {
    {NULL, "{\"method\":\"GET\"}"},
    {"", "{\"method\":\"GET\",\"ua\":\"\"}"},
    {"Mozilla/5.0 (x; y)", "{\"method\":\"GET\",\"ua\":\"Mozilla/5.0 (x; y)\"}"},
    {"a\"b\\c\td\x01", "{\"method\":\"GET\",\"ua\":\"a\\\"b\\\\c\\u0009d\\u0001\"}"},
    {"gr\xc3\xbcn", "{\"method\":\"GET\",\"ua\":\"gr\xc3\xbcn\"}"},
    {"\xff\xc3", "{\"method\":\"GET\",\"ua\":\"\xef\xbf\xbd\xef\xbf\xbd\"}"},
    {"\xed\xa0\x80", "{\"method\":\"GET\",\"ua\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}"},
};

static void check_json(const GString *text)
{
  json_error_t error;
  json_t *json = json_loadb(text->str, text->len, JSON_REJECT_DUPLICATES, &error);
  if (!json) fail_msg("%s: %s", error.text, text->str);
  json_decref(json);
}

static void test_user_agents(void **state)
{
  (void)state;
  const struct token token = {.kind = TOKEN_OPEN};
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GString) out = g_string_new(NULL);
    facts_hit(&token, "GET", rows[i].user_agent, out);
    assert_string_equal(out->str, rows[i].json);
    check_json(out);
  }
}

/* A long name is cut between characters, at every offset of the limit in one. */
static void test_cut(void **state)
{
  (void)state;
  const struct token token = {.kind = TOKEN_OPEN};
  for (size_t shift = 0; shift < 4; shift++) {
    g_autoptr(GString) name = g_string_new(NULL), out = g_string_new(NULL);
    for (size_t i = 0; i < FACTS_MAX_USER_AGENT - shift; i++)
      g_string_append_c(name, 'x');
    g_string_append(name, "\xf0\x9f\x93\xa8 more");
    facts_hit(&token, "GET", name->str, out);
    check_json(out);
    assert_null(strstr(out->str, "\xef\xbf\xbd"));
    assert_true(out->len <= FACTS_MAX_USER_AGENT + strlen("{\"method\":\"GET\",\"ua\":\"\"}"));
  }
}

static void test_click(void **state)
{
  (void)state;
  g_autoptr(GString) out = g_string_new(NULL);
  const char *url = "https://x.example/?q=\"\xff";
  const struct token token = {
      .kind = TOKEN_CLICK, .link = 7, .destination = url, .destination_length = strlen(url)};
  facts_hit(&token, "HEAD", NULL, out);
  assert_string_equal(out->str,
                      "{\"method\":\"HEAD\",\"link\":7,\"url\":\"https://x.example/?q=\\\"\xef\xbf\xbd\"}");
}

static void test_unsubscribe(void **state)
{
  (void)state;
  static const struct {
    const char *destination;
    bool one_click;
    const char *json;
  } cases[] = {
      {"news\na@b.example", true, "{\"list\":\"news\",\"address\":\"a@b.example\",\"how\":\"one-click\"}"},
      {"news\n\"a\\\"\"@b", false,
       "{\"list\":\"news\",\"address\":\"\\\"a\\\\\\\"\\\"@b\",\"how\":\"page\"}"},
      {"\na@b", true, "{\"list\":\"\",\"address\":\"a@b\",\"how\":\"one-click\"}"},
      {"news", true, "{\"list\":\"news\",\"how\":\"one-click\"}"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GString) out = g_string_new(NULL);
    const struct token token = {.kind = TOKEN_UNSUBSCRIBE,
                                .destination = cases[i].destination,
                                .destination_length = strlen(cases[i].destination)};
    facts_unsubscribe(&token, cases[i].one_click, out);
    assert_string_equal(out->str, cases[i].json);
    check_json(out);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_user_agents),
      cmocka_unit_test(test_cut),
      cmocka_unit_test(test_click),
      cmocka_unit_test(test_unsubscribe),
  };
  return cmocka_run_group_tests_name("facts", tests, NULL, NULL);
}
