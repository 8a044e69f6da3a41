/* Workflows, journeys, what is due and what is to be sent. */

#include "store/internal.h"

#include <string.h>

#include "base/error.h"

#define WORKFLOW_COLUMNS "id, tenant, version, active, name, title, source, definition, loaded"
#define JOURNEY_COLUMNS  "id, tenant, workflow, contact, since, due_at, active, step, position, cause, outcome"
#define SEND_COLUMNS                                                                                         \
  "tenant, journey, contact, step, visit, tries, state, planned, not_before, handed, offered, queue_id, "    \
  "reply"

void store_workflow_clear(struct store_workflow *workflow)
{
  g_free(workflow->name);
  g_free(workflow->title);
  g_free(workflow->source);
  g_free(workflow->definition);
  *workflow = (struct store_workflow){0};
}

void store_journey_clear(struct store_journey *journey)
{
  g_free(journey->step);
  g_free(journey->position);
  g_free(journey->cause);
  g_free(journey->outcome);
  *journey = (struct store_journey){0};
}

void store_send_clear(struct store_send *send)
{
  g_free(send->step);
  g_free(send->queue_id);
  g_free(send->reply);
  *send = (struct store_send){0};
}

void store_step_count_clear(struct store_step_count *count)
{
  g_free(count->step);
  *count = (struct store_step_count){0};
}

/* ---- workflows */

static void fill_workflow(struct db_stmt *stmt, void *element)
{
  *(struct store_workflow *)element = (struct store_workflow){
      .id = db_int64(stmt, 0),
      .tenant = db_int64(stmt, 1),
      .version = (int)db_int64(stmt, 2),
      .active = db_int64(stmt, 3) != 0,
      .name = store_text(stmt, 4),
      .title = store_text(stmt, 5),
      .source = store_text(stmt, 6),
      .definition = store_text(stmt, 7),
      .loaded = db_int64(stmt, 8),
  };
}

bool store_workflow_add(struct store *store, struct store_workflow *workflow, int64_t now, GError **error)
{
  struct db_stmt *stmt =
      store_query(store, "SELECT coalesce(max(version), 0) + 1 FROM workflow WHERE tenant = ? AND name = ?",
                  "it", workflow->tenant, workflow->name);
  if (!store_one(stmt, "workflow", error)) return false;
  workflow->version = (int)db_int64(stmt, 0);
  db_reset(stmt);
  workflow->id = store_next_id(store, now);
  workflow->active = true;
  workflow->loaded = now;
  return store_workflow_stop(store, workflow->tenant, workflow->name, error) &&
         store_run(store, error,
                   "INSERT INTO workflow(" WORKFLOW_COLUMNS ") VALUES(?, ?, ?, 1, ?, ?, ?, ?, ?)", "iiitttti",
                   workflow->id, workflow->tenant, (int64_t)workflow->version, workflow->name,
                   workflow->title, workflow->source, workflow->definition, now);
}

bool store_workflow_get(struct store *store, int64_t tenant, const char *name, int64_t id,
                        struct store_workflow *workflow, GError **error)
{
  g_autofree char *what =
      name ? g_strdup_printf("workflow: %s", name) : g_strdup_printf("workflow: %" PRId64, id);
  struct db_stmt *stmt =
      name ? store_query(store,
                         "SELECT " WORKFLOW_COLUMNS
                         " FROM workflow WHERE tenant = ? AND name = ? ORDER BY version DESC LIMIT 1",
                         "it", tenant, name)
           : store_query(store, "SELECT " WORKFLOW_COLUMNS " FROM workflow WHERE tenant = ? AND id = ?", "ii",
                         tenant, id);
  if (!store_one(stmt, what, error)) return false;
  fill_workflow(stmt, workflow);
  db_reset(stmt);
  return true;
}

GArray *store_workflows(struct store *store, int64_t tenant, GError **error)
{
  return store_rows(
      store_query(store,
                  "SELECT " WORKFLOW_COLUMNS
                  " FROM workflow WHERE active = 1 AND (?1 = 0 OR tenant = ?1) ORDER BY tenant, name",
                  "i", tenant),
      sizeof(struct store_workflow), fill_workflow, (GDestroyNotify)store_workflow_clear, error);
}

bool store_workflow_stop(struct store *store, int64_t tenant, const char *name, GError **error)
{
  return store_run(store, error,
                   "UPDATE workflow SET active = 0 WHERE tenant = ? AND name = ? AND active = 1", "it",
                   tenant, name);
}

bool store_message_add(struct store *store, int64_t tenant, int64_t workflow, const char *name,
                       GBytes *source, GError **error)
{
  size_t size;
  const void *bytes = g_bytes_get_data(source, &size);
  return store_run(store, error, "INSERT INTO message VALUES(?, ?, ?, ?)", "iitb", tenant, workflow, name,
                   bytes, size);
}

