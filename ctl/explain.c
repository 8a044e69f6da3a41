/* tidings explain: what the milter would do with a message, and why. The code is the
 * milter's; only the keys are thrown away afterwards. */

#include "ctl/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/error.h"
#include "base/id.h"
#include "ctl/file.h"
#include "ctl/table.h"
#include "ctl/tenant.h"
#include "ctl/usage.h"
#include "directory/stop.h"
#include "rewrite/rewrite.h"

/* What is assumed of the message's sending. */
struct assumptions {
  char *tenant, *track, *url, *list, *sender;
  int recipients;
  enum rewrite_track mode, list_mode;
  bool unsubscribe, list_limited, utm, text_links;
  struct directory_stops *stops; /* NULL: none */
};

static void assumptions_clear(struct assumptions *a)
{
  g_free(a->tenant);
  g_free(a->track);
  g_free(a->url);
  g_free(a->list);
  g_free(a->sender);
  directory_stops_free(a->stops);
}

static bool check_assumptions(const struct assumptions *a, GError **error)
{
  if (a->tenant ? a->track || a->url : !a->track || !a->url)
    return usage_error(error, "explain: say either --tenant NAME, or --track MODE and --url URL");
  return a->recipients >= 1 || usage_error(error, "explain: --recipients is 1 or more");
}

static char **read_assumptions(struct app *app, struct assumptions *a, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "explain",
      "FILE",
      1,
      1,
      "Shows what the milter would do with a message, every part and every link, and why: as mail of a "
      "tenant "
      "(asks policyd), or of an imagined one. FILE - is the standard input. Tracked addresses are samples.",
      "tidings explain --track all --url https://t.shop.example newsletter.eml"};
  const GOptionEntry options[] = {
      {"tenant", 0, 0, G_OPTION_ARG_FILENAME, &a->tenant, "As mail of this tenant", "NAME"},
      {"track", 0, 0, G_OPTION_ARG_FILENAME, &a->track,
       "As of a tenant with this mode: none, aggregate, clicks, all", "MODE"},
      {"url", 0, 0, G_OPTION_ARG_FILENAME, &a->url, "and these tracked links", "URL"},
      {"list", 0, 0, G_OPTION_ARG_FILENAME, &a->list, "As mail of this list", "NAME"},
      {"sender", 0, 0, G_OPTION_ARG_FILENAME, &a->sender,
       "With this envelope sender; \"\" is the null sender", "ADDRESS"},
      {"recipients", 0, 0, G_OPTION_ARG_INT, &a->recipients, "With so many recipients (1)", "N"},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  a->recipients = 1;
  char **words = usage_read(app, &usage, options, argc, argv, error);
  return words && check_assumptions(a, error) ? words : NULL;
}

/* --- the tenant --- */

static bool read_mode(const char *text, enum rewrite_track *mode, GError **error)
{
  static const char *const names[] = {"none", "aggregate", "clicks", "all"};
  for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
    if (g_strcmp0(text, names[i]) == 0) {
      *mode = (enum rewrite_track)i;
      return true;
    }
  return usage_error(error, "explain: --track '%s': write none, aggregate, clicks or all", text);
}

/* As the milter finds it: the list that is named, else that of the sender. */
static bool match_list(void *data, const json_t *row, GError **error)
{
  struct assumptions *a = data;
  const char *name = text_of(row, "name"), *sender = text_of(row, "sender");
  bool match = a->list ? g_strcmp0(a->list, name) == 0
                       : sender && a->sender && g_ascii_strcasecmp(sender, a->sender) == 0;
  if (!match) return true;
  if (!a->list) a->list = g_strdup(name);
  a->unsubscribe = json_is_true(json_object_get(row, "unsubscribe"));
  a->list_limited = true;
  a->utm = json_is_true(json_object_get(row, "utm"));
  return read_mode(text_of(row, "track"), &a->list_mode, error);
}

