/* The configuration file, from the table keys.def.
 *
 * conf_load() walks the file strictly (scan.c), names every key that is not in
 * the table, lets libconfuse read the values, and converts them row by row; all
 * faults are gathered into one error. The rows come in the order of keys.def, so
 * `state` and `run` are there before the defaults that stand on them. */

#include "conf/conf.h"

#include <string.h>
#include <stdio.h>

#include <confuse.h>

#include "base/error.h"
#include "conf/scan.h"
#include "conf/value.h"

enum type { STRING, PATH, SOCKET, LISTEN, LIST, INT, SIZE, DURATION, MODE, BOOL, ENUM };
enum { MAX_FILE = 1024 * 1024, MAX_FAULTS = 20 };

struct row {
  const char *section; /* NULL: top level */
  const char *name;
  enum type type;
  const char *default_;
  const char *range;
  size_t offset;
};

static const struct row rows[] = {
#define TOP(name, type, default_, range, text)                                                               \
  {NULL, #name, type, default_, range, offsetof(struct conf, name)},
#define KEY(section, name, type, default_, range, text)                                                      \
  {#section, #name, type, default_, range, offsetof(struct conf, section##_##name)},
#include "conf/keys.def"
#undef TOP
#undef KEY
};

/* What is wrong with a value that its type refuses, and what to write. */
static const char *const refusals[] = {
    [PATH] = "is not an absolute path: begin it with /",
    [SOCKET] = "is not a socket: write unix:/PATH or inet:PORT@ADDRESS",
    [LISTEN] = "is not an address with a port: write ADDRESS:PORT, or [ADDRESS]:PORT for IPv6",
    [INT] = "is not a number: write digits alone",
    [SIZE] = "is not a size: write a number with K, M or G",
    [DURATION] = "is not a duration: write a number with ms, s, min, h or d",
    [MODE] = "is not a mode: write three or four octal digits, such as 0660",
    [BOOL] = "is neither yes nor no: write one of them",
};

struct load {
  struct conf *conf;
  GString *faults;
  int count;
};

static void *member(const struct conf *conf, const struct row *row)
{
  return (char *)conf + row->offset;
}

static bool is_text(enum type type)
{
  return type == STRING || type == PATH || type == SOCKET || type == LISTEN;
}

static char *full_name(const struct row *row)
{
  return row->section ? g_strdup_printf("%s.%s", row->section, row->name) : g_strdup(row->name);
}

__attribute__((format(printf, 3, 4))) static void complain(struct load *load, int line, const char *format,
                                                           ...)
{
  if (++load->count > MAX_FAULTS) return;
  va_list args;
  va_start(args, format);
  g_string_append_printf(load->faults, "%s%s:%d: ", load->count > 1 ? "\n" : "", load->conf->file, line);
  g_string_append_vprintf(load->faults, format, args);
  va_end(args);
}

/* --- unknown keys --- */

/* Levenshtein's distance of two short names. */
static size_t distance(const char *a, const char *b)
{
  enum { MAX = 40 };
  size_t row[MAX + 1], n = strlen(a), m = strlen(b);
  if (n > MAX || m > MAX) return SIZE_MAX;
  for (size_t j = 0; j <= m; j++)
    row[j] = j;
  for (size_t i = 1; i <= n; i++) {
    size_t corner = row[0];
    row[0] = i;
    for (size_t j = 1; j <= m; j++) {
      size_t change = corner + (a[i - 1] != b[j - 1]);
      corner = row[j];
      row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
    }
  }
  return row[m];
}

static bool is_section(const char *name)
{
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
    if (g_strcmp0(rows[i].section, name) == 0) return true;
  return false;
}

/* The row nearest to KEY; a key of that very name in another section is nearer
 * than a misspelling in this one. NULL if nothing is near. */
static const struct row *nearest(const struct scan_key *key)
{
  const struct row *best = NULL;
  size_t least = MAX(strlen(key->name) / 3, 1) * 2 + 1;
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    size_t d = distance(key->name, rows[i].name) * 2;
    if (g_strcmp0(key->section, rows[i].section) != 0) d++;
    if (d >= least) continue;
    least = d;
    best = &rows[i];
  }
  return best;
}

static void unknown(struct load *load, const struct scan_key *key)
{
  const char *dot = key->section ? "." : "", *section = key->section ? key->section : "";
  if (key->section && !is_section(key->section)) {
    complain(load, key->line, "there is no section %s (found %s.%s)", section, section, key->name);
    return;
  }
  const struct row *near = nearest(key);
  g_autofree char *name = near ? full_name(near) : NULL;
  if (near)
    complain(load, key->line, "there is no key %s%s%s: did you mean %s?", section, dot, key->name, name);
  else
    complain(load, key->line, "there is no key %s%s%s: tidings.conf(5) lists them all", section, dot,
             key->name);
}

static size_t find_row(const char *section, const char *name)
{
  size_t i = 0;
  while (i < G_N_ELEMENTS(rows) &&
         (g_strcmp0(rows[i].section, section) != 0 || strcmp(rows[i].name, name) != 0))
    i++;
  return i;
}

static bool know_all_keys(struct load *load, const GArray *keys)
{
  for (guint k = 0; k < keys->len; k++) {
    const struct scan_key *key = &g_array_index(keys, struct scan_key, k);
    size_t i = find_row(key->section, key->name);
    if (i < G_N_ELEMENTS(rows))
      load->conf->lines[i] = key->line;
    else
      unknown(load, key);
  }
  return load->count == 0;
}

/* --- values --- */

/* Reads TEXT as a number of TYPE. */
static bool read_number(enum type type, const char *text, int64_t *value)
{
  switch (type) {
  case INT:
    return value_int(text, value);
  case SIZE:
    return value_size(text, value);
  case DURATION:
    return value_duration(text, value);
  case MODE:
    return value_mode(text, value);
  default:
    return false;
  }
}

static bool in_range(const struct row *row, int64_t value)
{
  const char *dots = strstr(row->range, "..");
  if (!dots) return true;
  g_autofree char *low_text = g_strndup(row->range, (size_t)(dots - row->range));
  int64_t low, high;
  if (!read_number(row->type, low_text, &low) || !read_number(row->type, dots + 2, &high))
    g_error("keys.def: range of %s", row->name);
  return low <= value && value <= high;
}

static bool is_good_text(enum type type, const char *text)
{
  switch (type) {
  case PATH:
    return text[0] == '/' || text[0] == '\0';
  case SOCKET:
    return value_is_socket(text);
  case LISTEN:
    return value_is_listen(text);
  default:
    return true;
  }
}

static void set_number(struct load *load, const struct row *row, const char *name, int line, const char *text)
{
  int64_t value;
  if (!read_number(row->type, text, &value))
    complain(load, line, "%s: '%s' %s", name, text, refusals[row->type]);
  else if (!in_range(row, value))
    complain(load, line, "%s: '%s' is out of range: write a value of %s", name, text, row->range);
  else
    *(int64_t *)member(load->conf, row) = value;
}

static void set_text(struct load *load, const struct row *row, const char *name, int line, const char *text)
{
  if (!is_good_text(row->type, text))
    complain(load, line, "%s: '%s' %s", name, text, refusals[row->type]);
  else if (*text)
    *(char **)member(load->conf, row) = g_strdup(text);
}

static void set_scalar(struct load *load, const struct row *row, const char *name, int line, const char *text)
{
  if (is_text(row->type)) {
    set_text(load, row, name, line, text);
  } else if (row->type == BOOL) {
    if (!value_bool(text, member(load->conf, row)))
      complain(load, line, "%s: '%s' %s", name, text, refusals[BOOL]);
  } else if (row->type == ENUM) {
    int word = value_word(row->range, text);
    if (word < 0) complain(load, line, "%s: '%s' is not a choice: write one of %s", name, text, row->range);
    *(int *)member(load->conf, row) = word;
  } else {
    set_number(load, row, name, line, text);
  }
}

/* A default with its STATE/ or RUN/ replaced by those folders. */
static char *expand(const struct conf *conf, const char *text)
{
  const char *head = g_str_has_prefix(text, "unix:") ? "unix:" : "";
  const char *path = text + strlen(head);
  if (g_str_has_prefix(path, "STATE/")) return g_strconcat(head, conf->state, path + 5, NULL);
  if (g_str_has_prefix(path, "RUN/")) return g_strconcat(head, conf->run, path + 3, NULL);
  return g_strdup(text);
}

static void set_default(struct load *load, const struct row *row, const char *name)
{
  if (row->type == LIST) {
    *(char ***)member(load->conf, row) = g_strsplit(row->default_, ", ", -1);
    return;
  }
  g_autofree char *text = expand(load->conf, row->default_);
  set_scalar(load, row, name, 0, text);
}

static void set_list(const struct conf *conf, const struct row *row, cfg_opt_t *option)
{
  unsigned n = cfg_opt_size(option);
  char **list = g_new0(char *, n + 1);
  for (unsigned i = 0; i < n; i++)
    list[i] = g_strdup(cfg_opt_getnstr(option, i));
  *(char ***)member(conf, row) = list;
}

static void set_row(struct load *load, size_t i, cfg_t *root)
{
  const struct row *row = &rows[i];
  int line = load->conf->lines[i];
  g_autofree char *name = full_name(row);
  if (!line) {
    set_default(load, row, name);
    return;
  }
  cfg_opt_t *option = cfg_getopt(row->section ? cfg_getsec(root, row->section) : root, row->name);
  if (row->type == LIST)
    set_list(load->conf, row, option);
  else if (cfg_opt_size(option) != 1)
    complain(load, line, "%s takes one value, not a list: write %s = VALUE", name, row->name);
  else
    set_scalar(load, row, name, line, cfg_opt_getnstr(option, 0));
  /* What stands on it needs some value, also in a file that is refused. */
  if (is_text(row->type) && !*(char **)member(load->conf, row)) set_default(load, row, name);
}

/* --- libconfuse --- */

static void keep_silent(cfg_t *cfg, const char *format, va_list args)
{
  (void)cfg, (void)format, (void)args;
}

/* The options of SECTION (NULL: top level, with the sections). Every one is a
 * list of strings: what it should be is in our table, and so are the messages. */
static GArray *make_options(const char *section, GPtrArray *sections)
{
  GArray *options = g_array_new(TRUE, TRUE, sizeof(cfg_opt_t));
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    if (g_strcmp0(rows[i].section, section) == 0) {
      cfg_opt_t option = CFG_STR_LIST(rows[i].name, NULL, CFGF_NODEFAULT);
      g_array_append_val(options, option);
    } else if (!section && (i == 0 || g_strcmp0(rows[i].section, rows[i - 1].section) != 0)) {
      GArray *inner = make_options(rows[i].section, NULL);
      g_ptr_array_add(sections, inner);
      cfg_opt_t option = CFG_SEC(rows[i].section, (cfg_opt_t *)(void *)inner->data, CFGF_NONE);
      g_array_append_val(options, option);
    }
  }
  return options;
}

