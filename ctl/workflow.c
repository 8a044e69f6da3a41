/* tidings workflow: check files, load them, look at what runs. */

#include "ctl/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "ctl/check.h"
#include "ctl/table.h"
#include "ctl/usage.h"

/* --- check --- */

static void print_json(const struct check *check)
{
  for (unsigned i = 0; i < check->problems->len; i++) {
    const char *text = check->problems->pdata[i];
    json_t *row =
        json_pack("{s:s, s:s*}", check_is_warning(text) ? "warning" : "error", text, "workflow", check->name);
    app_put_json(row);
    json_decref(row);
  }
}

static void print_problems(const struct check *check, FILE *out)
{
  for (unsigned i = 0; i < check->problems->len; i++) {
    g_autofree char *safe = text_safe(check->problems->pdata[i]);
    fprintf(out, "%s\n", safe);
  }
}

static bool check_one(struct app *app, const char *file, unsigned *errors, GError **error)
{
  struct check check;
  bool read = check_workflow(app, file, &check, error);
  if (read) {
    app->json ? print_json(&check) : print_problems(&check, stdout);
    *errors += check.errors;
    if (!check.errors && !app->json)
      printf("%s: good: workflow %s, %d steps, %zu messages\n", file, check.name, check.steps,
             json_object_size(check.messages));
  }
  check_clear(&check);
  return read;
}

bool workflow_check(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {"workflow check",
                                     "FILE…",
                                     1,
                                     -1,
                                     "Checks workflow files and the message files beside them, without "
                                     "policyd: every error and warning with "
                                     "file and line. Exit status 1 if there is an error.",
                                     "tidings workflow check welcome.yaml"};
  char **words = usage_read(app, &usage, NULL, argc, argv, error);
  unsigned errors = 0;
  for (size_t i = 0; words && words[i]; i++)
    if (!check_one(app, words[i], &errors, error)) return false;
  if (!words) return false;
  return errors ? app_fail(app, 1) : true;
}

/* --- load, stop --- */

static bool load_one(struct app *app, const char *tenant, const char *file, GError **error)
{
  struct check check;
  json_t *ok = NULL;
  bool good = check_workflow(app, file, &check, error);
  if (good) print_problems(&check, stderr);
  if (good && check.errors) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "%s: not loaded: %u errors", file, check.errors);
    good = false;
  }
  if (good) {
    g_autofree char *base = g_path_get_basename(file);
    json_t *args = json_pack("{s:s, s:s, s:s, s:O}", "tenant", tenant, "file", base, "source", check.source,
                             "messages", check.messages);
    good = app_ask(app, "workflow.load", args, NULL, NULL, &ok, error);
    if (!good) g_prefix_error(error, "%s: not loaded: ", file);
  }
  if (good && app->json)
    app_put_json(ok);
  else if (good)
    printf("workflow %s: version %" PRId64 " is loaded%s\n", text_of(ok, "workflow"), text_int(ok, "version"),
           text_int(ok, "version") > 1 ? "; those under way stay on theirs" : "");
  json_decref(ok);
  check_clear(&check);
  return good;
}

bool workflow_load(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {"workflow load",
                                     "TENANT FILE…",
                                     2,
                                     -1,
                                     "Checks workflow files, then loads each as a new version, with its "
                                     "message files. Who is under way stays "
                                     "on the old one.",
                                     "tidings workflow load shop welcome.yaml"};
  char **words = usage_read(app, &usage, NULL, argc, argv, error);
  if (!words) return false;
  for (size_t i = 1; words[i]; i++)
    if (!load_one(app, words[0], words[i], error)) return false;
  return true;
}

bool workflow_stop(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "workflow stop",
      "TENANT NAME",
      2,
      2,
      "Stops a workflow: nobody starts it any more. Loading it again starts it again.",
      "tidings workflow stop shop welcome"};
  char **words = usage_read(app, &usage, NULL, argc, argv, error);
  if (!words) return false;
  return app_change(app, "workflow.stop", json_pack("{s:s, s:s}", "tenant", words[0], "name", words[1]),
                    error, "workflow %s: stopped", words[1]);
}

