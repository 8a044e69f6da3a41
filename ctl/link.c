/* tidings link: links that lead nowhere any more, though they were sent. */

#include "ctl/commands.h"

#include "ctl/table.h"
#include "ctl/usage.h"

static bool change(struct app *app, const struct usage *usage, const char *verb, int argc, char **argv,
                   GError **error)
{
  g_autofree char *url = NULL;
  gint64 mail = 0;
  gboolean prefix = FALSE, host = FALSE;
  const GOptionEntry options[] = {
      {"url", 0, 0, G_OPTION_ARG_FILENAME, &url, "The address that the link leads to", "URL"},
      {"prefix", 0, 0, G_OPTION_ARG_NONE, &prefix, "And all addresses that begin with it", NULL},
      {"mail", 0, 0, G_OPTION_ARG_INT64, &mail, "In this mail alone", "ID"},
      {"host", 0, 0, G_OPTION_ARG_NONE, &host, "For all tenants, in place of TENANT", NULL},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  char **words = usage_read(app, usage, options, argc, argv, error);
  if (!words) return false;
  if (!url) return usage_error(error, "%s: --url is missing", usage->name);
  if (!words[0] == !host) return usage_error(error, "%s: say either TENANT or --host", usage->name);
  json_t *args = json_pack("{s:s*, s:s, s:I, s:b}", "tenant", words[0], "url", url, "mail", (json_int_t)mail,
                           "prefix", prefix);
  return app_change(app, verb, args, error, "%s: %s", url,
                    g_str_has_suffix(verb, "kill") ? "links to it are stopped" : "links to it work again");
}

bool link_kill(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "link kill",
      "[TENANT]",
      0,
      1,
      "Stops links to an address, in mail that was sent already and in mail to come.",
      "tidings link kill shop --url https://shop.example/sale --prefix"};
  return change(app, &usage, "link.kill", argc, argv, error);
}

bool link_restore(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {"link restore",
                                     "[TENANT]",
                                     0,
                                     1,
                                     "Lets links work again: with the same options as kill.",
                                     "tidings link restore shop --url https://shop.example/sale --prefix"};
  return change(app, &usage, "link.restore", argc, argv, error);
}

static bool list_row(void *data, const json_t *row, GError **error)
{
  (void)error;
  struct table *table = data;
  static const char *const keys[] = {"of", "url", "prefix", "mail"};
  for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
    table_cell_json(table, row, keys[i]);
  return true;
}

bool link_list(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {"link list",
                                     "TENANT",
                                     1,
                                     1,
                                     "Lists the stopped links of a tenant and of the host.",
                                     "tidings link list shop"};
  char **words = usage_read(app, &usage, NULL, argc, argv, error);
  if (!words) return false;
  g_autoptr(table_auto) table = table_new("OF|ADDRESS|PREFIX|MAIL");
  if (!app_ask(app, "link.list", json_pack("{s:s}", "tenant", words[0]),
               app->json ? app_print_json : list_row, table, NULL, error))
    return false;
  if (!app->json) table_print(table, 0);
  return true;
}
