/* Transfer encodings, edits, and edits through transfer encodings. Rows are
 * named after the traps they stand for. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "mail/leaf.h"
#include "mail/line.h"
#include "mail/qp.h"

#define QP     MAIL_ENCODING_QP
#define BASE64 MAIL_ENCODING_BASE64

static const struct {
  const char *name;
  enum mail_encoding encoding;
  const char *raw, *text;
  unsigned facts;
} decodes[] = {
    {"identity", MAIL_ENCODING_8BIT, "a=41\r\n", "a=41\r\n", 0},
    {"M1 soft break", QP, "a=3D\"https://a/b=\r\n?x=3D1\"", "a=\"https://a/b?x=1\"", 0},
    {"M2 lower-case hex", QP, "=c3=bC", "\xc3\xbc", 0},
    {"M2 trailing space", QP, "a b \t\r\nc  ", "a b\r\nc", 0},
    {"M2 space after soft break", QP, "a= \r\nb", "ab", MAIL_DECODE_INVALID},
    {"M2 invalid", QP, "a=ZZb", "a=ZZb", MAIL_DECODE_INVALID},
    {"M2 cut", QP, "a=4", "a=4", MAIL_DECODE_INVALID},
    {"M2 two signs", QP, "a==41", "a=A", MAIL_DECODE_INVALID},
    {"M2 soft break at the end", QP, "a=", "a", 0},
    {"M2 LF", QP, "a=\nb\n", "ab\n", 0},
    {"M2 encoded space at the end", QP, "a=20\r\n", "a \r\n", 0},
    {"M3 plain", BASE64, "YWJj\r\nZGU=\r\n", "abcde", 0},
    {"M3 no padding", BASE64, "YWJjZGU", "abcde", MAIL_DECODE_NO_PADDING},
    {"M3 odd lines", BASE64, "YWJ\r\njZG\r\nU=", "abcde", 0},
    {"M3 uneven lines", BASE64, "YW\r\nJjZG\r\nU=", "abcde", MAIL_DECODE_UNEVEN},
    {"M3 short line inside", BASE64, "YWJj\r\nZG\r\nU=", "abcde", MAIL_DECODE_UNEVEN},
    {"M3 empty line inside", BASE64, "YWJj\r\n\r\nZGU=", "abcde", MAIL_DECODE_UNEVEN},
    {"M3 junk", BASE64, "YW*Jj", "abc", MAIL_DECODE_JUNK},
    {"M3 space", BASE64, "YWJj \r\n", "abc", MAIL_DECODE_JUNK},
    {"M3 two texts", BASE64, "YQ==YQ==", NULL, MAIL_DECODE_INVALID},
    {"M3 one digit over", BASE64, "YWJjZ", "abc", MAIL_DECODE_INVALID},
    {"M3 too much padding", BASE64, "YWI==", "ab", MAIL_DECODE_INVALID},
    {"M3 padding alone", BASE64, "=", "", MAIL_DECODE_INVALID},
    {"M3 half of the padding", BASE64, "YQ=", "a", MAIL_DECODE_INVALID},
    {"M24 empty", BASE64, "", "", 0},
    {"M24 empty", QP, "", "", 0},
};

static void test_decode(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(decodes); i++) {
    struct mail_decoded decoded;
    const char *raw = decodes[i].raw;
    assert_true(mail_decode(decodes[i].encoding, raw, strlen(raw), 1000, &decoded, NULL));
    g_autofree char *text = g_strndup(decoded.bytes, decoded.length);
    if (decoded.facts != decodes[i].facts || (decodes[i].text && strcmp(text, decodes[i].text) != 0))
      print_error("row: %s\n", decodes[i].name);
    if (decodes[i].text) assert_string_equal(text, decodes[i].text);
    assert_int_equal(decoded.facts, decodes[i].facts);
    mail_decoded_clear(&decoded);
  }
}

static void test_decode_refuses(void **state)
{
  (void)state;
  struct mail_decoded decoded;
  g_autoptr(GError) error = NULL;
  assert_false(mail_decode(MAIL_ENCODING_UNKNOWN, "a", 1, 10, &decoded, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
  g_clear_error(&error);
  assert_false(mail_decode(QP, "=41=41=41", 9, 2, &decoded, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT));
}

/* The decoded text FIND becomes WITH; "|" in a row is CR LF. */
static const struct {
  const char *name;
  enum mail_encoding encoding;
  const char *raw, *find, *with, *result; /* RESULT NULL: refused */
} edits[] = {
    {"identity", MAIL_ENCODING_7BIT, "a old b|", "old", "new value", "a new value b|"},
    {"nothing", QP, "a =3D b|", NULL, NULL, "a =3D b|"},
    {"value", QP, "a=3D\"x\" y|", "x", "u=1", "a=3D\"u=3D1\" y|"},
    {"M1 split value", QP, "<a href=3D\"https://a/b=|?x=3D1\">z|", "https://a/b?x=1", "https://t/c?y=2",
     "<a href=3D\"https://t/c?y=3D2\">z|"},
    {"M1 what is around a split value stays", QP, "=c3=bc =|<a href=3D\"h=|i\">=|z =|", "hi", "new",
     "=c3=bc =|<a href=3D\"new\">=|z =|"},
    {"M1 long value", QP, "<a href=3D\"x\">z|", "x",
     "https://t.example/0123456789012345678901234567890123456789012345678901234567890123456789",
     "<a href=3D\"https://t.example/0123456789012345678901234567890123456789012345=|"
     "678901234567890123456789\">z|"},
    {"M1 rest does not fit", QP,
     "<a href=3D\"x\">0123456789012345678901234567890123456789012345678901234567890|", "x", "0123456789",
     "<a href=3D\"0123456789=|\">0123456789012345678901234567890123456789012345678901234567890|"},
    {"M1 LF", QP, "a x b\n", "x", "y", "a y b\n"},
    {"M2 padding stays padding", QP, "abc   |d|", "abc", "x", "x   |d|"},
    {"M2 line end after padding", QP, "abc   |d|", "\r\n", "-", "abc-d|"},
    {"M2 nothing left but a blank", QP, "a b|c|", "b", "", "a =||c|"},
    {"M2 blank before padding", QP, "a b  |c|", "b", "", "a =|  |c|"},
    {"M2 last blank", QP, "ab|c|", "b", "x ", "ax=20|c|"},
    {"invalid", QP, "=ZZ x|", "x", "y", NULL},
    {"M16 no boundary by a break", QP,
     "0123456789012345678901234567890123456789012345678901234567890123456789x--b 1|", "x", "yz", NULL},
    {"M16 no boundary by taking out", QP, "x--b|", "x", "", NULL},
    {"M16 no boundary by the value", QP, "x|", "x", "--b", "=2D-b|"},
    {"M16 no boundary in the middle", MAIL_ENCODING_8BIT, "--x|", "x", "b", NULL},
    {"M16 no boundary by parts", MAIL_ENCODING_8BIT, "-x|", "x", "-b--", NULL},
    {"M16 no boundary in plain text", MAIL_ENCODING_7BIT, "x|", "x", "a|--b |", NULL},
    {"M16 other dashes", MAIL_ENCODING_7BIT, "--><a x|", "x", "y", "--><a y|"},
    {"M24 not between CR and LF", MAIL_ENCODING_7BIT, "a\r|x|", "\r", "y", NULL},
    {"M24 no LF beside CR LF", MAIL_ENCODING_7BIT, "x|", "x", "a\nb", NULL},
    {"M24 no CR LF beside LF", MAIL_ENCODING_7BIT, "x\n", "x", "a|b", NULL},
    {"M24 no bare CR", MAIL_ENCODING_8BIT, "x|", "x", "a\rb", NULL},
    {"M24 nothing into nothing", MAIL_ENCODING_7BIT, "", "", "x", NULL},
    {"M24 LF through quoted-printable", QP, "x|", "x", "a\nb", "a=0Ab|"},
    {"M27 no dot at a line's start", QP, "x|", "x", ".", "=2E|"},
    {"M3 base64", BASE64, "YWJj|ZGU=|", "b", "B", "YUJj|ZGU=|"},
    {"M3 base64 keeps its lines", BASE64, "YWJjZGVm|Z2hp||", "b", "", "YWNkZWZn|aGk=||"},
    {"M3 base64 grows", BASE64, "YWJj|", "b", "0123456789012345678901234567890123456789012345678901234567890",
     "YTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1|Njc4OTBj|"},
    {"M3 base64 without padding", BASE64, "YWJjZGU|", "b", "B", NULL},
    {"M3 base64 junk", BASE64, "YW*Jj|", "b", "B", NULL},
};

