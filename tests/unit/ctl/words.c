/* The words of the command line: options, arguments, pairs, and what was meant. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/error.h"
#include "ctl/nearest.h"
#include "ctl/pair.h"
#include "ctl/usage.h"

enum { WORDS = 8 };

/* --- a sub-command's words: one or two arguments, --text, --flag --- */

static const struct usage usage = {"test run", "ONE [TWO]", 1, 2, "Tests.", "tidings test run x"};

static const struct {
  const char *name;
  const char *words[WORDS]; /* behind the command's name */
  const char *shown;        /* "text;flag;json;file;arguments", or NULL: wrong */
} rows[] = {
    {"one", {"a"}, "-;0;0;-;a"},
    {"two", {"a", "b"}, "-;0;0;-;a b"},
    {"none", {NULL}, NULL},
    {"three", {"a", "b", "c"}, NULL},
    {"options anywhere", {"--flag", "a", "--text", "x", "b"}, "x;1;0;-;a b"},
    {"with =", {"--text=x=y", "a"}, "x=y;0;0;-;a"},
    {"empty text", {"--text", "", "a"}, ";0;0;-;a"},
    {"bytes as they are", {"--text", "\xff", "\xc3"}, "\xff;0;0;-;\xc3"},
    {"what all have", {"a", "--json", "-c", "f"}, "-;0;1;f;a"},
    {"behind --", {"--", "--text", "-c"}, "-;0;0;-;--text -c"},
    {"the standard input", {"-"}, "-;0;0;-;-"},
    {"unknown", {"--nope", "a"}, NULL},
    {"no value", {"a", "--text"}, NULL},
};

static char *read_row(struct app *app, size_t row, GError **error)
{
  g_autofree char *text = NULL;
  gboolean flag = FALSE;
  const GOptionEntry options[] = {
      {"text", 0, 0, G_OPTION_ARG_FILENAME, &text, "A text", "TEXT"},
      {"flag", 0, 0, G_OPTION_ARG_NONE, &flag, "A flag", NULL},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  char *argv[WORDS + 2] = {(char *)(uintptr_t) "run"};
  int argc = 1;
  for (; rows[row].words[argc - 1]; argc++)
    argv[argc] = (char *)(uintptr_t)rows[row].words[argc - 1];
  char **words = usage_read(app, &usage, options, argc, argv, error);
  if (!words) return NULL;
  g_autofree char *joined = g_strjoinv(" ", words);
  return g_strdup_printf("%s;%d;%d;%s;%s", text ? text : "-", flag, app->json, app->file ? app->file : "-",
                         joined);
}

static void test_usage(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    struct app app = {0};
    GError *error = NULL;
    g_autofree char *shown = read_row(&app, i, &error);
    if (g_strcmp0(shown, rows[i].shown) != 0)
      fail_msg("%s: <%s> %s", rows[i].name, shown ? shown : "wrong", error ? error->message : "");
    assert_true(shown || error->domain == G_OPTION_ERROR);
    assert_int_equal(app_end(&app, shown != NULL, error), shown ? EX_OK : EX_USAGE);
  }
}

static void test_global(void **state)
{
  (void)state;
  char *words[] = {(char *)(uintptr_t) "tidings",
                   (char *)(uintptr_t) "-c",
                   (char *)(uintptr_t) "f",
                   (char *)(uintptr_t) "--json",
                   (char *)(uintptr_t) "show",
                   (char *)(uintptr_t) "--nope",
                   NULL};
  int argc = (int)G_N_ELEMENTS(words) - 1;
  char **argv = words;
  struct app app = {0};
  assert_true(usage_global(&app, &argc, &argv, NULL));
  assert_int_equal(argc, 3);
  assert_string_equal(argv[1], "show");
  assert_string_equal(app.file, "f");
  assert_true(app.json);
  assert_int_equal(app_end(&app, true, NULL), EX_OK);
}

/* --- exit statuses --- */

