/* Tenants, what mail is theirs (users, domains), and their lists. */

#include "store/internal.h"

#include "base/error.h"

#define TENANT_COLUMNS "id, name, title, track, url, zone, split, text_links"
#define LIST_COLUMNS   "id, tenant, name, title, sender, unsubscribe, track, utm"

void store_tenant_clear(struct store_tenant *tenant)
{
  g_free(tenant->name);
  g_free(tenant->title);
  g_free(tenant->url);
  g_free(tenant->zone);
  *tenant = (struct store_tenant){0};
}

void store_list_clear(struct store_list *list)
{
  g_free(list->name);
  g_free(list->title);
  g_free(list->sender);
  *list = (struct store_list){0};
}

static void fill_tenant(struct db_stmt *stmt, void *element)
{
  *(struct store_tenant *)element = (struct store_tenant){
      .id = db_int64(stmt, 0),
      .name = store_text(stmt, 1),
      .title = store_text(stmt, 2),
      .track = (int)db_int64(stmt, 3),
      .url = store_text(stmt, 4),
      .zone = store_text(stmt, 5),
      .split = db_int64(stmt, 6) != 0,
      .text_links = db_int64(stmt, 7) != 0,
  };
}

static void fill_list(struct db_stmt *stmt, void *element)
{
  *(struct store_list *)element = (struct store_list){
      .id = db_int64(stmt, 0),
      .tenant = db_int64(stmt, 1),
      .name = store_text(stmt, 2),
      .title = store_text(stmt, 3),
      .sender = store_text(stmt, 4),
      .unsubscribe = db_int64(stmt, 5) != 0,
      .limited = !db_is_null(stmt, 6),
      .track = (int)db_int64(stmt, 6),
      .utm = db_int64(stmt, 7) != 0,
  };
}

/* A constraint that failed is a name that somebody has: say whose. */
static bool taken(bool done, GError **error, const char *what, const char *name)
{
  if (done || !error || !g_error_matches(*error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT)) return done;
  g_clear_error(error);
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "%s %s exists already", what, name);
  return false;
}

bool store_tenant_add(struct store *store, struct store_tenant *tenant, int64_t now, GError **error)
{
  struct db_stmt *stmt = store_query(store, "SELECT coalesce(max(id), 0) + 1 FROM tenant", "");
  if (!store_one(stmt, "tenant", error)) return false;
  tenant->id = db_int64(stmt, 0);
  db_reset(stmt);
  return taken(store_run(store, error,
                         "INSERT INTO tenant(" TENANT_COLUMNS ", created) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
                         "ittittiii", tenant->id, tenant->name, tenant->title, (int64_t)tenant->track,
                         tenant->url, tenant->zone, (int64_t)tenant->split, (int64_t)tenant->text_links, now),
               error, "tenant", tenant->name);
}

bool store_tenant_update(struct store *store, const struct store_tenant *tenant, GError **error)
{
  return store_run(
      store, error,
      "UPDATE tenant SET title = ?, track = ?, url = ?, zone = ?, split = ?, text_links = ? WHERE id = ?",
      "tittiii", tenant->title, (int64_t)tenant->track, tenant->url, tenant->zone, (int64_t)tenant->split,
      (int64_t)tenant->text_links, tenant->id);
}

bool store_tenant_get(struct store *store, const char *name, int64_t id, struct store_tenant *tenant,
                      GError **error)
{
  g_autofree char *what =
      name ? g_strdup_printf("tenant: %s", name) : g_strdup_printf("tenant: %" PRId64, id);
  struct db_stmt *stmt =
      name ? store_query(store, "SELECT " TENANT_COLUMNS " FROM tenant WHERE name = ?", "t", name)
           : store_query(store, "SELECT " TENANT_COLUMNS " FROM tenant WHERE id = ?", "i", id);
  if (!store_one(stmt, what, error)) return false;
  fill_tenant(stmt, tenant);
  db_reset(stmt);
  return true;
}

GArray *store_tenants(struct store *store, GError **error)
{
  return store_rows(store_query(store, "SELECT " TENANT_COLUMNS " FROM tenant ORDER BY name", ""),
                    sizeof(struct store_tenant), fill_tenant, (GDestroyNotify)store_tenant_clear, error);
}

