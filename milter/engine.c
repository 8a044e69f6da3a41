/* The decision on one message, in this order: whose it is, to whom it may go,
 * what is changed (lib/rewrite), and the event. The event is on disk before the
 * caller gives any answer; if it cannot be, the mail passes unchanged. */

#include "milter/engine.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "event/write.h"
#include "keyfile/keyfile.h"
#include "mail/header.h"
#include "milter/sign.h"
#include "milter/split.h"
#include "milter/tenant.h"
#include "rewrite/control.h"

/* ---- keys, shared by the threads and replaced by a reload ---- */

struct engine_keys {
  struct token_keys *keys;
  gatomicrefcount references;
};

static void keys_release(struct engine_keys *keys)
{
  if (!keys || !g_atomic_ref_count_dec(&keys->references)) return;
  token_keys_free(keys->keys);
  g_free(keys);
}

static struct engine_keys *keys_acquire(struct engine *engine)
{
  g_mutex_lock(&engine->lock);
  struct engine_keys *keys = engine->keys;
  if (keys) g_atomic_ref_count_inc(&keys->references);
  g_mutex_unlock(&engine->lock);
  return keys;
}

bool engine_reload(struct engine *engine, GError **error)
{
  struct token_keys *fresh = keyfile_load(engine->conf->keys, error);
  if (!fresh) return false;
  struct engine_keys *keys = g_new0(struct engine_keys, 1);
  keys->keys = fresh;
  g_atomic_ref_count_init(&keys->references);
  g_mutex_lock(&engine->lock);
  struct engine_keys *old = engine->keys;
  engine->keys = keys;
  g_mutex_unlock(&engine->lock);
  keys_release(old);
  return true;
}

bool engine_open(struct engine *engine, const struct conf *conf, const struct clock *clock, struct log *log,
                 GError **error)
{
  *engine = (struct engine){.conf = conf, .clock = clock, .log = log};
  g_mutex_init(&engine->lock);
  g_mutex_init(&engine->opening);
  engine->directory = directory_open(conf->policyd_directory, error);
  return engine->directory && engine_reload(engine, error);
}

/* `opening` is held. */
static bool open_journal(struct engine *engine, GError **error)
{
  if (g_atomic_pointer_get(&engine->journal)) return true;
  struct journal *journal =
      journal_open(engine->journal_dir, (uint8_t)engine->conf->node, engine->producer, error);
  engine->try_at = g_get_monotonic_time() + G_USEC_PER_SEC;
  g_atomic_pointer_set(&engine->journal, journal);
  return journal != NULL;
}

bool engine_open_journal(struct engine *engine, const char *dir, enum id_producer producer, GError **error)
{
  g_mutex_lock(&engine->opening);
  engine->journal_dir = dir;
  engine->producer = producer;
  bool good = open_journal(engine, error);
  g_mutex_unlock(&engine->opening);
  return good;
}

/* The journal, or NULL. One thread tries to open it, the others go on without. */
static struct journal *journal_of(struct engine *engine)
{
  struct journal *journal = g_atomic_pointer_get(&engine->journal);
  if (journal || !g_mutex_trylock(&engine->opening)) return journal;
  g_autoptr(GError) error = NULL;
  if (engine->journal_dir && g_get_monotonic_time() >= engine->try_at && !open_journal(engine, &error))
    log_event(engine->log, LOG_EVENT_JOURNAL_FAILED, NULL, "reason=%s", LOG_VALUE(error->message));
  g_mutex_unlock(&engine->opening);
  return g_atomic_pointer_get(&engine->journal);
}

void engine_close(struct engine *engine)
{
  if (engine->journal) journal_close(engine->journal);
  if (engine->directory) directory_close(engine->directory);
  keys_release(engine->keys);
  g_mutex_clear(&engine->lock);
  g_mutex_clear(&engine->opening);
}

/* ---- one message ---- */

struct decision {
  struct engine *engine;
  const struct engine_mail *mail;
  struct engine_verdict *verdict;
  struct directory_view *view;
  bool stale; /* the directory could not be read anew */
  struct engine_keys *keys;
  struct journal *journal; /* NULL: not open */
  struct rewrite_control control;
  struct rewrite_marker marker;
  bool own, trusted;
  const struct directory_tenant *tenant;
  const struct directory_list *list;
  const char *recipient; /* the one that remains, if one does */
  size_t recipients;     /* that remain */
  const char *unsplit;   /* why it was not split, though its tenant wants it */
  int64_t now, id;
  int64_t begun; /* monotonic */
};

