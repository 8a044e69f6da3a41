/* tidings contact import: contacts from a CSV file, a batch at a time.
 *
 * A line that is no good is told with its number, and the rest goes on. Each batch is
 * one transaction of policyd's, and a contact that is there is only updated: whatever
 * breaks an import off, running it again is right. */

#include "ctl/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/error.h"
#include "csv/csv.h"
#include "ctl/text.h"
#include "ctl/usage.h"

/* A batch is full at either; a line of it may grow sixfold as JSON. */
enum { BATCH_ROWS = 500, BATCH_BYTES = 400 * 1024, RECORD_MAX = 64 * 1024, COLUMNS_MAX = 200 };

struct import {
  struct app *app;
  const char *tenant, *file;
  char **lists;
  FILE *errors; /* where bad lines go */
  bool progress;
  off_t size, done; /* of the file, if it is one */

  GPtrArray *columns; /* names from the first line; "" is passed over */
  size_t columns_bytes;
  int address, zone; /* which columns; -1: none */

  json_t *batch;
  GArray *lines; /* the line of each contact in it */
  size_t bytes;
  int64_t added, updated, refused;
};

/* --- what is told --- */

static void refuse(struct import *import, size_t line, const char *address, const char *reason)
{
  g_autofree char *a = text_safe(address), *r = text_safe(reason);
  import->refused++;
  fprintf(import->errors, "%s:%zu: %s%s%s\n", import->file, line, a, *a ? ": " : "", r);
}

static void show_progress(const struct import *import)
{
  if (!import->progress) return;
  fprintf(stderr, "\r%" PRId64 " contacts", import->added + import->updated + import->refused);
  if (import->size > 0)
    fprintf(stderr, ", %d%% of %s", (int)(100 * import->done / import->size), import->file);
  fflush(stderr);
}

/* --- batches --- */

static void take_faults(struct import *import, const json_t *faults)
{
  size_t i;
  json_t *fault;
  json_array_foreach(faults, i, fault)
  {
    size_t row = (size_t)text_int(fault, "row");
    if (row >= import->lines->len) continue;
    const json_t *contact = json_array_get(import->batch, row);
    const char *reason = text_of(fault, "message");
    refuse(import, g_array_index(import->lines, size_t, row), text_of(contact, "address"),
           reason ? reason : "refused");
  }
}

static bool flush_batch(struct import *import, GError **error)
{
  json_t *ok = NULL;
  if (!json_array_size(import->batch)) return true;
  json_t *args = json_pack("{s:s, s:o, s:O}", "tenant", import->tenant, "lists", app_strings(import->lists),
                           "contacts", import->batch);
  if (!app_ask(import->app, "contact.import", args, NULL, NULL, &ok, error)) return false;
  import->added += text_int(ok, "added");
  import->updated += text_int(ok, "updated");
  take_faults(import, json_object_get(ok, "errors"));
  json_decref(ok);
  json_array_clear(import->batch);
  g_array_set_size(import->lines, 0);
  import->bytes = 0;
  show_progress(import);
  return true;
}

/* --- lines --- */

static bool bad_header(const struct import *import, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static bool bad_header(const struct import *import, GError **error, const char *format, ...)
{
  va_list list;
  va_start(list, format);
  g_autofree char *text = g_strdup_vprintf(format, list);
  va_end(list);
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "%s:1: %s", import->file, text);
  return false;
}

static bool has_column(const struct import *import, const char *name)
{
  for (unsigned i = 0; *name && i < import->columns->len; i++)
    if (strcmp(import->columns->pdata[i], name) == 0) return true;
  return false;
}