static cfg_t *read_values(const char *text, size_t length)
{
  g_autoptr(GPtrArray) sections = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
  g_autoptr(GArray) options = make_options(NULL, sections);
  cfg_t *root = cfg_init((cfg_opt_t *)(void *)options->data, CFGF_NONE);
  cfg_set_error_function(root, keep_silent);
  if (!length) return root;
  FILE *stream = fmemopen((void *)(uintptr_t)text, length, "r");
  int result = stream ? cfg_parse_fp(root, stream) : CFG_FILE_ERROR;
  if (stream) fclose(stream);
  if (result == CFG_SUCCESS) return root;
  cfg_free(root);
  return NULL;
}

/* --- the face --- */

static void fill(struct load *load, const char *text, size_t length, const GArray *keys)
{
  if (!know_all_keys(load, keys)) length = 0; /* the rest gets defaults, and is thrown away */
  cfg_t *root = read_values(text, length);
  if (!root) {
    complain(load, 1, "libconfuse cannot read this file: look for a strange escape (\\) in a text");
    return;
  }
  if (load->count == 0)
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
      set_row(load, i, root);
  cfg_free(root);
}

struct conf *conf_parse(const char *file, const char *text, size_t length, GError **error)
{
  g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(struct scan_key));
  g_array_set_clear_func(keys, scan_key_clear);
  if (!scan_text(file, text, length, keys, error)) return NULL;

  struct conf *conf = g_new0(struct conf, 1);
  conf->file = g_strdup(file);
  conf->lines = g_new0(int, G_N_ELEMENTS(rows));
  g_autoptr(GString) faults = g_string_new(NULL);
  struct load load = {conf, faults, 0};
  fill(&load, text, length, keys);
  if (!load.count) return conf;
  if (load.count > MAX_FAULTS) g_string_append_printf(faults, "\n… and %d more", load.count - MAX_FAULTS);
  g_set_error_literal(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, faults->str);
  conf_free(conf);
  return NULL;
}

