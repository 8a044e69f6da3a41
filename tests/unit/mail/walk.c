/* The walker: the tree of each message, and where it doubts. Rows are named
 * after the traps (M1-M27, T1-T4) that they stand for. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "mail/header.h"
#include "mail/line.h"
#include "mail/walk.h"

/* Writes part I and what is in it: type/subtype, :encoding where it is not 7bit,
 * marks (@ attachment, ' embedded), !reason, {parts}. */
static void show_part(const struct mail_tree *tree, size_t i, GString *out)
{
  const struct mail_part *part = &tree->parts[i];
  g_string_append_printf(out, "%s/%s", part->type, part->subtype);
  if (part->encoding != MAIL_ENCODING_7BIT)
    g_string_append_printf(out, ":%s", mail_encoding_name(part->encoding));
  if (part->attachment) g_string_append_c(out, '@');
  if (part->embedded) g_string_append_c(out, '\'');
  if (part->ambiguity != MAIL_CLEAR) g_string_append_printf(out, "!%s", mail_ambiguity_word(part->ambiguity));
  const char *before = "{";
  for (size_t k = i + 1; k < tree->count; k++) {
    if (tree->parts[k].parent != (int)i) continue;
    g_string_append(out, before);
    show_part(tree, k, out);
    before = " ";
  }
  if (*before == ' ') g_string_append_c(out, '}');
}

static char *show(const char *bytes, size_t length)
{
  struct mail_limits limits = MAIL_LIMITS_DEFAULT;
  g_autoptr(GError) error = NULL;
  g_autoptr(mail_tree) tree = mail_walk(bytes, length, &limits, &error);
  if (!tree) return g_strdup(tidings_error_kind(error));
  GString *out = g_string_new(NULL);
  show_part(tree, 0, out);
  return g_string_free(out, FALSE);
}

/* "|" in a row is CR LF. */
static char *lines(const char *text)
{
  GString *out = g_string_new(NULL);
  for (; *text; text++)
    if (*text == '|')
      g_string_append(out, "\r\n");
    else
      g_string_append_c(out, *text);
  return g_string_free(out, FALSE);
}

#define MIXED "Content-Type: multipart/mixed; boundary=b||"
#define ALT   "Content-Type: multipart/alternative; boundary=b||"

