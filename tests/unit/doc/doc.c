/* Documents: what YAML and JSON mean here, where the values are, and what is refused. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "doc/doc.h"

/* YAML and the same as JSON. */
static const struct {
  const char *id, *yaml, *json;
} same[] = {
    {"null", "[null, Null, NULL, ~, ]", "[null, null, null, null]"},
    {"nothing is null", "a:\nb: 1\n", "{\"a\": null, \"b\": 1}"},
    {"not null", "[nULL, none, nil]", "[\"nULL\", \"none\", \"nil\"]"},
    {"booleans", "[true, True, TRUE, false, False, FALSE]", "[true, true, true, false, false, false]"},
    {"not booleans", "[yes, no, on, off, y, n, Yes, NO, tRUE]",
     "[\"yes\", \"no\", \"on\", \"off\", \"y\", \"n\", \"Yes\", \"NO\", \"tRUE\"]"},
    {"integers", "[0, 12, -12, +12, 007, 0o17, 0xfF, 9223372036854775807, -9223372036854775808]",
     "[0, 12, -12, 12, 7, 15, 255, 9223372036854775807, -9223372036854775808]"},
    {"not integers", "[1_000, 0b1, 0o8, 0xg, 0o, 0x, -, +, -0x1, 1a, 0O7]",
     "[\"1_000\", \"0b1\", \"0o8\", \"0xg\", \"0o\", \"0x\", \"-\", \"+\", \"-0x1\", \"1a\", \"0O7\"]"},
    {"floats", "[1.5, -1.5, .5, 1., 1e3, 1.5E-3, +0.0]", "[1.5, -1.5, 0.5, 1.0, 1000.0, 0.0015, 0.0]"},
    {"not floats", "[., 1.5.2, e3, 1e, 1e+, .e1, inf, nan]",
     "[\".\", \"1.5.2\", \"e3\", \"1e\", \"1e+\", \".e1\", \"inf\", \"nan\"]"},
    {"times and dates", "[12:30, 1:30:00, 2026-01-01, 2026-01-01T00:00:00Z]",
     "[\"12:30\", \"1:30:00\", \"2026-01-01\", \"2026-01-01T00:00:00Z\"]"},
    {"versions and addresses", "[1.2.3, 127.0.0.1, a@example.com]",
     "[\"1.2.3\", \"127.0.0.1\", \"a@example.com\"]"},
    {"quotes make text", "['1', \"true\", 'null', '', \"~\"]", "[\"1\", \"true\", \"null\", \"\", \"~\"]"},
    {"blocks make text", "a: |\n  1\nb: >-\n  true\n", "{\"a\": \"1\\n\", \"b\": \"true\"}"},
    {"keys are text", "1: a\ntrue: b\nnull: c\n12:30: d\n",
     "{\"1\": \"a\", \"true\": \"b\", \"null\": \"c\", \"12:30\": \"d\"}"},
    {"quoted merge sign", "'<<': 1", "{\"<<\": 1}"},
    {"one document, marked", "%YAML 1.2\n---\na: 1\n...\n", "{\"a\": 1}"},
    {"scalar root", "hello", "\"hello\""},
    {"only a marker", "---\n", "null"},
    {"byte order mark",
     "\xef\xbb\xbf"
     "a: 1",
     "{\"a\": 1}"},
    {"CR LF", "a: 1\r\nb:\r\n  - x\r\n", "{\"a\": 1, \"b\": [\"x\"]}"},
    {"letters of the world", "gr\xc3\xbc\xc3\x9f: \"\\u00e9 \xf0\x9f\x93\xac\"",
     "{\"gr\xc3\xbc\xc3\x9f\": \"\\u00e9 \xf0\x9f\x93\xac\"}"},
    {"JSON is YAML", "{\"a\": [1, 2.5, \"x\", null, true], \"b\": {}}",
     "{\"a\": [1, 2.5, \"x\", null, true], \"b\": {}}"},
    {"a comment", "a: 1 # one\n# two\nb: '#3'\n", "{\"a\": 1, \"b\": \"#3\"}"},
};