static void find_owner(struct decision *d)
{
  const struct engine_mail *mail = d->mail;
  rewrite_control_read(mail->message, (struct mail_range){0, mail->body}, &d->control);
  d->own = d->control.send && d->keys && rewrite_marker_open(d->keys->keys, d->control.send, &d->marker);
  d->trusted = d->own || mail->tenant != 0 || tenant_is_trusted(d->engine->conf, mail);
  if (!d->trusted) return;
  int64_t known = d->own ? d->marker.tenant : mail->tenant;
  d->tenant = known ? directory_tenant(d->view, known) : tenant_find(d->view, mail);
  if (!d->tenant) return;
  const char *name = mail->list ? mail->list : d->control.list;
  d->list = tenant_list(d->view, d->tenant->id, mail, name);
  if (name && *name && !d->list)
    log_event(d->engine->log, LOG_EVENT_LIST_UNKNOWN, mail->queue_id, "tenant=%s list=%s", d->tenant->name,
              LOG_VALUE(name));
}

/* ---- suppression ---- */

static bool is_suppressed(const struct decision *d, const char *address)
{
  return directory_suppressed(d->view, d->tenant->id, d->list ? d->list->id : 0, address);
}

/* One recipient's copy of a mail that was split before. */
static bool is_copy(const struct decision *d)
{
  return d->own && d->marker.copy != 0;
}

/* Takes DATA. */
static bool write_event(struct decision *d, enum event_kind kind, int64_t mail, GString *data, GError **error)
{
  struct engine *engine = d->engine;
  g_autofree char *text = g_string_free(data, FALSE);
  if (!d->journal) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "the journal is not open");
    return false;
  }
  bool fresh = kind == EVENT_MAIL && !d->mail->id && !is_copy(d);
  struct event event = {
      .id = fresh ? mail : journal_next_id(d->journal, d->now),
      .at = d->now,
      .kind = kind,
      .tenant = d->tenant->id,
      .mail = mail,
      .data = text,
  };
  bool ok = journal_append(d->journal, &event, error);
  if (!ok) metrics_add(&engine->metrics, METRIC_MILTER_LOST, 1);
  return ok;
}

/* A refusal stands even where it cannot be recorded: it keeps a promise. */
static void note_suppressed(struct decision *d, const char *address)
{
  g_autoptr(GError) error = NULL;
  GString *data = g_string_new("{");
  event_write_text(data, "address", address);
  event_write_text(data, "list", d->list ? d->list->name : NULL);
  event_write_text(data, "reason", "suppressed");
  event_write_end(data, '}');
  if (!write_event(d, EVENT_SUPPRESSED, d->id, data, &error))
    log_event(d->engine->log, LOG_EVENT_JOURNAL_FAILED, d->mail->queue_id, "reason=%s",
              LOG_VALUE(error->message));
  log_event(d->engine->log, LOG_EVENT_SUPPRESSED, d->mail->queue_id, "tenant=%s list=%s to=%s",
            d->tenant->name, d->list ? d->list->name : "-", LOG_VALUE(address));
  metrics_add(&d->engine->metrics, METRIC_MILTER_SUPPRESSED, 1);
}

static char *refusal_sentence(const struct decision *d, const char *address)
{
  if (!d->list) return g_strdup_printf("%s has asked for no more mail of %s", address, d->tenant->name);
  return g_strdup_printf("%s has unsubscribed from %s of %s", address, d->list->name, d->tenant->name);
}

static void check_recipients(struct decision *d)
{
  const GPtrArray *all = d->mail->recipients;
  for (guint i = 0; i < all->len; i++) {
    if (d->tenant && is_suppressed(d, all->pdata[i])) {
      size_t index = i;
      g_array_append_val(d->verdict->remove, index);
    } else {
      d->recipients++;
      d->recipient = all->pdata[i];
    }
  }
  if (d->recipients != 1) d->recipient = NULL;
  if (d->verdict->remove->len == 0) return;
  /* Not even an answer that the directory cannot give may cost anybody a mail. */
  if (directory_is_broken(d->view)) {
    g_array_set_size(d->verdict->remove, 0);
    d->verdict->put_off = !d->mail->one_copy;
    return;
  }
  for (guint i = 0; i < d->verdict->remove->len; i++)
    note_suppressed(d, all->pdata[g_array_index(d->verdict->remove, size_t, i)]);
  if (d->recipients == 0) d->verdict->refusal = refusal_sentence(d, all->pdata[0]);
}

/* ---- rewriting ---- */

/* The work is linear in the message: what takes long is a disk that hangs below
 * the directory, or a machine that has too much to do, and then a mail is better
 * delivered than measured. */