static void test_status(void **state)
{
  (void)state;
  static const struct {
    int kind, status;
  } kinds[] = {{TIDINGS_ERROR_INPUT, EX_DATAERR},    {TIDINGS_ERROR_LIMIT, EX_DATAERR},
               {TIDINGS_ERROR_TEMP, EX_TEMPFAIL},    {TIDINGS_ERROR_SYS, EX_OSERR},
               {TIDINGS_ERROR_NOTFOUND, EX_DATAERR}, {TIDINGS_ERROR_DENIED, EX_NOPERM}};
  for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
    struct app app = {0}, told = {.status = EX_UNAVAILABLE};
    assert_int_equal(app_end(&app, false, g_error_new(TIDINGS_ERROR, kinds[i].kind, "row %zu", i)),
                     kinds[i].status);
    assert_int_equal(app_end(&told, false, g_error_new(TIDINGS_ERROR, kinds[i].kind, "row %zu", i)),
                     EX_UNAVAILABLE);
  }
}

static void test_no_policyd(void **state)
{
  (void)state;
  static const char conf[] = "run = \"/nonexistent\"\n";
  struct app app = {0};
  GError *error = NULL;
  app.conf = conf_parse("test", conf, strlen(conf), &error);
  assert_non_null(app.conf);
  assert_false(app_ask(&app, "status", json_object(), NULL, NULL, NULL, &error));
  assert_non_null(strstr(error->message, "is tidings-policyd running?"));
  assert_int_equal(app_end(&app, false, error), EX_UNAVAILABLE);
}

/* --- pairs --- */

static const struct {
  const char *word, *json; /* NULL: wrong */
} pairs[] = {
    {"a=b", "{\"a\":\"b\"}"},
    {"a=", "{\"a\":\"\"}"},
    {"a=b=c", "{\"a\":\"b=c\"}"},
    {"a:=1.5", "{\"a\":1.5}"},
    {"a:=[1,null]", "{\"a\":[1,null]}"},
    {"a:=\"x\"", "{\"a\":\"x\"}"},
    {"a:b=c", "{\"a:b\":\"c\"}"},
    {"a:=x", NULL},
    {"a:=", NULL},
    {"a", NULL},
    {"=b", NULL},
    {":=1", "{\":\":\"1\"}"},
    {"\xff=b", NULL},
    {"a=\xff", NULL},
};

static void test_pairs(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
    g_autoptr(GError) error = NULL;
    json_t *object = json_object();
    bool good = pair_add(object, "--field", pairs[i].word, &error);
    char *text = json_dumps(object, JSON_COMPACT);
    if (good != (pairs[i].json != NULL) || (good && strcmp(text, pairs[i].json) != 0))
      fail_msg("%s: %s %s", pairs[i].word, text, error ? error->message : "");
    if (good) assert_false(pair_add(object, "--field", pairs[i].word, NULL)); /* twice */
    free(text);
    json_decref(object);
  }
}

/* --- what was meant --- */

static const struct {
  const char *word, *meant;
} meant[] = {
    {"tennant", "tenant"}, {"tenatn", "tenant"},     {"contac", "contact"},
    {"work", "workflow"},  {"reprot", "report"},     {"evens", "event"},
    {"x", NULL},           {"zzzzzz", NULL},         {"", NULL},
    {"xy", NULL},          {"wrokflwo", "workflow"},
};

static void test_nearest(void **state)
{
  (void)state;
  static const char *const words[] = {"tenant", "contact", "workflow", "event", "events", "report"};
  g_autoptr(GPtrArray) choices = g_ptr_array_new();
  for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
    g_ptr_array_add(choices, (void *)(uintptr_t)words[i]);
  for (size_t i = 0; i < G_N_ELEMENTS(meant); i++) {
    const char *nearest = nearest_word(meant[i].word, choices);
    if (g_strcmp0(nearest, meant[i].meant) != 0) fail_msg("%s: %s", meant[i].word, nearest);
  }
  g_autofree char *endless = g_strnfill(1000, 't');
  assert_null(nearest_word(endless, choices));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_usage),      cmocka_unit_test(test_global), cmocka_unit_test(test_status),
      cmocka_unit_test(test_no_policyd), cmocka_unit_test(test_pairs),  cmocka_unit_test(test_nearest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
