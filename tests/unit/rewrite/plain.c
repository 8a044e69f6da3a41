/* Links in plain text: each row shows the text with what was taken for a link in
 * braces, and the reason of one that is left. */

#include "rewrite/plain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
  const char *text, *shown;
} rows[] = {
    {"", ""},
    {"no link, http:// nor https://", "no link, {malformed} nor https://"},
    {"https://k.test", "{https://k.test}"},
    {"HTTPS://k.test/A?b=1&c=2#d", "{HTTPS://k.test/A?b=1&c=2#d}"},
    {"See https://k.test/a.", "See {https://k.test/a}."},
    {"(https://k.test/a), and", "({https://k.test/a}), and"},
    {"(see https://k.test/a).", "(see {https://k.test/a})."},
    {"https://k.test/A_(b) and https://k.test/A_(b)).",
     "{https://k.test/A_(b)} and {https://k.test/A_(b)})."},
    {"<https://k.test/a>", "<{https://k.test/a}>"},
    {"<https://k.test/a,b>, \"https://k.test/c\"", "<{https://k.test/a,b}>, \"{https://k.test/c}\""},
    {"[https://k.test/a]", "[{https://k.test/a}]"},
    {"[x](https://k.test/a)!", "[x]({https://k.test/a})!"},
    {"https://k.test/a?b=1,2;3;", "{https://k.test/a?b=1,2;3};"},
    {"https://k.test/a/... 'https://k.test/b'", "{https://k.test/a/}... '{https://k.test/b}'"},
    {"xhttps://k.test/ ?u=https://k.test/", "xhttps://k.test/ ?u=https://k.test/"},
    {"https://k.test/?u=https://l.test/", "{https://k.test/?u=https://l.test/}"},
    {"<https://k.test/a\r\nb>", "<{cut}\r\nb>"},
    {"> https://k.test/a\r\n>> https://k.test/b\r\n >https://k.test/c",
     "> {quoted}\r\n>> {quoted}\r\n >{quoted}"},
    {"a > https://k.test/a", "a > {https://k.test/a}"},
    {"https://k.test/\xC3\xBC and https://k.test/x\xE3\x80\x82", "{characters} and {characters}"},
    {"https://k.test/{{x}}", "{placeholder}"},
    {"https://t.test/c/x https://t.test", "{own} {own}"},
    {"https://k.test/unsubscribe https://k.test/bye", "{unsubscribe} {unsubscribe}"},
    {"Unsubscribe: https://k.test/a", "Unsubscribe: {unsubscribe}"},
    {"To unsubscribe:\r\n\r\n  https://k.test/a\r\n", "To unsubscribe:\r\n\r\n  {unsubscribe}\r\n"},
    {"To unsubscribe:\r\nwrite.\r\nhttps://k.test/a", "To unsubscribe:\r\nwrite.\r\n{https://k.test/a}"},
    {"https://k.test/login?x=1", "{sensitive}"},
    {"https://k.test/a \r\nb\nhttps://k.test/c\n", "{https://k.test/a} \r\nb\n{https://k.test/c}\n"},
    {"https://... http://", "{malformed}... http://"},
};

static struct rewrite_page *read_text(const char *text, size_t max)
{
  static const char *const own[] = {"https://t.test"};
  static const char *leave[] = {"https://k.test/bye"};
  GPtrArray unsubscribe = {.pdata = (void **)(uintptr_t)leave, .len = 1};
  const struct rewrite_page_options options = {
      .utf8 = true, .own_urls = own, .n_own_urls = 1, .unsubscribe_urls = &unsubscribe, .max_links = max};
  return rewrite_plain_read(text, strlen(text), &options, NULL);
}

static void test_rows(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(rewrite_page) page = read_text(rows[i].text, 10);
    assert_non_null(page);
    g_autoptr(GString) shown = g_string_new(NULL);
    size_t at = 0;
    for (guint l = 0; l < page->links->len; l++) {
      const struct rewrite_page_link *link = &g_array_index(page->links, struct rewrite_page_link, l);
      assert_true(link->start >= at && link->end >= link->start);
      g_string_append_len(shown, rows[i].text + at, (gssize)(link->start - at));
      bool tracked = link->reason == REWRITE_REASON_TRACKED;
      g_string_append_printf(shown, "{%s}", tracked ? link->url : rewrite_reason_code(link->reason));
      at = link->end;
    }
    g_string_append(shown, rows[i].text + at);
    if (strcmp(shown->str, rows[i].shown) != 0) print_message("%s\n", rows[i].text);
    assert_string_equal(shown->str, rows[i].shown);
  }
}

static void test_limit(void **state)
{
  (void)state;
  assert_null(read_text("https://k.test/a https://k.test/b", 1));
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_limit)};
  return cmocka_run_group_tests_name("links in plain text", tests, NULL, NULL);
}