static const struct {
  const char *name, *message, *tree;
} rows[] = {
    {"plain", "Subject: x||text|", "text/plain"},
    {"html", "Content-Type: TEXT/HTML; Charset=UTF-8||<p>|", "text/html"},
    {"encodings",
     MIXED "--b|Content-Transfer-Encoding: Base64||YQ==|--b|Content-Transfer-Encoding: QUOTED-PRINTABLE||=41|"
           "--b|Content-Transfer-Encoding: 8bit||a|--b|Content-Transfer-Encoding: binary||a|--b--|",
     "multipart/mixed{text/plain:base64 text/plain:quoted-printable text/plain:8bit text/plain:binary}"},
    {"M13 nested",
     MIXED "--b|Content-Type: multipart/alternative; boundary=c||--c||t|--c|Content-Type: multipart/related; "
           "boundary=d||--d|Content-Type: text/html||h|--d|Content-Type: image/png|Content-Disposition: "
           "inline||x|--d--|--c--|--b|Content-Type: application/pdf|Content-Disposition: attachment; "
           "filename=a.pdf||x|--b--|",
     "multipart/mixed{multipart/alternative{text/plain multipart/related{text/html image/png}} "
     "application/pdf@}"},
    {"M13 message/rfc822", MIXED "--b|Content-Type: message/rfc822||Content-Type: text/html||<a>|--b--|",
     "multipart/mixed{message/rfc822{text/html'}}"},
    {"M13 message/rfc822 with parts",
     MIXED "--b|Content-Type: message/rfc822||Content-Type: multipart/mixed; "
           "boundary=c||--c||x|--c--|--b||y|--b--|",
     "multipart/mixed{message/rfc822{multipart/mixed'{text/plain'}} text/plain}"},
    {"M13 digest",
     "Content-Type: multipart/digest; boundary=b||--b||Subject: x||y|--b|Content-Type: text/plain||z|--b--|",
     "multipart/digest{message/rfc822{text/plain'} text/plain}"},
    {"M13 message in message",
     "Content-Type: message/rfc822||Content-Type: message/global||Content-Type: text/html||x|",
     "message/rfc822{message/global'{text/html'}}"},
    {"M14 attached html", MIXED "--b|Content-Type: text/html|Content-Disposition: Attachment||<p>|--b--|",
     "multipart/mixed{text/html@}"},
    {"M14 unknown disposition", "Content-Type: text/html|Content-Disposition: x-hidden||<p>|", "text/html@"},
    {"M15 siblings", MIXED "--b|Content-Type: text/html||1|--b|Content-Type: text/html||2|--b--|",
     "multipart/mixed{text/html text/html}"},
    {"M16 no boundary", "Content-Type: multipart/mixed||--b||x|--b--|", "multipart/mixed!boundary-missing"},
    {"M16 empty boundary", "Content-Type: multipart/mixed; boundary=\"\"||--||x|----|",
     "multipart/mixed!boundary-missing"},
    {"M16 two boundaries", "Content-Type: multipart/mixed; boundary=b; boundary=c||--b||x|--b--|",
     "multipart/mixed!boundary-twice{text/plain!boundary-twice}"},
    {"M16 no end", MIXED "--b|Content-Type: text/html||x|",
     "multipart/mixed!boundary-unended{text/html!boundary-unended}"},
    {"M16 inner without end",
     MIXED "--b|"
           "Content-Type: multipart/alternative; boundary=c||--c|Content-Type: text/html||x|--b||y|--b--|",
     "multipart/mixed!boundary-unended{multipart/alternative!boundary-unended{text/html!boundary-unended} "
     "text/plain!boundary-unended}"},
    {"M16 no part", MIXED "text|", "multipart/mixed!boundary-unused"},
    {"M16 end alone", MIXED "--b--|", "multipart/mixed!boundary-unused"},
    {"M16 clash", MIXED "--b|Content-Type: multipart/mixed; boundary=b||--b||x|--b--|--b--|",
     "multipart/mixed!boundary-clash{multipart/mixed!boundary-clash{text/plain!boundary-clash}}"},
    {"M16 outer begins inner", MIXED "--b|Content-Type: multipart/mixed; boundary=bc||--bc||x|--bc--|--b--|",
     "multipart/mixed!boundary-clash{multipart/mixed!boundary-clash{text/plain!boundary-clash}}"},
    {"M16 inner begins outer",
     "Content-Type: multipart/mixed; boundary=bc||--bc|Content-Type: multipart/mixed; "
     "boundary=b||--b||x|--b--|--bc--|",
     "multipart/mixed!boundary-clash{multipart/mixed!boundary-clash{text/plain!boundary-clash}}"},
    {"M16 clash through a message",
     MIXED "--b|Content-Type: message/rfc822||Content-Type: multipart/mixed; boundary=b||--b||x|--b--|--b--|",
     "multipart/mixed!boundary-clash{message/rfc822!boundary-clash{multipart/mixed'!boundary-clash"
     "{text/plain'!boundary-clash}}}"},
    {"M16 same boundary again is none",
     MIXED "--b|Content-Type: multipart/mixed; boundary=c||--c||1|--c--|--b|Content-Type: multipart/mixed; "
           "boundary=c||--c||2|--c--|--b--|",
     "multipart/mixed{multipart/mixed{text/plain} multipart/mixed{text/plain}}"},
    {"M16 line goes on", MIXED "--b||x|--bc|y|--b--|",
     "multipart/mixed!boundary-prefix{text/plain!boundary-prefix}"},
    {"M16 end goes on", MIXED "--b||x|--b--c|--b--|",
     "multipart/mixed!boundary-prefix{text/plain!boundary-prefix}"},
    {"M16 space after", MIXED "--b ||x|--b--|", "multipart/mixed!boundary-space{text/plain!boundary-space}"},
    {"M16 after the end", MIXED "--b||x|--b--|--b||y|--b--|",
     "multipart/mixed!boundary-again{text/plain!boundary-again}"},
    {"M16 preamble and epilogue", MIXED "hello|--b||x|--b--|bye|--c|", "multipart/mixed{text/plain}"},
    {"M16 doubt stays inside a message",
     MIXED
     "--b|Content-Type: message/rfc822||Content-Type: multipart/mixed; boundary=c||--c||x|--b||y|--b--|",
     "multipart/mixed{message/rfc822{multipart/mixed'!boundary-unended{text/plain'!boundary-unended}} "
     "text/plain}"},
    {"M23 two types", "Content-Type: text/html|Content-Type: text/plain||x|", "text/html!type-twice"},
    {"M23 two types in a part",
     MIXED "--b|Content-Type: text/html|content-type: text/plain||x|--b|Content-Type: text/html||y|--b--|",
     "multipart/mixed!type-twice{text/html!type-twice text/html!type-twice}"},
    {"M23 two encodings", "Content-Transfer-Encoding: 7bit|Content-Transfer-Encoding: base64||x|",
     "text/plain!encoding-twice"},
    {"M23 encoded multipart", "Content-Transfer-Encoding: base64|" MIXED "--b||x|--b--|",
     "multipart/mixed:base64!multipart-encoded{text/plain!multipart-encoded}"},
    {"M23 8bit multipart", "Content-Transfer-Encoding: 8bit|" MIXED "--b||x|--b--|",
     "multipart/mixed:8bit{text/plain}"},
    {"M23 junk after encoding", "Content-Transfer-Encoding: 8bit;||x|", "text/plain:8bit!encoding-bad"},
    {"M23 fold before encoding", "Content-Transfer-Encoding:| base64||x|", "text/plain:base64!encoding-bad"},
    {"M23 space after encoding", "Content-Transfer-Encoding: base64 ||x|", "text/plain:base64!encoding-bad"},
    {"M26 boundary over two lines", "Content-Type: multipart/mixed; boundary=\"a| c\"||--a c||x|--a c--|",
     "multipart/mixed!boundary-odd{text/plain!boundary-odd}"},
    {"M23 unknown encoding", "Content-Transfer-Encoding: x-uuencode||x|", "text/plain:unknown!encoding-bad"},
    {"M23 comment after encoding", "Content-Transfer-Encoding: base64 (x)||x|",
     "text/plain:base64!encoding-bad"},
    {"M23 encoded message",
     MIXED "--b|Content-Type: message/rfc822|Content-Transfer-Encoding: base64||eA==|--b||y|--b--|",
     "multipart/mixed{message/rfc822:base64!message-encoded text/plain}"},
    {"M24 bare LF beside CR LF", "Subject: x||text\n|", "text/plain!line-ends"},
    {"M24 LF alone", "Subject: x\n\ntext\n", "text/plain"},
    {"M24 LF alone, parts", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n",
     "multipart/mixed{text/plain}"},
    {"M24 bare CR", "Subject: x||te\rxt|", "text/plain!line-ends"},
    {"M24 CR CR LF", "Subject: x||text\r|", "text/plain!line-ends"},
    {"M24 no final line end", "Subject: x||text", "text/plain"},
    {"M24 empty body", "Subject: x||", "text/plain"},
    {"M24 header alone", "Subject: x|", "text/plain!header-end"},
    {"M24 nothing", "", "text/plain!header-end"},
    {"M24 body alone", "|text|", "text/plain"},
    {"M24 no colon", "Subject: x|oops|Content-Type: text/html||<p>|", "text/plain!header-line"},
    {"M24 no name", ": x|Content-Type: text/html||<p>|", "text/plain!header-line"},
    {"M24 fold first", " x|Content-Type: text/html||<p>|", "text/html!header-line"},
    {"M24 From line", "From a@b Mon Jan  1 00:00:00 2024|Content-Type: text/html||<p>|",
     "text/html!header-envelope"},
    {"M24 From line later", "Subject: x|From a@b Mon|Content-Type: text/html||<p>|",
     "text/plain!header-line"},
    {"M24 space before colon", "Content-Type : text/html||<p>|", "text/html!header-space"},
    {"M24 blank fold", "Subject: x|  |Content-Type: text/html||<p>|", "text/html!header-blank"},
    {"M24 part without header end", MIXED "--b|Content-Type: text/html|--b--|",
     "multipart/mixed!header-boundary{text/html!header-boundary}"},
    {"M24 part of nothing", MIXED "--b|--b--|",
     "multipart/mixed!header-boundary{text/plain!header-boundary}"},
    {"M24 embedded message without header end", MIXED "--b|Content-Type: message/rfc822||Subject: x|--b--|",
     "multipart/mixed!header-boundary{message/rfc822!header-boundary{text/plain'!header-boundary}}"},
    {"M26 boundary in pieces", "Content-Type: multipart/mixed; boundary*0=a; boundary*1=c||--ac||x|--ac--|",
     "multipart/mixed!boundary-odd{text/plain!boundary-odd}"},
    {"M26 boundary encoded", "Content-Type: multipart/mixed; boundary*=us-ascii''a%63||--ac||x|--ac--|",
     "multipart/mixed!boundary-odd{text/plain!boundary-odd}"},
    {"M26 charset in pieces", "Content-Type: text/html; charset*0=ut; charset*1=f-8||x|",
     "text/html!type-param"},
    {"M26 name in pieces", "Content-Type: text/html; name*0=ut; name*1=f-8||x|", "text/html"},
    {"T3 charset twice", "Content-Type: text/html; charset=utf-8; charset=utf-7||x|", "text/html!type-param"},
    {"T3 comment in type", "Content-Type: text/html (; charset=x)||x|", "text/html!type-comment"},
    {"T3 comment in multipart", "Content-Type: multipart/mixed (x); boundary=b||--b||x|--b--|",
     "multipart/mixed!multipart-junk{text/plain!multipart-junk}"},
    {"T3 parameter in pieces in multipart", "Content-Type: multipart/mixed; x*0=y; boundary=b||--b||x|--b--|",
     "multipart/mixed!multipart-junk{text/plain!multipart-junk}"},
    {"T3 the usual unquoted type",
     "Content-Type: multipart/related; type=text/html; boundary=b||--b||x|--b--|",
     "multipart/related{text/plain}"},
    {"T3 lost semicolon", "Content-Type: text/html charset=utf-8||x|", "text/html!type-junk"},
    {"T3 open quote", "Content-Type: multipart/mixed; boundary=\"b||--b||x|--b--|",
     "multipart/mixed!multipart-junk{text/plain!multipart-junk}"},
    {"T3 no subtype", "Content-Type: html||x|", "text/plain!type-bad"},
    {"T3 no type", "Content-Type:||x|", "text/plain!type-bad"},
    {"T3 boundary needs quotes", "Content-Type: multipart/mixed; boundary=a/c||--a/c||x|--a/c--|",
     "multipart/mixed!boundary-odd{text/plain!boundary-odd}"},
    {"T3 the usual unquoted one",
     "Content-Type: multipart/mixed; boundary=----=_P||------=_P||x|------=_P--|",
     "multipart/mixed{text/plain}"},
    {"T3 boundary ends in space", "Content-Type: multipart/mixed; boundary=\"b \"||--b ||x|--b --|",
     "multipart/mixed!boundary-odd"},
    {"T3 disposition twice",
     "Content-Type: text/html|Content-Disposition: inline|Content-Disposition: attachment||x|",
     "text/html!disposition"},
    {"T3 boundary of dashes", "Content-Type: multipart/mixed; boundary=b--||--b--||x|--b----|",
     "multipart/mixed{text/plain}"},
};

