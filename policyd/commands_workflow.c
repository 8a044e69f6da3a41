/* Workflows: loading a version with its messages, and looking at them. */

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "doc/doc.h"
#include "policyd/commands.h"
#include "policyd/workflows.h"

/* Every message that FLOW sends must be given and compile. */
static bool check_messages(const struct doc *doc, const struct flow *flow, json_t *messages, GError **error)
{
  for (int step = 0; step < flow_about(flow)->steps; step++) {
    const char *name = flow_step_message(flow, step);
    const char *source = name ? json_string_value(json_object_get(messages, name)) : NULL;
    if (!name) continue;
    if (!source) {
      g_autofree char *pointer = g_strdup_printf("/steps/%d/send", step);
      doc_error(doc, error, pointer, "step %s sends %s, which is not there", flow_step_name(flow, step),
                name);
      return false;
    }
    g_autoptr(message_auto) message = message_compile((const uint8_t *)source, strlen(source), name, error);
    if (!message) return false;
    if (!message_has_from(message) && !flow_about(flow)->from) {
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
                  "%s has no From: write one there, or 'from:' in the workflow", name);
      return false;
    }
  }
  return true;
}

static bool check_list(struct policyd *policyd, const struct doc *doc, int64_t tenant, const char *name,
                       GError **error)
{
  struct store_list list = {0};
  g_autoptr(GError) fault = NULL;
  if (!name) return true;
  bool found = store_list_get(policyd->store, tenant, name, 0, &list, &fault);
  store_list_clear(&list);
  if (found) return true;
  if (g_error_matches(fault, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND))
    doc_error(doc, error, "/list", "%s", fault->message);
  else
    g_propagate_error(error, g_steal_pointer(&fault));
  return false;
}

static bool check_zone(struct policyd *policyd, const struct doc *doc, const char *zone, GError **error)
{
  g_autoptr(GError) fault = NULL;
  if (!zone || zoneinfo_get(policyd->zones, zone, &fault)) return true;
  doc_error(doc, error, "/zone", "%s", fault->message);
  return false;
}

static bool keep_messages(struct policyd *policyd, const struct store_workflow *row, const struct flow *flow,
                          json_t *messages, GError **error)
{
  g_autoptr(GHashTable) kept = g_hash_table_new(g_str_hash, g_str_equal);
  for (int step = 0; step < flow_about(flow)->steps; step++) {
    const char *name = flow_step_message(flow, step);
    if (!name || !g_hash_table_add(kept, (gpointer)name)) continue;
    const char *source = json_string_value(json_object_get(messages, name));
    g_autoptr(GBytes) bytes = g_bytes_new(source, strlen(source));
    if (!store_message_add(policyd->store, row->tenant, row->id, name, bytes, error)) return false;
  }
  return true;
}

static json_t *keep_workflow(struct policyd *policyd, int64_t tenant, const struct flow *flow,
                             const char *source, json_t *messages, GError **error)
{
  const struct flow_about *about = flow_about(flow);
  json_t *definition = flow_to_json(flow);
  struct store_workflow row = {.tenant = tenant,
                               .name = g_strdup(about->name),
                               .title = g_strdup(about->title),
                               .source = g_strdup(source),
                               .definition = json_dumps(definition, JSON_COMPACT)};
  json_t *ok = NULL;
  if (store_workflow_add(policyd->store, &row, policyd_now(policyd), error) &&
      keep_messages(policyd, &row, flow, messages, error))
    ok = json_pack("{s:s,s:i}", "workflow", row.name, "version", row.version);
  workflows_changed(policyd->workflows);
  store_workflow_clear(&row);
  json_decref(definition);
  return ok;
}

static json_t *workflow_load(struct request *request, GError **error)
{
  struct policyd *policyd = request->policyd;
  const char *file = request_text(request, "file"), *source = request_need(request, "source", error);
  json_t *messages = json_object_get(request->args, "messages"), *ok = NULL;
  struct store_tenant tenant = {0};
  if (!source || !request_tenant(request, &tenant, error)) return NULL;
  g_autoptr(doc_auto) doc = doc_parse_yaml(source, strlen(source), file ? file : "workflow", error);
  g_autoptr(flow_auto) flow = doc ? flow_compile(doc, NULL, error) : NULL;
  if (flow && check_messages(doc, flow, messages, error) &&
      check_list(policyd, doc, tenant.id, flow_about(flow)->list, error) &&
      check_zone(policyd, doc, flow_about(flow)->zone, error))
    ok = keep_workflow(policyd, tenant.id, flow, source, messages, error);
  store_tenant_clear(&tenant);
  return ok;
}

static json_t *workflow_stop(struct request *request, GError **error)
{
  struct store_tenant tenant = {0};
  struct store_workflow row = {0};
  const char *name = request_need(request, "name", error);
  json_t *ok = NULL;
  if (name && request_tenant(request, &tenant, error) &&
      store_workflow_get(request->policyd->store, tenant.id, name, 0, &row, error) &&
      store_workflow_stop(request->policyd->store, tenant.id, name, error))
    ok = json_pack("{s:s}", "workflow", name);
  workflows_changed(request->policyd->workflows);
  store_workflow_clear(&row);
  store_tenant_clear(&tenant);
  return ok;
}

