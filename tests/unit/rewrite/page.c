/* Where the links of a page are, and where its pixel goes. A row shows the page
 * with every link's value replaced by its reason in braces, and the pixel's
 * place as "@" (or "!reason" at the end where there is none). */

#include "rewrite/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

#define U   "https://example.com/"
#define OWN "https://t.example.com"

static const struct {
  const char *trap, *html, *shown;
} rows[] = {
    {"plain", "<body><a href=\"" U "\">x</a></body>", "<body><a href=\"{tracked}\">x</a>@</body>"},
    {"area", "<map><area href='" U "'></map>", "<map><area href='{tracked}'></map>@"},
    {"no links", "Hello", "Hello@"},
    {"empty", "", "@"},
    /* H1, H2, H4 */
    {"H1 no end tags", "<p>x\r\n", "<p>x@\r\n"},
    {"H1 html alone", "<html><p>x</html>\n", "<html><p>x@</html>\n"},
    {"H2 two bodies", "<body>a</body>b</body>c", "<body>a</body>b@</body>c"},
    {"H4 after html", "<body>a</body></html>tail", "<body>a@</body></html>tail"},
    /* H3 */
    {"H3 in comment", "<body>a</body><!-- </body> -->", "<body>a@</body><!-- </body> -->"},
    {"H3 in script", "<body>a<script>'</body>'</script>", "<body>a<script>'</body>'</script>@"},
    {"H3 in style", "<style></body></style>x", "<style></body></style>x@"},
    {"H3 in title", "<title></body></title>x", "<title></body></title>x@"},
    {"H3 in textarea", "<textarea></body></textarea>x", "<textarea></body></textarea>x@"},
    {"H3 in attribute", "<p title='</body>'>x", "<p title='</body>'>x@"},
    {"H3 link in script", "<script><a href=\"" U "\"></script>x", "<script><a href=\"" U "\"></script>x@"},
    /* H5 */
    {"H5 open comment", "x<!-- y", "x<!-- y!open-end"},
    {"H5 open comment after body", "<body>x</body><!-- y", "<body>x@</body><!-- y"},
    {"H5 open tag", "x<a href=\"" U, "x<a href=\"" U "!open-end"},
    {"H5 open script", "<script>x", "<script>x!open-end"},
    {"H5 open end tag", "x</", "x</!open-end"},
    {"H5 open less-than", "x<", "x<!open-end"},
    {"H5 plaintext", "x<plaintext>y", "x<plaintext>y!open-end"},
    /* H6 */
    {"H6 vml and twin",
     "<!--[if mso]><v:roundrect href=\"" U "\"><center><![endif]--><a href=\"" U
     "\">Go</a><!--[if mso]></center></v:roundrect><![endif]-->",
     "<!--[if mso]><v:roundrect href=\"{tracked}\"><center><![endif]--><a href=\"{tracked}"
     "\">Go</a><!--[if mso]></center></v:roundrect><![endif]-->@"},
    {"H6 twin visible url",
     "<!--[if mso]><v:rect href=\"" U "\"></v:rect><![endif]--><a href=\"" U "\">www.example.com</a>",
     "<!--[if mso]><v:rect href=\"{twin}\"></v:rect><![endif]--><a "
     "href=\"{visible-url}\">www.example.com</a>@"},
    {"H6 vml opted out",
     "<!--[if mso]><v:rect clicktracking=off href=\"" U "\"></v:rect><![endif]--><a href=\"" U "\">Go</a>",
     "<!--[if mso]><v:rect clicktracking=off href=\"{opt-out}\"></v:rect><![endif]--><a "
     "href=\"{twin}\">Go</a>@"},
    {"H6 twin before",
     "<a href=\"" U "\">www.example.com</a><!--[if mso]><v:rect href=\"" U "\"/><![endif]-->",
     "<a href=\"{visible-url}\">www.example.com</a><!--[if mso]><v:rect href=\"{twin}\"/><![endif]-->@"},
    {"H6 no twin", "<!--[if mso]><v:rect href=\"" U "\"></v:rect><![endif]-->",
     "<!--[if mso]><v:rect href=\"{tracked}\"></v:rect><![endif]-->@"},
    {"H6 anchor in comment", "<!--[if gte mso 9]><a href='" U "'>x</a><![endif]-->",
     "<!--[if gte mso 9]><a href='{tracked}'>x</a><![endif]-->@"},
    {"H6 revealed", "<!--[if !mso]><!--><a href='" U "'>x</a><!--<![endif]-->",
     "<!--[if !mso]><!--><a href='{tracked}'>x</a><!--<![endif]-->@"},
    {"H6 revealed, old", "<![if !mso]><a href='" U "'>x</a><![endif]>",
     "<![if !mso]><a href='{tracked}'>x</a><![endif]>@"},
    {"plain comment", "<!-- <a href='" U "'>x</a> -->", "<!-- <a href='" U "'>x</a> -->@"},
    {"vml outside", "<v:rect href='" U "'>x", "<v:rect href='" U "'>x@"},
    {"text around a comment", "<a href='" U "'>www.<!--[if mso]>x<![endif]-->example.com</a>",
     "<a href='{visible-url}'>www.<!--[if mso]>x<![endif]-->example.com</a>@"},
    /* H7 */
    {"H7 base", "<base href='https://example.com/d/'><a href='x?y'>z</a>",
     "<base href='https://example.com/d/'><a href='{tracked=https://example.com/d/x?y}'>z</a>@"},
    {"H7 no base", "<a href='x?y'>z</a>", "<a href='{relative}'>z</a>@"},
    {"H7 fragment", "<base href='https://example.com/d/'><a href='#x'>z</a>",
     "<base href='https://example.com/d/'><a href='{fragment}'>z</a>@"},
    {"H7 base not web", "<base href='file:///d/'><a href='x'>z</a>",
     "<base href='file:///d/'><a href='{relative}'>z</a>@"},
    /* H8 */
    {"H8 amp", "<a href='" U "?a=1&amp;b=2&#38;c&#x26;d'>z</a>",
     "<a href='{tracked=" U "?a=1&b=2&c&d}'>z</a>@"},
    {"H8 ambiguous", "<a href='" U "?a&copy=1&ampx'>z</a>", "<a href='{tracked=" U "?a&copy=1&ampx}'>z</a>@"},
    /* H9 */
    {"H9 unquoted", "<A HREF=" U ">x</A>", "<A HREF={tracked}>x</A>@"},
    {"H9 spaces", "<a href = \n '" U "' >x</a>", "<a href = \n '{tracked}' >x</a>@"},
    {"H9 newline and tab", "<a href=' ht\ntps://exam\tple.com/ '>x</a>", "<a href='{tracked=" U "}'>x</a>@"},
    {"H9 duplicate", "<a href='" U "' href='#x'>x</a>", "<a href='{tracked}' href='#x'>x</a>@"},
    {"H9 no value", "<a href>x</a><a>y</a><a name=x>z</a>", "<a href{empty}>x</a><a>y</a><a name=x>z</a>@"},
    /* H13 */
    {"H13 own link", "<a href='" OWN "/c/abc'>x</a>", "<a href='{own}'>x</a>@"},
    {"H13 own pixel", "<body>x<img src=\"" OWN "/o/abc\">\r\n</body>",
     "<body>x<img src=\"" OWN "/o/abc\">\r\n</body>!pixel-there"},
    {"H13 own pixel quoted", "<blockquote><img src=\"" OWN "/o/abc\"></blockquote>",
     "<blockquote><img src=\"" OWN "/o/abc\"></blockquote>@"},
    /* H14 */
    {"H14 list-unsubscribe", "<a href='https://example.com/bye'>x</a>", "<a href='{unsubscribe}'>x</a>@"},
    {"H14 words", "<a href='" U "'>Un<b>sub</b>scribe</a>",
     "<a href='{unsubscribe}'>Un<b>sub</b>scribe</a>@"},
    {"opt-out sendgrid", "<a clicktracking=\"off\" href='" U "'>x</a>",
     "<a clicktracking=\"off\" href='{opt-out}'>x</a>@"},
    {"opt-out on", "<a clicktracking=\"on\" href='" U "'>x</a>",
     "<a clicktracking=\"on\" href='{tracked}'>x</a>@"},
    {"opt-out mailgun", "<a disable-tracking=true href='" U "'>x</a>",
     "<a disable-tracking=true href='{opt-out}'>x</a>@"},
    {"opt-out sparkpost", "<a data-msys-clicktrack='0' href='" U "'>x</a>",
     "<a data-msys-clicktrack='0' href='{opt-out}'>x</a>@"},
    {"opt-out postmark", "<a data-pm-no-track href='" U "'>x</a>",
     "<a data-pm-no-track href='{opt-out}'>x</a>@"},
    {"opt-out ses", "<a ses:no-track href='" U "'>x</a>", "<a ses:no-track href='{opt-out}'>x</a>@"},
    {"opt-out ours", "<a data-tidings-track='no' href='" U "'>x</a>",
     "<a data-tidings-track='no' href='{opt-out}'>x</a>@"},
    /* H17 */
    {"H17 others", "<link href='" U "'><form action='" U "'><img src='" U "'><td background='" U "'>",
     "<link href='" U "'><form action='" U "'><img src='" U "'><td background='" U "'>@"},
    /* H18 */
    {"H18 entities", "<a href='" U "'>www&#46;example&period;com</a>",
     "<a href='{visible-url}'>www&#46;example&period;com</a>@"},
    {"H18 split", "<a href='" U "'>exam<span>ple</span>.com</a>",
     "<a href='{visible-url}'>exam<span>ple</span>.com</a>@"},
    {"H18 unclosed", "<a href='" U "'>www.example.com<a href='" U "2'>Two",
     "<a href='{visible-url}'>www.example.com<a href='{tracked}'>Two@"},
    {"H18 end of text", "<a href='" U "'>www.example.com", "<a href='{visible-url}'>www.example.com@"},
    /* H19 */
    {"H19 unclosed table", "x<table><tr><td>y</td></tr>", "x@<table><tr><td>y</td></tr>"},
    {"H19 body in table", "x<table><tr></body></table>", "x<table><tr></body></table>@"},
    {"H19 in cell", "x<table><tr><td>y", "x<table><tr><td>y@"},
    {"H19 closed table", "<table><td>y</table></body>", "<table><td>y</table>@</body>"},
    {"H19 template", "<template>x", "<template>x!context"},
    {"H19 select", "<select></body></select></body>", "<select></body></select>@</body>"},
};