static void test_trees(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *message = lines(rows[i].message);
    g_autofree char *tree = show(message, strlen(message));
    if (strcmp(tree, rows[i].tree) != 0) print_error("row: %s\n", rows[i].name);
    assert_string_equal(tree, rows[i].tree);
  }
  print_message("count: %zu trees\n", G_N_ELEMENTS(rows));
}

static void test_nul(void **state)
{
  (void)state;
  static const char message[] = "Subject: x\r\n\r\na\0b\r\n";
  g_autofree char *tree = show(message, sizeof message - 1);
  assert_string_equal(tree, "text/plain!nul");
}

static struct mail_tree *walk(const char *text)
{
  struct mail_limits limits = MAIL_LIMITS_DEFAULT;
  return mail_walk(text, strlen(text), &limits, NULL);
}

static void assert_text(const char *message, struct mail_range range, const char *expected)
{
  g_autofree char *text = g_strndup(message + range.start, range.end - range.start);
  assert_string_equal(text, expected);
}

static void test_ranges(void **state)
{
  (void)state;
  g_autofree char *m = lines("A: 1|" MIXED "pre|--b|B: 2||one|two||--b||--b|C: 3|--b--|post|");
  g_autoptr(mail_tree) tree = walk(m);
  assert_int_equal(tree->count, 4);
  assert_text(m, tree->parts[0].header, "A: 1\r\nContent-Type: multipart/mixed; boundary=b\r\n");
  assert_int_equal(tree->parts[0].body.end, strlen(m));
  assert_text(m, tree->parts[1].header, "B: 2\r\n");
  assert_text(m, tree->parts[1].body, "one\r\ntwo\r\n");
  assert_text(m, tree->parts[2].header, "");
  assert_text(m, tree->parts[2].body, "");
  assert_text(m, tree->parts[3].header, "C: 3\r\n");
  assert_text(m, tree->parts[3].body, "");
}

