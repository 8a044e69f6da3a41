/* Tenants and their lists. */

#include <string.h>

#include "base/error.h"
#include "directory/directory.h"
#include "policyd/commands.h"
#include "policyd/publish.h"

static bool check_url(const char *url, GError **error)
{
  bool web = g_str_has_prefix(url, "https://") || g_str_has_prefix(url, "http://");
  const char *host = web ? strstr(url, "//") + 2 : url;
  if (web && *host && *host != '/' && !g_str_has_suffix(url, "/") && strlen(url) <= 200 &&
      !strpbrk(url, " \t\r\n\"<>?#"))
    return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
              "'%s' cannot begin tracked links: write it like https://t.example.com, no slash at the end",
              url);
  return false;
}

/* Reads the argument `track`, if it is given. */
static bool take_track(const struct request *request, enum track_mode *mode, GError **error)
{
  const char *track = request_text(request, "track");
  if (!track || track_mode_parse(track, mode)) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "track '%s': write none, aggregate, clicks or all",
              track);
  return false;
}

/* Copies the arguments that are given over TENANT. */
static bool take_tenant(const struct request *request, struct store_tenant *tenant, GError **error)
{
  const char *title = request_text(request, "title"), *url = request_text(request, "url");
  const char *zone = request_text(request, "zone");
  const json_t *split = json_object_get(request->args, "split");
  const json_t *text_links = json_object_get(request->args, "text_links");
  enum track_mode mode = (enum track_mode)tenant->track;
  if (!take_track(request, &mode, error)) return false;
  if ((url && !check_url(url, error)) || !command_zone(request->policyd, zone, error)) return false;
  tenant->track = (int)mode;
  if (json_is_boolean(split)) tenant->split = json_is_true(split);
  if (json_is_boolean(text_links)) tenant->text_links = json_is_true(text_links);
  if (title) g_free(tenant->title), tenant->title = g_strdup(title);
  if (url) g_free(tenant->url), tenant->url = g_strdup(url);
  if (zone) g_free(tenant->zone), tenant->zone = g_strdup(zone);
  return true;
}

static bool add_claims(struct request *request, int64_t tenant, GError **error)
{
  size_t i;
  json_t *value;
  json_array_foreach(json_object_get(request->args, "domains"), i, value)
  {
    const char *domain = json_string_value(value);
    if (!domain || !*domain || strchr(domain, '@')) {
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "domain '%s': write it like example.com",
                  domain ? domain : "");
      return false;
    }
    if (!store_tenant_domain(request->policyd->store, tenant, domain, error)) return false;
  }
  json_array_foreach(json_object_get(request->args, "users"), i, value)
  {
    const char *user = json_string_value(value);
    if (user && *user && !store_tenant_user(request->policyd->store, tenant, user, error)) return false;
  }
  publish_changed(request->policyd->publish);
  return true;
}

static json_t *tenant_row(const struct store_tenant *tenant)
{
  return json_pack("{s:I,s:s,s:s,s:s,s:s,s:s,s:b,s:b}", "id", (json_int_t)tenant->id, "name", tenant->name,
                   "title", tenant->title, "track", track_mode_name((enum track_mode)tenant->track), "url",
                   tenant->url, "zone", tenant->zone, "split", tenant->split, "text_links",
                   tenant->text_links);
}

static json_t *tenant_add(struct request *request, GError **error)
{
  const char *name = request_need(request, "name", error);
  if (!name || !command_name("tenant", name, error) || !request_need(request, "track", error) ||
      !request_need(request, "url", error))
    return NULL;
  struct store_tenant tenant = {.name = g_strdup(name), .title = g_strdup(name), .zone = g_strdup("")};
  json_t *ok = NULL;
  if (take_tenant(request, &tenant, error) &&
      store_tenant_add(request->policyd->store, &tenant, policyd_now(request->policyd), error) &&
      add_claims(request, tenant.id, error))
    ok = tenant_row(&tenant);
  store_tenant_clear(&tenant);
  return ok;
}

static json_t *tenant_set(struct request *request, GError **error)
{
  const char *name = request_need(request, "name", error);
  struct store_tenant tenant = {0};
  json_t *ok = NULL;
  if (name && store_tenant_get(request->policyd->store, name, 0, &tenant, error) &&
      take_tenant(request, &tenant, error) && store_tenant_update(request->policyd->store, &tenant, error) &&
      add_claims(request, tenant.id, error))
    ok = tenant_row(&tenant);
  store_tenant_clear(&tenant);
  return ok;
}

struct claims {
  int64_t tenant;
  json_t *names;
};

static bool collect(void *data, int64_t tenant, const char *text, GError **error)
{
  (void)error;
  struct claims *claims = data;
  if (claims->tenant == tenant) json_array_append_new(claims->names, json_string(text));
  return true;
}

