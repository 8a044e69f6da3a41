/* The tracker: what a request gets.
 *
 * handle() sees a request first when it is there, and decides: an answer at once
 * (nothing to record), or a note with the answer it will get and the batch it
 * waits for. In the next round, when the batch is on disk or known to be lost,
 * handle() sees it again and gives the answer.
 *
 * What always holds: GET and HEAD change nothing that a contact asked for; a
 * request without a genuine token of the path's own kind gets the one neutral
 * 404; a lost hit still gets its pixel or redirect, a lost unsubscribe never gets
 * a "done". */

#include "tracker/tracker.h"

#include <string.h>

#include "base/error.h"
#include "directory/directory.h"
#include "http/http.h"
#include "keyfile/keyfile.h"
#include "metrics/metrics.h"
#include "tracker/durable.h"
#include "tracker/hits.h"
#include "tracker/replies.h"
#include "tracker/route.h"

struct tracker {
  struct proc *proc;
  struct http *http;
  struct replies replies;
  struct metrics metrics;
  struct token_keys *keys;
  GByteArray *scratch; /* of the token at hand */
  struct directory *directory;
  struct directory_view *view; /* of this round; NULL: not needed yet */
  struct hits *hits;
};

/* What a request waits for. */
struct note {
  struct batch *batch;
  struct http_reply *own;         /* freed with the note; or NULL */
  const struct http_reply *reply; /* when it is recorded */
  const struct http_reply *lost;  /* when it could not be */
};

/* --- what we know --- */

static struct directory_view *view(struct tracker *t)
{
  if (!t->view) t->view = directory_acquire(t->directory, NULL);
  return t->view;
}

/* Does the tenant measure this? One that the directory does not know (yet) does:
 * a fact can be dropped later, but not made up. */
static bool is_measured(struct tracker *t, const struct token *token)
{
  const struct directory_tenant *tenant = directory_tenant(view(t), token->tenant);
  if (!tenant) return true;
  if (token->kind == TOKEN_OPEN) return tenant->track == TRACK_ALL || tenant->track == TRACK_AGGREGATE;
  return tenant->track != TRACK_NONE;
}

static const char *list_title(struct tracker *t, int64_t tenant, const char *name)
{
  const struct directory_list *list = directory_list(view(t), tenant, name);
  if (!list) return *name ? name : NULL;
  return list->title && *list->title ? list->title : list->name;
}

/* --- answers --- */

static void wait_for(struct http_request *request, struct batch *batch, const struct http_reply *reply,
                     const struct http_reply *lost, struct http_reply *own)
{
  struct note *note = g_new(struct note, 1);
  *note = (struct note){.batch = batch, .own = own, .reply = reply, .lost = lost};
  request->note = note;
}

static void serve_waiting(struct http_request *request)
{
  const struct note *note = request->note;
  if (!durable_is_settled(note->batch)) return;
  http_answer(request, batch_state(note->batch) == BATCH_LOST ? note->lost : note->reply);
}

static void refuse(struct tracker *t, struct http_request *request, enum metric metric,
                   const struct http_reply *reply)
{
  metrics_add(&t->metrics, metric, 1);
  http_answer(request, reply);
}

/* An open or a click; REPLY is OWN, or borrowed. */
static void serve_hit(struct tracker *t, struct http_request *request, const struct token *token,
                      const struct http_reply *reply, struct http_reply *own)
{
  if (!is_measured(t, token)) {
    http_answer(request, reply);
    http_reply_free(own);
    return;
  }
  const struct hit hit = {token, request->method, http_header(request, "User-Agent")};
  wait_for(request, hits_add(t->hits, &hit), reply, reply, own);
}

static void serve_click(struct tracker *t, struct http_request *request, const struct token *token)
{
  if (directory_link_stopped(view(t), token->tenant, token->mail, token->destination,
                             token->destination_length)) {
    refuse(t, request, METRIC_TRACKER_STOPPED, t->replies.stopped);
    return;
  }
  struct http_reply *redirect = reply_redirect(token->destination, token->destination_length);
  if (redirect)
    serve_hit(t, request, token, redirect, redirect);
  else
    refuse(t, request, METRIC_TRACKER_FORGED, t->replies.not_found);
}

