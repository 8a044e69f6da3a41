/* The tokenizer: tokens of small inputs, what always holds for each of their
 * beginnings too, and that hostile input costs no more than its length. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <glib.h>

#include "html/scan.h"

/* Tokens, written so:
 *   T(text)  S(name attribute="value" …)  E(name)  C(comment)  D(name)  N
 * with '/' behind a self-closing tag, '*' an attribute without effect, '!'
 * behind what the end of the input ended, and '~' at the end of an input that
 * leaves something open. */

static void write_range(GString *out, const struct html_scan *scan, struct html_range range)
{
  g_string_append_len(out, scan->bytes + range.start, (gssize)(range.end - range.start));
}

static void write_attribute(GString *out, const struct html_scan *scan,
                            const struct html_attribute *attribute)
{
  g_string_append_c(out, ' ');
  write_range(out, scan, attribute->name);
  if (attribute->duplicate) g_string_append_c(out, '*');
  if (!attribute->has_value) return;
  g_string_append_c(out, '=');
  if (attribute->quote) g_string_append_c(out, attribute->quote);
  write_range(out, scan, attribute->value);
  if (attribute->quote) g_string_append_c(out, attribute->quote);
}

static void write_token(GString *out, const struct html_scan *scan, const struct html_token *token)
{
  static const char letters[] = {[HTML_TEXT] = 'T',    [HTML_START_TAG] = 'S', [HTML_END_TAG] = 'E',
                                 [HTML_COMMENT] = 'C', [HTML_DOCTYPE] = 'D',   [HTML_NOTHING] = 'N'};
  g_string_append_c(out, letters[token->type]);
  if (token->type != HTML_NOTHING) {
    bool has_name = token->type != HTML_TEXT && token->type != HTML_COMMENT;
    g_string_append_c(out, '(');
    write_range(out, scan, has_name ? token->name : token->content);
    for (size_t i = 0; i < token->n_attributes; i++)
      write_attribute(out, scan, &token->attributes[i]);
    g_string_append_c(out, ')');
  }
  if (token->self_closing) g_string_append_c(out, '/');
  if (token->unterminated) g_string_append_c(out, '!');
}

static char *written(struct html_scan *scan)
{
  GString *out = g_string_new(NULL);
  struct html_token token;
  while (html_scan_next(scan, &token))
    write_token(out, scan, &token);
  if (html_scan_is_open(scan)) g_string_append_c(out, '~');
  return g_string_free(out, FALSE);
}

static bool within(struct html_range inner, size_t start, size_t end)
{
  return start <= inner.start && inner.start <= inner.end && inner.end <= end;
}

/* Reads LENGTH bytes from a buffer of just that size. */
static void check_always(const char *input, size_t length)
{
  g_autofree char *bytes = g_memdup2(input, length);
  struct html_scan scan;
  struct html_token token;
  size_t end = 0;
  html_scan_init(&scan, bytes, length);
  while (html_scan_next(&scan, &token)) {
    assert_int_equal(token.start, end);
    assert_true(token.end > token.start);
    end = token.end;
    if (token.name.end) assert_true(within(token.name, token.start, token.end));
    if (token.content.end) assert_true(within(token.content, token.start, token.end));
    for (size_t i = 0; i < token.n_attributes; i++) {
      assert_true(within(token.attributes[i].name, token.start, token.end));
      assert_true(within(token.attributes[i].value, token.attributes[i].name.end, token.end));
    }
  }
  assert_int_equal(end, length);
}

struct row {
  const char *name, *input, *expected;
};

static void check_rows(const struct row *rows, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    struct html_scan scan;
    html_scan_init(&scan, rows[i].input, strlen(rows[i].input));
    g_autofree char *got = written(&scan);
    if (strcmp(got, rows[i].expected) != 0) print_error("row: %s\n", rows[i].name);
    assert_string_equal(got, rows[i].expected);
    for (size_t length = 0; length <= strlen(rows[i].input); length++)
      check_always(rows[i].input, length);
  }
}