/* --- list, show --- */

static bool list_row(void *data, const json_t *row, GError **error)
{
  (void)error;
  struct table *table = data;
  g_autofree char *loaded = text_time(text_int(row, "loaded"), tz_zone_utc());
  table_cell_json(table, row, "name");
  table_cell_json(table, row, "title");
  table_cell_json(table, row, "version");
  table_cell_json(table, row, "underway");
  table_cell_json(table, row, "ended");
  table_cell(table, loaded);
  return true;
}

bool workflow_list(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {"workflow list",
                                     "TENANT",
                                     1,
                                     1,
                                     "Lists the active workflows of a tenant.",
                                     "tidings workflow list shop"};
  char **words = usage_read(app, &usage, NULL, argc, argv, error);
  if (!words) return false;
  g_autoptr(table_auto) table = table_new("NAME|TITLE|>VERSION|>UNDER WAY|>ENDED|LOADED");
  if (!app_ask(app, "workflow.list", json_pack("{s:s}", "tenant", words[0]),
               app->json ? app_print_json : list_row, table, NULL, error))
    return false;
  if (!app->json) table_print(table, 0);
  return true;
}

static void print_outcomes(const json_t *outcomes)
{
  const char *outcome;
  json_t *n;
  puts("\nEnded");
  if (!json_object_size(outcomes)) puts("  none");
  g_autoptr(table_auto) table = table_new("OUTCOME|>JOURNEYS");
  json_object_foreach((json_t *)(uintptr_t)outcomes, outcome, n)
  {
    table_cell(table, outcome);
    table_cell_int(table, json_integer_value(n));
  }
  if (table_rows(table)) table_print(table, 2);
}

static void print_workflow(const json_t *ok, const struct tz_zone *zone)
{
  g_autofree char *loaded = text_time(text_int(ok, "loaded"), zone);
  g_autofree char *name = text_safe(text_of(ok, "name"));
  g_autofree char *title = text_safe(text_of(ok, "title"));
  bool active = json_is_true(json_object_get(ok, "active"));
  printf("WORKFLOW  %s\ntitle     %s\nversion   %" PRId64 ", loaded %s%s\n\n", name, title,
         text_int(ok, "version"), loaded, active ? "" : ", stopped");
  g_autoptr(table_auto) table = table_new("STEP|DOES|>HERE NOW|OLDEST SINCE|>SENT");
  size_t i;
  json_t *step;
  json_array_foreach(json_object_get(ok, "steps"), i, step)
  {
    int64_t oldest = text_int(step, "oldest");
    g_autofree char *since = oldest ? text_time(oldest, zone) : NULL;
    table_cell_json(table, step, "name");
    table_cell_json(table, step, "does");
    table_cell_json(table, step, "here");
    table_cell(table, since);
    table_cell_json(table, step, "sent");
  }
  table_print(table, 0);
  print_outcomes(json_object_get(ok, "outcomes"));
}

bool workflow_show(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "workflow show",
      "TENANT NAME",
      2,
      2,
      "Shows a workflow's steps: what each does, how many stand there and since when, what it has sent.",
      "tidings workflow show shop welcome"};
  char **words = usage_read(app, &usage, NULL, argc, argv, error);
  json_t *ok = NULL;
  if (!words || !app_ask(app, "workflow.show", json_pack("{s:s, s:s}", "tenant", words[0], "name", words[1]),
                         NULL, NULL, &ok, error))
    return false;
  const struct tz_zone *zone = app->json ? tz_zone_utc() : app_zone(app, NULL, NULL, error);
  if (zone && app->json)
    app_put_json(ok);
  else if (zone)
    print_workflow(ok, zone);
  json_decref(ok);
  return zone != NULL;
}
