/* tidings when: when a wait would be over, by the very code that plans workflows. */

#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "ctl/text.h"
#include "ctl/usage.h"
#include "tz/plan.h"

struct wishes {
  char *zone, *from, *at, *after, *days, *quiet;
};

static void wishes_clear(struct wishes *wishes)
{
  g_free(wishes->zone);
  g_free(wishes->from);
  g_free(wishes->at);
  g_free(wishes->after);
  g_free(wishes->days);
  g_free(wishes->quiet);
}

static char **read_wishes(struct app *app, struct wishes *w, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "when",
      "",
      0,
      0,
      "Says when a wait would be over, in UTC and on the wall: days are civil, hours absolute, and changes "
      "of the clocks are those of this machine's zone files.",
      "tidings when --zone Europe/Berlin --from 2026-10-24T15:00 --after \"1 day\" --at 09:00"};
  const GOptionEntry options[] = {
      {"zone", 0, 0, G_OPTION_ARG_FILENAME, &w->zone, "The contact's time zone", "ZONE"},
      {"from", 0, 0, G_OPTION_ARG_FILENAME, &w->from,
       "When the wait begins: an instant, or a wall clock time in ZONE (now)", "TIME"},
      {"after", 0, 0, G_OPTION_ARG_FILENAME, &w->after, "How long: \"2 days\", \"36 hours\"", "DURATION"},
      {"at", 0, 0, G_OPTION_ARG_FILENAME, &w->at, "The time of day", "HH:MM"},
      {"days", 0, 0, G_OPTION_ARG_FILENAME, &w->days, "The days that are allowed: mon,tue,wed,thu,fri",
       "DAYS"},
      {"not", 0, 0, G_OPTION_ARG_FILENAME, &w->quiet, "Quiet hours: 22:00-08:00", "HH:MM-HH:MM"},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  return usage_read(app, &usage, options, argc, argv, error);
}

static bool read_days(const char *text, uint8_t *days, GError **error)
{
  static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
  g_auto(GStrv) words = g_strsplit(text, ",", -1);
  *days = 0;
  for (size_t i = 0; words[i]; i++) {
    size_t day = 0;
    while (day < 7 && strcmp(g_strstrip(words[i]), names[day]) != 0)
      day++;
    if (day == 7)
      return usage_error(error, "when: --days '%s': write some of mon,tue,wed,thu,fri,sat,sun", text);
    *days |= (uint8_t)(1 << day);
  }
  return true;
}

static bool read_quiet(const char *text, struct tz_plan *plan, GError **error)
{
  g_auto(GStrv) ends = g_strsplit(text, "-", 2);
  if (g_strv_length(ends) == 2 && tz_text_to_minute(ends[0], &plan->quiet_from, NULL) &&
      tz_text_to_minute(ends[1], &plan->quiet_until, NULL))
    return true;
  return usage_error(error, "when: --not '%s': write quiet hours such as 22:00-08:00", text);
}

static bool read_plan(const struct wishes *w, struct tz_plan *plan, GError **error)
{
  *plan = (struct tz_plan)TZ_PLAN_INIT;
  return (!w->after || tz_text_to_duration(w->after, &plan->wait, error)) &&
         (!w->at || tz_text_to_minute(w->at, &plan->at, error)) &&
         (!w->days || read_days(w->days, &plan->weekdays, error)) &&
         (!w->quiet || read_quiet(w->quiet, plan, error));
}

static bool read_from(struct app *app, const char *text, const struct tz_zone *zone, int64_t *from,
                      GError **error)
{
  if (text) return tz_text_to_instant(text, zone, from, error);
  *from = app_now(app, error);
  return *from >= 0;
}

static void print_due(struct app *app, const char *zone_name, const struct tz_zone *zone, int64_t from,
                      const struct tz_due *due)
{
  g_autofree char *utc = tz_text_from_instant(due->instant, NULL);
  g_autofree char *local = tz_text_from_instant(due->instant, zone);
  g_autofree char *wall = due->is_wall ? tz_text_from_civil(&due->wall) : NULL;
  if (app->json) {
    json_t *value = json_pack("{s:s, s:I, s:s, s:s, s:s*}", "zone", zone_name, "instant",
                              (json_int_t)due->instant, "utc", utc, "local", local, "wall", wall);
    app_put_json(value);
    json_decref(value);
    return;
  }
  g_autofree char *begin = text_time(from, zone), *shown = text_time(due->instant, zone);
  printf("zone   %s\nfrom   %s\nutc    %s\nlocal  %s\n", zone_name, begin, utc, shown);
  struct tz_civil now_shown = tz_local(zone, due->instant);
  if (wall && tz_civil_compare(&now_shown, &due->wall) != 0)
    printf("       planned for %s, which the clocks there leave out\n", wall);
}

bool when_show(struct app *app, int argc, char **argv, GError **error)
{
  struct wishes w = {0};
  struct tz_plan plan;
  struct tz_due due;
  int64_t from;
  bool known = true, good = false;
  const struct tz_zone *zone = NULL;
  if (read_wishes(app, &w, argc, argv, error) && read_plan(&w, &plan, error))
    zone = app_zone(app, w.zone, &known, error);
  if (zone && read_from(app, w.from, zone, &from, error) && tz_plan_next(&plan, zone, from, &due, error)) {
    const char *name = w.zone && known ? w.zone : app->conf->zone;
    if (!known)
      app_warn("there is no zone '%s' here: %s is taken, as for a contact with such a zone", w.zone, name);
    print_due(app, name, zone, from, &due);
    good = true;
  }
  wishes_clear(&w);
  return good;
}