static char *lines(const char *text)
{
  g_auto(GStrv) parts = g_strsplit(text, "|", -1);
  return g_strjoinv("\r\n", parts);
}

/* The message that has RAW as the only part of a multipart with the boundary "b". */
static char *message_with(enum mail_encoding encoding, const char *raw)
{
  const char *end = strstr(raw, "\r\n") || !strchr(raw, '\n') ? "\r\n" : "\n";
  return g_strconcat("Content-Type: multipart/mixed; boundary=b", end, end, "--b", end,
                     "Content-Transfer-Encoding: ", mail_encoding_name(encoding), end, end, raw, end, "--b--",
                     end, NULL);
}

/* The leaf's raw body with the edits, a list of pairs that ends in NULL; NULL
 * where they are refused. What is around the body is checked here. */
static char *edit_leaf(enum mail_encoding encoding, const char *raw, const char *const *pairs)
{
  g_autofree char *message = message_with(encoding, raw), *edited = NULL;
  struct mail_limits limits = MAIL_LIMITS_DEFAULT;
  g_autoptr(mail_tree) tree = mail_walk(message, strlen(message), &limits, NULL);
  g_autoptr(mail_edits) inner = mail_edits_new(10), outer = mail_edits_new(10);
  g_autoptr(GError) error = NULL;
  struct mail_range body = tree->parts[1].body;
  struct mail_decoded leaf;
  size_t size, after = strlen(message) - body.end;
  assert_int_equal(tree->count, 2);
  assert_true(mail_decode(encoding, message + body.start, body.end - body.start, 10000, &leaf, NULL));
  for (const char *at = leaf.bytes; *pairs; pairs += 2) {
    const char *found = memmem(at, leaf.length - (size_t)(at - leaf.bytes), pairs[0], strlen(pairs[0]));
    assert_non_null(found);
    at = found + strlen(pairs[0]);
    assert_true(mail_edits_add(inner, (size_t)(found - leaf.bytes), strlen(pairs[0]), pairs[1],
                               strlen(pairs[1]), NULL));
  }
  bool done = mail_leaf_edit(tree, 1, &leaf, inner, outer, &error);
  mail_decoded_clear(&leaf);
  if (!done) {
    assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
    assert_int_equal(mail_edits_count(outer), 0);
    return NULL;
  }
  assert_true(mail_edits_apply(outer, message, strlen(message), &edited, &size, NULL));
  assert_memory_equal(edited, message, body.start);
  assert_memory_equal(edited + size - after, message + body.end, after);
  return g_strndup(edited + body.start, size - body.start - after);
}

