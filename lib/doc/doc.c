/* A tree of values that knows its lines. A value is named by the container it is in
 * and its key or index there, since jansson shares null, true and false and a pointer
 * to a value does not tell which one it is. Paths are not kept: with long keys they
 * would grow with the square of the document. */

#include "doc/tree.h"

#include <string.h>

struct place {
  const json_t *parent;
  const char *key; /* NULL: `index` counts */
  size_t index;
  unsigned line;
};

static unsigned place_hash(const void *data)
{
  const struct place *place = data;
  return g_direct_hash(place->parent) * 31 + (place->key ? g_str_hash(place->key) : (unsigned)place->index);
}

static gboolean place_equal(const void *a, const void *b)
{
  const struct place *x = a, *y = b;
  return x->parent == y->parent && !x->key == !y->key &&
         (x->key ? !strcmp(x->key, y->key) : x->index == y->index);
}

struct doc *doc_new(const char *name)
{
  struct doc *doc = g_new0(struct doc, 1);
  doc->name = g_strdup(name);
  doc->places = g_hash_table_new_full(place_hash, place_equal, g_free, NULL);
  doc->keys = g_string_chunk_new(1024);
  return doc;
}

void doc_free(struct doc *doc)
{
  if (!doc) return;
  json_decref(doc->root);
  g_hash_table_unref(doc->places);
  g_string_chunk_free(doc->keys);
  g_free(doc->name);
  g_free(doc);
}

bool doc_place(struct doc *doc, const json_t *parent, const char *key, size_t index, unsigned line,
               GError **error)
{
  if (g_hash_table_size(doc->places) >= DOC_VALUES_MAX)
    return doc_fail(doc, error, TIDINGS_ERROR_LIMIT, line, "more than %d values", DOC_VALUES_MAX);
  struct place place = {parent, key ? g_string_chunk_insert(doc->keys, key) : NULL, index, line};
  g_hash_table_add(doc->places, g_memdup2(&place, sizeof place));
  return true;
}

unsigned doc_place_line(const struct doc *doc, const json_t *parent, const char *key, size_t index)
{
  struct place wanted = {parent, key, index, 0};
  const struct place *place = g_hash_table_lookup(doc->places, &wanted);
  return place ? place->line : 0;
}

static bool fail_with(const struct doc *doc, GError **error, int code, unsigned line, const char *format,
                      va_list arguments)
{
  g_autofree char *message = g_strdup_vprintf(format, arguments);
  g_set_error(error, TIDINGS_ERROR, code, "%s:%u: %s", doc->name, line, message);
  return false;
}

bool doc_fail(const struct doc *doc, GError **error, int code, unsigned line, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  fail_with(doc, error, code, line, format, arguments);
  va_end(arguments);
  return false;
}

void doc_error(const struct doc *doc, GError **error, const char *pointer, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  fail_with(doc, error, TIDINGS_ERROR_INPUT, doc_line(doc, pointer), format, arguments);
  va_end(arguments);
}

unsigned doc_line_of_byte(const char *bytes, size_t offset)
{
  unsigned line = 1;
  for (size_t i = 0; i < offset; i++)
    line += bytes[i] == '\n';
  return line;
}

bool doc_check_bytes(const struct doc *doc, const char *bytes, size_t length, GError **error)
{
  if (length > DOC_BYTES_MAX)
    return doc_fail(doc, error, TIDINGS_ERROR_LIMIT, 1, "larger than %d bytes", DOC_BYTES_MAX);
  const char *wrong = memchr(bytes, 0, length);
  if (wrong)
    return doc_fail(doc, error, TIDINGS_ERROR_INPUT, doc_line_of_byte(bytes, (size_t)(wrong - bytes)),
                    "a NUL byte; this is not a text file");
  if (!g_utf8_validate_len(bytes, length, &wrong))
    return doc_fail(doc, error, TIDINGS_ERROR_INPUT, doc_line_of_byte(bytes, (size_t)(wrong - bytes)),
                    "not UTF-8; save the file in that encoding");
  return true;
}

json_t *doc_root(const struct doc *doc)
{
  return doc->root;
}

const char *doc_name(const struct doc *doc)
{
  return doc->name;
}

/* The next step of a JSON pointer, without its escapes; moves *POINTER behind it. */
static char *take_step(const char **pointer)
{
  GString *step = g_string_new(NULL);
  const char *p = *pointer + 1;
  for (; *p && *p != '/'; p++) {
    if (p[0] == '~' && (p[1] == '0' || p[1] == '1'))
      g_string_append_c(step, *++p == '0' ? '~' : '/');
    else
      g_string_append_c(step, *p);
  }
  *pointer = p;
  return g_string_free(step, false);
}

/* STEP as an index of ARRAY; its length if it is none. */
static size_t to_index(const json_t *array, const char *step)
{
  guint64 index;
  size_t size = json_array_size(array);
  if (!g_ascii_string_to_unsigned(step, 10, 0, G_MAXUINT32, &index, NULL)) return size;
  return index < size ? (size_t)index : size;
}

unsigned doc_line(const struct doc *doc, const char *pointer)
{
  const json_t *value = doc->root;
  unsigned line = doc_place_line(doc, NULL, NULL, 0);
  while (*pointer == '/') {
    g_autofree char *step = take_step(&pointer);
    bool is_array = json_is_array(value);
    size_t index = to_index(value, step);
    unsigned here = doc_place_line(doc, value, is_array ? NULL : step, is_array ? index : 0);
    if (!here) break;
    line = here;
    value = is_array ? json_array_get(value, index) : json_object_get(value, step);
  }
  return line;
}