static void test_facts(void **state)
{
  (void)state;
  g_autofree char *m =
      lines(MIXED "--b|Content-Type: text/plain; charset=\"UTF-8\"; format=Flowed; delsp=yes||x|"
                  "--b|Content-Type: image/png; name=x||y|--b|Content-Type: message/rfc822||"
                  "Content-Type: multipart/mixed; boundary=c||--c||z|--c--|--b--|");
  g_autoptr(mail_tree) tree = walk(m);
  const struct mail_part *part = tree->parts;
  assert_int_equal(tree->count, 6);
  assert_string_equal(part[1].charset, "utf-8");
  assert_true(part[1].flowed && part[1].delsp && part[1].typed && !part[1].filename);
  assert_true(part[2].filename && !part[2].attachment);
  assert_int_equal(part[0].children, 3);
  assert_int_equal(part[4].message, 4);
  assert_int_equal(part[5].message, 4);
  assert_int_equal(part[5].depth, 3);
  g_autofree char *path = mail_part_path(tree, 5);
  assert_string_equal(path, "1.3.1.1");
}

static void test_blame(void **state)
{
  (void)state;
  g_autofree char *m = lines(MIXED "--b||x|--b|Content-Type: multipart/mixed; boundary=c||--c||y|--b--|");
  g_autoptr(mail_tree) tree = walk(m);
  for (size_t i = 0; i < tree->count; i++) {
    assert_int_equal(tree->parts[i].ambiguity, MAIL_AMBIGUITY_BOUNDARY_UNENDED);
    assert_int_equal(tree->parts[i].blame, 2);
  }
}