struct conf *conf_load(const char *file, GError **error)
{
  g_autofree char *text = NULL;
  g_autoptr(GError) cause = NULL;
  size_t length;
  if (!g_file_get_contents(file, &text, &length, &cause)) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s", cause->message);
    return NULL;
  }
  if (length > MAX_FILE) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
                "%s:1: larger than 1M: this is no configuration file", file);
    return NULL;
  }
  return conf_parse(file, text, length, error);
}

void conf_free(struct conf *conf)
{
  if (!conf) return;
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    if (is_text(rows[i].type))
      g_free(*(char **)member(conf, &rows[i]));
    else if (rows[i].type == LIST)
      g_strfreev(*(char ***)member(conf, &rows[i]));
  }
  g_free(conf->file);
  g_free(conf->lines);
  g_free(conf);
}

int conf_line(const struct conf *conf, const char *name)
{
  g_auto(GStrv) parts = g_strsplit(name, ".", 2);
  bool top = g_strv_length(parts) < 2;
  size_t i = find_row(top ? NULL : parts[0], top ? name : parts[1]);
  return i < G_N_ELEMENTS(rows) ? conf->lines[i] : -1;
}

/* --- the dump --- */

static void append_quoted(GString *out, const char *text)
{
  g_string_append_c(out, '"');
  for (; text && *text; text++) {
    if (*text == '"' || *text == '\\') g_string_append_c(out, '\\');
    g_string_append_c(out, *text);
  }
  g_string_append_c(out, '"');
}