/* Adding the same again is no fault; somebody else's is. */
static bool claim(struct db_stmt *stmt, int64_t tenant, const char *what, const char *name, GError **error)
{
  if (!store_one(stmt, what, error)) return false;
  int64_t owner = db_int64(stmt, 0);
  db_reset(stmt);
  if (owner == tenant) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "%s %s belongs to another tenant", what, name);
  return false;
}

bool store_tenant_user(struct store *store, int64_t tenant, const char *user, GError **error)
{
  g_autofree char *lower = g_ascii_strdown(user, -1);
  return store_run(store, error, "INSERT INTO tenant_user VALUES(?, ?) ON CONFLICT DO NOTHING", "ti", lower,
                   tenant) &&
         claim(store_query(store, "SELECT tenant FROM tenant_user WHERE user = ?", "t", lower), tenant,
               "user", user, error);
}

bool store_tenant_domain(struct store *store, int64_t tenant, const char *domain, GError **error)
{
  g_autofree char *lower = g_ascii_strdown(domain, -1);
  return store_run(store, error, "INSERT INTO tenant_domain VALUES(?, ?) ON CONFLICT DO NOTHING", "ti", lower,
                   tenant) &&
         claim(store_query(store, "SELECT tenant FROM tenant_domain WHERE domain = ?", "t", lower), tenant,
               "domain", domain, error);
}

static bool each_pair(struct db_stmt *stmt, store_pair_fn *fn, void *data, GError **error)
{
  enum db_result result;
  bool fine = true;
  while (fine && (result = db_step(stmt, error)) == DB_ROW)
    fine = fn(data, db_int64(stmt, 0), db_text(stmt, 1), error);
  db_reset(stmt);
  return fine && result == DB_DONE;
}

bool store_each_user(struct store *store, store_pair_fn *fn, void *data, GError **error)
{
  return each_pair(store_query(store, "SELECT tenant, user FROM tenant_user", ""), fn, data, error);
}

bool store_each_domain(struct store *store, store_pair_fn *fn, void *data, GError **error)
{
  return each_pair(store_query(store, "SELECT tenant, domain FROM tenant_domain", ""), fn, data, error);
}

/* -1 for what is null in the table. */
static int64_t ceiling(const struct store_list *list)
{
  return list->limited ? list->track : -1;
}

bool store_list_add(struct store *store, struct store_list *list, int64_t now, GError **error)
{
  list->id = store_next_id(store, now);
  return taken(store_run(store, error,
                         "INSERT INTO list(" LIST_COLUMNS ")"
                         " VALUES(?1, ?2, ?3, ?4, ?5, ?6, nullif(?7, -1), ?8)",
                         "iitttiii", list->id, list->tenant, list->name, list->title, list->sender,
                         (int64_t)list->unsubscribe, ceiling(list), (int64_t)list->utm),
               error, "list", list->name);
}

bool store_list_update(struct store *store, const struct store_list *list, GError **error)
{
  return store_run(store, error,
                   "UPDATE list SET title = ?, sender = ?, unsubscribe = ?, track = nullif(?, -1), utm = ?"
                   " WHERE tenant = ? AND id = ?",
                   "ttiiiii", list->title, list->sender, (int64_t)list->unsubscribe, ceiling(list),
                   (int64_t)list->utm, list->tenant, list->id);
}

bool store_list_get(struct store *store, int64_t tenant, const char *name, int64_t id,
                    struct store_list *list, GError **error)
{
  g_autofree char *what = name ? g_strdup_printf("list: %s", name) : g_strdup_printf("list: %" PRId64, id);
  struct db_stmt *stmt =
      name ? store_query(store, "SELECT " LIST_COLUMNS " FROM list WHERE tenant = ? AND name = ?", "it",
                         tenant, name)
           : store_query(store, "SELECT " LIST_COLUMNS " FROM list WHERE tenant = ? AND id = ?", "ii", tenant,
                         id);
  if (!store_one(stmt, what, error)) return false;
  fill_list(stmt, list);
  db_reset(stmt);
  return true;
}

GArray *store_lists(struct store *store, int64_t tenant, GError **error)
{
  return store_rows(store_query(store,
                                "SELECT " LIST_COLUMNS
                                " FROM list WHERE ?1 = 0 OR tenant = ?1 ORDER BY tenant, name",
                                "i", tenant),
                    sizeof(struct store_list), fill_list, (GDestroyNotify)store_list_clear, error);
}