static bool is_late(const struct decision *d)
{
  return g_get_monotonic_time() - d->begun > d->engine->conf->milter_max_time;
}

static bool is_stopped(void *data, const char *url, size_t length)
{
  const struct decision *d = data;
  return directory_link_stopped(d->view, d->tenant->id, 0, url, length);
}

static void run_rewrite(struct decision *d, size_t recipients, const char *recipient)
{
  const struct engine_mail *mail = d->mail;
  struct rewrite_request request = {
      .message = mail->message,
      .length = mail->length,
      .trusted = d->trusted,
      .sender = mail->sender,
      .recipients = recipients,
      .recipient = recipient,
      .mail = d->id,
      .keys = d->keys ? d->keys->keys : NULL,
      .own = d->own && !is_copy(d),
      .limits = REWRITE_LIMITS_DEFAULT,
  };
  request.limits.size = mail->too_large ? 0 : (size_t)d->engine->conf->milter_max_size;
  static const enum rewrite_track tracks[] = {
      [TRACK_NONE] = REWRITE_TRACK_NONE,
      [TRACK_AGGREGATE] = REWRITE_TRACK_AGGREGATE,
      [TRACK_CLICKS] = REWRITE_TRACK_CLICKS,
      [TRACK_ALL] = REWRITE_TRACK_ALL,
  };
  if (d->tenant) {
    request.tenant = d->tenant->id;
    request.track = tracks[d->tenant->track];
    request.url = d->tenant->url;
    request.stopped = is_stopped;
    request.stopped_data = d;
    request.text_links = d->tenant->text_links;
    request.utm_source = d->tenant->name;
  }
  if (d->list) {
    request.list = d->list->name;
    request.unsubscribe = d->list->unsubscribe;
    request.utm_source = d->list->name;
    request.utm = d->list->utm;
    request.list_limited = d->list->limited;
    request.list_track = tracks[d->list->track];
  }
  rewrite_result_free(d->verdict->result);
  d->verdict->result = rewrite_message(&request);
  struct rewrite_result *result = d->verdict->result;
  if (result->action == REWRITE_TRACKED && is_late(d)) rewrite_result_leave(result, REWRITE_REASON_OVER_TIME);
  if (result->body != mail->body) rewrite_result_leave(result, REWRITE_REASON_AMBIGUOUS);
  if (d->trusted && !d->tenant && d->stale) rewrite_result_leave(result, REWRITE_REASON_DIRECTORY);
  if (mail->one_copy && d->recipients == 0 && d->verdict->remove->len > 0)
    rewrite_result_leave(result, REWRITE_REASON_SUPPRESSED);
}

/* ---- splitting ---- */

/* Would a copy for one recipient have what the mail to all cannot have? */
static bool gains_by_split(struct decision *d)
{
  if (d->mail->one_copy || d->own || !d->tenant || !d->tenant->split || d->recipients < 2) return false;
  run_rewrite(d, 1, d->mail->recipients->pdata[0]);
  const struct rewrite_result *result = d->verdict->result;
  if (result->action == REWRITE_TRACKED) return true;
  for (guint i = 0; i < result->headers->len; i++)
    if (g_array_index(result->headers, struct rewrite_header, i).op == REWRITE_HEADER_INSERT) return true;
  return false;
}

static void note_split(struct decision *d, const struct split *split)
{
  struct engine *engine = d->engine;
  d->verdict->split = true;
  metrics_add(&engine->metrics, METRIC_MILTER_SPLIT, 1);
  metrics_add(&engine->metrics, METRIC_MILTER_COPIES, split->copies);
  log_event(engine->log, LOG_EVENT_SPLIT, d->mail->queue_id,
            "tenant=%s copies=%u from=%" PRId64 " to=%" PRId64, d->tenant->name, split->copies, split->first,
            split->last);
}

/* Whatever stands in the way, the mail passes as one. */
static bool try_split(struct decision *d)
{
  g_autoptr(GError) error = NULL;
  struct split split = {.engine = d->engine,
                        .mail = d->mail,
                        .remove = d->verdict->remove,
                        .journal = d->journal,
                        .tenant = d->tenant ? d->tenant->id : 0,
                        .now = d->now};
  if (d->verdict->put_off || !gains_by_split(d)) return false;
  d->unsplit = split_hindrance(&split);
  if (!d->unsplit && split_make(&split, &error)) {
    note_split(d, &split);
    return true;
  }
  if (error) d->unsplit = "spool";
  metrics_add(&d->engine->metrics, METRIC_MILTER_UNSPLIT, 1);
  log_event(d->engine->log, LOG_EVENT_UNSPLIT, d->mail->queue_id, "tenant=%s reason=%s because=%s",
            d->tenant->name, d->unsplit, LOG_VALUE(error ? error->message : "-"));
  return false;
}

