/* Links that are stopped. */

#include "store/internal.h"

void store_stop_clear(struct store_stop *stop)
{
  g_free(stop->url);
  *stop = (struct store_stop){0};
}

bool store_stop_add(struct store *store, const struct store_stop *stop, int64_t now, GError **error)
{
  return store_run(store, error, "INSERT INTO link_stop VALUES(?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                   "iitii", stop->tenant, stop->mail, stop->url, (int64_t)stop->prefix, now);
}

bool store_stop_remove(struct store *store, const struct store_stop *stop, bool *found, GError **error)
{
  bool done = store_run(store, error,
                        "DELETE FROM link_stop WHERE tenant = ? AND mail = ? AND url = ? AND prefix = ?",
                        "iiti", stop->tenant, stop->mail, stop->url, (int64_t)stop->prefix);
  *found = done && db_changes(store->db) > 0;
  return done;
}

static void fill_stop(struct db_stmt *stmt, void *element)
{
  *(struct store_stop *)element = (struct store_stop){
      .tenant = db_int64(stmt, 0),
      .mail = db_int64(stmt, 1),
      .url = store_text(stmt, 2),
      .prefix = db_int64(stmt, 3) != 0,
      .at = db_int64(stmt, 4),
  };
}

GArray *store_stops(struct store *store, int64_t tenant, GError **error)
{
  return store_rows(store_query(store,
                                "SELECT tenant, mail, url, prefix, at FROM link_stop"
                                " WHERE ?1 = 0 OR tenant IN (0, ?1) ORDER BY tenant, mail, url",
                                "i", tenant),
                    sizeof(struct store_stop), fill_stop, (GDestroyNotify)store_stop_clear, error);
}