static void test_tags(void **state)
{
  (void)state;
  static const struct row rows[] = {
      {"empty", "", ""},
      {"text", "a < b & c > d", "T(a < b & c > d)"},
      {"link", "x<a href=\"u\">y</a>", "T(x)S(a href=\"u\")T(y)E(a)"},
      {"quotes", "<a b='\"' c=\"'\" d=e>", "S(a b='\"' c=\"'\" d=e)"},
      {"case as written", "<A HREF=U></A>", "S(A HREF=U)E(A)"},
      {"spaces at equals", "<a href \r\n=\t'u'>", "S(a href='u')"},
      {"no value", "<a href>", "S(a href)"},
      {"value missing", "<a href=>x", "S(a href=)T(x)"},
      {"value missing, space", "<a href= >", "S(a href=)"},
      {"empty value", "<a href=''>", "S(a href='')"},
      {"value over lines", "<a href=\"u\n\tv\">", "S(a href=\"u\n\tv\")"},
      {"greater in value", "<a href=\"a>b\" c='>'>", "S(a href=\"a>b\" c='>')"},
      {"unquoted slash", "<a href=u/>", "S(a href=u/)"},
      {"unquoted, spaced slash", "<a href=u />", "S(a href=u)/"},
      {"unquoted quote", "<a href=u\"v>", "S(a href=u\"v)"},
      {"unquoted query", "<a href=?a=1&b=2>", "S(a href=?a=1&b=2)"},
      {"no space between", "<a b='1'c=\"2\"d>", "S(a b='1' c=\"2\" d)"},
      {"name begins with equals", "<a =b=c>", "S(a =b=c)"},
      {"slashes between", "<a/b//c/d=e/>", "S(a b c d=e/)"},
      {"slash not last", "<a / >", "S(a)"},
      {"self-closing", "<br/><br /><img a='b'/>", "S(br)/S(br)/S(img a='b')/"},
      {"duplicate", "<a href=1 HREF=2 hreF=3 h=4>", "S(a href=1 HREF*=2 hreF*=3 h=4)"},
      {"less in tag", "<a <b <c>", "S(a <b <c)"},
      {"less in name", "<a<b>", "S(a<b)"},
      {"vml", "<v:roundrect href=\"u\" o:p=1>", "S(v:roundrect href=\"u\" o:p=1)"},
      {"end tag attributes", "</a b=c/>", "E(a b=c/)"},
      {"end tag self-closing", "</a/>", "E(a)/"},
      {"end tag of nothing", "a</>b", "T(a)NT(b)"},
      {"not a tag", "<1><<a><\xc3\xa9>", "T(<1><)S(a)T(<\xc3\xa9>)"},
      {"not a tag at the end", "x<", "T(x<)"},
      {"open end tag at the end", "x</", "T(x</)~"},
      {"cut tag", "x<a", "T(x)N!~"},
      {"cut attribute", "x<a href", "T(x)N!~"},
      {"cut quote", "x<a href=\"u>y</a>", "T(x)N!~"},
      {"cut after value", "x<a href=\"u\"", "T(x)N!~"},
      {"cut self-closing", "<br/", "N!~"},
      {"cut end tag", "x</body", "T(x)N!~"},
  };
  check_rows(rows, G_N_ELEMENTS(rows));
}

