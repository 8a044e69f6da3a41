/* tidings dkim: keys that sign mail, and what DNS must say of them. */

#include "ctl/commands.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "ctl/file.h"
#include "ctl/txt.h"
#include "ctl/usage.h"
#include "dkim/keys.h"
#include "dkim/record.h"

enum { MAX_RECORD = 64 << 10 };

/* The words of a sub-command. */
struct words {
  char *folder, *selector, *bits, *record;
  char *domain; /* as it is written in DNS */
};

static void words_clear(struct words *words)
{
  g_free(words->folder);
  g_free(words->selector);
  g_free(words->bits);
  g_free(words->record);
  g_free(words->domain);
}

static bool read_words(struct app *app, const struct usage *usage, const GOptionEntry *options,
                       struct words *words, int argc, char **argv, GError **error)
{
  char **arguments = usage_read(app, usage, options, argc, argv, error);
  const struct conf *conf = arguments ? app_conf(app, error) : NULL;
  if (!conf) return false;
  if (!words->folder) words->folder = g_strdup(conf->dkim_keys);
  words->domain = dkim_domain(arguments[0]);
  return words->domain || usage_error(error, "'%s' is no domain name", arguments[0]);
}

/* ---- showing ---- */

static char *dns_name(const struct dkim_key *key)
{
  return g_strdup_printf("%s._domainkey.%s", dkim_key_selector(key), dkim_key_domain(key));
}

static bool print_record(const struct app *app, const struct dkim_key *key, GError **error)
{
  g_autofree char *name = dns_name(key), *record = dkim_key_record(key, error);
  if (!record) return false;
  if (app->json) {
    json_t *row = json_pack("{s:s, s:s, s:s, s:s}", "domain", dkim_key_domain(key), "selector",
                            dkim_key_selector(key), "name", name, "record", record);
    app_put_json(row);
    json_decref(row);
  } else {
    g_autofree char *line = dkim_record_zone_line(name, record);
    puts(line);
  }
  return true;
}

/* ---- new ---- */

/* The user of the milter, to whom the keys belong; (uid_t)-1: whoever runs this. */
static bool find_owner(const struct conf *conf, uid_t *owner, GError **error)
{
  guint64 number;
  *owner = (uid_t)-1;
  if (geteuid() != 0 || !conf->milter_user) return true;
  if (g_ascii_string_to_unsigned(conf->milter_user, 10, 0, UINT32_MAX - 1, &number, NULL)) {
    *owner = (uid_t)number;
    return true;
  }
  const struct passwd *user = getpwnam(conf->milter_user);
  if (!user) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "milter.user: there is no user %s",
                conf->milter_user);
    return false;
  }
  *owner = user->pw_uid;
  return true;
}

/* Sorts after the selectors of the days before, so the newest key signs. */
static bool choose_selector(struct app *app, struct words *words, GError **error)
{
  if (words->selector) return true;
  int64_t now = app_now(app, error);
  if (now < 0) return false;
  time_t seconds = (time_t)(now / 1000000);
  struct tm tm;
  char text[32];
  gmtime_r(&seconds, &tm);
  strftime(text, sizeof text, "t%Y%m%d", &tm);
  words->selector = g_strdup(text);
  return true;
}

static bool read_bits(const struct words *words, int *bits, GError **error)
{
  guint64 number = DKIM_MIN_BITS;
  if (words->bits &&
      !g_ascii_string_to_unsigned(words->bits, 10, DKIM_MIN_BITS, DKIM_MAX_BITS, &number, NULL))
    return usage_error(error, "--bits %s: write a number from 2048 to 4096", words->bits);
  *bits = (int)number;
  return true;
}

static bool make_key(struct app *app, struct words *words, GError **error)
{
  int bits = 0;
  uid_t owner;
  if (!read_bits(words, &bits, error) || !choose_selector(app, words, error) ||
      !find_owner(app_conf(app, error), &owner, error) ||
      !dkim_key_make(words->folder, words->domain, words->selector, bits, owner, error))
    return false;
  struct dkim_key *key = dkim_key_load(words->folder, words->domain, words->selector, error);
  bool good = key && print_record(app, key, error);
  dkim_key_unref(key);
  if (good && !app->json)
    printf("\nPut this into the zone of %s, wait until `tidings dkim check %s' finds it, then reload\n"
           "the milter: systemctl reload tidings-milter\n",
           words->domain, words->domain);
  return good;
}

