/* Mails, the events about them, and the counts that reports read. */

#include "store/internal.h"

#include <string.h>

#include "base/error.h"

#define MAIL_COLUMNS                                                                                         \
  "id, tenant, at, contact, list, journey, workflow, step, action, reason, links, sender, recipient,"        \
  " subject, message_id, queue_id"

void store_mail_clear(struct store_mail *mail)
{
  char *owned[] = {mail->workflow,  mail->step,    mail->action,     mail->reason,  mail->sender,
                   mail->recipient, mail->subject, mail->message_id, mail->queue_id};
  for (size_t i = 0; i < G_N_ELEMENTS(owned); i++)
    g_free(owned[i]);
  *mail = (struct store_mail){0};
}

void store_event_clear(struct store_event *event)
{
  g_free(event->reason);
  g_free(event->data);
  g_free(event->address);
  *event = (struct store_event){0};
}

bool store_mail_add(struct store *store, const struct store_mail *mail, GError **error)
{
  return store_run(store, error,
                   "INSERT INTO mail(" MAIL_COLUMNS
                   ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   "iiiiiittttittttt", mail->id, mail->tenant, mail->at, mail->contact, mail->list,
                   mail->journey, mail->workflow, mail->step, mail->action, mail->reason, mail->links,
                   mail->sender, mail->recipient, mail->subject, mail->message_id, mail->queue_id) &&
         store_run(store, error, "INSERT INTO mail_hits VALUES(?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0)", "iiiiii",
                   mail->id, mail->tenant, mail->at, mail->contact, mail->list, mail->journey);
}

bool store_mail_get(struct store *store, int64_t tenant, int64_t id, struct store_mail *mail, GError **error)
{
  struct db_stmt *stmt = store_query(
      store,
      "SELECT id, m.tenant, m.at, m.contact, m.list, m.journey, workflow, step, action, reason, links, "
      "sender,"
      " recipient, subject, message_id, queue_id, opens, clicks, machine, opened_at, clicked_at FROM mail m"
      " JOIN mail_hits h ON h.mail = m.id WHERE m.tenant = ? AND m.id = ?",
      "ii", tenant, id);
  if (!store_one(stmt, "mail", error)) return false;
  *mail = (struct store_mail){
      .id = db_int64(stmt, 0),
      .tenant = db_int64(stmt, 1),
      .at = db_int64(stmt, 2),
      .contact = db_int64(stmt, 3),
      .list = db_int64(stmt, 4),
      .journey = db_int64(stmt, 5),
      .workflow = store_text(stmt, 6),
      .step = store_text(stmt, 7),
      .action = store_text(stmt, 8),
      .reason = store_text(stmt, 9),
      .links = db_int64(stmt, 10),
      .sender = store_text(stmt, 11),
      .recipient = store_text(stmt, 12),
      .subject = store_text(stmt, 13),
      .message_id = store_text(stmt, 14),
      .queue_id = store_text(stmt, 15),
      .opens = db_int64(stmt, 16),
      .clicks = db_int64(stmt, 17),
      .machine = db_int64(stmt, 18),
      .opened_at = db_int64(stmt, 19),
      .clicked_at = db_int64(stmt, 20),
  };
  db_reset(stmt);
  return true;
}

bool store_mail_hits(struct store *store, int64_t tenant, int64_t id, struct store_mail *mail, GError **error)
{
  struct db_stmt *stmt = store_query(store,
                                     "SELECT at, contact, list, journey, opened_at, clicked_at FROM mail_hits"
                                     " WHERE mail = ? AND tenant = ?",
                                     "ii", id, tenant);
  if (!store_one(stmt, "mail", error)) return false;
  *mail = (struct store_mail){
      .id = id,
      .tenant = tenant,
      .at = db_int64(stmt, 0),
      .contact = db_int64(stmt, 1),
      .list = db_int64(stmt, 2),
      .journey = db_int64(stmt, 3),
      .opened_at = db_int64(stmt, 4),
      .clicked_at = db_int64(stmt, 5),
  };
  db_reset(stmt);
  return true;
}

bool store_mail_hit(struct store *store, const struct store_mail *mail, bool click, bool machine, int64_t at,
                    bool *first, GError **error)
{
  *first = !machine && (click ? mail->clicked_at : mail->opened_at) == 0;
  int64_t opened = *first && !click ? at : mail->opened_at, clicked = *first && click ? at : mail->clicked_at;
  return store_run(store, error,
                   "UPDATE mail_hits SET opens = opens + ?, clicks = clicks + ?, machine = machine + ?,"
                   " opened_at = ?, clicked_at = ? WHERE mail = ? AND tenant = ?",
                   "iiiiiii", (int64_t)(!machine && !click), (int64_t)(!machine && click), (int64_t)machine,
                   opened, clicked, mail->id, mail->tenant);
}

bool store_event_add(struct store *store, int64_t tenant, const struct store_event *event, GError **error)
{
  return store_run(store, error, "INSERT INTO event VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", "iiiiiiitt", tenant,
                   event->id, event->at, (int64_t)event->kind, event->contact, event->mail,
                   (int64_t)event->verdict, event->reason, event->data);
}

