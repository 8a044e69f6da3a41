/* The cache of compiled workflows and messages.
 *
 * Bounded by what is loaded: a tenant's definitions, not its contacts. */

#include "policyd/workflows.h"

#include <jansson.h>

#include "base/error.h"

struct workflows {
  struct policyd *policyd;
  GHashTable *by_id;    /* int64_t * → struct workflow * */
  GHashTable *active;   /* tenant, int64_t * → GPtrArray * of borrowed struct workflow * */
  GHashTable *messages; /* "id/name" → struct message * */
};

static void workflow_free(void *data)
{
  struct workflow *workflow = data;
  g_free(workflow->name);
  flow_free(workflow->flow);
  g_free(workflow);
}

struct workflows *workflows_new(struct policyd *policyd)
{
  struct workflows *workflows = g_new0(struct workflows, 1);
  workflows->policyd = policyd;
  workflows->by_id = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, workflow_free);
  workflows->active =
      g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
  workflows->messages = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)message_free);
  return workflows;
}

void workflows_free(struct workflows *workflows)
{
  if (!workflows) return;
  g_hash_table_unref(workflows->messages);
  g_hash_table_unref(workflows->active);
  g_hash_table_unref(workflows->by_id);
  g_free(workflows);
}

void workflows_changed(struct workflows *workflows)
{
  g_hash_table_remove_all(workflows->active);
}

/* Compiles ROW, or finds it compiled already. */
static struct workflow *compiled(struct workflows *workflows, const struct store_workflow *row,
                                 GError **error)
{
  struct workflow *workflow = g_hash_table_lookup(workflows->by_id, &row->id);
  if (workflow) return workflow;
  json_t *definition = json_loads(row->definition, 0, NULL);
  struct flow *flow = flow_compile_json(definition, row->name, NULL, error);
  json_decref(definition);
  if (!flow) return NULL;
  workflow = g_new0(struct workflow, 1);
  workflow->id = row->id;
  workflow->tenant = row->tenant;
  workflow->version = row->version;
  workflow->name = g_strdup(row->name);
  workflow->flow = flow;
  g_hash_table_insert(workflows->by_id, &workflow->id, workflow);
  return workflow;
}

GPtrArray *workflows_of(struct workflows *workflows, int64_t tenant, GError **error)
{
  GPtrArray *active = g_hash_table_lookup(workflows->active, &tenant);
  if (active) return active;
  g_autoptr(GArray) rows = store_workflows(workflows->policyd->store, tenant, error);
  if (!rows) return NULL;
  g_autoptr(GPtrArray) fresh = g_ptr_array_new();
  for (guint i = 0; i < rows->len; i++) {
    struct workflow *workflow = compiled(workflows, &g_array_index(rows, struct store_workflow, i), error);
    if (!workflow) return NULL;
    g_ptr_array_add(fresh, workflow);
  }
  active = g_steal_pointer(&fresh);
  g_hash_table_insert(workflows->active, g_memdup2(&tenant, sizeof tenant), active);
  return active;
}

const struct workflow *workflows_get(struct workflows *workflows, int64_t tenant, int64_t id, GError **error)
{
  struct workflow *workflow = g_hash_table_lookup(workflows->by_id, &id);
  if (workflow) return workflow;
  struct store_workflow row = {0};
  if (!store_workflow_get(workflows->policyd->store, tenant, NULL, id, &row, error)) return NULL;
  workflow = compiled(workflows, &row, error);
  store_workflow_clear(&row);
  return workflow;
}

const struct message *workflows_message(struct workflows *workflows, const struct workflow *workflow,
                                        const char *name, GError **error)
{
  g_autofree char *key = g_strdup_printf("%" G_GINT64_FORMAT "/%s", (gint64)workflow->id, name);
  struct message *message = g_hash_table_lookup(workflows->messages, key);
  if (message) return message;
  g_autoptr(GBytes) source =
      store_message_get(workflows->policyd->store, workflow->tenant, workflow->id, name, error);
  if (!source) return NULL;
  size_t size;
  const uint8_t *bytes = g_bytes_get_data(source, &size);
  message = message_compile(bytes, size, name, error);
  if (message) g_hash_table_insert(workflows->messages, g_steal_pointer(&key), message);
  return message;
}
