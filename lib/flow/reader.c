/* Reading a definition: values with their places. */

#include "flow/reader.h"

#include <string.h>

#include "doc/doc.h"

int reader_line(const struct reader *reader, const char *path)
{
  return reader->doc ? (int)doc_line(reader->doc, path) : 0;
}

void reader_problem(struct reader *reader, bool is_error, int line, const char *text)
{
  g_autoptr(GString) full = g_string_new(reader->file);
  if (line > 0) g_string_append_printf(full, ":%d", line);
  g_string_append_printf(full, ": %s%s", is_error ? "" : "warning: ", text);
  if (is_error && reader->errors++ == 0) reader->first = g_strdup(full->str);
  if (reader->problems && reader->problems->len < FLOW_PROBLEMS_MAX)
    g_ptr_array_add(reader->problems, g_strdup(full->str));
}

void reader_error(struct reader *reader, const char *path, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  reader_problem(reader, true, reader_line(reader, path), text);
}

/* A key as a token of a JSON pointer (RFC 6901 section 3). */
static void append_token(GString *path, const char *key)
{
  g_string_append_c(path, '/');
  for (; *key; key++) {
    if (*key == '~')
      g_string_append(path, "~0");
    else if (*key == '/')
      g_string_append(path, "~1");
    else
      g_string_append_c(path, *key);
  }
}

struct place reader_member(const struct place *parent, const char *key)
{
  GString *path = g_string_new(parent->path);
  append_token(path, key);
  return (struct place){json_object_get(parent->value, key), g_string_free(path, false)};
}

struct place reader_item(const struct place *parent, size_t index)
{
  return (struct place){json_array_get(parent->value, index), g_strdup_printf("%s/%zu", parent->path, index)};
}

bool reader_has_key(const char *keys, const char *key)
{
  g_auto(GStrv) all = g_strsplit(keys, " ", -1);
  return g_strv_contains((const char *const *)all, key);
}

/* Edits (insert, delete, replace, swap of neighbours) that make B of A; short texts. */
static size_t distance(const char *a, const char *b)
{
  size_t n = strlen(a), m = strlen(b);
  g_autofree size_t *rows = g_new(size_t, 3 * (m + 1));
  size_t *before = rows, *last = rows + m + 1, *row = last + m + 1;
  for (size_t j = 0; j <= m; j++)
    last[j] = j;
  for (size_t i = 1; i <= n; i++) {
    row[0] = i;
    for (size_t j = 1; j <= m; j++) {
      row[j] = MIN(MIN(row[j - 1], last[j]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = MIN(row[j], before[j - 2] + 1);
    }
    size_t *spare = before;
    before = last;
    last = row;
    row = spare;
  }
  return last[m];
}

char *reader_nearest(const char *keys, const char *key)
{
  size_t length = strlen(key);
  if (length == 0 || length > 40) return NULL;
  g_auto(GStrv) all = g_strsplit(keys, " ", -1);
  const char *nearest = NULL;
  size_t least = length < 4 ? 2 : 3; /* so many edits are another word */
  for (char **one = all; *one; one++) {
    size_t edits = **one ? distance(key, *one) : least;
    if (edits < least) least = edits, nearest = *one;
  }
  return g_strdup(nearest);
}

/* TEXT for a message: cut, and without what could disturb a terminal or a log. */
static char *show(const char *text)
{
  GString *shown = g_string_new(NULL);
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  const char *p = valid;
  for (int i = 0; *p && i < 60; p = g_utf8_next_char(p), i++) {
    gunichar c = g_utf8_get_char(p);
    g_string_append_unichar(shown, g_unichar_isprint(c) ? c : '?');
  }
  return g_string_free(shown, false);
}

void reader_check_keys(struct reader *reader, const struct place *place, const char *keys, const char *what)
{
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)place->value, key, value)
  {
    if (reader_has_key(keys, key)) continue;
    struct place at = reader_member(place, key);
    g_autofree char *nearest = reader_nearest(keys, key);
    g_autofree char *shown = show(key);
    if (nearest)
      reader_error(reader, at.path, "%s has no key '%s'; write '%s'", what, shown, nearest);
    else if (*keys)
      reader_error(reader, at.path, "%s has no key '%s'; it may have: %s", what, shown, keys);
    else
      reader_error(reader, at.path, "%s has no keys; leave '%s' out", what, shown);
    g_free(at.path);
  }
}

static bool has_controls(const char *text)
{
  for (; *text; text++)
    if ((uint8_t)*text < 0x20 || *text == 0x7f) return true;
  return false;
}

const char *reader_text(struct reader *reader, const struct place *place, const char *wanted)
{
  if (!place->value) return NULL;
  const char *key = strrchr(place->path, '/') + 1;
  const char *text = json_string_value(place->value);
  if (json_is_null(place->value) || (text && !*text))
    reader_error(reader, place->path, "'%s' is empty; write %s", key, wanted);
  else if (json_is_number(place->value) || json_is_boolean(place->value))
    reader_error(reader, place->path,
                 "'%s' must be a text; write %s, in quotes if it is a number or a yes or no", key, wanted);
  else if (!text)
    reader_error(reader, place->path, "'%s' must be a text; write %s", key, wanted);
  else if (strlen(text) > FLOW_TEXT_MAX || strlen(text) != json_string_length(place->value))
    reader_error(reader, place->path, "'%s' is too long (over %d bytes) or holds a NUL; write %s", key,
                 FLOW_TEXT_MAX, wanted);
  else if (has_controls(text))
    reader_error(reader, place->path, "'%s' holds a line end or another control character; write %s", key,
                 wanted);
  else
    return text;
  return NULL;
}

const char *reader_name(struct reader *reader, const struct place *place, const char *wanted)
{
  const char *text = reader_text(reader, place, wanted);
  if (!text) return NULL;
  size_t length = strlen(text);
  if (length > 64 || strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") != length) {
    reader_error(reader, place->path,
                 "'%s' cannot be a name; write %s with a to z, 0 to 9 and '-' alone, at most 64", text,
                 wanted);
    return NULL;
  }
  return text;
}
