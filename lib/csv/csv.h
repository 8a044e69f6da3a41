#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

/* Comma-separated values (RFC 4180), pushed in pieces of any size, read in bounded
 * memory. Lines end with LF or CR LF; empty lines and a byte order mark at the
 * beginning are passed over. Fields in quotes may hold separators, line ends and
 * doubled quotes; a quote within a field that does not begin with one stands for
 * itself. Bytes are not otherwise looked at, but a NUL is a fault. */
struct csv;

/* Takes one record. LINE is that on which it begins, from 1; FIELDS are COUNT texts, all
 * borrowed. FAULT, if not NULL, says what is wrong with it; then there are no fields,
 * and reading goes on behind the line where it went wrong. False stops, with an error
 * set. */
typedef bool csv_record_fn(void *data, size_t line, char *const *fields, size_t count, const char *fault,
                           GError **error);

/* A reader of fields separated by SEPARATOR (not a quote, CR or LF), whose records
 * have at most MAX bytes. Free with csv_free(). */
struct csv *csv_new(char separator, size_t max, csv_record_fn *fn, void *data);
void csv_free(struct csv *csv);

/* Feeds LENGTH bytes; each record that they complete goes to the function at once.
 * Errors: those of the function, after which nothing more may be fed. */
bool csv_feed(struct csv *csv, const char *bytes, size_t length, GError **error);

/* The end of the input: hands over a last record without a line end. */
bool csv_finish(struct csv *csv, GError **error);

typedef struct csv csv_auto; /* for g_autoptr */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(csv_auto, csv_free)
