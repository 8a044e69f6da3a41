/* tidings status: what policyd is doing. */

#include "ctl/commands.h"

#include <inttypes.h>
#include <stdio.h>

#include "ctl/table.h"
#include "ctl/usage.h"

static char *duration(int64_t micros)
{
  int64_t s = micros / CLOCK_SECOND;
  if (s >= 86400) return g_strdup_printf("%" PRId64 " days %" PRId64 " h", s / 86400, s % 86400 / 3600);
  if (s >= 3600) return g_strdup_printf("%" PRId64 " h %" PRId64 " min", s / 3600, s % 3600 / 60);
  return g_strdup_printf("%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
}

static void print_counts(struct table *table, const json_t *ok)
{
  static const struct {
    const char *key, *label;
  } counts[] = {
      {"folded", "events folded"},           {"journeys", "journeys under way"},
      {"planned", "sends planned"},          {"handed", "sends handed over, in doubt"},
      {"in_flight", "sends in flight now"},  {"accepted", "sends accepted since start"},
      {"refused", "sends refused"},          {"deferred", "sends deferred"},
      {"resent", "in-doubt sends repeated"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
    table_cell(table, counts[i].label);
    table_cell_json(table, ok, counts[i].key);
  }
}

static void print_status(const json_t *ok, const struct tz_zone *zone)
{
  int64_t now = text_int(ok, "now"), due = text_int(ok, "next_due");
  g_autofree char *up = duration(now - text_int(ok, "started"));
  g_autofree char *now_text = text_time(now, zone);
  g_autofree char *due_text = due ? text_time(due, zone) : NULL;
  g_autoptr(table_auto) table = table_new("|");
  table_cell(table, "up");
  table_cell(table, up);
  table_cell(table, "its time");
  table_cell(table, now_text);
  print_counts(table, ok);
  table_cell(table, "next step due");
  table_cell(table, due_text ? due_text : "none");
  table_cell(table, "zone rules (tzdata)");
  table_cell_json(table, ok, "tzdata");
  table_print(table, 0);
}

bool status_show(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {"status", "", 0, 0, "Shows what policyd is doing.", "tidings status"};
  json_t *ok = NULL;
  if (!usage_read(app, &usage, NULL, argc, argv, error) ||
      !app_ask(app, "status", json_object(), NULL, NULL, &ok, error))
    return false;
  const struct tz_zone *zone = app->json ? tz_zone_utc() : app_zone(app, NULL, NULL, error);
  if (zone && app->json)
    app_put_json(ok);
  else if (zone)
    print_status(ok, zone);
  json_decref(ok);
  return zone != NULL;
}
