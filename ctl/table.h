#pragma once

#include <stdint.h>

#include <glib.h>

#include "ctl/text.h"

/* A table of text, its columns aligned by what a terminal shows. */
struct table;

/* HEADINGS are separated by "|"; one that begins with ">" is of a column that stands
 * to the right; "|" alone is two columns without any. Free with table_free(). */
struct table *table_new(const char *headings);
void table_free(struct table *table);

/* Adds the next cell, made safe for a terminal; the row ends with the last column. NULL
 * and "" are shown as "-". */
void table_cell(struct table *table, const char *text);
void table_cell_int(struct table *table, int64_t value);

/* PART of WHOLE as "12.5%"; "-" if WHOLE is 0. */
void table_cell_rate(struct table *table, int64_t part, int64_t whole);

/* The value of KEY, whatever it is; an array is shown with commas. */
void table_cell_json(struct table *table, const json_t *object, const char *key);

/* Appends the headings, the first time, and all rows, which are then gone: a long list
 * is printed in pieces, and no column gets narrower again. INDENT is a number of spaces. */
void table_append(struct table *table, int indent, GString *out);

/* The same, to the standard output. */
void table_print(struct table *table, int indent);

/* How many rows there are. */
unsigned table_rows(const struct table *table);

typedef struct table table_auto; /* for g_autoptr */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(table_auto, table_free)