static void test_comments(void **state)
{
  (void)state;
  static const struct row rows[] = {
      {"comment", "a<!-- b -->c", "T(a)C( b )T(c)"},
      {"empty", "<!---->", "C()"},
      {"abrupt", "<!-->a", "C()T(a)"},
      {"abrupt dash", "<!--->a", "C()T(a)"},
      {"bang", "<!--a--!>b", "C(a)T(b)"},
      {"bang at once", "<!----!>a", "C()T(a)"},
      {"bang needs dashes", "<!---!>-->", "C(-!>)"},
      {"bang goes on", "<!--a--!-->", "C(a--!)"},
      {"more dashes", "<!--a--->b", "C(a-)T(b)"},
      {"dashes within", "<!--a--b-->", "C(a--b)"},
      {"nested", "<!--a<!--b-->c-->", "C(a<!--b)T(c-->)"},
      {"tags within", "<!-- </body><a href='u'> -->", "C( </body><a href='u'> )"},
      {"mso", "<!--[if mso]><v:rect href=\"u\"><![endif]-->x",
       "C([if mso]><v:rect href=\"u\"><![endif])T(x)"},
      {"revealed", "<![if !mso]>a<![endif]>", "C([if !mso])T(a)C([endif])"},
      {"revealed, hidden twins", "<!--[if !mso]><!-->a<!--<![endif]-->", "C([if !mso]><!)T(a)C(<![endif])"},
      {"processing", "<?xml a?>b", "C(?xml a?)T(b)"},
      {"end tag spaced", "</ a>b", "C( a)T(b)"},
      {"declaration", "<!ELEMENT>", "C(ELEMENT)"},
      {"cdata", "<![CDATA[a>b]]>", "C([CDATA[a)T(b]]>)"},
      {"one dash", "<!-a>", "C(-a)"},
      {"cut", "<!--a", "C(a)!~"},
      {"cut dash", "<!--a-", "C(a)!~"},
      {"cut dashes", "<!--a--", "C(a)!~"},
      {"cut bang", "<!--a--!", "C(a)!~"},
      {"cut at once", "<!--", "C()!~"},
      {"cut declaration", "<!", "C()!~"},
      {"cut bogus", "<!a", "C(a)!~"},
      {"doctype", "<!DOCTYPE html>a", "D(html)T(a)"},
      {"doctype ids", "<!doctype html PUBLIC \"-//W3C//DTD\" 'u'>", "D(html)"},
      {"doctype quote", "<!doctype a \">\">", "D(a)T(\">)"},
      {"doctype empty", "<!doctype>", "D()"},
      {"doctype cut", "<!doctype html", "D(html)!~"},
  };
  check_rows(rows, G_N_ELEMENTS(rows));
}

static void test_raw(void **state)
{
  (void)state;
  static const struct row rows[] = {
      {"style", "<style>a<b></body></style>c", "S(style)T(a<b></body>)E(style)T(c)"},
      {"title", "<TITLE>a<b></TiTlE >c", "S(TITLE)T(a<b>)E(TiTlE)T(c)"},
      {"textarea", "<textarea></body></textarea>", "S(textarea)T(</body>)E(textarea)"},
      {"longer name", "<style></styles></style>", "S(style)T(</styles>)E(style)"},
      {"end tag self-closing", "<style>a</style/>b", "S(style)T(a)E(style)/T(b)"},
      {"end tag over lines", "<style>a</style\r\n>b", "S(style)T(a)E(style)T(b)"},
      {"empty", "<style></style>", "S(style)E(style)"},
      {"end tag attributes", "<xmp><a></xmp a=b>", "S(xmp)T(<a>)E(xmp a=b)"},
      {"self-closing", "<iframe/><a>", "S(iframe)/T(<a>)~"},
      {"noembed", "<noembed><a></noembed><a>", "S(noembed)T(<a>)E(noembed)S(a)"},
      {"noframes", "<noframes><a></noframes><a>", "S(noframes)T(<a>)E(noframes)S(a)"},
      {"noscript is not raw", "<noscript><a></noscript>", "S(noscript)S(a)E(noscript)"},
      {"plaintext", "<plaintext><a></plaintext>", "S(plaintext)T(<a></plaintext>)~"},
      {"comment in style", "<style><!-- </style> -->", "S(style)T(<!-- )E(style)T( -->)"},
      {"script", "<script>if (a<b) '</a>'</script>x", "S(script)T(if (a<b) '</a>')E(script)T(x)"},
      {"script escaped", "<script><!-- </script>x", "S(script)T(<!-- )E(script)T(x)"},
      {"script double", "<script><!--<script></script></body>--></script>x",
       "S(script)T(<!--<script></script></body>-->)E(script)T(x)"},
      {"script double cut", "<script><!--<script></script><a>", "S(script)T(<!--<script></script><a>)~"},
      {"script double, then not", "<script><!--<script>--></script>x",
       "S(script)T(<!--<script>-->)E(script)T(x)"},
      {"script in and out", "<script><!--<script/</script/</script>x",
       "S(script)T(<!--<script/</script/)E(script)T(x)"},
      {"script abrupt", "<script><!--><script></script>x", "S(script)T(<!--><script>)E(script)T(x)"},
      {"script abrupt dash", "<script><!---><script></script>x", "S(script)T(<!---><script>)E(script)T(x)"},
      {"script one dash", "<script><!-<script></script>x", "S(script)T(<!-<script>)E(script)T(x)"},
      {"script again", "<script><!-- --><!--<script></script>--></script>x",
       "S(script)T(<!-- --><!--<script></script>-->)E(script)T(x)"},
      {"script longer name", "<script><!--<scripts></script>x", "S(script)T(<!--<scripts>)E(script)T(x)"},
      {"cut", "<style>a", "S(style)T(a)~"},
      {"cut at once", "<style>", "S(style)~"},
      {"cut end tag", "<style>a</style", "S(style)T(a</style)~"},
      {"cut in end tag", "<style>a</style b", "S(style)T(a)N!~"},
  };
  check_rows(rows, G_N_ELEMENTS(rows));
}

