/* tidings key: the file of master keys that seal what tracked links say. */

#include "ctl/commands.h"

#include <stdio.h>

#include "ctl/usage.h"
#include "keyfile/keyfile.h"

static const char *read_words(struct app *app, const struct usage *usage, char **file, int argc, char **argv,
                              GError **error)
{
  const GOptionEntry options[] = {
      {"file", 0, 0, G_OPTION_ARG_FILENAME, file, "The file of keys (keys in tidings.conf)", "FILE"},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  if (!usage_read(app, usage, options, argc, argv, error)) return NULL;
  const struct conf *conf = app_conf(app, error);
  return conf ? (*file ? *file : conf->keys) : NULL;
}

static void print_result(const struct app *app, const char *path, int id, const char *advice)
{
  if (app->json) {
    json_t *row = json_pack("{s:s, s:i}", "file", path, "key", id);
    app_put_json(row);
    json_decref(row);
  } else {
    printf("%s: key %d is new\n%s\n", path, id, advice);
  }
}

bool key_new(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "key new",
      "",
      0,
      0,
      "Makes the file of keys, with one fresh key. A file that is there is not touched.",
      "tidings key new"};
  g_autofree char *file = NULL;
  const char *path = read_words(app, &usage, &file, argc, argv, error);
  int64_t now = path ? app_now(app, error) : -1;
  if (now < 0 || !keyfile_new(path, now, error)) return false;
  print_result(app, path, 1,
               "Its group must be that of the daemons, and nobody else may read it. Keep a copy in a safe "
               "place: without it, links in mail that was sent lead nowhere.");
  return true;
}

bool key_rotate(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "key rotate",
      "",
      0,
      0,
      "Adds a fresh key, which seals new links from the daemons' next reload on. Links that were sealed with "
      "older keys go on working.",
      "tidings key rotate"};
  g_autofree char *file = NULL;
  uint8_t id;
  const char *path = read_words(app, &usage, &file, argc, argv, error);
  int64_t now = path ? app_now(app, error) : -1;
  if (now < 0 || !keyfile_rotate(path, now, &id, error)) return false;
  print_result(app, path, id, "Reload the daemons, tidings-tracker first: systemctl reload 'tidings-*'");
  return true;
}
