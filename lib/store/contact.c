/* Contacts, their subscriptions, and suppressions. */

#include "store/internal.h"

#include <string.h>

#include <jansson.h>

#include "base/error.h"

#define CONTACT_COLUMNS "id, tenant, address, zone, fields, source, created"

void store_contact_clear(struct store_contact *contact)
{
  g_free(contact->address);
  g_free(contact->zone);
  g_free(contact->fields);
  g_free(contact->source);
  *contact = (struct store_contact){0};
}

void store_subscription_clear(struct store_subscription *subscription)
{
  g_free(subscription->list_name);
  g_free(subscription->source);
  *subscription = (struct store_subscription){0};
}

static void fill_contact(struct db_stmt *stmt, void *element)
{
  *(struct store_contact *)element = (struct store_contact){
      .id = db_int64(stmt, 0),
      .tenant = db_int64(stmt, 1),
      .address = store_text(stmt, 2),
      .zone = store_text(stmt, 3),
      .fields = store_text(stmt, 4),
      .source = store_text(stmt, 5),
      .created = db_int64(stmt, 6),
  };
}

/* Addresses are compared without case: local parts that differ in case alone
 * are one person everywhere that matters. The address as written is kept. */
static char *address_key(const char *address)
{
  return g_utf8_validate(address, -1, NULL) ? g_utf8_strdown(address, -1) : g_ascii_strdown(address, -1);
}

bool store_contact_get(struct store *store, int64_t tenant, const char *address, int64_t id,
                       struct store_contact *contact, GError **error)
{
  g_autofree char *key = address ? address_key(address) : NULL;
  g_autofree char *what =
      address ? g_strdup_printf("contact: %s", address) : g_strdup_printf("contact: %" PRId64, id);
  struct db_stmt *stmt =
      address ? store_query(store, "SELECT " CONTACT_COLUMNS " FROM contact WHERE tenant = ? AND key = ?",
                            "it", tenant, key)
              : store_query(store, "SELECT " CONTACT_COLUMNS " FROM contact WHERE tenant = ? AND id = ?",
                            "ii", tenant, id);
  if (!store_one(stmt, what, error)) return false;
  fill_contact(stmt, contact);
  db_reset(stmt);
  return true;
}

int64_t store_contact_id(struct store *store, int64_t tenant, const char *address, GError **error)
{
  g_autofree char *key = address_key(address);
  struct db_stmt *stmt =
      store_query(store, "SELECT id FROM contact WHERE tenant = ? AND key = ?", "it", tenant, key);
  enum db_result result = db_step(stmt, error);
  int64_t id = result == DB_ROW ? db_int64(stmt, 0) : result == DB_DONE ? 0 : -1;
  db_reset(stmt);
  return id;
}

/* OLD with the members of NEW over it; NULL if there is neither. */
static char *merge_fields(const char *old, const char *new)
{
  if (!new) return g_strdup(old);
  json_t *base = old ? json_loads(old, 0, NULL) : json_object();
  json_t *over = json_loads(new, 0, NULL);
  if (base && over) json_object_update(base, over);
  char *text = json_dumps(base, JSON_COMPACT | JSON_SORT_KEYS);
  char *merged = g_strdup(text);
  free(text);
  json_decref(base);
  json_decref(over);
  return merged;
}

static bool contact_update(struct store *store, struct store_contact *contact, GError **error)
{
  struct store_contact old = {0};
  if (!store_contact_get(store, contact->tenant, NULL, contact->id, &old, error)) return false;
  g_autofree char *fields = merge_fields(old.fields, contact->fields);
  bool done = store_run(store, error,
                        "UPDATE contact SET zone = coalesce(?, zone), fields = ? WHERE tenant = ? AND id = ?",
                        "ttii", contact->zone, fields, contact->tenant, contact->id);
  store_contact_clear(&old);
  return done;
}

bool store_contact_put(struct store *store, struct store_contact *contact, bool *added, int64_t now,
                       GError **error)
{
  contact->id = store_contact_id(store, contact->tenant, contact->address, error);
  *added = contact->id == 0;
  if (contact->id < 0) return false;
  if (contact->id > 0) return contact_update(store, contact, error);
  g_autofree char *key = address_key(contact->address);
  contact->id = store_next_id(store, now);
  contact->created = now;
  return store_run(store, error,
                   "INSERT INTO contact(" CONTACT_COLUMNS ", key) VALUES(?, ?, ?, ?, ?, ?, ?, ?)", "iittttit",
                   contact->id, contact->tenant, contact->address, contact->zone, contact->fields,
                   contact->source, now, key);
}

GArray *store_contacts(struct store *store, int64_t tenant, int64_t after, size_t max, GError **error)
{
  return store_rows(store_query(store,
                                "SELECT " CONTACT_COLUMNS
                                " FROM contact WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?",
                                "iii", tenant, after, (int64_t)max),
                    sizeof(struct store_contact), fill_contact, (GDestroyNotify)store_contact_clear, error);
}

bool store_subscribe(struct store *store, int64_t tenant, int64_t contact, int64_t list, bool subscribed,
                     const char *source, int64_t now, bool *changed, GError **error)
{
  *changed = false;
  struct db_stmt *stmt =
      store_query(store, "SELECT subscribed FROM subscription WHERE tenant = ? AND contact = ? AND list = ?",
                  "iii", tenant, contact, list);
  enum db_result result = db_step(stmt, error);
  bool same = result == DB_ROW && (db_int64(stmt, 0) != 0) == subscribed;
  db_reset(stmt);
  if (result == DB_ERROR) return false;
  if (same) return true;
  *changed = true;
  return store_run(
      store, error,
      "INSERT INTO subscription VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(tenant, contact, list)"
      " DO UPDATE SET subscribed = ?4, at = ?5, source = ?6",
      "iiiiit", tenant, contact, list, (int64_t)subscribed, now, source);
}