static void append_list(GString *out, char **list)
{
  g_string_append_c(out, '{');
  for (size_t i = 0; list[i]; i++) {
    if (i) g_string_append(out, ", ");
    append_quoted(out, list[i]);
  }
  g_string_append_c(out, '}');
}

static char *number_text(enum type type, int64_t value)
{
  switch (type) {
  case SIZE:
    return value_size_text(value);
  case DURATION:
    return value_duration_text(value);
  case MODE:
    return value_mode_text(value);
  default:
    return g_strdup_printf("%" G_GINT64_FORMAT, value);
  }
}

static void append_value(GString *out, const struct conf *conf, const struct row *row)
{
  const void *m = member(conf, row);
  if (is_text(row->type)) {
    append_quoted(out, *(char *const *)m);
  } else if (row->type == LIST) {
    append_list(out, *(char **const *)m);
  } else if (row->type == BOOL) {
    g_string_append(out, *(const bool *)m ? "yes" : "no");
  } else if (row->type == ENUM) {
    g_auto(GStrv) words = g_strsplit(row->range, "|", -1);
    g_string_append(out, words[*(const int *)m]);
  } else {
    g_autofree char *text = number_text(row->type, *(const int64_t *)m);
    if (strchr(text, ' '))
      append_quoted(out, text);
    else
      g_string_append(out, text);
  }
}

void conf_dump(const struct conf *conf, GString *out)
{
  const char *section = NULL;
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    const struct row *row = &rows[i];
    if (g_strcmp0(row->section, section) != 0)
      g_string_append_printf(out, "%s\n%s {\n", section ? "}\n" : "", row->section);
    section = row->section;
    size_t start = out->len;
    g_string_append_printf(out, "%s%s = ", section ? "  " : "", row->name);
    append_value(out, conf, row);
    size_t width = out->len - start;
    g_string_append_printf(out, "%*s# ", width < 50 ? (int)(50 - width) : 2, "");
    if (conf->lines[i])
      g_string_append_printf(out, "%s:%d\n", conf->file, conf->lines[i]);
    else
      g_string_append(out, "default\n");
  }
  if (section) g_string_append(out, "}\n");
}
