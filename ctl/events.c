/* tidings events: what happens, as it happens. */

#include "ctl/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/table.h"
#include "ctl/usage.h"

enum { DEFAULT_LIMIT = 20, PAGE = 1000 };

struct tail {
  struct app *app;
  const struct tz_zone *zone;
  struct table *table;
  int64_t last; /* id of the newest row seen; -1: none */
};

static bool tail_row(void *data, const json_t *row, GError **error)
{
  struct tail *tail = data;
  tail->last = MAX(tail->last, text_int(row, "id"));
  if (tail->app->json) return app_print_json(NULL, row, error);
  g_autofree char *at = text_time(text_int(row, "at"), tail->zone);
  g_autofree char *about = text_about(row);
  g_autofree char *by = text_verdict(row);
  table_cell(tail->table, at);
  table_cell_json(tail->table, row, "kind");
  table_cell_json(tail->table, row, "address");
  table_cell(tail->table, by);
  table_cell(tail->table, about);
  return true;
}

static bool ask(struct tail *tail, const char *tenant, int limit, GError **error)
{
  json_t *args =
      json_pack("{s:s, s:I, s:i}", "tenant", tenant, "after", (json_int_t)tail->last, "limit", limit);
  if (!app_ask(tail->app, "event.list", args, tail_row, tail, NULL, error)) return false;
  if (!tail->app->json) table_print(tail->table, 0);
  return fflush(stdout) == 0;
}

/* An empty tenant has no last id; ids are above zero. */
static bool follow(struct tail *tail, const char *tenant, GError **error)
{
  for (;;) {
    int64_t before = tail->last = MAX(tail->last, 0);
    if (!ask(tail, tenant, PAGE, error)) return false;
    if (tail->last == before) sleep(1);
  }
}

bool events_show(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "events",
      "TENANT",
      1,
      1,
      "Shows the newest events of a tenant: mails, opens, clicks, unsubscribes, sends, custom events.",
      "tidings events shop --follow"};
  gboolean following = FALSE;
  int limit = DEFAULT_LIMIT;
  const GOptionEntry options[] = {
      {"follow", 'f', 0, G_OPTION_ARG_NONE, &following, "Go on with what happens from now, until Ctrl-C",
       NULL},
      {"limit", 'n', 0, G_OPTION_ARG_INT, &limit, "How many past events, 1 to 1000 (20)", "N"},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  char **words = usage_read(app, &usage, options, argc, argv, error);
  if (!words) return false;
  if (limit < 1 || limit > PAGE) return usage_error(error, "events: --limit is 1 to %d", PAGE);
  g_autoptr(table_auto) table = table_new("WHEN|WHAT|CONTACT|BY|ABOUT");
  struct tail tail = {.app = app, .table = table, .last = -1};
  tail.zone = app_zone(app, NULL, NULL, error);
  if (!tail.zone || !ask(&tail, words[0], limit, error)) return false;
  return !following || follow(&tail, words[0], error);
}