static void test_leaf(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(edits); i++) {
    g_autofree char *raw = lines(edits[i].raw), *find = edits[i].find ? lines(edits[i].find) : NULL;
    g_autofree char *with = edits[i].with ? lines(edits[i].with) : NULL;
    g_autofree char *expected = edits[i].result ? lines(edits[i].result) : NULL;
    const char *const pairs[] = {find, with, NULL};
    g_autofree char *result = edit_leaf(edits[i].encoding, raw, pairs);
    if (g_strcmp0(result, expected) != 0)
      print_error("row: %s\n%s\n", edits[i].name, result ? result : "refused");
    if (!expected)
      assert_null(result);
    else {
      assert_non_null(result);
      assert_string_equal(result, expected);
    }
  }
}

/* Where decoded bytes are in the raw text: before, inside and after what decodes
 * to nothing. */
static void test_cursor(void **state)
{
  (void)state;
  static const char raw[] = "a=\r\n=3Db  \r\nc=";
  static const struct {
    size_t from, to, start, end;
  } spans[] = {
      {0, 0, 0, 0},   /* at the beginning */
      {0, 1, 0, 1},   /* a */
      {1, 1, 1, 1},   /* after a, before the soft break */
      {1, 2, 4, 7},   /* = */
      {2, 3, 7, 8},   /* b */
      {3, 4, 8, 11},  /* CR, with the padding before it */
      {4, 6, 11, 13}, /* LF, c */
      {6, 6, 13, 13}, /* at the end, before the last soft break */
      {6, 9, 13, 13}, /* past the end */
  };
  struct mail_cursor cursor;
  mail_cursor_init(&cursor, raw, sizeof raw - 1);
  for (size_t i = 0; i < G_N_ELEMENTS(spans); i++) {
    struct mail_range span = mail_cursor_span(&cursor, spans[i].from, spans[i].to);
    if (span.start != spans[i].start || span.end != spans[i].end)
      print_error("row %zu: %zu to %zu\n", i, span.start, span.end);
    assert_int_equal(span.start, spans[i].start);
    assert_int_equal(span.end, spans[i].end);
  }
}