static void test_initial_states(void **state)
{
  (void)state;
  static const struct {
    const char *name, *input, *expected;
    enum html_state start;
    const char *last;
    bool follow_raw;
  } rows[] = {
      {"rcdata", "<a></title><a>", "T(<a>)E(title)S(a)", HTML_RCDATA, "title", true},
      {"rcdata, no last", "<a></title>", "T(<a></title>)~", HTML_RCDATA, NULL, true},
      {"rawtext", "<a></xmp><a>", "T(<a>)E(xmp)S(a)", HTML_RAWTEXT, "xmp", true},
      {"script", "<!--<script></script>", "T(<!--<script></script>)~", HTML_SCRIPT, "script", true},
      {"plaintext", "</plaintext>", "T(</plaintext>)~", HTML_PLAINTEXT, "plaintext", true},
      {"cdata", "a]]]><b>", "T(a])S(b)", HTML_CDATA, NULL, true},
      {"cdata empty", "]]><b>", "T()S(b)", HTML_CDATA, NULL, true},
      {"cdata cut", "a]>]]", "T(a]>]])!~", HTML_CDATA, NULL, true},
      {"data, not following", "<style><a>", "S(style)S(a)", HTML_DATA, NULL, false},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    struct html_scan scan;
    html_scan_init_state(&scan, rows[i].input, strlen(rows[i].input), rows[i].start, rows[i].last,
                         rows[i].follow_raw);
    g_autofree char *got = written(&scan);
    if (strcmp(got, rows[i].expected) != 0) print_error("row: %s\n", rows[i].name);
    assert_string_equal(got, rows[i].expected);
  }
}

static void test_find_attribute(void **state)
{
  (void)state;
  static const char input[] = "<A hrefx=0 HREF=1 href=2>";
  struct html_scan scan;
  struct html_token token;
  html_scan_init(&scan, input, strlen(input));
  assert_true(html_scan_next(&scan, &token));
  assert_true(html_name_is(&scan, token.name, "a"));
  assert_false(html_name_is(&scan, token.name, "area"));
  const struct html_attribute *href = html_attribute_find(&scan, &token, "href");
  assert_non_null(href);
  assert_int_equal(input[href->value.start], '1');
  assert_null(html_attribute_find(&scan, &token, "hre"));
}

static void test_many_attributes(void **state)
{
  (void)state;
  for (size_t n = HTML_ATTRIBUTES_MAX - 1; n <= HTML_ATTRIBUTES_MAX + 1; n++) {
    g_autoptr(GString) input = g_string_new("<a");
    for (size_t i = 0; i < n; i++)
      g_string_append_printf(input, " a%zu=%zu", i, i);
    g_string_append(input, ">x");
    struct html_scan scan;
    struct html_token token;
    html_scan_init(&scan, input->str, input->len);
    assert_true(html_scan_next(&scan, &token));
    assert_int_equal(token.n_attributes, MIN(n, HTML_ATTRIBUTES_MAX));
    assert_int_equal(token.attributes_cut, n > HTML_ATTRIBUTES_MAX);
    assert_int_equal(token.end, input->len - 1);
  }
}

