/* What all sub-commands share: the configuration, the clock, the zones, policyd, and
 * the way in which a run ends. */

#include "ctl/app.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/error.h"
#include "ctl/text.h"

/* --- the end --- */

static int status_of(const struct app *app, const GError *error)
{
  if (app->status) return app->status;
  if (error->domain == G_OPTION_ERROR) return EX_USAGE;
  if (error->domain != TIDINGS_ERROR) return EX_OSERR;
  switch (error->code) {
  case TIDINGS_ERROR_INPUT:
  case TIDINGS_ERROR_LIMIT:
  case TIDINGS_ERROR_NOTFOUND:
    return EX_DATAERR;
  case TIDINGS_ERROR_TEMP:
    return EX_TEMPFAIL;
  case TIDINGS_ERROR_DENIED:
    return EX_NOPERM;
  default:
    return EX_OSERR;
  }
}

static void app_clear(struct app *app)
{
  g_free(app->file);
  g_free(app->clock_file);
  g_strfreev(app->words);
  control_close(app->client);
  zoneinfo_close(app->zones);
  clock_close(app->clock);
  conf_free(app->conf);
}

int app_end(struct app *app, bool good, GError *error)
{
  int status = EX_OK;
  if (!good) status = error ? status_of(app, error) : app->status;
  if (error) {
    g_autofree char *text = text_safe_lines(error->message);
    fprintf(stderr, "tidings: %s\n", text);
    g_error_free(error);
  }
  app_clear(app);
  if (fflush(stdout) == 0 && !ferror(stdout)) return status;
  fputs("tidings: cannot write the output\n", stderr);
  return status ? status : EX_IOERR;
}

bool app_fail(struct app *app, int status)
{
  app->status = status;
  return false;
}

/* --- what is opened when it is asked for --- */

const struct conf *app_conf(struct app *app, GError **error)
{
  if (app->conf) return app->conf;
  bool defaults = !app->file && !g_file_test(CONF_FILE, G_FILE_TEST_EXISTS);
  app->conf = defaults ? conf_parse(NULL, "", 0, error) : conf_load(app->file ? app->file : CONF_FILE, error);
  if (!app->conf) app->status = EX_CONFIG;
  return app->conf;
}

int64_t app_now(struct app *app, GError **error)
{
  if (!app->clock) app->clock = clock_open(app->clock_file, error);
  return app->clock ? clock_now(app->clock) : -1;
}

struct zoneinfo *app_zones(struct app *app, GError **error)
{
  if (app->zones) return app->zones;
  const struct conf *conf = app_conf(app, error);
  if (conf) app->zones = zoneinfo_open(conf->zoneinfo, error);
  return app->zones;
}

const struct tz_zone *app_zone(struct app *app, const char *name, bool *known, GError **error)
{
  struct zoneinfo *zones = app_zones(app, error);
  if (!zones) return NULL;
  const struct tz_zone *zone = name ? zoneinfo_get(zones, name, NULL) : NULL;
  if (known) *known = zone || !name;
  return zone ? zone : zoneinfo_get(zones, app->conf->zone, error);
}

/* --- policyd --- */

static bool connect_once(struct app *app, GError **error)
{
  if (app->client) return true;
  const struct conf *conf = app_conf(app, error);
  if (!conf) return false;
  g_autoptr(GError) cause = NULL;
  app->client = control_connect(conf->policyd_control, &cause);
  if (app->client) return true;
  app->status = cause->code == TIDINGS_ERROR_DENIED ? EX_NOPERM : EX_UNAVAILABLE;
  g_propagate_error(error, g_steal_pointer(&cause));
  return false;
}

bool app_ask(struct app *app, const char *verb, json_t *args, control_row_fn *row_fn, void *data, json_t **ok,
             GError **error)
{
  if (ok) *ok = NULL;
  if (!args) {
    g_set_error_literal(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "a word of the command is not UTF-8");
    return false;
  }
  if (!connect_once(app, error)) {
    json_decref(args);
    return false;
  }
  return control_call(app->client, verb, args, row_fn, data, ok, error);
}

bool app_change(struct app *app, const char *verb, json_t *args, GError **error, const char *format, ...)
{
  json_t *ok = NULL;
  if (!app_ask(app, verb, args, NULL, NULL, &ok, error)) return false;
  if (app->json) {
    app_put_json(ok);
  } else {
    va_list list;
    va_start(list, format);
    g_autofree char *sentence = g_strdup_vprintf(format, list);
    va_end(list);
    g_autofree char *safe = text_safe(sentence);
    puts(safe);
  }
  json_decref(ok);
  return true;
}

/* --- output --- */

void app_put_json(const json_t *value)
{
  char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
  if (text) puts(text);
  free(text);
}

bool app_print_json(void *data, const json_t *row, GError **error)
{
  (void)data, (void)error;
  app_put_json(row);
  return true;
}

void app_warn(const char *format, ...)
{
  va_list list;
  va_start(list, format);
  g_autofree char *sentence = g_strdup_vprintf(format, list);
  va_end(list);
  g_autofree char *safe = text_safe(sentence);
  fprintf(stderr, "tidings: warning: %s\n", safe);
}

json_t *app_strings(char **list)
{
  json_t *array = json_array();
  for (size_t i = 0; list && list[i]; i++)
    if (json_array_append_new(array, json_string(list[i])) < 0) {
      json_decref(array);
      return NULL;
    }
  return array;
}