static void test_same(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(same); i++) {
    print_message("%s\n", same[i].id);
    g_autoptr(GError) error = NULL;
    g_autoptr(doc_auto) yaml = doc_parse_yaml(same[i].yaml, strlen(same[i].yaml), "y", &error);
    if (!yaml) fail_msg("%s", error->message);
    g_autoptr(doc_auto) json = doc_parse_json(same[i].json, strlen(same[i].json), "j", &error);
    if (!json) fail_msg("%s", error->message);
    if (!json_equal(doc_root(yaml), doc_root(json))) {
      char *got = json_dumps(doc_root(yaml), JSON_ENCODE_ANY);
      fail_msg("is %s", got);
    }
  }
}

static const struct {
  const char *id, *text;
  int code;
  const char *message; /* begins so; NULL: any */
} refused_yaml[] = {
    {"empty", "", TIDINGS_ERROR_INPUT, "f.yaml:1: the document is empty"},
    {"only a comment", "# nothing\n", TIDINGS_ERROR_INPUT, "f.yaml:1: the document is empty"},
    {"duplicate key", "a: 1\nb: 2\n\na: 3\n", TIDINGS_ERROR_INPUT,
     "f.yaml:4: the key \"a\" is here for the second time; the first has its value on line 1"},
    {"duplicate key, spelled otherwise", "1: x\n'1': y\n", TIDINGS_ERROR_INPUT, "f.yaml:2: the key \"1\""},
    {"duplicate key, long and strange",
     "\"\\n\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"
     "\u00e9\u00e9\u00e9\u00e9\u00e9"
     "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\": "
     "1\n\"\\n\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"
     "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"
     "\u00e9\u00e9\u00e9\u00e9"
     "\u00e9\u00e9\u00e9\": 2\n",
     TIDINGS_ERROR_INPUT, "f.yaml:2: the key \" \u00e9\u00e9"},
    {"duplicate with null", "a:\na:\n", TIDINGS_ERROR_INPUT, "f.yaml:2: the key \"a\""},
    {"anchor", "a: 1\nb: &x 1\n", TIDINGS_ERROR_INPUT, "f.yaml:2: anchors"},
    {"anchor of a key", "a: 1\n&x b: 1\n", TIDINGS_ERROR_INPUT, "f.yaml:2: anchors"},
    {"alias", "a: 1\nb: *x\n", TIDINGS_ERROR_INPUT, "f.yaml:2: anchors"},
    {"anchored list", "a: &l [1]\n", TIDINGS_ERROR_INPUT, "f.yaml:1: anchors"},
    {"anchored map", "a: &m {b: 1}\n", TIDINGS_ERROR_INPUT, "f.yaml:1: anchors"},
    {"billion laughs", "a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n", TIDINGS_ERROR_INPUT, "f.yaml:1: anchors"},
    {"merge key", "a:\n  <<: {b: 1}\n", TIDINGS_ERROR_INPUT, "f.yaml:2: merge keys"},
    {"tag", "a: !!str 1\n", TIDINGS_ERROR_INPUT, "f.yaml:1: tags"},
    {"local tag", "a: !env HOME\n", TIDINGS_ERROR_INPUT, "f.yaml:1: tags"},
    {"second document", "a: 1\n---\nb: 1\n", TIDINGS_ERROR_INPUT, "f.yaml:2: a second document"},
    {"list as key", "? [a]\n: 1\n", TIDINGS_ERROR_INPUT, "f.yaml:1: a key must be text"},
    {"tab", "a:\n\tb: 1\n", TIDINGS_ERROR_INPUT, "f.yaml:2: indented with a tab; use spaces"},
    {"tab after spaces", "a:\n  b: 1\n  \tc: 1\n", TIDINGS_ERROR_INPUT, "f.yaml:3: indented with a tab"},
    {"wrong indent", "a: 1\n  b: 2\n", TIDINGS_ERROR_INPUT,
     "f.yaml:2: cannot read this as YAML: mapping values"},
    {"open bracket", "a:\n  - [1, 2\nb: 3\n", TIDINGS_ERROR_INPUT, "f.yaml:3: cannot read this as YAML"},
    {"open quote", "a: 'x\nb: 1\n", TIDINGS_ERROR_INPUT, "f.yaml:2: cannot read this as YAML"},
    {"control character", "a: 1\nb: \x01\n", TIDINGS_ERROR_INPUT, "f.yaml:2: a control character"},
    {"NUL in quotes", "a: 1\nb: \"x\\0y\"\n", TIDINGS_ERROR_INPUT, "f.yaml:2: a NUL character"},
    {"NUL in a key", "\"x\\0y\": 1\n", TIDINGS_ERROR_INPUT, "f.yaml:1: a NUL character"},
    {"not UTF-8", "a: 1\nb: \xff\n", TIDINGS_ERROR_INPUT, "f.yaml:2: not UTF-8"},
    {"Latin-1", "a: gr\xfc\xdf\n", TIDINGS_ERROR_INPUT, "f.yaml:1: not UTF-8"},
    {"huge number", "a: 99999999999999999999\n", TIDINGS_ERROR_INPUT, "f.yaml:1: the number 9999"},
    {"infinite", "a: 1e999\n", TIDINGS_ERROR_INPUT, "f.yaml:1: the number 1e999"},
    {"infinity", "a: .inf\n", TIDINGS_ERROR_INPUT, "f.yaml:1: the number .inf"},
    {"not a number", "a: .NaN\n", TIDINGS_ERROR_INPUT, "f.yaml:1: the number .NaN"},
};

