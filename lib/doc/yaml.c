/* YAML documents. libyaml makes events of the text; one function for each kind of
 * node makes values of the events. What a plain scalar means is decided here, by the
 * core schema of YAML 1.2 and nothing else: libyaml itself knows only strings.
 *
 * The depth is capped before a function calls itself, and nothing is ever expanded
 * (no aliases), so the tree is not larger than its text. */

#include "doc/tree.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

struct reading {
  struct doc *doc;
  yaml_parser_t parser;
  const char *bytes;
  size_t length;
  GArray *line_starts; /* size_t: the number of characters before each line but the first */
  GError **error;
};

static bool fail(const struct reading *reading, unsigned line, const char *reason)
{
  return doc_fail(reading->doc, reading->error, TIDINGS_ERROR_INPUT, line, "%s", reason);
}

/* libyaml counts other line ends too (NEL, LS, PS), which editors do not; so lines are
 * found from the character's number. */
static GArray *find_lines(const char *bytes, size_t length)
{
  GArray *starts = g_array_new(false, false, sizeof(size_t));
  size_t characters = 0;
  for (size_t i = 0; i < length; i++) {
    characters += ((unsigned char)bytes[i] & 0xc0) != 0x80;
    if (bytes[i] == '\n') g_array_append_val(starts, characters);
  }
  return starts;
}

static unsigned line_of(const struct reading *reading, yaml_mark_t mark)
{
  size_t low = 0, high = reading->line_starts->len;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (g_array_index(reading->line_starts, size_t, middle) <= mark.index)
      low = middle + 1;
    else
      high = middle;
  }
  /* The end of the text is not a line of its own. */
  bool past = low && low == reading->line_starts->len && reading->bytes[reading->length - 1] == '\n';
  size_t last = past && g_array_index(reading->line_starts, size_t, low - 1) == mark.index;
  return (unsigned)(low + 1 - last);
}

/* Whether LINE is indented with a tab. */
static bool has_tab_indent(const struct reading *reading, unsigned line)
{
  const char *p = reading->bytes, *end = p + reading->length;
  for (; line > 1 && p < end; line--) {
    const char *newline = memchr(p, '\n', (size_t)(end - p));
    p = newline ? newline + 1 : end;
  }
  while (p < end && *p == ' ')
    p++;
  return p < end && *p == '\t';
}

/* libyaml's own complaint. */
static bool fail_from_parser(const struct reading *reading)
{
  const yaml_parser_t *parser = &reading->parser;
  if (parser->error == YAML_MEMORY_ERROR)
    return doc_fail(reading->doc, reading->error, TIDINGS_ERROR_LIMIT, 1, "out of memory");
  if (parser->error == YAML_READER_ERROR) {
    size_t offset = MIN(parser->problem_offset, reading->length);
    return fail(reading, doc_line_of_byte(reading->bytes, offset), "a control character");
  }
  unsigned line = line_of(reading, parser->problem_mark);
  if (has_tab_indent(reading, line)) return fail(reading, line, "indented with a tab; use spaces");
  const char *problem = parser->problem ? parser->problem : "not YAML";
  if (!parser->context)
    return doc_fail(reading->doc, reading->error, TIDINGS_ERROR_INPUT, line, "cannot read this as YAML: %s",
                    problem);
  return doc_fail(reading->doc, reading->error, TIDINGS_ERROR_INPUT, line,
                  "cannot read this as YAML: %s, %s that begins on line %u", problem, parser->context,
                  line_of(reading, parser->context_mark));
}

static bool next_event(struct reading *reading, yaml_event_t *event)
{
  return yaml_parser_parse(&reading->parser, event) || fail_from_parser(reading);
}

static bool is_one_of(const char *text, const char *const *words)
{
  return g_strv_contains(words, text);
}

static const char *skip_digits(const char *p)
{
  while (g_ascii_isdigit(*p))
    p++;
  return p;
}

static const char *skip_sign(const char *p)
{
  return p + (*p == '-' || *p == '+');
}