GBytes *store_message_get(struct store *store, int64_t tenant, int64_t workflow, const char *name,
                          GError **error)
{
  g_autofree char *what = g_strdup_printf("message: %s", name);
  struct db_stmt *stmt =
      store_query(store, "SELECT source FROM message WHERE tenant = ? AND workflow = ? AND name = ?", "iit",
                  tenant, workflow, name);
  if (!store_one(stmt, what, error)) return NULL;
  size_t size;
  const void *bytes = db_blob(stmt, 0, &size);
  GBytes *source = g_bytes_new(bytes, size);
  db_reset(stmt);
  return source;
}

/* ---- journeys */

static void fill_journey(struct db_stmt *stmt, void *element)
{
  *(struct store_journey *)element = (struct store_journey){
      .id = db_int64(stmt, 0),
      .tenant = db_int64(stmt, 1),
      .workflow = db_int64(stmt, 2),
      .contact = db_int64(stmt, 3),
      .since = db_int64(stmt, 4),
      .due_at = db_int64(stmt, 5),
      .active = db_int64(stmt, 6) != 0,
      .step = store_text(stmt, 7),
      .position = store_text(stmt, 8),
      .cause = store_text(stmt, 9),
      .outcome = store_text(stmt, 10),
  };
}

bool store_journey_add(struct store *store, const struct store_journey *journey, GError **error)
{
  return store_run(store, error,
                   "INSERT INTO journey(" JOURNEY_COLUMNS ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   "iiiiiiitttt", journey->id, journey->tenant, journey->workflow, journey->contact,
                   journey->since, journey->due_at, (int64_t)journey->active, journey->step,
                   journey->position, journey->cause, journey->outcome);
}

bool store_journey_update(struct store *store, const struct store_journey *journey, GError **error)
{
  return store_run(store, error,
                   "UPDATE journey SET since = ?, due_at = ?, active = ?, step = ?, position = ?, outcome = ?"
                   " WHERE tenant = ? AND id = ?",
                   "iiitttii", journey->since, journey->due_at, (int64_t)journey->active, journey->step,
                   journey->position, journey->outcome, journey->tenant, journey->id);
}

bool store_journey_get(struct store *store, int64_t tenant, int64_t id, struct store_journey *journey,
                       GError **error)
{
  struct db_stmt *stmt = store_query(
      store, "SELECT " JOURNEY_COLUMNS " FROM journey WHERE tenant = ? AND id = ?", "ii", tenant, id);
  if (!store_one(stmt, "journey", error)) return false;
  fill_journey(stmt, journey);
  db_reset(stmt);
  return true;
}

GArray *store_journeys_of(struct store *store, int64_t tenant, int64_t contact, bool active, GError **error)
{
  struct db_stmt *stmt =
      active ? store_query(store,
                           "SELECT " JOURNEY_COLUMNS
                           " FROM journey WHERE tenant = ? AND contact = ? AND active = 1 ORDER BY id",
                           "ii", tenant, contact)
             : store_query(store,
                           "SELECT " JOURNEY_COLUMNS
                           " FROM journey WHERE tenant = ? AND contact = ? ORDER BY id",
                           "ii", tenant, contact);
  return store_rows(stmt, sizeof(struct store_journey), fill_journey, (GDestroyNotify)store_journey_clear,
                    error);
}

bool store_journey_exists(struct store *store, int64_t tenant, int64_t contact, const char *name, bool *found,
                          GError **error)
{
  struct db_stmt *stmt =
      store_query(store,
                  "SELECT 1 FROM journey j JOIN workflow w ON w.tenant = j.tenant"
                  " AND w.id = j.workflow WHERE j.tenant = ? AND j.contact = ? AND w.name = ?",
                  "iit", tenant, contact, name);
  enum db_result result = db_step(stmt, error);
  *found = result == DB_ROW;
  db_reset(stmt);
  return result != DB_ERROR;
}

static void fill_step_count(struct db_stmt *stmt, void *element)
{
  *(struct store_step_count *)element = (struct store_step_count){
      .step = store_text(stmt, 0), .n = db_int64(stmt, 1), .oldest = db_int64(stmt, 2)};
}

GArray *store_step_counts(struct store *store, int64_t tenant, const char *name, bool active, GError **error)
{
  struct db_stmt *stmt =
      active ? store_query(store,
                           "SELECT j.step, count(*), min(j.since) FROM workflow w JOIN journey j"
                           " ON j.tenant = w.tenant AND j.workflow = w.id AND j.active = 1"
                           " WHERE w.tenant = ? AND w.name = ? GROUP BY j.step",
                           "it", tenant, name)
             : store_query(
                   store,
                   "SELECT coalesce(j.outcome, ''), count(*), min(j.since) FROM workflow w JOIN journey j"
                   " ON j.tenant = w.tenant AND j.workflow = w.id AND j.active = 0"
                   " WHERE w.tenant = ? AND w.name = ? GROUP BY j.outcome",
                   "it", tenant, name);
  return store_rows(stmt, sizeof(struct store_step_count), fill_step_count,
                    (GDestroyNotify)store_step_count_clear, error);
}

/* ---- due */