/* Hostile input: BEFORE once, then AGAIN until there is a megabyte. The scan
 * counts the bytes it looks at; they stay below FACTOR times the length. */
static void test_linear(void **state)
{
  (void)state;
  static const struct {
    const char *name, *before, *again;
    unsigned factor;
  } rows[] = {
      {"text", "", "x", 2},
      {"nested div", "", "<div>", 4},
      {"div with class", "", "<div class=\"a\">", 4},
      {"less", "", "<", 4},
      {"less greater", "", "<>", 4},
      {"end of nothing", "", "</>", 4},
      {"open tags", "", "<a ", 6},
      {"open tags without space", "", "<a", 4},
      {"open end tags", "", "</a ", 6},
      {"equals", "<a ", "= ", 6},
      {"equals without space", "<a ", "=", 4},
      {"slashes", "<a ", "/", 4},
      {"open quotes", "", "<a href=\"", 6},
      {"quotes", "<a ", "'", 4},
      {"comments without end", "", "<!--", 4},
      {"comments with dashes", "<!--", "--", 4},
      {"comments with greater", "<!--", "->", 4},
      {"comments with bang", "<!--", "!>", 4},
      {"bogus", "", "<!", 4},
      {"bogus end tags", "", "</ ", 4},
      {"doctype", "", "<!doctype ", 4},
      {"style end tags", "<style>", "</style", 4},
      {"style less", "<style>", "<", 4},
      {"title slashes", "<title>", "</", 4},
      {"scripts", "", "<script>", 6},
      {"script escaped", "<script><!--", "<script", 6},
      {"script escaped, in and out", "<script><!--", "<script></script>", 6},
      {"script escaped and back", "<script>", "<!-->", 6},
      {"script dashes", "<script><!--", "-", 4},
      {"script greater", "<script><!--", ">", 4},
      {"script, many comments", "<script>", "<!--", 6},
      {"plaintext", "<plaintext>", "<a>", 4},
      /* A name is compared with those kept before it, 128 at the most. */
      {"long duplicate names", "<a ", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ", 4},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GString) input = g_string_new(rows[i].before);
    while (input->len < 1 << 20)
      g_string_append(input, rows[i].again);
    struct html_scan scan;
    struct html_token token;
    html_scan_init(&scan, input->str, input->len);
    while (html_scan_next(&scan, &token))
      ;
    if (scan.looked > rows[i].factor * input->len)
      print_error("row: %s: looked at %.2f times the input\n", rows[i].name,
                  (double)scan.looked / (double)input->len);
    assert_true(scan.looked <= rows[i].factor * input->len);
  }
}

/* The worst for comparing names: 128 long ones that differ in the last byte. */
static void test_linear_names(void **state)
{
  (void)state;
  g_autoptr(GString) input = g_string_new("<a");
  g_autofree char *same = g_strnfill(5000, 'n');
  for (int i = 0; i < HTML_ATTRIBUTES_MAX; i++)
    g_string_append_printf(input, " %s%c", same, 128 + i);
  g_string_append(input, ">");
  struct html_scan scan;
  struct html_token token;
  html_scan_init(&scan, input->str, input->len);
  assert_true(html_scan_next(&scan, &token));
  assert_int_equal(token.n_attributes, HTML_ATTRIBUTES_MAX);
  assert_true(scan.looked <= (HTML_ATTRIBUTES_MAX / 2 + 4) * input->len);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tags),
      cmocka_unit_test(test_comments),
      cmocka_unit_test(test_raw),
      cmocka_unit_test(test_initial_states),
      cmocka_unit_test(test_find_attribute),
      cmocka_unit_test(test_many_attributes),
      cmocka_unit_test(test_linear),
      cmocka_unit_test(test_linear_names),
  };
  return cmocka_run_group_tests_name("html scan", tests, NULL, NULL);
}
