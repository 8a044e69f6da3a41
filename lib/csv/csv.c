/* The CSV reader: one function a state, one byte at a time, so that it does not matter
 * how the input is cut.
 *
 * The record's fields stand in `text` one behind the other, each closed by a NUL, and
 * `starts` says where. What ends a record leaves the state BEGIN. */

#include "csv/csv.h"

#include <string.h>

typedef bool state_fn(struct csv *csv, char c, GError **error);

struct csv {
  char separator;
  size_t max;
  csv_record_fn *fn;
  void *data;
  state_fn *state;
  GString *text;
  GArray *starts; /* size_t */
  GPtrArray *fields;
  size_t size;        /* bytes of the record, quotes and all */
  size_t line, begin; /* the line now, and that of the record's beginning */
  unsigned mark;      /* bytes of a byte order mark seen; 3: that is past */
  const char *fault;
};

static state_fn begin, plain, quoted, quote, quote_cr, skip;

struct csv *csv_new(char separator, size_t max, csv_record_fn *fn, void *data)
{
  struct csv *csv = g_new0(struct csv, 1);
  csv->separator = separator;
  csv->max = max;
  csv->fn = fn;
  csv->data = data;
  csv->state = begin;
  csv->text = g_string_new(NULL);
  csv->starts = g_array_new(FALSE, FALSE, sizeof(size_t));
  csv->fields = g_ptr_array_new();
  csv->line = csv->begin = 1;
  return csv;
}

void csv_free(struct csv *csv)
{
  if (!csv) return;
  g_string_free(csv->text, TRUE);
  g_array_unref(csv->starts);
  g_ptr_array_unref(csv->fields);
  g_free(csv);
}

/* --- records --- */

static void open_field(struct csv *csv)
{
  g_array_append_val(csv->starts, csv->text->len);
}

static void close_field(struct csv *csv)
{
  g_string_append_c(csv->text, '\0');
}

static bool end_record(struct csv *csv, GError **error)
{
  const char *fault = csv->fault;
  g_ptr_array_set_size(csv->fields, 0);
  for (size_t i = 0; !fault && i < csv->starts->len; i++)
    g_ptr_array_add(csv->fields, csv->text->str + g_array_index(csv->starts, size_t, i));
  bool good =
      csv->fn(csv->data, csv->begin, (char *const *)csv->fields->pdata, csv->fields->len, fault, error);
  g_string_truncate(csv->text, 0);
  g_array_set_size(csv->starts, 0);
  csv->fault = NULL;
  csv->size = 0;
  csv->state = begin;
  return good;
}

/* The CR of a CR LF that ends an unquoted field is not part of it. */
static bool end_plain(struct csv *csv, GError **error)
{
  size_t start = g_array_index(csv->starts, size_t, csv->starts->len - 1);
  if (csv->text->len > start && csv->text->str[csv->text->len - 1] == '\r')
    g_string_truncate(csv->text, csv->text->len - 1);
  if (csv->starts->len == 1 && csv->text->len == 0) {
    g_array_set_size(csv->starts, 0);
    csv->size = 0;
    csv->state = begin;
    return true; /* an empty line */
  }
  close_field(csv);
  return end_record(csv, error);
}

static bool fail(struct csv *csv, const char *fault, char c, GError **error)
{
  csv->fault = fault;
  csv->state = skip;
  return c != '\n' || end_record(csv, error);
}

/* --- states --- */

/* At the beginning of a field. */
static bool begin(struct csv *csv, char c, GError **error)
{
  if (!csv->starts->len) csv->begin = csv->line;
  open_field(csv);
  csv->state = c == '"' ? quoted : plain;
  return c == '"' || plain(csv, c, error);
}

static bool plain(struct csv *csv, char c, GError **error)
{
  if (c == '\n') return end_plain(csv, error);
  if (c == csv->separator) {
    close_field(csv);
    csv->state = begin;
  } else {
    g_string_append_c(csv->text, c);
  }
  return true;
}

static bool quoted(struct csv *csv, char c, GError **error)
{
  (void)error;
  if (c == '"')
    csv->state = quote;
  else
    g_string_append_c(csv->text, c);
  return true;
}

/* Behind a quote within quotes: doubled, or the field's end. */
static bool quote(struct csv *csv, char c, GError **error)
{
  if (c == '"') {
    g_string_append_c(csv->text, '"');
    csv->state = quoted;
  } else if (c == csv->separator) {
    close_field(csv);
    csv->state = begin;
  } else if (c == '\r') {
    csv->state = quote_cr;
  } else if (c == '\n') {
    close_field(csv);
    return end_record(csv, error);
  } else {
    return fail(csv, "text behind a closing quote: a quote within quotes is written twice", c, error);
  }
  return true;
}

static bool quote_cr(struct csv *csv, char c, GError **error)
{
  if (c != '\n')
    return fail(csv, "text behind a closing quote: a quote within quotes is written twice", c, error);
  close_field(csv);
  return end_record(csv, error);
}

/* Behind a fault, up to the end of the line. */
static bool skip(struct csv *csv, char c, GError **error)
{
  return c != '\n' || end_record(csv, error);
}

/* --- feeding --- */

static bool step(struct csv *csv, char c, GError **error)
{
  bool good;
  if (csv->state == skip)
    good = skip(csv, c, error);
  else if (++csv->size > csv->max && (c != '\n' || csv->state == quoted))
    good = fail(csv, "longer than any record may be: is a quote not closed?", c, error);
  else if (c == '\0')
    good = fail(csv, "it holds a NUL byte", c, error);
  else
    good = csv->state(csv, c, error);
  if (c == '\n') csv->line++;
  return good;
}

/* Holds back the bytes of a mark until it is clear whether they are one. */
static bool step_mark(struct csv *csv, char c, GError **error)
{
  static const char mark[] = "\xef\xbb\xbf";
  if (c == mark[csv->mark]) {
    csv->mark++;
    return true;
  }
  unsigned held = csv->mark;
  csv->mark = 3;
  for (unsigned i = 0; i < held; i++)
    if (!step(csv, mark[i], error)) return false;
  return step(csv, c, error);
}

bool csv_feed(struct csv *csv, const char *bytes, size_t length, GError **error)
{
  for (size_t i = 0; i < length; i++)
    if (!(csv->mark < 3 ? step_mark : step)(csv, bytes[i], error)) return false;
  return true;
}

bool csv_finish(struct csv *csv, GError **error)
{
  bool partial_mark = csv->mark < 3;
  unsigned held = partial_mark ? csv->mark : 0;
  csv->mark = 3;
  for (unsigned i = 0; i < held; i++)
    if (!step(csv, "\xef\xbb"[i], error)) return false;
  if (csv->state == begin && !csv->starts->len) return true;
  if (csv->state == quoted) csv->fault = "the file ends within quotes";
  if (csv->state == skip || csv->state == quoted) return end_record(csv, error);
  if (csv->state == begin) open_field(csv);
  if (csv->state == begin || csv->state == plain) return end_plain(csv, error);
  close_field(csv);
  return end_record(csv, error);
}