/* ---- who signs ---- */

/* Between two warnings, microseconds. */
#define WARN_EVERY (INT64_C(3600) * 1000000)

/* A signer before us is known by what it does: no configuration tells. */
static void warn_of_signer(struct decision *d)
{
  uint64_t held;
  if (!log_due(&d->engine->signer_before, d->now, WARN_EVERY, &held)) return;
  log_event(d->engine->log, LOG_EVENT_SIGNER_BEFORE, d->mail->queue_id, "tenant=%s messages-before=%" PRIu64,
            d->tenant->name, held);
}

static void choose_key(struct decision *d)
{
  bool before;
  if (!d->engine->sign || !d->trusted || !d->tenant || d->verdict->refusal) return;
  d->verdict->key = sign_key(d->engine->sign, d->view, d->tenant->id, d->mail, &before);
  if (before) warn_of_signer(d);
}

/* ---- the event ---- */

static char *field_value(const struct engine_mail *mail, const char *name)
{
  struct mail_field field;
  if (!mail_header_find(mail->message, (struct mail_range){0, mail->body}, name, 0, &field)) return NULL;
  g_autofree char *raw =
      g_strndup(mail->message + field.value.start, MIN(field.value.end - field.value.start, (size_t)998));
  g_auto(GStrv) lines = g_strsplit_set(raw, "\r\n", -1);
  char *value = g_strjoinv(NULL, lines);
  return g_strstrip(value);
}

/* A member of DATA that may be missing. */
static void write_known(GString *data, const char *key, const char *value)
{
  if (value) event_write_text(data, key, value);
}

static void write_field(GString *data, const char *key, const struct engine_mail *mail, const char *name)
{
  g_autofree char *value = field_value(mail, name);
  write_known(data, key, value);
}

static void write_remaining(GString *data, const struct decision *d)
{
  guint removed = 0;
  const GArray *remove = d->verdict->remove;
  event_write_begin(data, "to", '[');
  for (guint i = 0; i < d->mail->recipients->len; i++) {
    if (!d->verdict->refusal && removed < remove->len && g_array_index(remove, size_t, removed) == i)
      removed++;
    else
      event_write_text(data, NULL, d->mail->recipients->pdata[i]);
  }
  event_write_end(data, ']');
}

/* Each tracked address once, in the order of their numbers. */
static void write_tracked(GString *data, const struct rewrite_result *result)
{
  uint32_t last = 0;
  event_write_begin(data, "links", '[');
  for (guint i = 0; i < result->links->len; i++) {
    const struct rewrite_link *link = &g_array_index(result->links, struct rewrite_link, i);
    if (link->number <= last) continue;
    last = link->number;
    event_write_begin(data, NULL, '{');
    event_write_number(data, "n", link->number);
    event_write_text(data, "url", link->url);
    event_write_end(data, '}');
  }
  event_write_end(data, ']');
}

static const char *action_of(const struct decision *d)
{
  if (d->verdict->refusal) return "refused";
  return d->verdict->result->action == REWRITE_TRACKED ? "tracked" : "left";
}

static GString *mail_data(const struct decision *d)
{
  const struct engine_mail *mail = d->mail;
  const struct rewrite_result *result = d->verdict->result;
  enum rewrite_reason reason = d->verdict->refusal ? REWRITE_REASON_SUPPRESSED : result->reason;
  GString *data = g_string_sized_new(1024);
  g_string_append_c(data, '{');
  event_write_text(data, "from", mail->sender);
  write_remaining(data, d);
  event_write_number(data, "size", (int64_t)mail->total);
  event_write_text(data, "action", action_of(d));
  event_write_text(data, "reason", rewrite_reason_code(reason));
  event_write_bool(data, "pixel", result->pixel == REWRITE_REASON_TRACKED);
  event_write_text(data, "per", result->per_recipient ? "recipient" : "message");
  write_tracked(data, result);
  write_field(data, "mid", mail, "Message-ID");
  write_field(data, "subject", mail, "Subject");
  write_known(data, "qid", mail->queue_id);
  if (d->list) event_write_text(data, "list", d->list->name);
  write_known(data, "campaign", d->control.campaign);
  write_known(data, "unsplit", d->unsplit);
  if (is_copy(d)) {
    event_write_bool(data, "copy", true);
  } else if (d->own) {
    event_write_number(data, "journey", d->marker.journey);
    event_write_text(data, "step", d->marker.step);
    event_write_number(data, "visit", d->marker.visit);
  }
  event_write_end(data, '}');
  return data;
}