/* T1: each cap is an error, and one less is none. */
static void test_limits(void **state)
{
  (void)state;
  g_autofree char *m = lines("A: 1|Content-Type: message/rfc822||" MIXED "--b|C: 3||x|--b||y|--b--|");
  static const struct {
    const char *name;
    struct mail_limits limits;
  } over[] = {
      {"depth", {1, 4, 100, 100}},
      {"parts", {2, 3, 100, 100}},
      {"part header", {2, 4, 42, 100}},
      {"header", {2, 4, 100, 35}},
  };
  struct mail_limits exact = {2, 4, 43, 36};
  g_autoptr(mail_tree) tree = mail_walk(m, strlen(m), &exact, NULL);
  assert_non_null(tree);
  for (size_t i = 0; i < G_N_ELEMENTS(over); i++) {
    g_autoptr(GError) error = NULL;
    struct mail_tree *none = mail_walk(m, strlen(m), &over[i].limits, &error);
    if (none) print_error("row: %s\n", over[i].name);
    assert_null(none);
    assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT));
  }
}

/* T1: what grows the work of a careless walker: many open boundaries and many
 * lines of dashes, boundaries that begin alike, endless messages. Each must be
 * over at once; the limit of a test program's run time is what fails. */
static void test_hostile(void **state)
{
  (void)state;
  g_autoptr(GString) deep = g_string_new(NULL), endless = g_string_new(NULL);
  for (int i = 0; i < 99; i++)
    g_string_append_printf(deep, "Content-Type: multipart/mixed; boundary=%060d\n\n--%060d\n", i, i);
  g_string_append(deep, "\n");
  for (int i = 0; i < 2000000; i++)
    g_string_append(deep, "--0\n");
  for (int i = 0; i < 5000; i++)
    g_string_append(endless, "Content-Type: message/rfc822\n\n");
  struct mail_limits limits = MAIL_LIMITS_DEFAULT;
  g_autoptr(mail_tree) tree = mail_walk(deep->str, deep->len, &limits, NULL);
  assert_non_null(tree);
  assert_int_equal(tree->count, 100);
  g_autofree char *kind = show(endless->str, endless->len);
  assert_string_equal(kind, "limit");
}