/* What is no leaf of its own is refused, and so is a text of another part. */
static void test_leaf_refuses(void **state)
{
  (void)state;
  g_autofree char *message =
      lines("Content-Type: multipart/mixed; boundary=b||--b|Content-Type: message/rfc822||"
            "Subject: x||text|--b||other text|--b|Content-Type: text/html (x)||y|--b--|");
  struct mail_limits limits = MAIL_LIMITS_DEFAULT;
  g_autoptr(mail_tree) tree = mail_walk(message, strlen(message), &limits, NULL);
  assert_int_equal(tree->count, 5);
  for (size_t i = 0; i < tree->count; i++) {
    struct mail_range body = tree->parts[i].body;
    struct mail_decoded leaf;
    g_autoptr(mail_edits) inner = mail_edits_new(1), outer = mail_edits_new(1);
    assert_true(
        mail_decode(tree->parts[i].encoding, message + body.start, body.end - body.start, 1000, &leaf, NULL));
    assert_true(mail_edits_add(inner, 0, 1, "z", 1, NULL));
    assert_int_equal(mail_leaf_edit(tree, i, &leaf, inner, outer, NULL), i == 3);
    if (i != 3) assert_false(mail_leaf_edit(tree, 3, &leaf, inner, outer, NULL));
    mail_decoded_clear(&leaf);
  }
}

/* Two edits of one line: the second stands where the first left it. */
static void test_two_on_a_line(void **state)
{
  (void)state;
  const char *raw = "<a href=3D\"Q\"> 012345678901234567890123456789 <a href=3D\"Z\"> 0123456789\r\n";
  g_autofree char *url = g_strnfill(40, 'u');
  const char *const pairs[] = {"Q", url, "Z", url, NULL};
  g_autofree char *result = edit_leaf(QP, raw, pairs);
  assert_in_range(mail_line_longest(result, strlen(result)), 70, 76);
}