bool store_due_add(struct store *store, const struct store_due *due, GError **error)
{
  return store_run(
      store, error,
      "INSERT INTO due VALUES(?1, ?2, ?3, ?4) ON CONFLICT(bucket, tenant, journey) DO UPDATE SET at = ?4",
      "iiii", due->at / STORE_BUCKET, due->tenant, due->journey, due->at);
}

bool store_due_remove(struct store *store, const struct store_due *due, GError **error)
{
  return store_run(store, error, "DELETE FROM due WHERE bucket = ? AND tenant = ? AND journey = ?", "iii",
                   due->at / STORE_BUCKET, due->tenant, due->journey);
}

bool store_due_load(struct store *store, int64_t after, int64_t until, size_t max, GArray *due,
                    GError **error)
{
  struct db_stmt *stmt = store_query(
      store, "SELECT at, tenant, journey FROM due WHERE bucket > ? AND bucket <= ? ORDER BY bucket LIMIT ?",
      "iii", after, until, (int64_t)max);
  enum db_result result;
  while ((result = db_step(stmt, error)) == DB_ROW) {
    struct store_due row = {
        .at = db_int64(stmt, 0), .tenant = db_int64(stmt, 1), .journey = db_int64(stmt, 2)};
    g_array_append_val(due, row);
  }
  db_reset(stmt);
  return result == DB_DONE;
}

bool store_due_next_bucket(struct store *store, int64_t after, int64_t *bucket, GError **error)
{
  struct db_stmt *stmt = store_query(store, "SELECT min(bucket) FROM due WHERE bucket > ?", "i", after);
  if (!store_one(stmt, "bucket", error)) return false;
  *bucket = db_is_null(stmt, 0) ? INT64_MAX : db_int64(stmt, 0);
  db_reset(stmt);
  return true;
}

/* ---- sends */

static void fill_send(struct db_stmt *stmt, void *element)
{
  *(struct store_send *)element = (struct store_send){
      .tenant = db_int64(stmt, 0),
      .journey = db_int64(stmt, 1),
      .contact = db_int64(stmt, 2),
      .step = store_text(stmt, 3),
      .visit = (int)db_int64(stmt, 4),
      .tries = (int)db_int64(stmt, 5),
      .state = (enum store_send_state)db_int64(stmt, 6),
      .planned = db_int64(stmt, 7),
      .not_before = db_int64(stmt, 8),
      .handed = db_int64(stmt, 9),
      .offered = db_int64(stmt, 10),
      .queue_id = store_text(stmt, 11),
      .reply = store_text(stmt, 12),
  };
}

bool store_send_add(struct store *store, const struct store_send *send, GError **error)
{
  return store_run(store, error,
                   "INSERT INTO send(tenant, journey, contact, step, visit, state, planned, not_before)"
                   " VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                   "iiitiiii", send->tenant, send->journey, send->contact, send->step, (int64_t)send->visit,
                   (int64_t)send->state, send->planned, send->not_before);
}

GArray *store_sends(struct store *store, enum store_send_state state, int64_t now, size_t max, GError **error)
{
  /* The condition on state < 2 names the partial index. */
  return store_rows(store_query(store,
                                "SELECT " SEND_COLUMNS
                                " FROM send WHERE state < 2 AND state = ? AND not_before <= ?"
                                " ORDER BY not_before LIMIT ?",
                                "iii", (int64_t)state, now, (int64_t)max),
                    sizeof(struct store_send), fill_send, (GDestroyNotify)store_send_clear, error);
}

bool store_send_get(struct store *store, int64_t tenant, int64_t journey, const char *step, int visit,
                    struct store_send *send, GError **error)
{
  struct db_stmt *stmt = store_query(store,
                                     "SELECT " SEND_COLUMNS " FROM send WHERE tenant = ?1 AND journey = ?2"
                                     " AND step = ?3 AND (?4 = 0 OR visit = ?4) ORDER BY visit DESC LIMIT 1",
                                     "iiti", tenant, journey, step, (int64_t)visit);
  if (!store_one(stmt, "send", error)) return false;
  fill_send(stmt, send);
  db_reset(stmt);
  return true;
}

bool store_send_update(struct store *store, const struct store_send *send, GError **error)
{
  return store_run(
      store, error,
      "UPDATE send SET state = ?, not_before = ?, tries = ?, handed = ?, offered = ?, queue_id = ?,"
      " reply = ? WHERE tenant = ? AND journey = ? AND step = ? AND visit = ?",
      "iiiiittiiti", (int64_t)send->state, send->not_before, (int64_t)send->tries, send->handed,
      send->offered, send->queue_id, send->reply, send->tenant, send->journey, send->step,
      (int64_t)send->visit);
}

bool store_figures(struct store *store, struct store_figures *figures, GError **error)
{
  *figures = (struct store_figures){0};
  return db_value(db_sql(store->db, "SELECT count(*) FROM journey WHERE active = 1"), &figures->journeys,
                  error) &&
         db_value(db_sql(store->db, "SELECT count(*) FROM send WHERE state < 2 AND state = 0"),
                  &figures->planned, error) &&
         db_value(db_sql(store->db, "SELECT count(*) FROM send WHERE state < 2 AND state = 1"),
                  &figures->handed, error);
}