/* The first line names the columns. */
static bool take_header(struct import *import, char *const *fields, size_t count, GError **error)
{
  if (count > COLUMNS_MAX) return bad_header(import, error, "at most %d columns", COLUMNS_MAX);
  for (size_t i = 0; i < count; i++) {
    char *name = g_strstrip(g_strdup(fields[i]));
    bool doubled = has_column(import, name), valid = g_utf8_validate(name, -1, NULL);
    g_ptr_array_add(import->columns, name);
    if (doubled) return bad_header(import, error, "two columns are called '%s'", name);
    if (!valid) return bad_header(import, error, "the name of column %zu is not UTF-8", i + 1);
    if (g_ascii_strcasecmp(name, "address") == 0 || g_ascii_strcasecmp(name, "email") == 0) {
      if (import->address >= 0) return bad_header(import, error, "two columns with the address");
      import->address = (int)i;
    }
    if (g_ascii_strcasecmp(name, "zone") == 0) import->zone = (int)i;
    import->columns_bytes += strlen(name) + 8;
  }
  if (import->address >= 0) return true;
  return bad_header(import, error, "the first line names the columns, and none is called address or email%s",
                    count == 1 && strchr(fields[0], ';') ? ": is it --separator ';'?" : "");
}

static json_t *contact_json(const struct import *import, char *const *fields)
{
  json_t *values = json_object();
  for (unsigned i = 0; i < import->columns->len; i++) {
    const char *name = import->columns->pdata[i];
    if ((int)i != import->address && (int)i != import->zone && *name && *fields[i])
      json_object_set_new(values, name, json_string(fields[i]));
  }
  const char *zone = import->zone >= 0 ? fields[import->zone] : "";
  return json_pack("{s:s, s:s*, s:o}", "address", fields[import->address], "zone", *zone ? zone : NULL,
                   "fields", values);
}

static char *fault_of(const struct import *import, char *const *fields, size_t count)
{
  if (count != import->columns->len)
    return g_strdup_printf("%zu fields where the first line names %u", count, import->columns->len);
  for (size_t i = 0; i < count; i++)
    if (!g_utf8_validate(fields[i], -1, NULL))
      return g_strdup_printf("%s is not UTF-8", (char *)import->columns->pdata[i]);
  return *fields[import->address] ? NULL : g_strdup("no address");
}

static bool take_record(void *data, size_t line, char *const *fields, size_t count, const char *fault,
                        GError **error)
{
  struct import *import = data;
  if (!import->columns->len)
    return fault ? bad_header(import, error, "%s", fault) : take_header(import, fields, count, error);
  if (fault) {
    refuse(import, line, NULL, fault);
    return true;
  }
  g_strstrip(fields[import->address < (int)count ? import->address : 0]);
  g_autofree char *reason = fault_of(import, fields, count);
  if (reason) {
    refuse(import, line, (int)count > import->address ? fields[import->address] : NULL, reason);
    return true;
  }
  import->bytes += import->columns_bytes;
  for (size_t i = 0; i < count; i++)
    import->bytes += strlen(fields[i]) + 8;
  json_array_append_new(import->batch, contact_json(import, fields));
  g_array_append_val(import->lines, line);
  return (json_array_size(import->batch) < BATCH_ROWS && import->bytes < BATCH_BYTES) ||
         flush_batch(import, error);
}

/* --- the file --- */

static bool read_file(struct import *import, struct csv *csv, int fd, GError **error)
{
  static char buffer[64 * 1024];
  for (;;) {
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: %s", import->file, g_strerror(errno));
      return false;
    }
    if (n == 0) break;
    import->done += n;
    if (!csv_feed(csv, buffer, (size_t)n, error)) return false;
  }
  if (!csv_finish(csv, error)) return false;
  if (!import->columns->len)
    return bad_header(import, error, "it is empty: the first line names the columns");
  return flush_batch(import, error);
}

static int open_input(struct import *import, GError **error)
{
  struct stat st;
  bool standard = strcmp(import->file, "-") == 0;
  int fd = standard ? dup(STDIN_FILENO) : open(import->file, O_RDONLY | O_CLOEXEC);
  if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) import->size = st.st_size;
  if (fd >= 0) return fd;
  app_fail(import->app, EX_NOINPUT);
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: %s", import->file, g_strerror(errno));
  return fd;
}

