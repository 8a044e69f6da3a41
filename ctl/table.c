/* Aligned tables. */

#include "ctl/table.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct table {
  char **headings;
  unsigned columns;
  bool *right;
  size_t *widths;
  GPtrArray *cells;
  bool headed;
};

struct table *table_new(const char *headings)
{
  struct table *table = g_new0(struct table, 1);
  table->headings = g_strsplit(headings, "|", -1);
  table->columns = g_strv_length(table->headings);
  table->right = g_new0(bool, table->columns);
  table->widths = g_new0(size_t, table->columns);
  table->cells = g_ptr_array_new_with_free_func(g_free);
  table->headed = strspn(headings, "|") == strlen(headings);
  for (unsigned i = 0; i < table->columns; i++) {
    char *heading = table->headings[i];
    table->right[i] = heading[0] == '>';
    if (table->right[i]) memmove(heading, heading + 1, strlen(heading));
    table->widths[i] = text_width(heading);
  }
  return table;
}

void table_free(struct table *table)
{
  if (!table) return;
  g_strfreev(table->headings);
  g_free(table->right);
  g_free(table->widths);
  g_ptr_array_unref(table->cells);
  g_free(table);
}

void table_cell(struct table *table, const char *text)
{
  unsigned column = table->cells->len % table->columns;
  char *cell = text_safe(text && *text ? text : "-");
  table->widths[column] = MAX(table->widths[column], text_width(cell));
  g_ptr_array_add(table->cells, cell);
}

void table_cell_int(struct table *table, int64_t value)
{
  char text[24];
  g_snprintf(text, sizeof text, "%" PRId64, value);
  table_cell(table, text);
}

void table_cell_rate(struct table *table, int64_t part, int64_t whole)
{
  char text[32];
  g_snprintf(text, sizeof text, "%.1f%%", whole > 0 ? 100.0 * (double)part / (double)whole : 0);
  table_cell(table, whole > 0 ? text : NULL);
}

void table_cell_json(struct table *table, const json_t *object, const char *key)
{
  const json_t *value = json_object_get(object, key);
  if (!json_is_array(value)) {
    g_autofree char *text = text_value(value);
    table_cell(table, text);
    return;
  }
  g_autoptr(GString) all = g_string_new(NULL);
  for (size_t i = 0; i < json_array_size(value); i++) {
    g_autofree char *text = text_value(json_array_get(value, i));
    g_string_append_printf(all, "%s%s", i ? ", " : "", text ? text : "-");
  }
  table_cell(table, all->str);
}

static void append_cell(const struct table *table, unsigned column, const char *text, GString *out)
{
  int pad = (int)(table->widths[column] - text_width(text));
  bool last = column + 1 == table->columns;
  if (table->right[column])
    g_string_append_printf(out, "%*s%s", pad, "", text);
  else
    g_string_append_printf(out, "%s%*s", text, last ? 0 : pad, "");
  g_string_append(out, last ? "\n" : "  ");
}

static void append_row(const struct table *table, char *const *cells, int indent, GString *out)
{
  g_string_append_printf(out, "%*s", indent, "");
  for (unsigned i = 0; i < table->columns; i++)
    append_cell(table, i, cells[i], out);
}

void table_append(struct table *table, int indent, GString *out)
{
  if (!table->headed) append_row(table, table->headings, indent, out);
  table->headed = true;
  for (unsigned i = 0; i + table->columns <= table->cells->len; i += table->columns)
    append_row(table, (char *const *)table->cells->pdata + i, indent, out);
  g_ptr_array_set_size(table->cells, 0);
}

void table_print(struct table *table, int indent)
{
  g_autoptr(GString) out = g_string_new(NULL);
  table_append(table, indent, out);
  fputs(out->str, stdout);
}

unsigned table_rows(const struct table *table)
{
  return table->cells->len / table->columns;
}
