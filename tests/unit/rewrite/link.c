/* Which addresses and which words keep a link from being tracked (traps H9–H18, T31). */

#include "rewrite/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
  const char *url;
  enum rewrite_reason reason;
} urls[] = {
    {"https://example.com/", REWRITE_REASON_TRACKED},
    {"http://example.com", REWRITE_REASON_TRACKED},
    {"HTTP://EXAMPLE.com/A?b=1&c=2#d", REWRITE_REASON_TRACKED},
    {"https://user:pw@[2001:db8::1]:8443/a%20b+c?", REWRITE_REASON_TRACKED},
    {"https://m\xC3\xBCnchen.example/\xC3\xBC", REWRITE_REASON_TRACKED},
    {"https://example.com/?a[]=1", REWRITE_REASON_TRACKED},
    {"https://example.com/%de%20x", REWRITE_REASON_TRACKED},
    {"https://example.com/accounts/list?page=2", REWRITE_REASON_TRACKED},
    {"https://example.com/passwordless-fun", REWRITE_REASON_TRACKED},
    {"https://example.com/blog/how-to-reset-a-router", REWRITE_REASON_TRACKED},
    {"https://example.com/verify", REWRITE_REASON_TRACKED},
    /* H10 */
    {"", REWRITE_REASON_EMPTY},
    {"#top", REWRITE_REASON_FRAGMENT},
    {"page.html", REWRITE_REASON_RELATIVE},
    {"/page", REWRITE_REASON_RELATIVE},
    {"?q", REWRITE_REASON_RELATIVE},
    {"//example.com/x", REWRITE_REASON_RELATIVE},
    {"1http://x", REWRITE_REASON_RELATIVE},
    {"mailto:a@example.com", REWRITE_REASON_SCHEME},
    {"MAILTO:a@example.com", REWRITE_REASON_SCHEME},
    {"tel:+4612345", REWRITE_REASON_SCHEME},
    {"sms:123", REWRITE_REASON_SCHEME},
    {"cid:part1", REWRITE_REASON_SCHEME},
    {"data:text/html,x", REWRITE_REASON_SCHEME},
    {"javascript:alert(1)", REWRITE_REASON_SCHEME},
    {"ftp://example.com/", REWRITE_REASON_SCHEME},
    {"myapp://open", REWRITE_REASON_SCHEME},
    {"about:blank", REWRITE_REASON_SCHEME},
    {"httpsx://example.com", REWRITE_REASON_SCHEME},
    {"http:", REWRITE_REASON_MALFORMED},
    {"https:example.com", REWRITE_REASON_MALFORMED},
    {"https://", REWRITE_REASON_MALFORMED},
    {"https:///x", REWRITE_REASON_MALFORMED},
    {"https://:80/", REWRITE_REASON_MALFORMED},
    {"https://user@/", REWRITE_REASON_MALFORMED},
    {"https://[::1/x", REWRITE_REASON_MALFORMED},
    {"https://[::1]/x", REWRITE_REASON_TRACKED},
    {"https:\\\\example.com\\x", REWRITE_REASON_MALFORMED},
    /* H12: what means one thing alone */
    {"https://example.com/\x01", REWRITE_REASON_CHARACTERS},
    {"https://example.com/\x7f", REWRITE_REASON_CHARACTERS},
    {"https://example.com/\xE9", REWRITE_REASON_CHARACTERS},
    {"https://example.com/\xEF\xBF\xBD", REWRITE_REASON_CHARACTERS},
    /* H15 */
    {"{{ url }}", REWRITE_REASON_PLACEHOLDER},
    {"https://example.com/{{id}}", REWRITE_REASON_PLACEHOLDER},
    {"https://example.com/{% x %}", REWRITE_REASON_PLACEHOLDER},
    {"*|UNSUB|*", REWRITE_REASON_PLACEHOLDER},
    {"https://example.com/*|X|*", REWRITE_REASON_PLACEHOLDER},
    {"https://example.com/?e=%email%", REWRITE_REASON_PLACEHOLDER},
    {"https://example.com/?e=%recipient.name%", REWRITE_REASON_PLACEHOLDER},
    {"https://example.com/%%x%%", REWRITE_REASON_PLACEHOLDER},
    {"https://example.com/${x}", REWRITE_REASON_PLACEHOLDER},
    {"<%= url %>", REWRITE_REASON_PLACEHOLDER},
    {"https://example.com/[[x]]", REWRITE_REASON_PLACEHOLDER},
    /* H14 */
    {"https://example.com/unsubscribe?u=1", REWRITE_REASON_UNSUBSCRIBE},
    {"https://example.com/Email/OptOut", REWRITE_REASON_UNSUBSCRIBE},
    {"https://example.com/preferences/5", REWRITE_REASON_UNSUBSCRIBE},
    {"https://example.com/n?action=unsub", REWRITE_REASON_UNSUBSCRIBE},
    /* T31 */
    {"https://example.com/reset?token=abc", REWRITE_REASON_SENSITIVE},
    {"https://example.com/password/new", REWRITE_REASON_SENSITIVE},
    {"https://example.com/x?access_token=1", REWRITE_REASON_SENSITIVE},
    {"https://example.com/x?a=1&TOKEN=1", REWRITE_REASON_SENSITIVE},
    {"https://example.com/login", REWRITE_REASON_SENSITIVE},
    {"https://example.com/users/sign_in", REWRITE_REASON_SENSITIVE},
    {"https://login.example.com/x", REWRITE_REASON_SENSITIVE},
    {"https://example.com/magic-link/aaa", REWRITE_REASON_SENSITIVE},
    {"https://example.com/verify?c=1", REWRITE_REASON_SENSITIVE},
    {"https://example.com/confirm/9f8a7b6c5d4e3f2a1b0c9d8e", REWRITE_REASON_SENSITIVE},
};

