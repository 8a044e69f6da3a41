/* tidings config: the effective settings, each with where it comes from. */

#include "ctl/commands.h"

#include <inttypes.h>
#include <stdio.h>

#include "ctl/usage.h"

/* --- values as JSON, one function a type of keys.def --- */

static json_t *json_STRING(const char *value, const char *range)
{
  (void)range;
  return value ? json_string(value) : json_null();
}
#define json_PATH   json_STRING
#define json_SOCKET json_STRING
#define json_LISTEN json_STRING

static json_t *json_LIST(char **value, const char *range)
{
  (void)range;
  return app_strings(value);
}

static json_t *json_INT(int64_t value, const char *range)
{
  (void)range;
  return json_integer(value);
}
#define json_SIZE     json_INT
#define json_DURATION json_INT

static json_t *json_MODE(int64_t value, const char *range)
{
  (void)range;
  return json_sprintf("%04" PRIo64, value);
}

G_GNUC_UNUSED static json_t *json_BOOL(bool value, const char *range)
{
  (void)range;
  return json_boolean(value);
}

G_GNUC_UNUSED static json_t *json_ENUM(int value, const char *range)
{
  g_auto(GStrv) words = g_strsplit(range, "|", -1);
  return json_string(words[value]);
}

static void put_row(const struct conf *conf, const char *name, json_t *value)
{
  int line = conf_line(conf, name);
  json_t *row = json_pack("{s:s, s:o, s:s*, s:o*}", "key", name, "value", value, "file",
                          line > 0 ? conf->file : NULL, "line", line > 0 ? json_integer(line) : NULL);
  app_put_json(row);
  json_decref(row);
}

static void put_json(const struct conf *conf)
{
#define TOP(name, type, default_, range, text) put_row(conf, #name, json_##type(conf->name, range));
#define KEY(section, name, type, default_, range, text)                                                      \
  put_row(conf, #section "." #name, json_##type(conf->section##_##name, range));
#include "conf/keys.def"
#undef TOP
#undef KEY
}

bool config_show(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {"config",
                                     "",
                                     0,
                                     0,
                                     "Shows the effective settings in the form of tidings.conf(5), each with "
                                     "the line that set it.",
                                     "tidings -c /etc/tidings/tidings.conf config"};
  if (!usage_read(app, &usage, NULL, argc, argv, error)) return false;
  const struct conf *conf = app_conf(app, error);
  if (!conf) return false;
  if (!conf->file) app_warn("there is no %s: these are the defaults", CONF_FILE);
  if (app->json) {
    put_json(conf);
    return true;
  }
  g_autoptr(GString) text = g_string_new(NULL);
  conf_dump(conf, text);
  fputs(text->str, stdout);
  return true;
}