static bool take_stop(void *data, const json_t *row, GError **error)
{
  (void)error;
  struct assumptions *a = data;
  const struct directory_stop stop = {.mail = json_integer_value(json_object_get(row, "mail")),
                                      .url = text_of(row, "url"),
                                      .prefix = json_is_true(json_object_get(row, "prefix"))};
  if (stop.url && !stop.mail) directory_stops_add(a->stops, &stop);
  return true;
}

static bool is_stopped(void *data, const char *url, size_t length)
{
  return directory_stops_match(data, 0, 0, url, length);
}

static bool ask_tenant(struct app *app, struct assumptions *a, GError **error)
{
  json_t *tenant = tenant_find(app, a->tenant, error);
  if (!tenant) return false;
  a->url = g_strdup(text_of(tenant, "url"));
  a->text_links = json_is_true(json_object_get(tenant, "text_links"));
  a->stops = directory_stops_new();
  bool good = read_mode(text_of(tenant, "track"), &a->mode, error) &&
              app_ask(app, "link.list", json_pack("{s:s}", "tenant", a->tenant), take_stop, a, NULL, error) &&
              app_ask(app, "list.list", json_pack("{s:s}", "tenant", a->tenant), match_list, a, NULL, error);
  json_decref(tenant);
  return good;
}

/* The list that the message itself asks for. */
static void read_list(struct assumptions *a, const char *bytes, size_t length)
{
  if (a->list) return;
  const struct mail_limits limits = MAIL_LIMITS_DEFAULT;
  g_autoptr(mail_tree) tree = mail_walk(bytes, length, &limits, NULL);
  if (!tree) return;
  g_auto(rewrite_control) control = {0};
  rewrite_control_read(bytes, tree->parts[0].header, &control);
  a->list = g_strdup(control.list);
}

static bool complete(struct app *app, struct assumptions *a, const char *bytes, size_t length, GError **error)
{
  read_list(a, bytes, length);
  if (a->tenant) return ask_tenant(app, a, error);
  a->unsubscribe = a->list != NULL;
  return read_mode(a->track, &a->mode, error);
}

/* --- the page --- */

static void print_message(const struct rewrite_result *result)
{
  bool tracked = result->action == REWRITE_TRACKED;
  printf("message  %s: %s\n", tracked ? "tracked" : "left unchanged",
         rewrite_reason_sentence(result->reason));
  if (!tracked) return;
  printf("tokens   name %s\n",
         result->per_recipient ? "the recipient" : "the message, not who of its recipients");
  printf("pixel    %s\n",
         result->pixel == REWRITE_REASON_TRACKED ? "placed" : rewrite_reason_sentence(result->pixel));
}

static void print_parts(const struct rewrite_result *result)
{
  g_autoptr(table_auto) table = table_new("PART|TYPE|ENCODING||WHY");
  for (unsigned i = 0; i < result->parts->len; i++) {
    const struct rewrite_part *part = &g_array_index(result->parts, struct rewrite_part, i);
    g_autofree char *why = g_strdup_printf("%s%s%s", rewrite_reason_sentence(part->reason),
                                           part->detail ? ": " : "", part->detail ? part->detail : "");
    table_cell(table, part->path);
    table_cell(table, part->type);
    table_cell(table, part->encoding);
    table_cell(table, part->action == REWRITE_TRACKED ? "edited" : "left");
    table_cell(table, why);
  }
  if (!table_rows(table)) return;
  puts("\nParts");
  table_print(table, 2);
}

static void print_links(const struct rewrite_result *result)
{
  g_autoptr(table_auto) table = table_new(">LINK|PART||WHY|ADDRESS");
  for (unsigned i = 0; i < result->links->len; i++) {
    const struct rewrite_link *link = &g_array_index(result->links, struct rewrite_link, i);
    const struct rewrite_part *part = &g_array_index(result->parts, struct rewrite_part, link->part);
    bool tracked = link->action == REWRITE_TRACKED;
    char number[16];
    g_snprintf(number, sizeof number, "%" PRIu32, link->number);
    table_cell(table, link->number ? number : NULL);
    table_cell(table, part->path);
    table_cell(table, tracked ? "tracked" : "left");
    table_cell(table, tracked ? NULL : rewrite_reason_sentence(link->reason));
    table_cell(table, link->destination ? link->destination : link->url);
  }
  if (!table_rows(table)) return;
  puts("\nLinks");
  table_print(table, 2);
}