/* K12: reports, automatic answers and what is sent on start nothing. */
static bool is_recorded(const struct decision *d)
{
  if (!d->tenant) return false;
  switch (d->verdict->result->reason) {
  case REWRITE_REASON_NULL_SENDER:
  case REWRITE_REASON_AUTOMATIC:
  case REWRITE_REASON_MAILING_LIST:
  case REWRITE_REASON_RESENT:
  case REWRITE_REASON_REPORT:
    return false;
  default:
    return true;
  }
}

static void record(struct decision *d)
{
  g_autoptr(GError) error = NULL;
  if (d->verdict->put_off) return; /* it comes again */
  if (!is_recorded(d) || write_event(d, EVENT_MAIL, d->id, mail_data(d), &error)) return;
  log_event(d->engine->log, LOG_EVENT_JOURNAL_FAILED, d->mail->queue_id, "reason=%s",
            LOG_VALUE(error->message));
  rewrite_result_leave(d->verdict->result, REWRITE_REASON_JOURNAL);
}

static void log_decision(struct decision *d)
{
  struct engine *engine = d->engine;
  const struct rewrite_result *result = d->verdict->result;
  const char *qid = d->mail->queue_id;
  const char *tenant = d->tenant ? d->tenant->name : "-";
  if (d->verdict->put_off) {
    metrics_add(&engine->metrics, METRIC_MILTER_PUT_OFF, 1);
    log_event(engine->log, LOG_EVENT_PUT_OFF, qid, "reason=%s",
              LOG_VALUE("the directory cannot be read, so suppressions are not known"));
  } else if (d->verdict->refusal) {
    metrics_add(&engine->metrics, METRIC_MILTER_REFUSED, 1);
    log_event(engine->log, LOG_EVENT_REFUSED, qid, "tenant=%s reason=%s", tenant,
              rewrite_reason_code(REWRITE_REASON_SUPPRESSED));
  } else if (result->action == REWRITE_TRACKED) {
    metrics_add(&engine->metrics, METRIC_MILTER_TRACKED, 1);
    log_event(engine->log, LOG_EVENT_TRACKED, qid, "tenant=%s mail=%" PRId64 " links=%u pixel=%s", tenant,
              d->id, result->tracked, result->pixel == REWRITE_REASON_TRACKED ? "yes" : "no");
  } else {
    metrics_add(&engine->metrics, METRIC_MILTER_LEFT, 1);
    log_event(engine->log, LOG_EVENT_LEFT, qid, "reason=%s tenant=%s", rewrite_reason_code(result->reason),
              tenant);
  }
}

/* Says it once each time that it begins. */
static void note_stale(struct engine *engine, bool stale)
{
  if (g_atomic_int_get(&engine->stale) == stale) return;
  if (g_atomic_int_compare_and_exchange(&engine->stale, !stale, stale) && stale)
    log_event(engine->log, LOG_EVENT_DIRECTORY_STALE, NULL, "directory=%s",
              LOG_VALUE(engine->conf->policyd_directory));
}

void engine_decide(struct engine *engine, const struct engine_mail *mail, struct engine_verdict *verdict)
{
  struct decision d = {.engine = engine,
                       .mail = mail,
                       .verdict = verdict,
                       .now = clock_now(engine->clock),
                       .begun = g_get_monotonic_time()};
  *verdict = (struct engine_verdict){.remove = g_array_new(FALSE, FALSE, sizeof(size_t))};
  d.view = directory_acquire(engine->directory, &d.stale);
  d.keys = keys_acquire(engine);
  find_owner(&d);
  note_stale(engine, d.stale);
  if (d.tenant) d.journal = journal_of(engine);
  if (d.journal) d.id = mail->id ? mail->id : is_copy(&d) ? d.marker.copy : journal_next_id(d.journal, d.now);
  check_recipients(&d);
  if (mail->one_copy) g_clear_pointer(&verdict->refusal, g_free);
  if (!try_split(&d)) {
    run_rewrite(&d, d.recipients, d.recipient);
    choose_key(&d);
    record(&d);
    log_decision(&d);
  }
  rewrite_control_clear(&d.control);
  keys_release(d.keys);
  directory_release(d.view);
}

void engine_verdict_clear(struct engine_verdict *verdict)
{
  rewrite_result_free(verdict->result);
  g_clear_pointer(&verdict->refusal, g_free);
  g_clear_pointer(&verdict->key, dkim_key_unref);
  g_array_unref(verdict->remove);
}
