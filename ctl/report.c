/* tidings report: what was counted, by tenant, list, workflow and step. */

#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "ctl/table.h"
#include "ctl/usage.h"
#include "tz/text.h"

/* What the report shows: METRIC(name as counted, heading, of what a rate is shown) */
static const struct metric {
  const char *name, *heading, *rate_of;
} metrics[] = {
    {"mails", "MAILS", NULL},
    {"tracked", "TRACKED", NULL},
    {"per-message", "SHARED", NULL},
    {"opened", "OPENED", "tracked"},
    {"opens", "OPENS", NULL},
    {"opens-machine", "MACHINE", NULL},
    {"clicked", "CLICKED", "tracked"},
    {"clicks", "CLICKS", NULL},
    {"clicks-machine", "MACHINE", NULL},
    {"unsubscribed", "UNSUB", NULL},
    {"suppressed", "SUPPR", NULL},
    {"started", "STARTED", NULL},
    {"sent", "SENT", NULL},
};

static char *headings(void)
{
  GString *out = g_string_new("SCOPE");
  for (size_t i = 0; i < G_N_ELEMENTS(metrics); i++)
    g_string_append_printf(out, "|>%s%s", metrics[i].heading, metrics[i].rate_of ? "|>RATE" : "");
  return g_string_free(out, FALSE);
}

/* Scopes in the order in which they came, each an object of counts. */
static bool collect(void *data, const json_t *row, GError **error)
{
  (void)error;
  json_t *scopes = data;
  const char *scope = text_of(row, "scope"), *metric = text_of(row, "metric");
  if (!scope || !metric) return true;
  json_t *counts = json_object_get(scopes, scope);
  if (!counts) json_object_set_new(scopes, scope, counts = json_object());
  json_object_set(counts, metric, json_object_get(row, "n"));
  return true;
}

/* "tenant" first, then lists, then each workflow with its steps behind it. */
static char *sort_key(const char *scope)
{
  if (g_str_has_prefix(scope, "list:")) return g_strconcat("1", scope + 5, NULL);
  if (g_str_has_prefix(scope, "workflow:")) return g_strconcat("2", scope + 9, NULL);
  if (g_str_has_prefix(scope, "step:")) return g_strconcat("2", scope + 5, NULL);
  return g_strconcat("0", scope, NULL);
}

static int compare_scopes(const void *a, const void *b)
{
  g_autofree char *x = sort_key(*(const char *const *)a), *y = sort_key(*(const char *const *)b);
  return strcmp(x, y);
}

static void add_row(struct table *table, const char *scope, const json_t *counts)
{
  g_autofree char *step = g_str_has_prefix(scope, "step:") ? g_strconcat("  ", scope, NULL) : NULL;
  table_cell(table, step ? step : scope);
  for (size_t i = 0; i < G_N_ELEMENTS(metrics); i++) {
    table_cell_int(table, text_int(counts, metrics[i].name));
    if (metrics[i].rate_of)
      table_cell_rate(table, text_int(counts, metrics[i].name), text_int(counts, metrics[i].rate_of));
  }
}

static void print_report(const json_t *scopes)
{
  g_autofree char *heads = headings();
  g_autoptr(table_auto) table = table_new(heads);
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  const char *name;
  json_t *counts;
  json_object_foreach((json_t *)(uintptr_t)scopes, name, counts)
      g_ptr_array_add(names, (void *)(uintptr_t)name);
  g_ptr_array_sort(names, compare_scopes);
  for (unsigned i = 0; i < names->len; i++)
    add_row(table, names->pdata[i], json_object_get(scopes, names->pdata[i]));
  if (!names->len) {
    puts("Nothing was counted in this time.");
    return;
  }
  table_print(table, 0);
  puts("\nOPENED and CLICKED are mails, RATE is their part of TRACKED; OPENS and CLICKS are hits of people\n"
       "(or of readers that cannot be told from them), MACHINE those of proxies, prefetchers and scanners.\n"
       "SHARED is the part of TRACKED that went to several recipients as one message: its hits name none of\n"
       "them.");
}

/* Days are UTC, as they are counted. The last one is in it. */
static bool read_day(const char *option, const char *text, bool end, int64_t *instant, GError **error)
{
  struct tz_civil day;
  g_autoptr(GError) cause = NULL;
  if (strlen(text) != 10 || !tz_text_to_civil(text, &day, &cause))
    return usage_error(error, "report: %s '%s': write a date such as 2026-10-25", option, text);
  *instant = tz_instant(tz_zone_utc(), &day) + (end ? CLOCK_DAY : 0);
  return true;
}

static json_t *report_json(const char *tenant, const char *from, const char *until, json_t *scopes)
{
  return json_pack("{s:s, s:s*, s:s*, s:O}", "tenant", tenant, "from", from, "until", until, "scopes",
                   scopes);
}

bool report_show(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "report",
      "TENANT",
      1,
      1,
      "Shows what was counted for a tenant, its lists, its workflows and their steps.",
      "tidings report shop --from 2026-10-01 --until 2026-10-31"};
  g_autofree char *from = NULL, *until = NULL;
  const GOptionEntry options[] = {
      {"from", 0, 0, G_OPTION_ARG_FILENAME, &from, "The first day (UTC)", "DATE"},
      {"until", 0, 0, G_OPTION_ARG_FILENAME, &until, "The last day (UTC)", "DATE"},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  int64_t first = 0, end = 0;
  char **words = usage_read(app, &usage, options, argc, argv, error);
  if (!words || (from && !read_day("--from", from, false, &first, error)) ||
      (until && !read_day("--until", until, true, &end, error)))
    return false;
  json_t *args = json_pack("{s:s, s:o*, s:o*}", "tenant", words[0], "from", from ? json_integer(first) : NULL,
                           "until", until ? json_integer(end) : NULL);
  json_t *scopes = json_object();
  bool good = app_ask(app, "report", args, collect, scopes, NULL, error);
  if (good && app->json) {
    json_t *whole = report_json(words[0], from, until, scopes);
    app_put_json(whole);
    json_decref(whole);
  } else if (good) {
    print_report(scopes);
  }
  json_decref(scopes);
  return good;
}
