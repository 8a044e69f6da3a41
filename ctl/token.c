/* tidings token: what a tracked link says, to who holds the keys. */

#include "ctl/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/id.h"
#include "ctl/table.h"
#include "ctl/usage.h"
#include "keyfile/keyfile.h"

static const char *kind_name(enum token_kind kind)
{
  switch (kind) {
  case TOKEN_OPEN:
    return "open";
  case TOKEN_CLICK:
    return "click";
  case TOKEN_UNSUBSCRIBE:
    return "unsubscribe";
  case TOKEN_SEND:
    return "send";
  }
  return "unknown";
}

/* Tries every segment of the path, the last first: the URL may have been cut from
 * its host, or be the token alone. */
static bool open_url(struct token_keys *keys, const char *url, struct token *token, GByteArray *scratch,
                     int *key)
{
  g_autofree char *path = g_strndup(url, strcspn(url, "?#"));
  g_auto(GStrv) segments = g_strsplit(path, "/", -1);
  for (size_t i = g_strv_length(segments); i-- > 0;) {
    if (!token_open(keys, segments[i], strlen(segments[i]), token, scratch, NULL)) continue;
    *key = token_key_id(segments[i], strlen(segments[i]));
    return true;
  }
  return false;
}

static bool not_ours(const char *path, GError **error)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
              "no key of %s opens this: it was cut off or changed on its way, or is of another installation",
              path);
  return false;
}

static void print_json(const struct token *token, int key, const char *destination)
{
  json_t *row = json_pack("{s:s, s:I, s:I, s:I, s:i, s:i, s:s}", "kind", kind_name(token->kind), "tenant",
                          (json_int_t)token->tenant, "mail", (json_int_t)token->mail, "sent",
                          (json_int_t)id_time(token->mail), "link", (int)token->link, "key", key,
                          "destination", destination);
  app_put_json(row);
  json_decref(row);
}

static void print_table(const struct token *token, int key, const char *destination,
                        const struct tz_zone *zone)
{
  g_autofree char *sent = text_time(id_time(token->mail), zone);
  g_autoptr(table_auto) table = table_new("|");
  table_cell(table, "kind");
  table_cell(table, kind_name(token->kind));
  table_cell(table, "tenant");
  table_cell_int(table, token->tenant);
  table_cell(table, "mail");
  table_cell_int(table, token->mail);
  table_cell(table, "of");
  table_cell(table, sent);
  if (token->link) {
    table_cell(table, "link");
    table_cell_int(table, token->link);
  }
  table_cell(table, token->kind == TOKEN_UNSUBSCRIBE ? "list, address" : "destination");
  table_cell(table, destination);
  table_cell(table, "key");
  table_cell_int(table, key);
  table_print(table, 0);
}

static char *destination_of(const struct token *token)
{
  g_autofree char *bytes =
      g_strndup(token->destination_length ? token->destination : "", token->destination_length);
  if (token->kind == TOKEN_UNSUBSCRIBE) g_strdelimit(bytes, "\n", ' ');
  return g_utf8_make_valid(bytes, -1);
}

bool token_show(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "token show",
      "URL",
      1,
      1,
      "Shows what a tracked link says: which mail, when, and where it leads. Asks nobody and counts nothing.",
      "tidings token show https://t.shop.example/c/…"};
  char **words = usage_read(app, &usage, NULL, argc, argv, error);
  const struct conf *conf = words ? app_conf(app, error) : NULL;
  const struct tz_zone *zone = conf ? app_zone(app, NULL, NULL, error) : NULL;
  struct token_keys *keys = zone ? keyfile_load(conf->keys, error) : NULL;
  if (!keys) return false;
  g_autoptr(GByteArray) scratch = g_byte_array_new();
  struct token token;
  int key;
  bool good = open_url(keys, words[0], &token, scratch, &key) || not_ours(conf->keys, error);
  if (good) {
    g_autofree char *destination = destination_of(&token);
    if (app->json)
      print_json(&token, key, destination);
    else
      print_table(&token, key, destination, zone);
  }
  token_keys_free(keys);
  return good;
}