static void serve_page(struct tracker *t, struct http_request *request, const struct token *token)
{
  g_autofree char *list = g_strndup(token->destination, token->destination_length);
  char *address = strchr(list, '\n');
  if (address) *address++ = '\0';
  const struct directory_tenant *tenant = directory_tenant(view(t), token->tenant);
  struct http_reply *reply = reply_unsubscribe(&t->replies, tenant ? tenant->title : NULL,
                                               list_title(t, token->tenant, list), address);
  http_answer(request, reply);
  http_reply_free(reply);
}

/* RFC 8058 wants no more than a POST to this address; what it carries (nothing, a
 * form of either kind) matters only in that our own page's button says so. */
static void serve_unsubscribe(struct tracker *t, struct http_request *request, const struct token *token)
{
  static const char button[] = "page=1";
  bool page = request->body_length == strlen(button) && memcmp(request->body, button, strlen(button)) == 0;
  struct batch *batch = hits_add_unsubscribe(t->hits, token, !page);
  wait_for(request, batch, t->replies.unsubscribed, t->replies.sorry, NULL);
}

/* Is the request to the tracking host of somebody else? A link is as good as the
 * name it begins with, so no tenant's links work under the name of another. */
static bool is_elsewhere(struct tracker *t, struct http_request *request, const struct token *token)
{
  const char *host = http_header(request, "Host");
  return host && directory_is_foreign_host(view(t), token->tenant, host);
}

static void serve_token(struct tracker *t, struct http_request *request, const struct route *route,
                        enum route_method method)
{
  struct token token;
  if (!token_open(t->keys, route->token, route->length, &token, t->scratch, NULL) ||
      token.kind != route->token_kind || is_elsewhere(t, request, &token))
    refuse(t, request, METRIC_TRACKER_FORGED, t->replies.not_found);
  else if (token.kind == TOKEN_OPEN)
    serve_hit(t, request, &token, t->replies.pixel, NULL);
  else if (token.kind == TOKEN_CLICK)
    serve_click(t, request, &token);
  else if (method == ROUTE_POST)
    serve_unsubscribe(t, request, &token);
  else
    serve_page(t, request, &token);
}

static void serve_health(struct tracker *t, struct http_request *request)
{
  const char *trouble = hits_trouble(t->hits);
  if (!trouble) {
    http_answer(request, t->replies.healthy);
    return;
  }
  g_autofree char *text = g_strdup_printf("hits cannot be recorded: %s\n", trouble);
  struct http_reply *reply = reply_text(503, text);
  http_answer(request, reply);
  http_reply_free(reply);
}

/* For this machine alone. */
static void serve_metrics(struct tracker *t, struct http_request *request)
{
  struct address client = http_client(request);
  if (!address_is_loopback(&client)) {
    refuse(t, request, METRIC_TRACKER_BAD, t->replies.not_found);
    return;
  }
  g_autoptr(GString) text = g_string_new(NULL);
  metrics_print(&t->metrics, "tidings_tracker_", text);
  struct http_reply *reply = reply_text(200, text->str);
  http_answer(request, reply);
  http_reply_free(reply);
}

static const struct http_reply *not_allowed(const struct tracker *t, const struct route *route)
{
  bool post = route->kind == ROUTE_TOKEN && route->token_kind == TOKEN_UNSUBSCRIBE;
  return post ? t->replies.only_post : t->replies.only_get;
}

static void handle(void *user, struct http_request *request)
{
  struct tracker *t = user;
  if (request->note) {
    serve_waiting(request);
    return;
  }
  struct route route = route_of(request->path);
  enum route_method method = route_method(&route, request->method);
  if (route.kind == ROUTE_NONE)
    refuse(t, request, METRIC_TRACKER_BAD, t->replies.not_found);
  else if (method == ROUTE_OTHER)
    refuse(t, request, METRIC_TRACKER_BAD, not_allowed(t, &route));
  else if (route.kind == ROUTE_TOKEN)
    serve_token(t, request, &route, method);
  else if (route.kind == ROUTE_HEALTH)
    serve_health(t, request);
  else
    serve_metrics(t, request);
  /* So that a tracker without the wait would be seen (tests/e2e/ack-early.c). */
  if (request->note) serve_waiting(request);
}

