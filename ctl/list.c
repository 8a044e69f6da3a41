/* tidings list: what contacts of a tenant subscribe to and leave. */

#include "ctl/commands.h"

#include "ctl/table.h"
#include "ctl/usage.h"

static bool put_list(struct app *app, const struct usage *usage, const char *verb, int argc, char **argv,
                     GError **error)
{
  g_autofree char *title = NULL, *sender = NULL, *unsubscribe = NULL, *track = NULL, *utm = NULL;
  const GOptionEntry options[] = {
      {"title", 0, 0, G_OPTION_ARG_FILENAME, &title, "The name that recipients see", "TEXT"},
      {"sender", 0, 0, G_OPTION_ARG_FILENAME, &sender,
       "Mail from this address is the list's without being told", "ADDRESS"},
      {"unsubscribe", 0, 0, G_OPTION_ARG_FILENAME, &unsubscribe,
       "Whether its mail gets List-Unsubscribe and one-click (yes if a new list does not say)", "yes|no"},
      {"track", 0, 0, G_OPTION_ARG_FILENAME, &track,
       "Measure no more of its mail than this: none, aggregate, clicks or all (as the tenant does)", "MODE"},
      {"utm", 0, 0, G_OPTION_ARG_FILENAME, &utm, "Whether its tracked links get UTM tags", "yes|no"},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  bool header = false, tags = false;
  char **words = usage_read(app, usage, options, argc, argv, error);
  if (!words || (unsubscribe && !usage_yes_no("--unsubscribe", unsubscribe, &header, error)) ||
      (utm && !usage_yes_no("--utm", utm, &tags, error)))
    return false;
  json_t *args =
      json_pack("{s:s, s:s, s:s*, s:s*, s:o*, s:s*, s:o*}", "tenant", words[0], "name", words[1], "title",
                title, "sender", sender, "unsubscribe", unsubscribe ? json_boolean(header) : NULL, "track",
                track, "utm", utm ? json_boolean(tags) : NULL);
  return app_change(app, verb, args, error, "list %s of %s: %s", words[1], words[0],
                    g_str_has_suffix(verb, "add") ? "added" : "changed");
}

bool list_add(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "list add",
      "TENANT NAME",
      2,
      2,
      "Adds a list to a tenant.",
      "tidings list add shop news --title \"News of the shop\" --sender news@shop.example"};
  return put_list(app, &usage, "list.add", argc, argv, error);
}

bool list_set(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {"list set",
                                     "TENANT NAME",
                                     2,
                                     2,
                                     "Changes a list: what is given. An empty --sender takes it away.",
                                     "tidings list set shop news --unsubscribe no"};
  return put_list(app, &usage, "list.set", argc, argv, error);
}

static bool show_row(void *data, const json_t *row, GError **error)
{
  (void)error;
  struct table *table = data;
  table_cell_json(table, row, "name");
  table_cell_json(table, row, "title");
  table_cell_json(table, row, "sender");
  table_cell_json(table, row, "unsubscribe");
  table_cell_json(table, row, "track");
  table_cell_json(table, row, "utm");
  return true;
}

bool list_show(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "list show", "TENANT", 1, 1, "Shows the lists of a tenant.", "tidings list show shop"};
  char **words = usage_read(app, &usage, NULL, argc, argv, error);
  if (!words) return false;
  g_autoptr(table_auto) table = table_new("NAME|TITLE|SENDER|UNSUBSCRIBE|TRACK|UTM");
  if (!app_ask(app, "list.list", json_pack("{s:s}", "tenant", words[0]),
               app->json ? app_print_json : show_row, table, NULL, error))
    return false;
  if (!app->json) table_print(table, 0);
  return true;
}
