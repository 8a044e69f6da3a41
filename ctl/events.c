/* tidings events: what happens, as it happens. */

#include "ctl/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/id.h"
#include "ctl/table.h"
#include "ctl/usage.h"

enum { DEFAULT_LIMIT = 20, PAGE = 1000 };

/* How far behind younger events one may come: well over the time between two folds. */
#define OVERLAP (5 * CLOCK_SECOND)

struct tail {
  struct app *app;
  const char *tenant;
  const struct tz_zone *zone;
  struct table *table;
  GHashTable *seen; /* ids of the rows that were shown, back to the overlap */
  int64_t last;     /* the newest of them; -1: none */
  int64_t after;    /* where the next question begins */
  int rows;         /* of the last answer */
  bool silent;      /* only remember */
};

static void show_row(struct tail *tail, const json_t *row)
{
  if (tail->app->json) {
    app_put_json(row);
    return;
  }
  g_autofree char *at = text_time(text_int(row, "at"), tail->zone);
  g_autofree char *about = text_about(row);
  g_autofree char *by = text_verdict(row);
  table_cell(tail->table, at);
  table_cell_json(tail->table, row, "kind");
  table_cell_json(tail->table, row, "address");
  table_cell(tail->table, by);
  table_cell(tail->table, about);
}

static bool tail_row(void *data, const json_t *row, GError **error)
{
  (void)error;
  struct tail *tail = data;
  int64_t id = text_int(row, "id");
  tail->rows++;
  tail->after = MAX(tail->after, id);
  if (tail->silent && id > tail->last) return true; /* came meanwhile: still to be shown */
  if (!g_hash_table_add(tail->seen, g_memdup2(&id, sizeof id)) || tail->silent) return true;
  tail->last = MAX(tail->last, id);
  show_row(tail, row);
  return true;
}

static bool ask(struct tail *tail, int limit, GError **error)
{
  tail->rows = 0;
  json_t *args =
      json_pack("{s:s, s:I, s:i}", "tenant", tail->tenant, "after", (json_int_t)tail->after, "limit", limit);
  if (!app_ask(tail->app, "event.list", args, tail_row, tail, NULL, error)) return false;
  if (!tail->app->json) table_print(tail->table, 0);
  return fflush(stdout) == 0;
}

static gboolean is_below(void *id, void *value, void *floor)
{
  (void)value;
  return *(const int64_t *)id <= *(const int64_t *)floor;
}

/* All from the overlap on. An event's id is of the moment at which it happened, and
 * policyd learns of it when it folds the journal: it may come behind younger ones. */
static bool ask_again(struct tail *tail, GError **error)
{
  int64_t floor = tail->last > 0 ? id_floor(id_time(tail->last) - OVERLAP) : 0;
  g_hash_table_foreach_remove(tail->seen, is_below, &floor);
  tail->after = floor;
  do {
    if (!ask(tail, PAGE, error)) return false;
  } while (tail->rows == PAGE);
  return true;
}

static bool follow(struct tail *tail, GError **error)
{
  tail->silent = true;
  if (!ask_again(tail, error)) return false;
  tail->silent = false;
  while (ask_again(tail, error))
    sleep(1);
  return false;
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
  struct tail tail = {.app = app, .tenant = words[0], .table = table, .last = -1, .after = -1};
  tail.zone = app_zone(app, NULL, NULL, error);
  tail.seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  bool good = tail.zone && ask(&tail, limit, error) && (!following || follow(&tail, error));
  g_hash_table_unref(tail.seen);
  return good;
}