static const struct {
  const char *id, *text;
  int code;
  const char *message;
} refused_json[] = {
    {"empty", "", TIDINGS_ERROR_INPUT, "f.json:1: cannot read this as JSON"},
    {"duplicate key", "{\"a\": 1,\n\"b\": 2,\n\"a\": 3}", TIDINGS_ERROR_INPUT,
     "f.json:3: cannot read this as JSON: duplicate object key"},
    {"comma at the end", "{\"a\": 1,\n}", TIDINGS_ERROR_INPUT, "f.json:2: "},
    {"two values", "{}\n{}", TIDINGS_ERROR_INPUT, "f.json:2: "},
    {"NUL escape", "[\n\"\\u0000\"]", TIDINGS_ERROR_INPUT, "f.json:2: a NUL character (\\u0000)"},
    {"lone surrogate", "[\n\"\\ud800\"]", TIDINGS_ERROR_INPUT, "f.json:2: "},
    {"huge number", "[\n99999999999999999999]", TIDINGS_ERROR_INPUT, "f.json:2: "},
    {"infinite", "[1e999]", TIDINGS_ERROR_INPUT, "f.json:1: "},
    {"YAML", "a: 1", TIDINGS_ERROR_INPUT, "f.json:1: "},
    {"not UTF-8", "[\n\"\xff\"]", TIDINGS_ERROR_INPUT, "f.json:2: not UTF-8"},
    {"open at the end of a line", "{\n", TIDINGS_ERROR_INPUT, "f.json:1: "},
    {"open", "[[[", TIDINGS_ERROR_INPUT, "f.json:1: "},
};

static void check_refused(const char *id, struct doc *doc, const GError *error, int code, const char *message)
{
  print_message("%s: %s\n", id, error ? error->message : "accepted");
  assert_null(doc);
  assert_true(g_error_matches(error, TIDINGS_ERROR, code));
  if (message && !g_str_has_prefix(error->message, message)) fail_msg("expected: %s", message);
}

static void test_refused(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(refused_yaml); i++) {
    g_autoptr(GError) error = NULL;
    struct doc *doc = doc_parse_yaml(refused_yaml[i].text, strlen(refused_yaml[i].text), "f.yaml", &error);
    check_refused(refused_yaml[i].id, doc, error, refused_yaml[i].code, refused_yaml[i].message);
  }
  for (size_t i = 0; i < G_N_ELEMENTS(refused_json); i++) {
    g_autoptr(GError) error = NULL;
    struct doc *doc = doc_parse_json(refused_json[i].text, strlen(refused_json[i].text), "f.json", &error);
    check_refused(refused_json[i].id, doc, error, refused_json[i].code, refused_json[i].message);
  }
  g_autoptr(GError) error = NULL;
  struct doc *doc = doc_parse_yaml("a: 1\n\0", 6, "f", &error);
  check_refused("NUL byte", doc, error, TIDINGS_ERROR_INPUT, "f:2: a NUL byte");
}

/* Texts made of one piece again and again: up to a cap they are read, and beyond it
 * refused, in no time. */
