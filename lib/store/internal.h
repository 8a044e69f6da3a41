#pragma once

/* What the files of lib/store share. */

#include <inttypes.h>

#include "base/id.h"
#include "db/db.h"
#include "store/store.h"

struct store {
  char *path;
  struct db *db;
  struct id_source ids;
  int64_t saved_id;    /* ids.last as it stands in meta */
  GHashTable *tallies; /* what store_commit() adds to the table tally */
};

/* A cached statement, bound and ready to step; what fails waits for the step.
 * SQL is a literal, then come the types and values of db_bind(). */
#define store_query(store, sql, ...) db_bind(db_sql((store)->db, sql), __VA_ARGS__)

/* Runs a statement that gives no rows. */
#define store_run(store, error, sql, ...) db_exec(db_bind(db_sql((store)->db, sql), __VA_ARGS__), (error))

/* Steps to the only row. Errors: NOTFOUND with WHAT in the sentence. */
bool store_one(struct db_stmt *stmt, const char *what, GError **error);

/* A copy of a text column; NULL if it is null. */
char *store_text(struct db_stmt *stmt, int column);

/* A new array whose elements are cleared by CLEAR. */
GArray *store_array(size_t element, GDestroyNotify clear);

/* Rows of STMT into a new array: FILL makes an element of each. NULL on error. */
typedef void store_fill_fn(struct db_stmt *stmt, void *element);
GArray *store_rows(struct db_stmt *stmt, size_t element, store_fill_fn *fill, GDestroyNotify clear,
                   GError **error);

/* Writes the gathered tallies (mail.c). */
bool store_flush_tallies(struct store *store, GError **error);
GHashTable *store_new_tallies(void);
