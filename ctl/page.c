/* tidings contact show: all that is known of one contact, on one page. */

#include "ctl/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/table.h"
#include "ctl/usage.h"

static char *when(const struct tz_zone *zone, const json_t *row, const char *key)
{
  int64_t at = text_int(row, key);
  return at ? text_time(at, zone) : NULL;
}

static void cell_when(struct table *table, const struct tz_zone *zone, const json_t *row, const char *key)
{
  g_autofree char *text = when(zone, row, key);
  table_cell(table, text);
}

static void print_section(const char *title, struct table *table)
{
  printf("\n%s\n", title);
  if (table_rows(table))
    table_print(table, 2);
  else
    puts("  none");
}

static void print_contact(const json_t *contact, const struct tz_zone *zone, bool known)
{
  g_autofree char *fields = text_pairs(json_object_get(contact, "fields"));
  const char *own = text_of(contact, "zone");
  g_autofree char *zone_text = g_strdup_printf("%s%s", own ? own : "not known",
                                               known ? "" : " (no such zone here: times are in the default)");
  g_autoptr(table_auto) table = table_new("|");
  table_cell(table, "contact");
  table_cell_json(table, contact, "address");
  table_cell(table, "zone");
  table_cell(table, zone_text);
  table_cell(table, "fields");
  table_cell(table, fields);
  table_cell(table, "source");
  table_cell_json(table, contact, "source");
  table_cell(table, "created");
  cell_when(table, zone, contact, "created");
  table_print(table, 0);
}

static void print_subscriptions(const json_t *rows, const struct tz_zone *zone)
{
  g_autoptr(table_auto) table = table_new("LIST|STATE|SINCE|SOURCE");
  size_t i;
  json_t *row;
  json_array_foreach(rows, i, row)
  {
    table_cell_json(table, row, "list");
    table_cell(table, json_is_true(json_object_get(row, "subscribed")) ? "subscribed" : "unsubscribed");
    cell_when(table, zone, row, "at");
    table_cell_json(table, row, "source");
  }
  print_section("Subscriptions", table);
}

static void print_journeys(const json_t *rows, const struct tz_zone *zone)
{
  g_autoptr(table_auto) table = table_new("WORKFLOW|>VERSION|STEP|SINCE|DUE|OUTCOME");
  size_t i;
  json_t *row;
  json_array_foreach(rows, i, row)
  {
    bool active = json_is_true(json_object_get(row, "active"));
    table_cell_json(table, row, "workflow");
    table_cell_json(table, row, "version");
    table_cell_json(table, row, "step");
    cell_when(table, zone, row, "since");
    cell_when(table, zone, active ? row : NULL, "due");
    table_cell(table, active ? "under way" : text_of(row, "outcome"));
  }
  print_section("Journeys", table);
}

static void print_timeline(const json_t *rows, const struct tz_zone *zone)
{
  g_autoptr(table_auto) table = table_new("WHEN|WHAT|BY|ABOUT");
  size_t i;
  json_t *row;
  json_array_foreach(rows, i, row)
  {
    g_autofree char *by = text_verdict(row);
    g_autofree char *text = text_about(row);
    cell_when(table, zone, row, "at");
    table_cell_json(table, row, "kind");
    table_cell(table, by);
    table_cell(table, text);
  }
  print_section("Timeline", table);
}

static bool print_page(struct app *app, const json_t *page, GError **error)
{
  bool known;
  const json_t *contact = json_object_get(page, "contact");
  const struct tz_zone *zone = app_zone(app, text_of(contact, "zone"), &known, error);
  if (!zone) return false;
  print_contact(contact, zone, known);
  print_subscriptions(json_object_get(page, "subscriptions"), zone);
  print_journeys(json_object_get(page, "journeys"), zone);
  print_timeline(json_object_get(page, "timeline"), zone);
  return true;
}

bool contact_show(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "contact show",
      "TENANT ADDRESS",
      2,
      2,
      "Shows a contact: fields, subscriptions, journeys, and what happened, in its time and in UTC.",
      "tidings contact show shop anna@example.com"};
  char **words = usage_read(app, &usage, NULL, argc, argv, error);
  json_t *page = NULL;
  if (!words ||
      !app_ask(app, "contact.show", json_pack("{s:s, s:s}", "tenant", words[0], "address", words[1]), NULL,
               NULL, &page, error))
    return false;
  bool good = true;
  if (app->json)
    app_put_json(page);
  else
    good = print_page(app, page, error);
  json_decref(page);
  return good;
}
