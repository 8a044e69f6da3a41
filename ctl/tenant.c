/* tidings tenant: a customer or department, whose mail is measured in its own way. */

#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "ctl/nearest.h"
#include "ctl/table.h"
#include "ctl/tenant.h"
#include "ctl/usage.h"

/* --- add, set --- */

struct settings {
  char *title, *track, *url, *zone, *split, *text_links;
  char **domains, **users;
};

static void settings_clear(struct settings *settings)
{
  g_free(settings->title);
  g_free(settings->track);
  g_free(settings->url);
  g_free(settings->zone);
  g_free(settings->split);
  g_free(settings->text_links);
  g_strfreev(settings->domains);
  g_strfreev(settings->users);
}

static char **read_settings(struct app *app, const struct usage *usage, struct settings *settings, int argc,
                            char **argv, GError **error)
{
  const GOptionEntry options[] = {
      {"track", 0, 0, G_OPTION_ARG_FILENAME, &settings->track,
       "What is measured: none, aggregate, clicks or all", "MODE"},
      {"url", 0, 0, G_OPTION_ARG_FILENAME, &settings->url,
       "Where tracked links begin: https://HOST of the tracker", "URL"},
      {"title", 0, 0, G_OPTION_ARG_FILENAME, &settings->title, "The name that recipients see", "TEXT"},
      {"domain", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &settings->domains,
       "Mail from this domain is the tenant's; .example.com also means those below it; may be repeated",
       "DOMAIN"},
      {"user", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &settings->users,
       "Mail of this authenticated user is the tenant's; may be repeated", "NAME"},
      {"zone", 0, 0, G_OPTION_ARG_FILENAME, &settings->zone,
       "The time zone of contacts whose own is not known, such as Europe/Oslo", "ZONE"},
      {"split", 0, 0, G_OPTION_ARG_FILENAME, &settings->split,
       "Whether a mail to several becomes one for each, so that each is measured for itself", "yes|no"},
      {"text-links", 0, 0, G_OPTION_ARG_FILENAME, &settings->text_links,
       "Whether links in plain text are tracked too (no, if it is not said)", "yes|no"},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  bool split, text_links;
  char **words = usage_read(app, usage, options, argc, argv, error);
  bool good =
      words && (!settings->split || usage_yes_no("--split", settings->split, &split, error)) &&
      (!settings->text_links || usage_yes_no("--text-links", settings->text_links, &text_links, error));
  return good ? words : NULL;
}

static json_t *settings_json(const char *name, const struct settings *settings)
{
  json_t *domains = app_strings(settings->domains), *users = app_strings(settings->users);
  bool split = false, text_links = false;
  if (settings->split) usage_yes_no("--split", settings->split, &split, NULL);
  if (settings->text_links) usage_yes_no("--text-links", settings->text_links, &text_links, NULL);
  return json_pack("{s:s, s:s*, s:s*, s:s*, s:s*, s:o*, s:o*, s:o, s:o}", "name", name, "title",
                   settings->title, "track", settings->track, "url", settings->url, "zone", settings->zone,
                   "split", settings->split ? json_boolean(split) : NULL, "text_links",
                   settings->text_links ? json_boolean(text_links) : NULL, "domains", domains, "users",
                   users);
}

static bool check_new(const struct settings *settings, GError **error)
{
  if (!settings->track)
    return usage_error(error, "tenant add: --track is missing: say what is measured: none, aggregate, clicks "
                              "(links alone) or all (links and opens)");
  if (!settings->url)
    return usage_error(error, "tenant add: --url is missing: where tracked links begin, such as "
                              "https://t.example.com, which must lead to tidings-tracker");
  return true;
}

bool tenant_add(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "tenant add",
      "NAME",
      1,
      1,
      "Adds a tenant. What is measured has no default: --track must be said.",
      "tidings tenant add shop --track all --url https://t.shop.example --domain shop.example"};
  struct settings settings = {0};
  char **words = read_settings(app, &usage, &settings, argc, argv, error);
  bool good = words && check_new(&settings, error) &&
              app_change(app, "tenant.add", settings_json(words[0], &settings), error,
                         "tenant %s: added; %s is measured, links begin with %s", words[0], settings.track,
                         settings.url);
  settings_clear(&settings);
  return good;
}

bool tenant_set(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "tenant set",
      "NAME",
      1,
      1,
      "Changes a tenant: what is given. Domains and users are added to those it has.",
      "tidings tenant set shop --track clicks"};
  struct settings settings = {0};
  char **words = read_settings(app, &usage, &settings, argc, argv, error);
  bool good = words && app_change(app, "tenant.set", settings_json(words[0], &settings), error,
                                  "tenant %s: changed", words[0]);
  settings_clear(&settings);
  return good;
}