static void fill_event(struct db_stmt *stmt, void *element)
{
  *(struct store_event *)element = (struct store_event){
      .id = db_int64(stmt, 0),
      .at = db_int64(stmt, 1),
      .kind = (enum event_kind)db_int64(stmt, 2),
      .contact = db_int64(stmt, 3),
      .mail = db_int64(stmt, 4),
      .verdict = (int)db_int64(stmt, 5),
      .reason = store_text(stmt, 6),
      .data = store_text(stmt, 7),
      .address = store_text(stmt, 8),
  };
}

#define EVENTS                                                                                               \
  "SELECT e.id, e.at, e.kind, e.contact, e.mail, e.verdict, e.reason, e.data, c.address FROM event e"        \
  " LEFT JOIN contact c ON c.tenant = e.tenant AND c.id = e.contact WHERE e.tenant = ?1"

GArray *store_events(struct store *store, int64_t tenant, int64_t contact, int64_t after, size_t max,
                     GError **error)
{
  bool newest = after < 0;
  struct db_stmt *stmt;
  if (contact)
    stmt = newest ? store_query(store,
                                "SELECT * FROM (" EVENTS " AND e.contact = ?2 AND e.contact <> 0"
                                " ORDER BY e.id DESC LIMIT ?3) ORDER BY id",
                                "iii", tenant, contact, (int64_t)max)
                  : store_query(store,
                                EVENTS
                                " AND e.contact = ?2 AND e.contact <> 0 AND e.id > ?4 ORDER BY e.id LIMIT ?3",
                                "iiii", tenant, contact, (int64_t)max, after);
  else
    stmt = newest ? store_query(store, "SELECT * FROM (" EVENTS " ORDER BY e.id DESC LIMIT ?2) ORDER BY id",
                                "ii", tenant, (int64_t)max)
                  : store_query(store, EVENTS " AND e.id > ?3 ORDER BY e.id LIMIT ?2", "iii", tenant,
                                (int64_t)max, after);
  return store_rows(stmt, sizeof(struct store_event), fill_event, (GDestroyNotify)store_event_clear, error);
}

/* ---- tallies: gathered by key, written once a transaction */

struct tally {
  int64_t tenant, day, n;
  const char *scope, *metric; /* interned */
};

static guint tally_hash(gconstpointer key)
{
  const struct tally *t = key;
  return g_direct_hash(t->scope) ^ g_direct_hash(t->metric) * 31u ^ (guint)t->tenant * 7919u ^
         (guint)t->day * 104729u;
}

static gboolean tally_equal(gconstpointer a, gconstpointer b)
{
  const struct tally *x = a, *y = b;
  return x->tenant == y->tenant && x->day == y->day && x->scope == y->scope && x->metric == y->metric;
}

GHashTable *store_new_tallies(void)
{
  return g_hash_table_new_full(tally_hash, tally_equal, g_free, NULL);
}

void store_tally(struct store *store, int64_t tenant, const char *scope, const char *metric, int64_t at,
                 int64_t n)
{
  struct tally key = {.tenant = tenant,
                      .day = at / (INT64_C(86400) * 1000000),
                      .n = n,
                      .scope = g_intern_string(scope),
                      .metric = g_intern_string(metric)};
  struct tally *found = g_hash_table_lookup(store->tallies, &key);
  if (found)
    found->n += n;
  else
    g_hash_table_add(store->tallies, g_memdup2(&key, sizeof key));
}

bool store_flush_tallies(struct store *store, GError **error)
{
  GHashTableIter iter;
  gpointer key;
  g_hash_table_iter_init(&iter, store->tallies);
  while (g_hash_table_iter_next(&iter, &key, NULL)) {
    const struct tally *t = key;
    if (!store_run(store, error,
                   "INSERT INTO tally VALUES(?1, ?2, ?3, ?4, ?5)"
                   " ON CONFLICT(tenant, scope, day, metric) DO UPDATE SET n = n + ?5",
                   "iitti", t->tenant, t->day, t->scope, t->metric, t->n))
      return false;
  }
  g_hash_table_remove_all(store->tallies);
  return true;
}

bool store_report(struct store *store, int64_t tenant, int64_t from, int64_t until, store_tally_fn *fn,
                  void *data, GError **error)
{
  static const int64_t day = INT64_C(86400) * 1000000;
  struct db_stmt *stmt =
      store_query(store,
                  "SELECT scope, metric, sum(n) FROM tally WHERE tenant = ? AND day >= ? AND day < ?"
                  " GROUP BY scope, metric ORDER BY scope, metric",
                  "iii", tenant, from / day, (until + day - 1) / day);
  enum db_result result;
  bool fine = true;
  while (fine && (result = db_step(stmt, error)) == DB_ROW)
    fine = fn(data, db_text(stmt, 0), db_text(stmt, 1), db_int64(stmt, 2), error);
  db_reset(stmt);
  return fine && result == DB_DONE;
}