static void test_qp_encode(void **state)
{
  (void)state;
  static const struct {
    const char *text, *line_end, *code;
  } texts[] = {
      {"", "\r\n", ""},
      {"a=b\xc3\xbc\r\nc \r\n\td\t", "\r\n", "a=3Db=C3=BC\r\nc=20\r\n\td=09"},
      {"a\nb\rc\r\n", "\r\n", "a=0Ab=0Dc\r\n"},
      {"a\nb\r\n", "\n", "a\nb=0D\n"},
      {".a\r\n-b\r\nFrom c\r\n", "\r\n", "=2Ea\r\n=2Db\r\n=46rom c\r\n"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autoptr(GString) code = g_string_new(NULL);
    mail_qp_encode(texts[i].text, strlen(texts[i].text), texts[i].line_end, code);
    assert_string_equal(code->str, texts[i].code);
  }
  /* M9: a line over 998 becomes lines of 76. */
  g_autofree char *text = g_strnfill(2000, 'x');
  g_autoptr(GString) code = g_string_new(NULL);
  mail_qp_encode(text, 2000, "\r\n", code);
  assert_int_equal(mail_line_longest(code->str, code->len), 76);
}

/* Notes the pieces, each in brackets; no more after "E". */
static bool take_note(void *data, const char *piece, size_t length)
{
  assert_int_not_equal(length, 0);
  g_string_append_printf(data, "[%.*s]", (int)length, piece);
  return length != 1 || *piece != 'E';
}

static void test_edits(void **state)
{
  (void)state;
  g_autoptr(mail_edits) list = mail_edits_new(5);
  g_autofree char *result = NULL, *same = NULL;
  size_t size;
  assert_true(mail_edits_apply(list, "abc", 3, &same, &size, NULL));
  assert_string_equal(same, "abc");
  assert_true(mail_edits_add(list, 4, 1, "E", 1, NULL));
  assert_true(mail_edits_add(list, 1, 2, "", 0, NULL));
  assert_true(mail_edits_add(list, 1, 0, "1", 1, NULL));
  assert_true(mail_edits_add(list, 1, 0, "2", 1, NULL));
  assert_true(mail_edits_add(list, 6, 0, "end", 3, NULL));
  assert_true(mail_edits_apply(list, "abcdef", 6, &result, &size, NULL));
  assert_string_equal(result, "a12dEfend");
  g_autoptr(GString) pieces = g_string_new(NULL);
  assert_false(mail_edits_give(list, "abcdef", 1, 6, take_note, pieces));
  assert_string_equal(pieces->str, "[1][2][d][E]");
  g_autoptr(mail_edits) few = mail_edits_new(2);
  assert_true(mail_edits_add(few, 3, 1, "XY", 2, NULL) && mail_edits_seal(few, 6, NULL));
  g_string_truncate(pieces, 0);
  assert_true(mail_edits_give(few, "abcdef", 1, 6, take_note, pieces));
  assert_string_equal(pieces->str, "[bc][XY][ef]");
  g_autoptr(GError) error = NULL;
  assert_false(mail_edits_add(list, 0, 0, "x", 1, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT));
}

static void test_bad_edits(void **state)
{
  (void)state;
  static const size_t pairs[][4] = {
      {0, 2, 1, 2}, {0, 3, 1, 0}, {5, 2, 0, 0}, {7, 0, 0, 0}, {1, (size_t)-1, 0, 0}};
  for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
    g_autoptr(mail_edits) list = mail_edits_new(5);
    g_autoptr(GError) error = NULL;
    assert_true(mail_edits_add(list, pairs[i][0], pairs[i][1], "", 0, NULL));
    assert_true(mail_edits_add(list, pairs[i][2], pairs[i][3], "", 0, NULL));
    if (mail_edits_seal(list, 6, &error)) print_error("row: %zu\n", i);
    assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_decode),    cmocka_unit_test(test_decode_refuses),
      cmocka_unit_test(test_leaf),      cmocka_unit_test(test_two_on_a_line),
      cmocka_unit_test(test_cursor),    cmocka_unit_test(test_leaf_refuses),
      cmocka_unit_test(test_qp_encode), cmocka_unit_test(test_edits),
      cmocka_unit_test(test_bad_edits),
  };
  return cmocka_run_group_tests_name("mail-encoding", tests, NULL, NULL);
}