static GString *show(const char *html, const struct rewrite_page *page, const char *plain)
{
  GString *out = g_string_new(NULL);
  size_t at = 0;
  bool placed = page->pixel != REWRITE_REASON_TRACKED;
  for (guint i = 0; i <= page->links->len; i++) {
    size_t start = strlen(html), end = start;
    const struct rewrite_page_link *link = NULL;
    if (i < page->links->len) {
      link = &g_array_index(page->links, struct rewrite_page_link, i);
      start = link->start, end = link->end;
    }
    if (!placed && page->pixel_at <= start) {
      g_string_append_len(out, html + at, (gssize)(page->pixel_at - at));
      g_string_append_c(out, '@');
      at = page->pixel_at;
      placed = true;
    }
    g_string_append_len(out, html + at, (gssize)(start - at));
    at = end;
    if (!link) break;
    g_string_append_printf(out, "{%s", rewrite_reason_code(link->reason));
    g_autofree char *url = g_strdup_printf("=%s}", link->url);
    g_string_append(out, strstr(plain, url) ? url : "}");
  }
  if (page->pixel != REWRITE_REASON_TRACKED)
    g_string_append_printf(out, "!%s", rewrite_reason_code(page->pixel));
  return out;
}

static struct rewrite_page *read_page(const char *html, size_t max, GError **error)
{
  static const char *const own[] = {OWN};
  g_autoptr(GPtrArray) unsubscribe = g_ptr_array_new();
  g_ptr_array_add(unsubscribe, (char *)"https://example.com/bye");
  struct rewrite_page_options options = {
      .utf8 = true, .own_urls = own, .n_own_urls = 1, .unsubscribe_urls = unsubscribe, .max_links = max};
  return rewrite_page_read(html, strlen(html), &options, error);
}

static void test_rows(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(rewrite_page) page = read_page(rows[i].html, 100, NULL);
    assert_non_null(page);
    g_autoptr(GString) shown = show(rows[i].html, page, rows[i].shown);
    if (strcmp(shown->str, rows[i].shown) != 0)
      print_message("%s:\n  %s\n  %s\n", rows[i].trap, shown->str, rows[i].shown);
    assert_string_equal(shown->str, rows[i].shown);
  }
}

static void test_limit(void **state)
{
  (void)state;
  g_autoptr(GError) error = NULL;
  assert_null(read_page("<a href=x><a href=y><a href=z>", 2, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT));
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_limit)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