static void test_lines(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    unsigned facts;
    size_t longest;
  } texts[] = {
      {"", 0, 0},
      {"ab\r\nc\r\n", MAIL_LINE_CRLF, 2},
      {"ab\nc", MAIL_LINE_LF, 2},
      {"\r\n\n", MAIL_LINE_CRLF | MAIL_LINE_LF, 0},
      {"a\rb", MAIL_LINE_BARE_CR, 3},
      {"a\r", MAIL_LINE_BARE_CR, 2},
      {"a\r\r\n", MAIL_LINE_CRLF | MAIL_LINE_BARE_CR, 2},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
    /* At every place relative to the blocks in which the lines are counted. */
    for (size_t before = 0; before < 300; before++) {
      g_autoptr(GString) text = g_string_new(NULL);
      for (size_t k = 0; k < before; k++)
        g_string_append_c(text, 'x');
      g_string_append(text, texts[i].text);
      assert_int_equal(mail_line_facts(text->str, text->len), texts[i].facts);
      if (before == 0) assert_int_equal(mail_line_longest(text->str, text->len), texts[i].longest);
    }
}

static void test_header(void **state)
{
  (void)state;
  static const char text[] = "A: 1\r\nb : 2\r\n 3\r\njunk\r\nA:4\r\n  \r\nC:";
  static const struct {
    const char *name, *value, *whole;
    unsigned faults;
  } fields[] = {
      {"A", " 1", "A: 1\r\n", 0},
      {"b", " 2\r\n 3", "b : 2\r\n 3\r\n", MAIL_FIELD_SPACE},
      {"", "junk", "junk\r\n", MAIL_FIELD_JUNK},
      {"A", "4\r\n  ", "A:4\r\n  \r\n", MAIL_FIELD_BLANK},
      {"C", "", "C:", 0},
  };
  struct mail_range section = {0, sizeof text - 1};
  struct mail_header_iter iter;
  struct mail_field field;
  mail_header_init(&iter, text, section);
  for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
    assert_true(mail_header_next(&iter, &field));
    assert_text(text, field.name, fields[i].name);
    assert_text(text, field.value, fields[i].value);
    assert_text(text, field.whole, fields[i].whole);
    assert_int_equal(field.faults, fields[i].faults);
  }
  assert_false(mail_header_next(&iter, &field));
  assert_int_equal(mail_header_count(text, section, "a"), 2);
  assert_true(mail_header_find(text, section, "a", 1, &field));
  assert_text(text, field.value, "4\r\n  ");
  assert_false(mail_header_find(text, section, "a", 2, &field));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_trees),   cmocka_unit_test(test_nul),   cmocka_unit_test(test_ranges),
      cmocka_unit_test(test_facts),   cmocka_unit_test(test_blame), cmocka_unit_test(test_limits),
      cmocka_unit_test(test_hostile), cmocka_unit_test(test_lines), cmocka_unit_test(test_header),
  };
  return cmocka_run_group_tests_name("mail-walk", tests, NULL, NULL);
}