static void settle(void *user)
{
  struct tracker *t = user;
  hits_settle(t->hits);
  if (!t->view) return;
  directory_release(t->view);
  t->view = NULL;
}

static void forget(void *user, struct http_request *request)
{
  struct note *note = request->note;
  (void)user;
  if (!note) return;
  batch_unref(note->batch);
  http_reply_free(note->own);
  g_free(note);
  request->note = NULL;
}

/* --- life --- */

/* Where in the file KEY is, for an error about it. */
static bool blame(const struct conf *conf, const char *key, GError **error)
{
  g_prefix_error(error, "%s:%d: %s: ", conf->file, conf_line(conf, key), key);
  return false;
}

static bool check_addresses(const struct conf *conf, GError **error)
{
  struct sockaddr_storage address;
  socklen_t length;
  g_autoptr(GArray) trusted = address_list(conf->tracker_trusted_proxies, error);
  if (!trusted) return blame(conf, "tracker.trusted_proxies", error);
  return address_listen(conf->tracker_listen, &address, &length, error) ||
         blame(conf, "tracker.listen", error);
}

bool tracker_check(const struct proc *proc, GError **error)
{
  if (!check_addresses(proc->conf, error)) return false;
  struct token_keys *keys = keyfile_load(proc->conf->keys, error);
  token_keys_free(keys);
  return keys != NULL;
}

struct tracker *tracker_open(struct proc *proc, GError **error)
{
  const struct conf *conf = proc->conf;
  if (!check_addresses(conf, error)) return NULL;
  struct tracker *t = g_new0(struct tracker, 1);
  t->proc = proc;
  t->scratch = g_byte_array_new();
  replies_init(&t->replies);
  const struct http_options options = {
      .listen = conf->tracker_listen,
      .connections = (unsigned)conf->tracker_connections,
      .per_address = (unsigned)conf->tracker_connections_per_address,
      .timeout = (unsigned)(conf->tracker_timeout / CLOCK_SECOND),
      .trusted = conf->tracker_trusted_proxies,
  };
  const struct http_handler handler = {
      .handle = handle,
      .settle = settle,
      .forget = forget,
      .bad = t->replies.bad,
      .too_large = t->replies.too_large,
  };
  t->http = http_open(&options, &handler, t, error);
  if (t->http) return t;
  tracker_close(t);
  return NULL;
}

bool tracker_start(struct tracker *t, GError **error)
{
  const struct conf *conf = t->proc->conf;
  t->keys = keyfile_load(conf->keys, error);
  if (!t->keys) return false;
  t->directory = directory_open(conf->policyd_directory, error);
  if (!t->directory) return false;
  t->hits = hits_open(conf, t->proc->clock, t->proc->log, &t->metrics, error);
  return t->hits && http_start(t->http, error);
}

/* Connections stay; the directory follows by itself. */
static void reload(struct tracker *t)
{
  g_autoptr(GError) error = NULL;
  struct token_keys *keys = keyfile_load(t->proc->conf->keys, &error);
  if (keys) {
    token_keys_free(t->keys);
    t->keys = keys;
  }
  if (keys && log_reopen(t->proc->log, &error))
    log_event(t->proc->log, LOG_EVENT_RELOADED, NULL, "keys=%s", LOG_VALUE(t->proc->conf->keys));
  else
    log_event(t->proc->log, LOG_EVENT_RELOAD_FAILED, NULL, "reason=%s", LOG_VALUE(error->message));
}

void tracker_run(struct tracker *t)
{
  for (;;) {
    if (!http_round(t->http, t->proc->signals)) continue;
    enum proc_signal signal = proc_signal(t->proc, 0);
    if (signal == PROC_STOP) return;
    if (signal == PROC_RELOAD) reload(t);
  }
}

void tracker_close(struct tracker *t)
{
  if (!t) return;
  http_close(t->http);
  hits_close(t->hits);
  if (t->directory) directory_close(t->directory);
  token_keys_free(t->keys);
  replies_release(&t->replies);
  g_byte_array_unref(t->scratch);
  g_free(t);
}