/* --- list, show --- */

static bool list_row(void *data, const json_t *row, GError **error)
{
  (void)error;
  struct table *table = data;
  static const char *const keys[] = {"name", "title", "track", "url", "zone", "domains", "users"};
  for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
    table_cell_json(table, row, keys[i]);
  return true;
}

bool tenant_list(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {"tenant list", "", 0, 0, "Lists the tenants.", "tidings tenant list"};
  if (!usage_read(app, &usage, NULL, argc, argv, error)) return false;
  g_autoptr(table_auto) table = table_new("NAME|TITLE|TRACK|URL|ZONE|DOMAINS|USERS");
  if (!app_ask(app, "tenant.list", json_object(), app->json ? app_print_json : list_row, table, NULL, error))
    return false;
  if (!app->json) table_print(table, 0);
  return true;
}

struct search {
  const char *name;
  json_t *found;
  GPtrArray *names;
};

static bool find_row(void *data, const json_t *row, GError **error)
{
  (void)error;
  struct search *search = data;
  const char *name = text_of(row, "name");
  if (name) g_ptr_array_add(search->names, g_strdup(name));
  if (!search->found && g_strcmp0(name, search->name) == 0)
    search->found = json_incref((json_t *)(uintptr_t)row);
  return true;
}

json_t *tenant_find(struct app *app, const char *name, GError **error)
{
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  struct search search = {.name = name, .names = names};
  if (!app_ask(app, "tenant.list", json_object(), find_row, &search, NULL, error)) {
    json_decref(search.found);
    return NULL;
  }
  if (search.found) return search.found;
  const char *nearest = nearest_word(name, names);
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND, "there is no tenant '%s'%s%s%s", name,
              nearest ? ": did you mean '" : ": see tidings tenant list", nearest ? nearest : "",
              nearest ? "'?" : "");
  return NULL;
}

static bool append_row(void *data, const json_t *row, GError **error)
{
  (void)error;
  json_array_append((json_t *)data, (json_t *)(uintptr_t)row);
  return true;
}

static void print_rows(const char *title, const json_t *rows, const char *headings, const char *const *keys)
{
  g_autoptr(table_auto) table = table_new(headings);
  size_t i;
  json_t *row;
  json_array_foreach(rows, i, row) for (const char *const *key = keys; *key; key++)
      table_cell_json(table, row, *key);
  printf("\n%s\n", title);
  if (table_rows(table))
    table_print(table, 2);
  else
    puts("  none");
}

static void print_tenant(const json_t *tenant)
{
  static const struct {
    const char *key, *label;
  } facts[] = {{"name", "tenant"},           {"title", "title"},     {"track", "measured"},
               {"url", "links begin"},       {"zone", "zone"},       {"split", "split"},
               {"text_links", "plain text"}, {"domains", "domains"}, {"users", "users"}};
  g_autoptr(table_auto) table = table_new("|");
  for (size_t i = 0; i < G_N_ELEMENTS(facts); i++) {
    table_cell(table, facts[i].label);
    table_cell_json(table, tenant, facts[i].key);
  }
  table_print(table, 0);
  static const char *const lists[] = {"name", "title", "sender", "unsubscribe", "track", "utm", NULL};
  static const char *const workflows[] = {"name", "version", "underway", "ended", NULL};
  print_rows("Lists", json_object_get(tenant, "lists"), "NAME|TITLE|SENDER|UNSUBSCRIBE|TRACK|UTM", lists);
  print_rows("Workflows", json_object_get(tenant, "workflows"), "NAME|>VERSION|>UNDER WAY|>ENDED", workflows);
}

bool tenant_show(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {"tenant show",
                                     "NAME",
                                     1,
                                     1,
                                     "Shows a tenant, its lists and its workflows.",
                                     "tidings tenant show shop"};
  char **words = usage_read(app, &usage, NULL, argc, argv, error);
  json_t *tenant = words ? tenant_find(app, words[0], error) : NULL;
  if (!tenant) return false;
  json_t *lists = json_array(), *workflows = json_array();
  json_object_set_new(tenant, "lists", lists);
  json_object_set_new(tenant, "workflows", workflows);
  bool good =
      app_ask(app, "list.list", json_pack("{s:s}", "tenant", words[0]), append_row, lists, NULL, error) &&
      app_ask(app, "workflow.list", json_pack("{s:s}", "tenant", words[0]), append_row, workflows, NULL,
              error);
  if (good && app->json)
    app_put_json(tenant);
  else if (good)
    print_tenant(tenant);
  json_decref(tenant);
  return good;
}
