/* CSV: however the input is cut, the records are the same; no record is longer than
 * allowed; and good records, written out with quotes, are read again as they were. */

#include <stdint.h>
#include <string.h>

#include <glib.h>

#include "csv/csv.h"

enum { MAX = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
  GString *all;     /* every record with its line, in a form of our own */
  GString *written; /* the good ones as CSV again */
  GString *good;    /* the good ones in the first form, without lines */
};

static void write_field(GString *out, const char *field, bool first)
{
  g_string_append(out, first ? "\"" : ",\"");
  for (; *field; field++)
    g_string_append(out, *field == '"' ? "\"\"" : (char[]){*field, '\0'});
  g_string_append_c(out, '"');
}

static bool note(void *data, size_t line, char *const *fields, size_t count, const char *fault,
                 GError **error)
{
  (void)error;
  struct seen *seen = data;
  size_t bytes = 0;
  g_string_append_printf(seen->all, "%zu %s\n", line, fault ? fault : "");
  for (size_t i = 0; i < count; i++) {
    bytes += strlen(fields[i]);
    g_string_append_printf(seen->all, "%zu=%s\n", i, fields[i]);
    g_string_append_printf(seen->good, "%zu=%s\n", i, fields[i]);
    write_field(seen->written, fields[i], i == 0);
  }
  g_assert(bytes <= MAX && (fault != NULL) == (count == 0));
  if (count) g_string_append_c(seen->written, '\n');
  return true;
}

static struct seen read_all(const char *bytes, size_t size, size_t cut, size_t max)
{
  struct seen seen = {g_string_new(NULL), g_string_new(NULL), g_string_new(NULL)};
  struct csv *csv = csv_new(',', max, note, &seen);
  g_assert(csv_feed(csv, bytes, cut, NULL) && csv_feed(csv, bytes + cut, size - cut, NULL));
  g_assert(csv_finish(csv, NULL));
  csv_free(csv);
  return seen;
}

static void seen_clear(struct seen *seen)
{
  g_string_free(seen->all, TRUE);
  g_string_free(seen->written, TRUE);
  g_string_free(seen->good, TRUE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const char *bytes = (const char *)data;
  size_t cut = size ? data[size - 1] % (size + 1) : 0;
  struct seen whole = read_all(bytes, size, size, MAX), parts = read_all(bytes, size, cut, MAX);
  g_assert_cmpstr(whole.all->str, ==, parts.all->str);
  struct seen again = read_all(whole.written->str, whole.written->len, whole.written->len, 10 * MAX);
  g_assert_cmpstr(whole.good->str, ==, again.good->str);
  seen_clear(&whole);
  seen_clear(&parts);
  seen_clear(&again);
  return 0;
}