/* [-+]?[0-9]+, 0o[0-7]+ or 0x[0-9a-fA-F]+. Gives the base, 0 for no integer. */
static int integer_base(const char *text)
{
  const char *digits = skip_sign(text);
  if (g_ascii_isdigit(*digits) && !*skip_digits(digits)) return 10;
  if (text[0] != '0' || (text[1] != 'o' && text[1] != 'x') || !text[2]) return 0;
  const char *allowed = text[1] == 'o' ? "01234567" : "0123456789abcdefABCDEF";
  if (text[2 + strspn(text + 2, allowed)]) return 0;
  return text[1] == 'o' ? 8 : 16;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_float(const char *text)
{
  const char *whole = skip_sign(text), *p = skip_digits(whole);
  bool has_whole = p > whole;
  if (*p == '.') {
    const char *fraction = p + 1;
    p = skip_digits(fraction);
    if (!has_whole && p == fraction) return false;
  } else if (!has_whole) {
    return false;
  }
  if (*p == 'e' || *p == 'E') {
    const char *exponent = skip_sign(p + 1);
    p = skip_digits(exponent);
    if (p == exponent) return false;
  }
  return !*p;
}

/* The value of a plain scalar by the core schema. NULL: a number that does not fit. */
static json_t *plain_value(const char *text)
{
  static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
  static const char *const trues[] = {"true", "True", "TRUE", NULL};
  static const char *const falses[] = {"false", "False", "FALSE", NULL};
  static const char *const not_numbers[] = {".inf",  ".Inf",  ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
                                            "-.Inf", "-.INF", ".nan", ".NaN",  ".NAN",  NULL};
  if (is_one_of(text, nulls)) return json_null();
  if (is_one_of(text, trues)) return json_true();
  if (is_one_of(text, falses)) return json_false();
  if (is_one_of(text, not_numbers)) return NULL;
  int base = integer_base(text);
  if (base) {
    errno = 0;
    long long number = strtoll(base == 10 ? text : text + 2, NULL, base);
    return errno ? NULL : json_integer(number);
  }
  if (is_float(text)) return json_real(g_ascii_strtod(text, NULL)); /* NULL if infinite */
  return json_string(text);
}

/* What a document may not use, whatever the node is. */
static bool check_plain_data(const struct reading *reading, const yaml_event_t *event)
{
  const yaml_char_t *anchor = NULL, *tag = NULL;
  if (event->type == YAML_SCALAR_EVENT) {
    anchor = event->data.scalar.anchor;
    tag = event->data.scalar.tag;
  } else if (event->type == YAML_SEQUENCE_START_EVENT) {
    anchor = event->data.sequence_start.anchor;
    tag = event->data.sequence_start.tag;
  } else if (event->type == YAML_MAPPING_START_EVENT) {
    anchor = event->data.mapping_start.anchor;
    tag = event->data.mapping_start.tag;
  }
  unsigned line = line_of(reading, event->start_mark);
  if (anchor || event->type == YAML_ALIAS_EVENT)
    return fail(reading, line,
                "anchors (&name) and aliases (*name) are not used here: write the value out, or put text "
                "that begins with & or * in quotes");
  if (tag)
    return fail(reading, line,
                "tags (!name) are not used here: remove it, or put text that begins with ! in quotes");
  return true;
}

static bool check_scalar(const struct reading *reading, const yaml_event_t *event)
{
  if (!memchr(event->data.scalar.value, 0, event->data.scalar.length)) return true;
  return fail(reading, line_of(reading, event->start_mark), "a NUL character (\\0) inside text");
}

static json_t *read_scalar(const struct reading *reading, const yaml_event_t *event)
{
  const char *text = (const char *)event->data.scalar.value;
  if (!check_scalar(reading, event)) return NULL;
  bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  json_t *value = is_plain ? plain_value(text) : json_string(text);
  if (!value)
    doc_fail(reading->doc, reading->error, TIDINGS_ERROR_INPUT, line_of(reading, event->start_mark),
             "the number %.40s cannot be held; put it in quotes if it is text", text);
  return value;
}

static json_t *read_node(struct reading *reading, const yaml_event_t *event, int depth);

/* Reads the value that begins with EVENT and notes its line. */
static json_t *read_child(struct reading *reading, const yaml_event_t *event, const json_t *parent,
                          const char *key, size_t index, int depth)
{
  unsigned line = line_of(reading, event->start_mark);
  if (!doc_place(reading->doc, parent, key, index, line, reading->error)) return NULL;
  return read_node(reading, event, depth);
}

static json_t *read_sequence(struct reading *reading, int depth)
{
  json_t *array = json_array();
  yaml_event_t event;
  bool good;
  while ((good = next_event(reading, &event)) && event.type != YAML_SEQUENCE_END_EVENT) {
    json_t *item = read_child(reading, &event, array, NULL, json_array_size(array), depth);
    yaml_event_delete(&event);
    good = item && !json_array_append_new(array, item);
    if (!good) break;
  }
  if (good) return array;
  json_decref(array);
  return NULL;
}

/* A key for an error message: cut, and on one line. */
static char *show(const char *key)
{
  char *shown = g_utf8_substring(key, 0, MIN(g_utf8_strlen(key, -1), 60));
  for (char *p = shown; *p; p++)
    if (g_ascii_iscntrl(*p)) *p = ' ';
  return shown;
}

static bool check_key(const struct reading *reading, const yaml_event_t *event, const json_t *object)
{
  unsigned line = line_of(reading, event->start_mark);
  if (!check_plain_data(reading, event)) return false;
  if (event->type != YAML_SCALAR_EVENT) return fail(reading, line, "a key must be text, not a list or a map");
  if (!check_scalar(reading, event)) return false;
  const char *key = (const char *)event->data.scalar.value;
  if (!strcmp(key, "<<") && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
    return fail(reading, line, "merge keys (<<) are not used here: write the keys out");
  unsigned first = doc_place_line(reading->doc, object, key, 0);
  if (!first) return true;
  g_autofree char *shown = show(key);
  return doc_fail(reading->doc, reading->error, TIDINGS_ERROR_INPUT, line,
                  "the key \"%s\" is here for the second time; the first has its value on line %u", shown,
                  first);
}

/* One key, which EVENT is, and its value. */
static bool read_member(struct reading *reading, const yaml_event_t *event, json_t *object, int depth)
{
  yaml_event_t value_event;
  const char *key = (const char *)event->data.scalar.value;
  if (!check_key(reading, event, object) || !next_event(reading, &value_event)) return false;
  json_t *value = read_child(reading, &value_event, object, key, 0, depth);
  yaml_event_delete(&value_event);
  return value && !json_object_set_new(object, key, value);
}

static json_t *read_mapping(struct reading *reading, int depth)
{
  json_t *object = json_object();
  yaml_event_t event;
  bool good;
  while ((good = next_event(reading, &event)) && event.type != YAML_MAPPING_END_EVENT) {
    good = read_member(reading, &event, object, depth);
    yaml_event_delete(&event);
    if (!good) break;
  }
  if (good) return object;
  json_decref(object);
  return NULL;
}

static json_t *read_node(struct reading *reading, const yaml_event_t *event, int depth)
{
  if (!check_plain_data(reading, event)) return NULL;
  if (event->type == YAML_SCALAR_EVENT) return read_scalar(reading, event);
  if (depth >= DOC_DEPTH_MAX) {
    doc_fail(reading->doc, reading->error, TIDINGS_ERROR_LIMIT, line_of(reading, event->start_mark),
             "more than %d values inside each other", DOC_DEPTH_MAX);
    return NULL;
  }
  if (event->type == YAML_SEQUENCE_START_EVENT) return read_sequence(reading, depth + 1);
  return read_mapping(reading, depth + 1);
}

/* Takes the next event, which the grammar says is the end of the document, and the one
 * after, which must be the end of the text. */
static bool read_end(struct reading *reading)
{
  yaml_event_t event;
  if (!next_event(reading, &event)) return false;
  yaml_event_delete(&event);
  if (!next_event(reading, &event)) return false;
  bool is_end = event.type == YAML_STREAM_END_EVENT;
  unsigned line = line_of(reading, event.start_mark);
  yaml_event_delete(&event);
  return is_end || fail(reading, line, "a second document begins here; put it in a file of its own");
}

static bool read_root(struct reading *reading)
{
  yaml_event_t event;
  if (!next_event(reading, &event)) return false; /* the start of the text */
  yaml_event_delete(&event);
  if (!next_event(reading, &event)) return false;
  bool is_empty = event.type == YAML_STREAM_END_EVENT;
  yaml_event_delete(&event);
  if (is_empty) return fail(reading, 1, "the document is empty");
  if (!next_event(reading, &event)) return false;
  reading->doc->root = read_child(reading, &event, NULL, NULL, 0, 0);
  yaml_event_delete(&event);
  return reading->doc->root && read_end(reading);
}

struct doc *doc_parse_yaml(const char *bytes, size_t length, const char *name, GError **error)
{
  g_autoptr(doc_auto) doc = doc_new(name);
  if (!length) bytes = ""; /* it may be NULL */
  if (!doc_check_bytes(doc, bytes, length, error)) return NULL;
  struct reading reading = {.doc = doc, .bytes = bytes, .length = length, .error = error};
  if (!yaml_parser_initialize(&reading.parser)) {
    doc_fail(doc, error, TIDINGS_ERROR_LIMIT, 1, "out of memory");
    return NULL;
  }
  reading.line_starts = find_lines(bytes, length);
  yaml_parser_set_encoding(&reading.parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&reading.parser, (const unsigned char *)bytes, length);
  bool good = read_root(&reading);
  yaml_parser_delete(&reading.parser);
  g_array_free(reading.line_starts, true);
  return good ? g_steal_pointer(&doc) : NULL;
}
