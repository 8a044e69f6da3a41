/* tidings contact: one contact; import.c has many. contact show is in page.c. */

#include "ctl/commands.h"

#include "ctl/pair.h"
#include "ctl/table.h"
#include "ctl/usage.h"

static json_t *fields_json(char **pairs, GError **error)
{
  json_t *fields = json_object();
  for (size_t i = 0; pairs && pairs[i]; i++)
    if (!pair_add(fields, "--field", pairs[i], error)) {
      json_decref(fields);
      return NULL;
    }
  return fields;
}

bool contact_add(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "contact add",
      "TENANT ADDRESS",
      2,
      2,
      "Adds a contact or, if it is there, updates what is given; subscribes it to lists.",
      "tidings contact add shop anna@example.com --list news --zone Europe/Oslo --field first_name=Anna"};
  g_auto(GStrv) lists = NULL, pairs = NULL;
  g_autofree char *zone = NULL, *source = NULL;
  const GOptionEntry options[] = {
      {"list", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &lists, "Subscribe to this list; may be repeated", "LIST"},
      {"zone", 0, 0, G_OPTION_ARG_FILENAME, &zone, "The contact's time zone, such as Europe/Oslo", "ZONE"},
      {"field", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &pairs,
       "A field for templates, or name:=JSON; may be repeated", "NAME=VALUE"},
      {"source", 0, 0, G_OPTION_ARG_FILENAME, &source, "Where the contact and its consent come from", "TEXT"},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  char **words = usage_read(app, &usage, options, argc, argv, error);
  json_t *fields = words ? fields_json(pairs, error) : NULL;
  if (!fields) return false;
  json_t *args = json_pack("{s:s, s:s, s:o, s:s*, s:o, s:s*}", "tenant", words[0], "address", words[1],
                           "lists", app_strings(lists), "zone", zone, "fields", fields, "source", source);
  return app_change(app, "contact.add", args, error, "contact %s: in", words[1]);
}

bool contact_unsubscribe(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "contact unsubscribe",
      "TENANT ADDRESS LIST",
      3,
      3,
      "Takes a contact off a list: mail of that list to it is refused from now "
      "on, other mail passes.",
      "tidings contact unsubscribe shop anna@example.com news"};
  char **words = usage_read(app, &usage, NULL, argc, argv, error);
  if (!words) return false;
  json_t *args = json_pack("{s:s, s:s, s:s}", "tenant", words[0], "address", words[1], "list", words[2]);
  return app_change(app, "contact.unsubscribe", args, error, "contact %s: off the list %s", words[1],
                    words[2]);
}

bool contact_erase(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "contact erase",
      "TENANT ADDRESS",
      2,
      2,
      "Forgets a contact: what is known of it goes, for good. Its links in mail that was sent go on leading "
      "where they did and are recorded no more; mail to it is refused.",
      "tidings contact erase shop anna@example.com"};
  char **words = usage_read(app, &usage, NULL, argc, argv, error);
  if (!words) return false;
  json_t *args = json_pack("{s:s, s:s}", "tenant", words[0], "address", words[1]);
  return app_change(app, "contact.erase", args, error, "contact %s: erased", words[1]);
}

static bool list_row(void *data, const json_t *row, GError **error)
{
  (void)error;
  struct table *table = data;
  table_cell_json(table, row, "address");
  table_cell_json(table, row, "zone");
  table_cell_json(table, row, "source");
  g_autofree char *created = text_time(text_int(row, "created"), tz_zone_utc());
  table_cell(table, created);
  g_autofree char *fields = text_pairs(json_object_get(row, "fields"));
  table_cell(table, fields);
  return true;
}

/* In pages, so that a tenant of any size is listed in bounded memory. */
bool contact_list(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {"contact list",
                                     "TENANT",
                                     1,
                                     1,
                                     "Lists the contacts of a tenant, in the order in which they came.",
                                     "tidings contact list shop"};
  char **words = usage_read(app, &usage, NULL, argc, argv, error);
  if (!words) return false;
  g_autoptr(table_auto) table = table_new("ADDRESS|ZONE|SOURCE|CREATED|FIELDS");
  int64_t after = 0;
  for (bool more = true; more;) {
    json_t *ok;
    json_t *args =
        json_pack("{s:s, s:I, s:i}", "tenant", words[0], "after", (json_int_t)after, "limit", 1000);
    if (!app_ask(app, "contact.list", args, app->json ? app_print_json : list_row, table, &ok, error))
      return false;
    if (!app->json) table_print(table, 0);
    int64_t last = text_int(ok, "after");
    more = json_is_true(json_object_get(ok, "more")) && last > after;
    after = last;
    json_decref(ok);
  }
  return true;
}