static json_t *tenant_list(struct request *request, GError **error)
{
  g_autoptr(GArray) tenants = store_tenants(request->policyd->store, error);
  if (!tenants) return NULL;
  for (guint i = 0; i < tenants->len; i++) {
    const struct store_tenant *tenant = &g_array_index(tenants, struct store_tenant, i);
    struct claims domains = {tenant->id, json_array()}, users = {tenant->id, json_array()};
    bool read = store_each_domain(request->policyd->store, collect, &domains, error) &&
                store_each_user(request->policyd->store, collect, &users, error);
    json_t *row = tenant_row(tenant);
    json_object_set_new(row, "domains", domains.names);
    json_object_set_new(row, "users", users.names);
    request_row(request, row);
    if (!read) return NULL;
  }
  return json_pack("{s:i}", "tenants", (int)tenants->len);
}

/* ---- lists */

static json_t *list_row(const struct store_list *list)
{
  enum track_mode track = list->limited ? (enum track_mode)list->track : TRACK_ALL;
  return json_pack("{s:I,s:s,s:s,s:s?,s:b,s:s,s:b}", "id", (json_int_t)list->id, "name", list->name, "title",
                   list->title, "sender", list->sender, "unsubscribe", list->unsubscribe, "track",
                   track_mode_name(track), "utm", list->utm);
}

static bool take_list(const struct request *request, struct store_list *list, GError **error)
{
  enum track_mode mode = list->limited ? (enum track_mode)list->track : TRACK_ALL;
  if (!take_track(request, &mode, error)) return false;
  list->limited = mode != TRACK_ALL; /* no ceiling of its own */
  list->track = (int)mode;
  json_t *utm = json_object_get(request->args, "utm");
  if (json_is_boolean(utm)) list->utm = json_is_true(utm);
  const char *title = request_text(request, "title"), *sender = request_text(request, "sender");
  json_t *unsubscribe = json_object_get(request->args, "unsubscribe");
  if (title) g_free(list->title), list->title = g_strdup(title);
  if (sender) g_free(list->sender), list->sender = *sender ? g_strdup(sender) : NULL;
  if (json_is_boolean(unsubscribe)) list->unsubscribe = json_is_true(unsubscribe);
  return true;
}

static json_t *put_list(struct request *request, bool fresh, GError **error)
{
  struct store *store = request->policyd->store;
  struct store_tenant tenant = {0};
  struct store_list list = {0};
  json_t *ok = NULL;
  const char *name = request_need(request, "name", error);
  if (!name || !request_tenant(request, &tenant, error) || !command_name("list", name, error)) goto out;
  if (fresh) {
    list = (struct store_list){
        .tenant = tenant.id, .name = g_strdup(name), .title = g_strdup(name), .unsubscribe = true};
    if (!take_list(request, &list, error) ||
        !store_list_add(store, &list, policyd_now(request->policyd), error))
      goto out;
  } else {
    if (!store_list_get(store, tenant.id, name, 0, &list, error) || !take_list(request, &list, error) ||
        !store_list_update(store, &list, error))
      goto out;
  }
  publish_changed(request->policyd->publish);
  ok = list_row(&list);
out:
  store_list_clear(&list);
  store_tenant_clear(&tenant);
  return ok;
}

static json_t *list_add(struct request *request, GError **error)
{
  return put_list(request, true, error);
}

static json_t *list_set(struct request *request, GError **error)
{
  return put_list(request, false, error);
}

static json_t *list_list(struct request *request, GError **error)
{
  struct store_tenant tenant = {0};
  if (!request_tenant(request, &tenant, error)) return NULL;
  g_autoptr(GArray) lists = store_lists(request->policyd->store, tenant.id, error);
  store_tenant_clear(&tenant);
  if (!lists) return NULL;
  for (guint i = 0; i < lists->len; i++)
    request_row(request, list_row(&g_array_index(lists, struct store_list, i)));
  return json_pack("{s:i}", "lists", (int)lists->len);
}

const struct command tenant_commands[] = {
    {"tenant.add", tenant_add, true,
     "name=s title=s track=s url=s zone=s domains=a users=a split=b text_links=b"},
    {"tenant.set", tenant_set, true,
     "name=s title=s track=s url=s zone=s domains=a users=a split=b text_links=b"},
    {"tenant.list", tenant_list, false, ""},
    {"list.add", list_add, true, "tenant=s name=s title=s sender=s unsubscribe=b track=s utm=b"},
    {"list.set", list_set, true, "tenant=s name=s title=s sender=s unsubscribe=b track=s utm=b"},
    {"list.list", list_list, false, "tenant=s"},
    {NULL, NULL, false, NULL},
};