static void test_urls(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(urls); i++) {
    g_autoptr(GString) url = g_string_new(urls[i].url);
    enum rewrite_reason got = rewrite_link_judge_url(url, true);
    if (got != urls[i].reason) print_message("url \"%s\": %s\n", urls[i].url, rewrite_reason_code(got));
    assert_int_equal(got, urls[i].reason);
  }
}

static void test_utf8_needs_its_charset(void **state)
{
  (void)state;
  g_autoptr(GString) url = g_string_new("https://example.com/\xC3\xBC");
  assert_int_equal(rewrite_link_judge_url(url, false), REWRITE_REASON_CHARACTERS);
}

static const struct {
  const char *text;
  enum rewrite_reason reason;
} texts[] = {
    {"Read more", REWRITE_REASON_TRACKED},
    {"", REWRITE_REASON_TRACKED},
    {"Save 3.50 today", REWRITE_REASON_TRACKED},
    {"U.S.", REWRITE_REASON_TRACKED},
    {"v1.2", REWRITE_REASON_TRACKED},
    {"anna@example.com", REWRITE_REASON_TRACKED},
    {"See example.com for more", REWRITE_REASON_TRACKED},
    /* H18 */
    {"https://example.com/", REWRITE_REASON_VISIBLE_URL},
    {"HTTPS://EXAMPLE.COM", REWRITE_REASON_VISIBLE_URL},
    {"www.example.com", REWRITE_REASON_VISIBLE_URL},
    {"example.com", REWRITE_REASON_VISIBLE_URL},
    {" \r\n example.co.uk/path ", REWRITE_REASON_VISIBLE_URL},
    {"example.com:8080/x", REWRITE_REASON_VISIBLE_URL},
    {"exam\xE2\x80\x8Bple.com", REWRITE_REASON_VISIBLE_URL},
    {"\xC2\xA0"
     "example.com\xC2\xA0",
     REWRITE_REASON_VISIBLE_URL},
    {"Go to https://example.com now", REWRITE_REASON_VISIBLE_URL},
    {"(www.example.com)", REWRITE_REASON_VISIBLE_URL},
    {"<https://example.com>", REWRITE_REASON_VISIBLE_URL},
    /* H14 */
    {"Unsubscribe", REWRITE_REASON_UNSUBSCRIBE},
    {"Click here to UNSUBSCRIBE.", REWRITE_REASON_UNSUBSCRIBE},
    {"Newsletter abbestellen", REWRITE_REASON_UNSUBSCRIBE},
    {"Manage\r\n  preferences", REWRITE_REASON_UNSUBSCRIBE},
};

static void test_texts(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autoptr(GString) text = g_string_new(texts[i].text);
    enum rewrite_reason got = rewrite_link_judge_text(text);
    if (got != texts[i].reason) print_message("text \"%s\": %s\n", texts[i].text, rewrite_reason_code(got));
    assert_int_equal(got, texts[i].reason);
  }
}

