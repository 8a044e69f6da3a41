/* Documents: never a crash; the same bytes make the same tree; every value has a line
 * within the text, not before that of the value it is in; every error names one too.
 * The first byte chooses the language. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "doc/doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct doc *parser(const char *bytes, size_t length, const char *name, GError **error);

/* POINTER of a value, grown and shrunk while the tree is walked. */
static void check_lines(const struct doc *doc, const json_t *value, GString *pointer, unsigned least,
                        unsigned lines)
{
  size_t length = pointer->len;
  unsigned line = doc_line(doc, pointer->str);
  g_assert_true(line >= least && line <= lines);
  if (length > 2000) return; /* long keys make long pointers */
  const char *key;
  json_t *child;
  json_object_foreach((json_t *)value, key, child)
  {
    g_string_append_c(pointer, '/');
    for (const char *p = key; *p; p++)
      if (*p == '~' || *p == '/')
        g_string_append(pointer, *p == '~' ? "~0" : "~1");
      else
        g_string_append_c(pointer, *p);
    check_lines(doc, child, pointer, line, lines);
    g_string_truncate(pointer, length);
  }
  for (size_t i = 0; i < json_array_size(value); i++) {
    g_string_append_printf(pointer, "/%zu", i);
    check_lines(doc, json_array_get(value, i), pointer, line, lines);
    g_string_truncate(pointer, length);
  }
}

static void check_error(const GError *error, unsigned lines)
{
  g_assert_true(error && error->domain == TIDINGS_ERROR);
  g_assert_true(error->code == TIDINGS_ERROR_INPUT || error->code == TIDINGS_ERROR_LIMIT);
  g_assert_true(g_utf8_validate(error->message, -1, NULL));
  g_assert_true(g_str_has_prefix(error->message, "name:"));
  unsigned long line = strtoul(error->message + 5, NULL, 10);
  g_assert_true(line >= 1 && line <= lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (!size) return 0;
  parser *parse = data[0] == '{' ? doc_parse_json : doc_parse_yaml;
  const char *bytes = (const char *)data + (data[0] != '{');
  size_t length = size - (data[0] != '{');
  unsigned lines = 1;
  for (size_t i = 0; i + 1 < length; i++)
    lines += bytes[i] == '\n';
  g_autoptr(GError) error = NULL;
  g_autoptr(doc_auto) doc = parse(bytes, length, "name", &error);
  g_autoptr(doc_auto) again = parse(bytes, length, "name", NULL);
  g_assert_true(!doc == !again);
  if (doc) {
    g_autoptr(GString) pointer = g_string_new(NULL);
    g_assert_true(json_equal(doc_root(doc), doc_root(again)));
    check_lines(doc, doc_root(doc), pointer, 1, lines);
  } else {
    check_error(error, lines);
  }
  return 0;
}