static void test_caps(void **state)
{
  (void)state;
  static const struct {
    const char *id, *before, *piece;
    int count;
    const char *after;
    int after_count;
    bool is_yaml;
    int code; /* -1: accepted */
  } rows[] = {
      {"64 deep", "", "[", 64, "]", 64, true, -1},
      {"65 deep", "", "[", 65, "]", 65, true, TIDINGS_ERROR_LIMIT},
      {"64 deep in JSON", "", "[", 64, "]", 64, false, -1},
      {"65 deep in JSON", "", "[", 65, "]", 65, false, TIDINGS_ERROR_LIMIT},
      {"a million brackets", "", "[", 1000000, "", 0, true, TIDINGS_ERROR_LIMIT},
      {"a million brackets in JSON", "", "[", 1000000, "", 0, false, TIDINGS_ERROR_LIMIT},
      {"a million braces", "", "{", 1000000, "", 0, true, TIDINGS_ERROR_INPUT},
      {"maps in maps", "", "{a: ", 200000, "", 0, true, TIDINGS_ERROR_LIMIT},
      {"a million opening quotes", "", "'", 1000001, "", 0, true, TIDINGS_ERROR_INPUT},
      {"anchors", "", "&a ", 300000, "", 0, true, TIDINGS_ERROR_INPUT},
      {"tags", "", "!a ", 300000, "", 0, true, TIDINGS_ERROR_INPUT},
      {"flow items", "[", "a,", 90000, "]", 1, true, -1},
      {"flow keys", "{", "? a", 200000, "}", 1, true, -1},
      {"open keys", "[", "a ", 400000, ": b]", 1, true, TIDINGS_ERROR_INPUT},
      {"more and more indent", "", "? - ", 200000, "", 0, true, TIDINGS_ERROR_INPUT},
      {"directives", "", "%TAG !a! b\n", 90000, "", 0, true, TIDINGS_ERROR_INPUT},
      {"half a million dashes", "", "- ", 500000, "", 0, true, TIDINGS_ERROR_LIMIT},
      {"half a million question marks", "", "? ", 500000, "", 0, true, TIDINGS_ERROR_INPUT},
      {"a million spaces", "a:", " ", 1000000, "1", 1, true, -1},
      {"half a million lines", "", "#\n", 500000, "1", 1, true, -1},
      {"90,000 items", "", "- 1\n", 90000, "", 0, true, -1},
      {"too many items", "", "- 1\n", 100001, "", 0, true, TIDINGS_ERROR_LIMIT},
      {"too many items in JSON", "[", "1,", 100001, "1]", 1, false, TIDINGS_ERROR_LIMIT},
      {"a long word", "", "a", 1000000, "", 0, true, -1},
      {"a long key", "", "a", 1000000, ": 1", 1, true, TIDINGS_ERROR_INPUT},
      {"an open quote", "'", "a\n", 500000, "", 0, true, TIDINGS_ERROR_INPUT},
      {"a megabyte and one", "", "a", 1048577, "", 0, true, TIDINGS_ERROR_LIMIT},
      {"a megabyte and one of JSON", "", " ", 1048577, "", 0, false, TIDINGS_ERROR_LIMIT},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) text = g_string_new(rows[i].before);
    for (int n = 0; n < rows[i].count; n++)
      g_string_append(text, rows[i].piece);
    for (int n = 0; n < rows[i].after_count; n++)
      g_string_append(text, rows[i].after);
    gint64 start = g_get_monotonic_time();
    g_autoptr(doc_auto) doc = rows[i].is_yaml ? doc_parse_yaml(text->str, text->len, "f", &error)
                                              : doc_parse_json(text->str, text->len, "f", &error);
    gint64 took = g_get_monotonic_time() - start;
    print_message("%s: %s, %d ms\n", rows[i].id, error ? error->message : "accepted", (int)(took / 1000));
    if (rows[i].code < 0)
      assert_non_null(doc);
    else
      assert_true(g_error_matches(error, TIDINGS_ERROR, rows[i].code));
    assert_true(took < 20 * G_USEC_PER_SEC);
  }
}

static const char workflow[] = "# a comment\n"
                               "name: welcome\n"          /* 2 */
                               "trigger:\n"               /* 3 */
                               "  subscribed:\n"          /* 4 */
                               "    list: news\n"         /* 5 */
                               "steps:\n"                 /* 6 */
                               "\n"                       /* 7 */
                               "  - send: hello\n"        /* 8 */
                               "    subject: >\n"         /* 9 */
                               "      Two\n"              /* 10 */
                               "      lines\n"            /* 11 */
                               "  - wait: {days: 2,\n"    /* 12 */
                               "           at: 09:00}\n"  /* 13 */
                               "  -\n"                    /* 14 */
                               "    exit:\n"              /* 15 */
                               "a/b: {'m~n': 1, '': 2}\n" /* 16 */
                               "ls: '\xe2\x80\xa8'\n"     /* 17: a line separator is no line */
                               "last: true\n";            /* 18 */