static int64_t standing(const GArray *counts)
{
  int64_t n = 0;
  for (guint i = 0; i < counts->len; i++)
    n += g_array_index(counts, struct store_step_count, i).n;
  return n;
}

static json_t *workflow_list(struct request *request, GError **error)
{
  struct store *store = request->policyd->store;
  struct store_tenant tenant = {0};
  if (!request_tenant(request, &tenant, error)) return NULL;
  int64_t id = tenant.id;
  store_tenant_clear(&tenant);
  g_autoptr(GArray) rows = store_workflows(store, id, error);
  for (guint i = 0; rows && i < rows->len; i++) {
    const struct store_workflow *row = &g_array_index(rows, struct store_workflow, i);
    g_autoptr(GArray) active = store_step_counts(store, id, row->name, true, error);
    g_autoptr(GArray) ended = store_step_counts(store, id, row->name, false, error);
    if (!active || !ended) return NULL;
    request_row(request, json_pack("{s:s,s:s,s:i,s:I,s:I,s:I}", "name", row->name, "title",
                                   row->title ? row->title : row->name, "version", row->version, "loaded",
                                   (json_int_t)row->loaded, "underway", (json_int_t)standing(active), "ended",
                                   (json_int_t)standing(ended)));
  }
  return rows ? json_object() : NULL;
}

struct sent_by_step {
  const char *prefix;
  GHashTable *sent; /* step → gint64 * */
};

static bool collect_sent(void *data, const char *scope, const char *metric, int64_t n, GError **error)
{
  (void)error;
  struct sent_by_step *by = data;
  if (strcmp(metric, "sent") == 0 && g_str_has_prefix(scope, by->prefix))
    g_hash_table_insert(by->sent, g_strdup(scope + strlen(by->prefix)), g_memdup2(&n, sizeof n));
  return true;
}

static json_t *steps_of(struct policyd *policyd, int64_t tenant, const struct store_workflow *row,
                        const struct flow *flow, GError **error)
{
  g_autoptr(GArray) counts = store_step_counts(policyd->store, tenant, row->name, true, error);
  g_autoptr(GHashTable) sent = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_autofree char *prefix = g_strdup_printf("step:%s/", row->name);
  struct sent_by_step by = {prefix, sent};
  if (!counts || !store_report(policyd->store, tenant, 0, INT64_MAX / 2, collect_sent, &by, error))
    return NULL;
  json_t *steps = json_array();
  for (int step = 0; step < flow_about(flow)->steps; step++) {
    const char *name = flow_step_name(flow, step);
    const int64_t *n = g_hash_table_lookup(sent, name);
    int64_t here = 0, oldest = 0;
    for (guint i = 0; i < counts->len; i++) {
      const struct store_step_count *count = &g_array_index(counts, struct store_step_count, i);
      if (strcmp(count->step, name) != 0) continue;
      here = count->n;
      oldest = count->oldest;
    }
    json_array_append_new(steps, json_pack("{s:s,s:s,s:I,s:I,s:I}", "name", name, "does",
                                           flow_step_text(flow, step), "here", (json_int_t)here, "oldest",
                                           (json_int_t)oldest, "sent", (json_int_t)(n ? *n : 0)));
  }
  return steps;
}

static json_t *outcomes_of(struct policyd *policyd, int64_t tenant, const char *name, GError **error)
{
  g_autoptr(GArray) counts = store_step_counts(policyd->store, tenant, name, false, error);
  if (!counts) return NULL;
  json_t *outcomes = json_object();
  for (guint i = 0; i < counts->len; i++) {
    const struct store_step_count *count = &g_array_index(counts, struct store_step_count, i);
    json_object_set_new(outcomes, count->step, json_integer(count->n));
  }
  return outcomes;
}

static json_t *workflow_show(struct request *request, GError **error)
{
  struct policyd *policyd = request->policyd;
  struct store_tenant tenant = {0};
  struct store_workflow row = {0};
  const struct workflow *workflow = NULL;
  json_t *steps = NULL, *outcomes = NULL, *ok = NULL;
  const char *name = request_need(request, "name", error);
  if (name && request_tenant(request, &tenant, error) &&
      store_workflow_get(policyd->store, tenant.id, name, 0, &row, error) &&
      (workflow = workflows_get(policyd->workflows, tenant.id, row.id, error)) &&
      (steps = steps_of(policyd, tenant.id, &row, workflow->flow, error)) &&
      (outcomes = outcomes_of(policyd, tenant.id, name, error)))
    ok = json_pack("{s:s,s:s?,s:i,s:b,s:I,s:O,s:O,s:s}", "name", row.name, "title", row.title, "version",
                   row.version, "active", row.active, "loaded", (json_int_t)row.loaded, "steps", steps,
                   "outcomes", outcomes, "source", row.source);
  json_decref(steps);
  json_decref(outcomes);
  store_workflow_clear(&row);
  store_tenant_clear(&tenant);
  return ok;
}

const struct command workflow_commands[] = {
    {"workflow.load", workflow_load, true, "tenant=s file=s source=s messages=o"},
    {"workflow.stop", workflow_stop, true, "tenant=s name=s"},
    {"workflow.list", workflow_list, false, "tenant=s"},
    {"workflow.show", workflow_show, false, "tenant=s name=s"},
    {NULL, NULL, false, NULL},
};