static bool run(struct import *import, char separator, GError **error)
{
  int fd = open_input(import, error);
  if (fd < 0) return false;
  g_autoptr(csv_auto) csv = csv_new(separator, RECORD_MAX, take_record, import);
  bool good = read_file(import, csv, fd, error);
  close(fd);
  if (import->progress) fputc('\n', stderr);
  int64_t in = import->added + import->updated;
  if (!good && in)
    g_prefix_error(error,
                   "%" PRId64 " contacts are in; mend this and run it again, nothing is added twice: ", in);
  return good;
}

/* Bad lines were told one by one; the sum decides the exit status. */
static bool sum_up(const struct import *import, const char *errors_file)
{
  if (import->app->json) {
    json_t *sum = json_pack("{s:I, s:I, s:I}", "added", (json_int_t)import->added, "updated",
                            (json_int_t)import->updated, "refused", (json_int_t)import->refused);
    app_put_json(sum);
    json_decref(sum);
  } else {
    printf("%" PRId64 " added, %" PRId64 " updated, %" PRId64 " refused", import->added, import->updated,
           import->refused);
    puts("");
    if (import->refused && errors_file) printf("the refused lines, and why: %s\n", errors_file);
  }
  return import->refused ? app_fail(import->app, EX_DATAERR) : true;
}

static FILE *open_errors(struct app *app, const char *file, GError **error)
{
  FILE *errors = file ? fopen(file, "we") : stderr;
  if (errors) return errors;
  app_fail(app, EX_CANTCREAT);
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: %s", file, g_strerror(errno));
  return NULL;
}

static bool close_errors(FILE *errors, const char *file, GError **error)
{
  if (!file) return true;
  bool broken = ferror(errors);
  if (fclose(errors) == 0 && !broken) return true;
  if (error && !*error)
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: cannot be written whole", file);
  return false;
}

static bool import_file(struct import *import, const char *errors_file, char separator, GError **error)
{
  import->errors = open_errors(import->app, errors_file, error);
  if (!import->errors) return false;
  import->columns = g_ptr_array_new_with_free_func(g_free);
  import->lines = g_array_new(FALSE, FALSE, sizeof(size_t));
  import->batch = json_array();
  bool good = run(import, separator, error);
  good = close_errors(import->errors, errors_file, error) && good && sum_up(import, errors_file);
  g_ptr_array_unref(import->columns);
  g_array_unref(import->lines);
  json_decref(import->batch);
  return good;
}

bool contact_import(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "contact import",
      "TENANT FILE",
      2,
      2,
      "Adds or updates contacts from a CSV file (RFC 4180, UTF-8; - is the standard input). The first line "
      "names the columns: address (or email) must be there, zone may be, all others become fields. An empty "
      "field changes nothing. Bad lines are told and left out; running it again only updates.",
      "tidings contact import shop customers.csv --list news --errors refused.txt"};
  g_auto(GStrv) lists = NULL;
  g_autofree char *errors_file = NULL, *separator = NULL;
  gboolean progress = FALSE;
  const GOptionEntry options[] = {
      {"list", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &lists, "Subscribe them to this list; may be repeated",
       "LIST"},
      {"errors", 0, 0, G_OPTION_ARG_FILENAME, &errors_file, "Write refused lines to FILE, not to stderr",
       "FILE"},
      {"separator", 0, 0, G_OPTION_ARG_FILENAME, &separator, "What separates fields (,)", "CHARACTER"},
      {"progress", 0, 0, G_OPTION_ARG_NONE, &progress, "Show progress even if stderr is no terminal", NULL},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  char **words = usage_read(app, &usage, options, argc, argv, error);
  if (!words) return false;
  if (separator && (strlen(separator) != 1 || strchr("\"\r\n", *separator)))
    return usage_error(error, "contact import: --separator '%s': write one character, such as ';'",
                       separator);
  struct import import = {.app = app,
                          .tenant = words[0],
                          .file = words[1],
                          .lists = lists,
                          .progress = progress || isatty(STDERR_FILENO),
                          .address = -1,
                          .zone = -1};
  return import_file(&import, errors_file, separator ? *separator : ',', error);
}