static const struct {
  const char *raw, *trimmed;
} trims[] = {
    {"  https://a/ ", "https://a/"},
    {"\x01\x1f https://a/\x02", "https://a/"},
    {"ht\ttp\r\ns://a/\n", "https://a/"},
    {" a b ", "a b"},
    {"", ""},
    {" \t\r\n", ""},
};

static void test_trim(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(trims); i++) {
    g_autoptr(GString) url = g_string_new(trims[i].raw);
    rewrite_link_trim(url);
    assert_string_equal(url->str, trims[i].trimmed);
  }
}

static const struct {
  const char *url;
  bool own;
} owns[] = {
    {"https://t.example.com/c/abc", true},   {"HTTPS://T.Example.COM/c/abc", true},
    {"https://t.example.com", true},         {"https://t.example.com?x", true},
    {"https://t.example.com.evil/c", false}, {"https://t.example.co", false},
    {"http://t.example.com/c/abc", false},   {"https://o.example.com/tidings/u/1", true},
    {"https://o.example.com/other", false},
};

static void test_own(void **state)
{
  (void)state;
  const char *const bases[] = {"https://t.example.com", "https://o.example.com/tidings"};
  for (size_t i = 0; i < G_N_ELEMENTS(owns); i++) {
    bool got = rewrite_link_is_own(owns[i].url, bases, 2);
    if (got != owns[i].own) print_message("own \"%s\"\n", owns[i].url);
    assert_int_equal(got, owns[i].own);
  }
}

/* The examples of RFC 3986 section 5.4 that have no fragment alone, and our own. */
static const struct {
  const char *base, *reference, *result;
} resolves[] = {
#define BASE "http://a/b/c/d;p?q"
    {BASE, "g", "http://a/b/c/g"},
    {BASE, "./g", "http://a/b/c/g"},
    {BASE, "g/", "http://a/b/c/g/"},
    {BASE, "/g", "http://a/g"},
    {BASE, "//g", "http://g"},
    {BASE, "?y", "http://a/b/c/d;p?y"},
    {BASE, "g?y", "http://a/b/c/g?y"},
    {BASE, "g#s", "http://a/b/c/g#s"},
    {BASE, "g?y#s", "http://a/b/c/g?y#s"},
    {BASE, ";x", "http://a/b/c/;x"},
    {BASE, "g;x", "http://a/b/c/g;x"},
    {BASE, "", "http://a/b/c/d;p?q"},
    {BASE, ".", "http://a/b/c/"},
    {BASE, "./", "http://a/b/c/"},
    {BASE, "..", "http://a/b/"},
    {BASE, "../", "http://a/b/"},
    {BASE, "../g", "http://a/b/g"},
    {BASE, "../..", "http://a/"},
    {BASE, "../../g", "http://a/g"},
    {BASE, "../../../g", "http://a/g"},
    {BASE, "/./g", "http://a/g"},
    {BASE, "/../g", "http://a/g"},
    {BASE, "g.", "http://a/b/c/g."},
    {BASE, ".g", "http://a/b/c/.g"},
    {BASE, "./../g", "http://a/b/g"},
    {BASE, "g/./h", "http://a/b/c/g/h"},
    {BASE, "g;x=1/../y", "http://a/b/c/y"},
    {BASE, "g?y/../x", "http://a/b/c/g?y/../x"},
    {"https://a", "b", "https://a/b"},
    {"https://a?x", "?y", "https://a/?y"},
    {"mailto:x", "b", NULL},
    {"/x", "b", NULL},
    {"https://a/", "b\\c", NULL},
#undef BASE
};

static void test_resolve(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(resolves); i++) {
    g_autoptr(GString) out = g_string_new(NULL);
    bool ok = rewrite_link_resolve(resolves[i].base, resolves[i].reference, out);
    if (ok != (resolves[i].result != NULL) || (ok && strcmp(out->str, resolves[i].result) != 0))
      print_message("resolve \"%s\": \"%s\"\n", resolves[i].reference, out->str);
    assert_int_equal(ok, resolves[i].result != NULL);
    if (ok) assert_string_equal(out->str, resolves[i].result);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_urls),  cmocka_unit_test(test_utf8_needs_its_charset),
      cmocka_unit_test(test_texts), cmocka_unit_test(test_trim),
      cmocka_unit_test(test_own),   cmocka_unit_test(test_resolve),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
