/* Links that are stopped: of a tenant, or of the whole host. */

#include <string.h>

#include "base/error.h"
#include "directory/stop.h"
#include "policyd/commands.h"
#include "policyd/publish.h"

/* What the arguments name; its url is the caller's. */
static bool read_stop(const struct request *request, struct store_stop *stop, GError **error)
{
  const char *url = request_need(request, "url", error);
  struct store_tenant tenant = {0};
  if (!url) return false;
  if (request_text(request, "tenant") && !request_tenant(request, &tenant, error)) return false;
  *stop = (struct store_stop){.tenant = tenant.id,
                              .mail = request_int(request, "mail", 0),
                              .url = directory_stop_plain(url, strlen(url)),
                              .prefix = json_is_true(json_object_get(request->args, "prefix"))};
  store_tenant_clear(&tenant);
  if (stop->url) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
              "'%s' is no web address: write it like https://k.example/a", url);
  return false;
}

static json_t *stop_row(const struct store_stop *stop)
{
  return json_pack("{s:s,s:I,s:s,s:b,s:I}", "of", stop->tenant ? "tenant" : "host", "mail",
                   (json_int_t)stop->mail, "url", stop->url, "prefix", stop->prefix, "at",
                   (json_int_t)stop->at);
}

static json_t *link_kill(struct request *request, GError **error)
{
  struct store_stop stop = {0};
  json_t *ok = NULL;
  if (read_stop(request, &stop, error) &&
      store_stop_add(request->policyd->store, &stop, policyd_now(request->policyd), error)) {
    publish_changed(request->policyd->publish);
    ok = stop_row(&stop);
  }
  store_stop_clear(&stop);
  return ok;
}

static json_t *link_restore(struct request *request, GError **error)
{
  struct store_stop stop = {0};
  json_t *ok = NULL;
  bool found = false;
  if (read_stop(request, &stop, error) && store_stop_remove(request->policyd->store, &stop, &found, error)) {
    if (found)
      ok = stop_row(&stop);
    else
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND,
                  "no such link is stopped: see tidings link list for how it was said");
    publish_changed(request->policyd->publish);
  }
  store_stop_clear(&stop);
  return ok;
}

static json_t *link_list(struct request *request, GError **error)
{
  struct store_tenant tenant = {0};
  if (!request_tenant(request, &tenant, error)) return NULL;
  g_autoptr(GArray) stops = store_stops(request->policyd->store, tenant.id, error);
  store_tenant_clear(&tenant);
  if (!stops) return NULL;
  for (guint i = 0; i < stops->len; i++)
    request_row(request, stop_row(&g_array_index(stops, struct store_stop, i)));
  return json_pack("{s:i}", "links", (int)stops->len);
}

const struct command link_commands[] = {
    {"link.kill", link_kill, true, "tenant=s url=s mail=i prefix=b"},
    {"link.restore", link_restore, true, "tenant=s url=s mail=i prefix=b"},
    {"link.list", link_list, false, "tenant=s"},
    {NULL, NULL, false, NULL},
};