static const char workflow_json[] = "\n{\n"                               /* 2 */
                                    " \"name\" : \"a \\\"quoted\\\\\",\n" /* 3 */
                                    " \"steps\": [ {\"send\": 1},\n"      /* 4 */
                                    "  {}, [],\n"                         /* 5 */
                                    "  {\"wait\":\n"                      /* 6 */
                                    "    {\"z\": 1, \"b\": -2.5e1,\n"     /* 7 */
                                    "     \"a\": null}}\n"                /* 8 */
                                    " ],\n"                               /* 9 */
                                    " \"last\": true\n"                   /* 10 */
                                    "}\n";

static void check_line(const struct doc *doc, const char *pointer, unsigned line)
{
  print_message("%s\n", pointer);
  assert_int_equal(doc_line(doc, pointer), line);
}

static void test_lines(void **state)
{
  (void)state;
  static const struct {
    const char *pointer;
    unsigned line;
  } rows[] = {{"", 2},
              {"/name", 2},
              {"/trigger", 4},
              {"/trigger/subscribed", 5},
              {"/trigger/subscribed/list", 5},
              {"/steps", 8},
              {"/steps/0", 8},
              {"/steps/0/subject", 9},
              {"/steps/1/wait", 12},
              {"/steps/1/wait/days", 12},
              {"/steps/1/wait/at", 13},
              {"/steps/2", 15},
              {"/steps/2/exit", 15},
              {"/a~1b/m~0n", 16},
              {"/a~1b/", 16},
              {"/last", 18},
              /* The nearest value that there is. */
              {"/steps/1/wait/hours", 12},
              {"/steps/1/wait/at/x/y", 13},
              {"/steps/3", 8},
              {"/steps/x", 8},
              {"/steps/01x", 8},
              {"/nothing/here", 2},
              {"no pointer", 2}};
  g_autoptr(GError) error = NULL;
  g_autoptr(doc_auto) doc = doc_parse_yaml(workflow, strlen(workflow), "w.yaml", &error);
  if (!doc) fail_msg("%s", error->message);
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
    check_line(doc, rows[i].pointer, rows[i].line);
  doc_error(doc, &error, "/steps/1/wait/at", "\"%s\" is not a time of day", "9");
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
  assert_string_equal(error->message, "w.yaml:13: \"9\" is not a time of day");
}

static void test_json_lines(void **state)
{
  (void)state;
  static const struct {
    const char *pointer;
    unsigned line;
  } rows[] = {
      {"", 2},         {"/name", 3},    {"/steps", 4},        {"/steps/0/send", 4},   {"/steps/1", 5},
      {"/steps/2", 5}, {"/steps/3", 6}, {"/steps/3/wait", 7}, {"/steps/3/wait/b", 7}, {"/steps/3/wait/a", 8},
      {"/last", 10}};
  g_autoptr(GError) error = NULL;
  g_autoptr(doc_auto) doc = doc_parse_json(workflow_json, strlen(workflow_json), "w.json", &error);
  if (!doc) fail_msg("%s", error->message);
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
    check_line(doc, rows[i].pointer, rows[i].line);
}

/* Cut anywhere, a document is read or refused, and a refusal names a line that is there. */
static void test_cut_everywhere(void **state)
{
  (void)state;
  for (size_t length = 0; length <= strlen(workflow); length++) {
    g_autofree char *exact = g_memdup2(workflow, length);
    g_autoptr(GError) error = NULL;
    g_autoptr(doc_auto) doc = doc_parse_yaml(exact, length, "f", &error);
    if (!doc == !error) fail_msg("cut at %zu", length);
    if (error &&
        (strncmp(error->message, "f:", 2) || atoi(error->message + 2) < 1 || atoi(error->message + 2) > 19))
      fail_msg("cut at %zu: %s", length, error->message);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_same),  cmocka_unit_test(test_refused),    cmocka_unit_test(test_caps),
      cmocka_unit_test(test_lines), cmocka_unit_test(test_json_lines), cmocka_unit_test(test_cut_everywhere),
  };
  return cmocka_run_group_tests_name("doc", tests, NULL, NULL);
}