static void print_headers(const struct rewrite_result *result)
{
  static const char *const words[] = {"added", "changed", "taken out"};
  g_autoptr(table_auto) table = table_new("FIELD||VALUE");
  for (unsigned i = 0; i < result->headers->len; i++) {
    const struct rewrite_header *header = &g_array_index(result->headers, struct rewrite_header, i);
    table_cell(table, header->name);
    table_cell(table, words[header->op]);
    table_cell(table, header->value);
  }
  if (!table_rows(table)) return;
  puts("\nHeader");
  table_print(table, 2);
}

static void print_result(const struct app *app, const struct rewrite_result *result)
{
  if (app->json) {
    json_t *value = rewrite_result_json(result);
    app_put_json(value);
    json_decref(value);
    return;
  }
  print_message(result);
  print_parts(result);
  print_links(result);
  print_headers(result);
}

/* --- the run --- */

/* A key that seals samples, and is gone afterwards. */
static struct token_keys *sample_keys(GError **error)
{
  uint8_t secret[TOKEN_SECRET_BYTES];
  if (getrandom(secret, sizeof secret, 0) != (ssize_t)sizeof secret) {
    g_set_error_literal(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "no random bytes");
    return NULL;
  }
  struct token_keys *keys = token_keys_new();
  if (token_keys_add(keys, 1, secret, error)) return keys;
  token_keys_free(keys);
  return NULL;
}

static bool explain(struct app *app, const struct assumptions *a, const char *bytes, size_t length,
                    GError **error)
{
  int64_t now = app_now(app, error);
  struct token_keys *keys = now < 0 ? NULL : sample_keys(error);
  if (!keys) return false;
  struct id_source ids = {.producer = ID_FILTER};
  struct rewrite_request request = {
      .message = bytes,
      .length = length,
      .trusted = true,
      .sender = a->sender ? a->sender : "sender@example.com",
      .recipients = (size_t)a->recipients,
      .recipient = a->recipients == 1 ? "recipient@example.com" : NULL,
      .tenant = 1,
      .track = a->mode,
      .url = a->url,
      .list = a->list,
      .unsubscribe = a->unsubscribe,
      .utm_source = a->list     ? a->list
                    : a->tenant ? a->tenant
                                : "tenant",
      .utm = a->utm,
      .stopped = a->stops ? is_stopped : NULL,
      .stopped_data = a->stops,
      .text_links = a->text_links,
      .list_limited = a->list_limited,
      .list_track = a->list_mode,
      .mail = id_next(&ids, now),
      .keys = keys,
      .limits = REWRITE_LIMITS_DEFAULT,
  };
  request.limits.size = (size_t)app->conf->milter_max_size;
  struct rewrite_result *result = rewrite_message(&request);
  print_result(app, result);
  rewrite_result_free(result);
  token_keys_free(keys);
  return true;
}

bool explain_show(struct app *app, int argc, char **argv, GError **error)
{
  struct assumptions a = {0};
  size_t length = 0;
  g_autofree char *bytes = NULL;
  char **words = read_assumptions(app, &a, argc, argv, error);
  const struct conf *conf = words ? app_conf(app, error) : NULL;
  /* A byte over the limit is enough to be told so. */
  if (conf) bytes = file_read(app, words[0], (size_t)conf->milter_max_size + 1, &length, error);
  bool good = bytes && complete(app, &a, bytes, length, error) && explain(app, &a, bytes, length, error);
  assumptions_clear(&a);
  return good;
}