bool dkim_new(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "dkim new",
      "DOMAIN",
      1,
      1,
      "Makes a key that signs the mail of a domain, and prints the record that DNS must have. Publish that "
      "first: the milter signs with the key from its next start or reload on.",
      "tidings dkim new shop.example"};
  struct words words = {0};
  const GOptionEntry options[] = {
      {"selector", 0, 0, G_OPTION_ARG_FILENAME, &words.selector, "The key's name in DNS (t and today's date)",
       "NAME"},
      {"bits", 0, 0, G_OPTION_ARG_FILENAME, &words.bits, "The key's size, 2048 to 4096 (2048)", "N"},
      {"keys", 0, 0, G_OPTION_ARG_FILENAME, &words.folder, "The folder of keys (dkim.keys in tidings.conf)",
       "FOLDER"},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  bool good = read_words(app, &usage, options, &words, argc, argv, error) && make_key(app, &words, error);
  words_clear(&words);
  return good;
}

/* ---- show ---- */

static struct dkim_key *load_key(const struct words *words, GError **error)
{
  return dkim_key_load(words->folder, words->domain, words->selector, error);
}

bool dkim_show(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "dkim show",
      "DOMAIN",
      1,
      1,
      "Prints the record that DNS must have for the key that signs, in the form "
      "of a zone file.",
      "tidings dkim show shop.example"};
  struct words words = {0};
  const GOptionEntry options[] = {
      {"selector", 0, 0, G_OPTION_ARG_FILENAME, &words.selector, "Of this key (the one that signs)", "NAME"},
      {"keys", 0, 0, G_OPTION_ARG_FILENAME, &words.folder, "The folder of keys (dkim.keys in tidings.conf)",
       "FOLDER"},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  bool good = read_words(app, &usage, options, &words, argc, argv, error);
  struct dkim_key *key = good ? load_key(&words, error) : NULL;
  good = key && print_record(app, key, error);
  dkim_key_unref(key);
  words_clear(&words);
  return good;
}

/* ---- check ---- */

static char *find_record(struct app *app, const struct words *words, const char *name, GError **error)
{
  if (!words->record) return txt_find(name, "v=DKIM1", error);
  size_t length;
  g_autofree char *copied = file_read(app, words->record, MAX_RECORD, &length, error);
  return copied ? dkim_record_read(copied) : NULL;
}

static bool compare(struct app *app, const struct words *words, const struct dkim_key *key, GError **error)
{
  g_autofree char *name = dns_name(key), *expected = dkim_key_record(key, error);
  g_autofree char *found = expected ? find_record(app, words, name, error) : NULL;
  if (!found) return false;
  const char *fault = dkim_record_fault(expected, found);
  if (fault) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
                "%s: %s; `tidings dkim show --selector %s %s' prints what it must be", name, fault,
                dkim_key_selector(key), words->domain);
    return false;
  }
  if (app->json) {
    json_t *row = json_pack("{s:s, s:b}", "name", name, "good", 1);
    app_put_json(row);
    json_decref(row);
  } else {
    printf("%s is good: %s has this key.\n", name, words->record ? "the copy" : "DNS");
  }
  return true;
}

bool dkim_check(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {"dkim check",
                                     "DOMAIN",
                                     1,
                                     1,
                                     "Compares the key that signs with the record in DNS, and says what is "
                                     "wrong with that.",
                                     "tidings dkim check shop.example"};
  struct words words = {0};
  const GOptionEntry options[] = {
      {"selector", 0, 0, G_OPTION_ARG_FILENAME, &words.selector, "Of this key (the one that signs)", "NAME"},
      {"record", 0, 0, G_OPTION_ARG_FILENAME, &words.record, "Compare with the text in FILE, without DNS",
       "FILE"},
      {"keys", 0, 0, G_OPTION_ARG_FILENAME, &words.folder, "The folder of keys (dkim.keys in tidings.conf)",
       "FOLDER"},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  bool good = read_words(app, &usage, options, &words, argc, argv, error);
  struct dkim_key *key = good ? load_key(&words, error) : NULL;
  good = key && compare(app, &words, key, error);
  dkim_key_unref(key);
  words_clear(&words);
  return good;
}
