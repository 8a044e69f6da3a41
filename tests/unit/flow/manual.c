/* tidings-workflow(5) against the language: every key of the tables has its item, and every
 * example is understood. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "doc/doc.h"
#include "flow/table.h"
#include "message/message.h"

static char *page;

static int read_page(void **state)
{
  (void)state;
  const char *source = g_getenv("TIDINGS_SOURCE");
  g_autofree char *path = g_build_filename(source ? source : ".", "policyd/tidings-workflow.5", NULL);
  return g_file_get_contents(path, &page, NULL, NULL) ? 0 : -1;
}

static int free_page(void **state)
{
  (void)state;
  g_free(page);
  return 0;
}

/* ---- keys ---- */

static int check_keys(const char *keys)
{
  g_auto(GStrv) all = g_strsplit(keys, " ", -1);
  int count = 0;
  for (char **key = all; *key && **key; key++, count++) {
    g_autofree char *item = g_strdup_printf("\n.It Ic %s\n", *key);
    print_message("%s\n", *key);
    assert_non_null(strstr(page, item));
  }
  return count;
}

static void test_keys(void **state)
{
  (void)state;
  int count = check_keys(FLOW_HEAD_KEYS);
  g_autoptr(GString) steps = g_string_new(NULL);
#define STEP(symbol, key, function, keys) g_string_append(steps, " " keys);
#include "flow/steps.def"
#undef STEP
  for (const char *p = steps->str; *p; p += strcspn(p, " ")) {
    p++;
    g_autofree char *key = g_strndup(p, strcspn(p, " "));
    if (strcmp(key, "name") != 0) count += check_keys(key); /* the page says it of all steps at once */
  }
  for (size_t i = 0; i < flow_pattern_row_count; i++)
    count += check_keys(flow_pattern_rows[i].key) + check_keys(flow_pattern_rows[i].members);
  print_message("count: %d keys are in the page\n", count);
  assert_non_null(strstr(page, ".Ic name ,\nby which others lead to it"));
}

/* ---- examples ---- */

/* Whether a line of TEXT begins with WORD. */
static bool has_line(const char *text, const char *word)
{
  g_autofree char *lines = g_strdup_printf("\n%s", text), *line = g_strdup_printf("\n%s", word);
  return strstr(lines, line) != NULL;
}

/* What an example leaves out. */
static char *completed(const char *example)
{
  if (*example == '-') {
    g_auto(GStrv) lines = g_strsplit(example, "\n", -1);
    g_autofree char *indented = g_strjoinv("\n  ", lines);
    return g_strdup_printf("workflow: w\ntrigger: {event: x}\nsteps:\n%s  %s\n  - wait: 1 day\n"
                           "  - {name: remind, send: remind.eml}\n  - {name: thanks, send: thanks.eml}\n",
                           strstr(example, "name: hello") ? "" : "  - {name: hello, send: hello.eml}\n",
                           indented);
  }
  return g_strdup_printf("%s%s%s%s", has_line(example, "workflow:") ? "" : "workflow: w\n", example,
                         has_line(example, "trigger:") ? "" : "trigger: {event: x}\n",
                         has_line(example, "steps:") ? "" : "steps: [exit]\n");
}

static void check_example(const char *example)
{
  g_autoptr(GError) error = NULL;
  print_message("%s", example);
  if (has_line(example, "Subject:")) {
    g_autoptr(message_auto) message =
        message_compile((const uint8_t *)example, strlen(example), "message", &error);
    if (error) print_message("  %s\n", error->message);
    assert_non_null(message);
    return;
  }
  g_autofree char *yaml = completed(example);
  g_autoptr(doc_auto) document = doc_parse_yaml(yaml, strlen(yaml), "example", &error);
  g_autoptr(flow_auto) flow = document ? flow_compile(document, NULL, &error) : NULL;
  if (error) print_message("  %s\n", error->message);
  assert_non_null(flow);
}

static void test_examples(void **state)
{
  (void)state;
  int count = 0;
  for (const char *p = page; (p = strstr(p, "\n.Bd -literal")); count++) {
    p = strchr(p + 1, '\n') + 1;
    const char *end = strstr(p, ".Ed\n");
    assert_non_null(end);
    g_autofree char *example = g_strndup(p, (gsize)(end - p));
    check_example(example);
    p = end;
  }
  print_message("count: %d examples are understood\n", count);
  assert_true(count >= 20);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys), cmocka_unit_test(test_examples)};
  return cmocka_run_group_tests_name("flow manual", tests, read_page, free_page);
}
