/* State: opening, transactions, ids and the helpers of the other files.
 *
 * store_open() once; store_begin() … store_commit() around every change; what is
 * gathered in memory (tallies, the last id) is written just before the commit,
 * and forgotten by a rollback. */

#include "store/internal.h"

#include <string.h>

#include "base/error.h"
#include "store/schema.h"

enum { APPLICATION_ID = 0x54696469 /* "Tidi" */, BUSY_MS = 5000 };

/* Room for the pages that a batch of events touches, so that each is read and
 * written once; it is taken only when it is used. */
static const char settings[] = "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 8000;";

static bool migrate(struct store *store, GError **error)
{
  int32_t version;
  if (!db_version(store->db, APPLICATION_ID, &version, error)) return false;
  if (version > store_schema_version) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS,
                "%s: has schema %d, this program knows %d: run the newer version, or restore a backup",
                store->path, version, store_schema_version);
    return false;
  }
  for (; version < store_schema_version; version++) {
    if (!db_begin(store->db, error)) return false;
    if (!db_script(store->db, store_schema[version], error) ||
        !db_set_version(store->db, APPLICATION_ID, version + 1, error) || !db_commit(store->db, error)) {
      db_rollback(store->db);
      return false;
    }
  }
  return true;
}

static bool load_last_id(struct store *store, GError **error)
{
  struct db_stmt *stmt = store_query(store, "SELECT value FROM meta WHERE name = 'last_id'", "");
  if (!store_one(stmt, "meta.last_id", error)) return false;
  store->ids.last = store->saved_id = db_int64(stmt, 0);
  db_reset(stmt);
  return true;
}

struct store *store_open(const char *path, uint8_t node, GError **error)
{
  struct db *db = db_open(path, DB_CREATE | DB_WAL, 0600, BUSY_MS, NULL, error);
  if (!db) return NULL;
  struct store *store = g_new0(struct store, 1);
  store->path = g_strdup(path);
  store->db = db;
  store->ids = (struct id_source){.node = node, .producer = ID_POLICYD};
  store->tallies = store_new_tallies();
  if (db_script(db, settings, error) && migrate(store, error) && load_last_id(store, error)) return store;
  store_close(store);
  return NULL;
}

void store_close(struct store *store)
{
  if (!store) return;
  db_close(store->db);
  g_hash_table_unref(store->tallies);
  g_free(store->path);
  g_free(store);
}

bool store_begin(struct store *store, GError **error)
{
  return db_begin(store->db, error);
}

bool store_commit(struct store *store, GError **error)
{
  if (!store_flush_tallies(store, error)) return false;
  if (store->ids.last != store->saved_id &&
      !store_run(store, error, "UPDATE meta SET value = ? WHERE name = 'last_id'", "i", store->ids.last))
    return false;
  if (!db_commit(store->db, error)) return false;
  store->saved_id = store->ids.last;
  return true;
}

void store_rollback(struct store *store)
{
  g_hash_table_remove_all(store->tallies);
  db_rollback(store->db);
}

int64_t store_next_id(struct store *store, int64_t now)
{
  return id_next(&store->ids, now);
}

bool store_position(struct store *store, const char *producer, int64_t *segment, int64_t *seq, GError **error)
{
  *segment = *seq = 0;
  struct db_stmt *stmt =
      store_query(store, "SELECT segment, seq FROM journal_position WHERE producer = ?", "t", producer);
  enum db_result result = db_step(stmt, error);
  if (result == DB_ROW) {
    *segment = db_int64(stmt, 0);
    *seq = db_int64(stmt, 1);
  }
  db_reset(stmt);
  return result != DB_ERROR;
}

bool store_set_position(struct store *store, const char *producer, int64_t segment, int64_t seq,
                        GError **error)
{
  return store_run(store, error,
                   "INSERT INTO journal_position VALUES(?1, ?2, ?3)"
                   " ON CONFLICT(producer) DO UPDATE SET segment = ?2, seq = ?3",
                   "tii", producer, segment, seq);
}

/* ---- helpers */

bool store_one(struct db_stmt *stmt, const char *what, GError **error)
{
  switch (db_step(stmt, error)) {
  case DB_ROW:
    return true;
  case DB_DONE:
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND, "no such %s", what);
    break;
  case DB_ERROR:
    break;
  }
  db_reset(stmt);
  return false;
}

char *store_text(struct db_stmt *stmt, int column)
{
  return g_strdup(db_text(stmt, column));
}

GArray *store_array(size_t element, GDestroyNotify clear)
{
  GArray *array = g_array_new(FALSE, TRUE, (guint)element);
  if (clear) g_array_set_clear_func(array, clear);
  return array;
}

GArray *store_rows(struct db_stmt *stmt, size_t element, store_fill_fn *fill, GDestroyNotify clear,
                   GError **error)
{
  GArray *rows = store_array(element, clear);
  enum db_result result;
  while ((result = db_step(stmt, error)) == DB_ROW) {
    g_array_set_size(rows, rows->len + 1);
    fill(stmt, rows->data + (size_t)(rows->len - 1) * element);
  }
  db_reset(stmt);
  if (result == DB_ERROR) g_clear_pointer(&rows, g_array_unref);
  return rows;
}
