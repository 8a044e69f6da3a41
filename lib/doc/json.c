/* JSON documents. jansson reads the text and judges it; then a second, much simpler
 * walk goes over the same text beside the finished tree and notes the lines. It may
 * trust the text, because jansson has accepted it, and jansson keeps the members of
 * an object in the order of the text. */

#include "doc/tree.h"

#include <string.h>

/* The walk. */
struct walk {
  struct doc *doc;
  const char *p, *end;
  unsigned line;
  GError **error;
};

static void skip_space(struct walk *walk)
{
  for (; walk->p < walk->end && strchr(" \t\r\n", *walk->p); walk->p++)
    walk->line += *walk->p == '\n';
}

/* One of the characters between values, and the space before it. */
static void skip_mark(struct walk *walk)
{
  skip_space(walk);
  if (walk->p < walk->end) walk->p++;
}

static void skip_string(struct walk *walk)
{
  skip_mark(walk);
  while (walk->p < walk->end && *walk->p != '"')
    walk->p += *walk->p == '\\' ? 2 : 1;
  skip_mark(walk);
}

static void skip_word(struct walk *walk)
{
  while (walk->p < walk->end && !strchr(" \t\r\n,]}", *walk->p))
    walk->p++;
}

static bool walk_value(struct walk *walk, const json_t *value, const json_t *parent, const char *key,
                       size_t index, int depth);

static bool walk_object(struct walk *walk, json_t *object, int depth)
{
  const char *key;
  json_t *value;
  json_object_foreach(object, key, value)
  {
    skip_mark(walk); /* { or , */
    skip_space(walk);
    skip_string(walk);
    skip_mark(walk); /* : */
    if (!walk_value(walk, value, object, key, 0, depth)) return false;
  }
  if (!json_object_size(object)) skip_mark(walk);
  skip_mark(walk);
  return true;
}

static bool walk_array(struct walk *walk, json_t *array, int depth)
{
  for (size_t i = 0; i < json_array_size(array); i++) {
    skip_mark(walk); /* [ or , */
    if (!walk_value(walk, json_array_get(array, i), array, NULL, i, depth)) return false;
  }
  if (!json_array_size(array)) skip_mark(walk);
  skip_mark(walk);
  return true;
}

static bool walk_value(struct walk *walk, const json_t *value, const json_t *parent, const char *key,
                       size_t index, int depth)
{
  skip_space(walk);
  bool is_container = json_is_object(value) || json_is_array(value);
  if (is_container && depth >= DOC_DEPTH_MAX)
    return doc_fail(walk->doc, walk->error, TIDINGS_ERROR_LIMIT, walk->line,
                    "more than %d values inside each other", DOC_DEPTH_MAX);
  if (!doc_place(walk->doc, parent, key, index, walk->line, walk->error)) return false;
  if (json_is_object(value)) return walk_object(walk, (json_t *)value, depth + 1);
  if (json_is_array(value)) return walk_array(walk, (json_t *)value, depth + 1);
  if (json_is_string(value))
    skip_string(walk);
  else
    skip_word(walk);
  return true;
}

/* LAST is the last line of the text: jansson counts one more for its end. */
static bool fail_from(const struct doc *doc, const json_error_t *reason, unsigned last, GError **error)
{
  g_autofree char *text = g_utf8_make_valid(reason->text, -1);
  for (char *p = text; *p; p++)
    if (g_ascii_iscntrl(*p)) *p = ' ';
  unsigned line = reason->line > 0 ? MIN((unsigned)reason->line, last) : 1;
  if (json_error_code(reason) == json_error_null_character)
    return doc_fail(doc, error, TIDINGS_ERROR_INPUT, line, "a NUL character (\\u0000) inside text");
  if (json_error_code(reason) == json_error_stack_overflow)
    return doc_fail(doc, error, TIDINGS_ERROR_LIMIT, line, "more than %d values inside each other",
                    DOC_DEPTH_MAX);
  return doc_fail(doc, error, TIDINGS_ERROR_INPUT, line, "cannot read this as JSON: %s", text);
}

static bool read_json(struct doc *doc, const char *bytes, size_t length, GError **error)
{
  json_error_t reason;
  if (!length) bytes = ""; /* it may be NULL */
  if (!doc_check_bytes(doc, bytes, length, error)) return false;
  if (length >= 3 && !memcmp(bytes, "\xef\xbb\xbf", 3)) bytes += 3, length -= 3;
  doc->root = json_loadb(bytes, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &reason);
  if (!doc->root) return fail_from(doc, &reason, doc_line_of_byte(bytes, length ? length - 1 : 0), error);
  struct walk walk = {doc, bytes, bytes + length, 1, error};
  return walk_value(&walk, doc->root, NULL, NULL, 0, 0);
}

struct doc *doc_parse_json(const char *bytes, size_t length, const char *name, GError **error)
{
  g_autoptr(doc_auto) doc = doc_new(name);
  return read_json(doc, bytes, length, error) ? g_steal_pointer(&doc) : NULL;
}