static void fill_subscription(struct db_stmt *stmt, void *element)
{
  *(struct store_subscription *)element = (struct store_subscription){
      .list = db_int64(stmt, 0),
      .subscribed = db_int64(stmt, 1) != 0,
      .at = db_int64(stmt, 2),
      .source = store_text(stmt, 3),
      .list_name = store_text(stmt, 4),
  };
}

GArray *store_subscriptions(struct store *store, int64_t tenant, int64_t contact, GError **error)
{
  return store_rows(store_query(store,
                                "SELECT s.list, s.subscribed, s.at, s.source, l.name FROM subscription s"
                                " JOIN list l ON l.tenant = s.tenant AND l.id = s.list"
                                " WHERE s.tenant = ? AND s.contact = ? ORDER BY l.name",
                                "ii", tenant, contact),
                    sizeof(struct store_subscription), fill_subscription,
                    (GDestroyNotify)store_subscription_clear, error);
}

bool store_suppress(struct store *store, int64_t tenant, int64_t list, const uint8_t key[16],
                    const char *source, int64_t now, GError **error)
{
  return store_run(store, error, "INSERT INTO suppression VALUES(?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                   "iibit", tenant, list, key, (size_t)16, now, source);
}

bool store_unsuppress(struct store *store, int64_t tenant, int64_t list, const uint8_t key[16],
                      GError **error)
{
  return store_run(store, error, "DELETE FROM suppression WHERE tenant = ? AND list = ? AND key = ?", "iib",
                   tenant, list, key, (size_t)16);
}

bool store_is_suppressed(struct store *store, int64_t tenant, int64_t list, const uint8_t key[16],
                         bool *suppressed, GError **error)
{
  struct db_stmt *stmt =
      store_query(store, "SELECT 1 FROM suppression WHERE tenant IN (0, ?) AND list IN (0, ?) AND key = ?",
                  "iib", tenant, list, key, (size_t)16);
  enum db_result result = db_step(stmt, error);
  *suppressed = result == DB_ROW;
  db_reset(stmt);
  return result != DB_ERROR;
}

bool store_each_suppression(struct store *store, store_suppression_fn *fn, void *data, GError **error)
{
  struct db_stmt *stmt = store_query(store, "SELECT tenant, list, key FROM suppression", "");
  enum db_result result;
  bool fine = true;
  while (fine && (result = db_step(stmt, error)) == DB_ROW) {
    size_t size;
    const uint8_t *key = db_blob(stmt, 2, &size);
    if (size == 16) fine = fn(data, db_int64(stmt, 0), db_int64(stmt, 1), key, error);
  }
  db_reset(stmt);
  return fine && result == DB_DONE;
}

bool store_is_erased(struct store *store, int64_t tenant, const uint8_t key[16], bool *erased, GError **error)
{
  struct db_stmt *stmt = store_query(
      store, "SELECT 1 FROM suppression WHERE tenant = ? AND list = 0 AND key = ? AND source = 'erased'",
      "ib", tenant, key, (size_t)16);
  enum db_result result = db_step(stmt, error);
  *erased = result == DB_ROW;
  db_reset(stmt);
  return result != DB_ERROR;
}

/* What stands in the tables under the contact's id. */
static bool erase_contact(struct store *store, int64_t tenant, int64_t contact, GError **error)
{
  return store_run(store, error,
                   "DELETE FROM send WHERE tenant = ?1"
                   " AND journey IN (SELECT id FROM journey WHERE tenant = ?1 AND contact = ?2)",
                   "ii", tenant, contact) &&
         store_run(store, error, "DELETE FROM journey WHERE tenant = ? AND contact = ?", "ii", tenant,
                   contact) &&
         store_run(store, error, "DELETE FROM subscription WHERE tenant = ? AND contact = ?", "ii", tenant,
                   contact) &&
         store_run(store, error, "DELETE FROM event WHERE tenant = ? AND contact = ?", "ii", tenant,
                   contact) &&
         store_run(store, error,
                   "UPDATE mail SET recipient = NULL, contact = -1 WHERE tenant = ? AND contact = ?", "ii",
                   tenant, contact) &&
         store_run(store, error, "DELETE FROM contact WHERE tenant = ? AND id = ?", "ii", tenant, contact);
}

bool store_contact_erase(struct store *store, int64_t tenant, int64_t contact, const char *address,
                         GError **error)
{
  g_autofree char *lower = g_ascii_strdown(address, -1);
  return (!contact || erase_contact(store, tenant, contact, error)) &&
         store_run(store, error, "UPDATE mail SET contact = -1 WHERE tenant = ? AND lower(recipient) = ?",
                   "it", tenant, lower) &&
         store_run(store, error,
                   "UPDATE mail SET recipient = NULL, subject = NULL, message_id = NULL, journey = 0"
                   " WHERE tenant = ? AND contact = -1",
                   "i", tenant) &&
         store_run(store, error,
                   "UPDATE mail_hits SET contact = -1, journey = 0 WHERE tenant = ?1 AND contact <> -1"
                   " AND mail IN (SELECT id FROM mail WHERE tenant = ?1 AND contact = -1)",
                   "i", tenant) &&
         /* Events of nobody known, and of mails to several: the event stays. */
         store_run(store, error,
                   "UPDATE event SET data = '{}' WHERE tenant = ? AND instr(lower(data), ?) > 0", "it",
                   tenant, lower);
}
