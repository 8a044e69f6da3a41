/* Journals → state.
 *
 * The order matters: a hit is about a mail, and the mail was durable in its
 * journal before the message left, so before anybody could fetch its pixel. Each
 * round therefore reads the tracker's journal first and folds it last, when all
 * mails that were there by then have been folded.
 *
 * A journal that cannot be read does not stop the others; but hits wait for mails
 * that are still to come.
 *
 * A foreign event that makes no sense (an unknown tenant, data that is no JSON)
 * is counted and passed over: it must not stop those behind it. */

#include "policyd/fold.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/error.h"
#include "base/id.h"
#include "directory/directory.h"
#include "journal/journal.h"
#include "policyd/copies.h"
#include "policyd/engine.h"
#include "policyd/publish.h"
#include "policyd/timers.h"
#include "verdict/verdict.h"

/* As many as a transaction can hold without the control socket having to wait. */
enum { BATCH = 10000 };

/* The contact of mails to somebody who was erased since. */
enum { ERASED = -1 };

struct source {
  const char *producer;
  struct journal_reader *reader;
  struct journal_position position;
};

struct fold {
  struct policyd *policyd;
  struct source mails[2]; /* milter, filter */
  struct source tracker;
  GArray *events;
  uint64_t count;
};

/* ---- one event */

struct folding {
  struct policyd *policyd;
  const struct event *event;
  json_t *data; /* an object */
};

static const char *text_of(const struct folding *f, const char *key)
{
  return json_string_value(json_object_get(f->data, key));
}

static struct flow_event as_flow_event(const struct folding *f)
{
  return engine_view(f->event->kind, f->event->at, f->data);
}

static bool add_event(const struct folding *f, int64_t contact, int verdict, const char *reason,
                      GError **error)
{
  const struct store_event row = {.id = f->event->id,
                                  .at = f->event->at,
                                  .kind = f->event->kind,
                                  .contact = contact,
                                  .mail = f->event->mail,
                                  .verdict = verdict,
                                  .reason = (char *)reason,
                                  .data = f->event->data};
  return store_event_add(f->policyd->store, f->event->tenant, &row, error);
}

/* Counts METRIC for the tenant and for what the mail belongs to. */
static void count(struct policyd *policyd, const struct store_mail *mail, const char *list,
                  const char *metric, int64_t at)
{
  char scope[160];
  store_tally(policyd->store, mail->tenant, "tenant", metric, at, 1);
  if (list) {
    g_snprintf(scope, sizeof scope, "list:%s", list);
    store_tally(policyd->store, mail->tenant, scope, metric, at, 1);
  }
  if (mail->workflow) {
    g_snprintf(scope, sizeof scope, "workflow:%s", mail->workflow);
    store_tally(policyd->store, mail->tenant, scope, metric, at, 1);
    g_snprintf(scope, sizeof scope, "step:%s/%s", mail->workflow, mail->step ? mail->step : "");
    store_tally(policyd->store, mail->tenant, scope, metric, at, 1);
  }
}

/* The id of a list, 0 if there is none. It never changes, so it is remembered. */
static int64_t list_id(struct policyd *policyd, int64_t tenant, const char *name)
{
  struct store_list list = {0};
  if (!name) return 0;
  char key[128];
  g_snprintf(key, sizeof key, "%" PRId64 "/%s", tenant, name);
  const int64_t *known = g_hash_table_lookup(policyd->list_ids, key);
  if (known) return *known;
  if (!store_list_get(policyd->store, tenant, name, 0, &list, NULL)) return 0;
  int64_t id = list.id;
  store_list_clear(&list);
  g_hash_table_insert(policyd->list_ids, g_strdup(key), g_memdup2(&id, sizeof id));
  return id;
}

/* The name of a list, NULL if there is none. It never changes, so it is
 * remembered. Borrowed. */
static const char *list_name(struct policyd *policyd, int64_t tenant, int64_t id)
{
  GHashTable *names = policyd->list_names;
  const char *known = g_hash_table_lookup(names, &id);
  struct store_list list = {0};
  if (!id || known) return known;
  if (!store_list_get(policyd->store, tenant, NULL, id, &list, NULL)) return NULL;
  char *name = g_strdup(list.name);
  g_hash_table_insert(names, g_memdup2(&id, sizeof id), name);
  store_list_clear(&list);
  return name;
}

/* A mail that our milter refused went to nobody: it is on the timeline, and neither
 * counts nor starts anything. */
static bool is_refused(const struct folding *f)
{
  return g_strcmp0(text_of(f, "action"), "refused") == 0;
}

/* Has the contact with ADDRESS been erased? Nothing that tells of it is kept again. */
static bool is_erased(const struct folding *f, const char *address, bool *erased, GError **error)
{
  uint8_t key[16];
  directory_address_key(address, key);
  return store_is_erased(f->policyd->store, f->event->tenant, key, erased, error);
}

/* The contact a mail is to: only if it is to one address. Made if a workflow
 * starts from this mail. */
static bool contact_of_mail(const struct folding *f, const char **address, int64_t *contact, GError **error)
{
  struct policyd *policyd = f->policyd;
  json_t *to = json_object_get(f->data, "to");
  *contact = 0;
  *address = json_array_size(to) == 1 ? json_string_value(json_array_get(to, 0)) : NULL;
  if (!*address) return true;
  *contact = store_contact_id(policyd->store, f->event->tenant, *address, error);
  if (*contact != 0) return *contact > 0;
  bool erased;
  if (!is_erased(f, *address, &erased, error)) return false;
  if (erased) *contact = ERASED;
  if (erased) return true;
  if (is_refused(f)) return true;
  struct flow_event event = as_flow_event(f);
  if (!engine_triggers(policyd, f->event->tenant, &event, error)) return true;
  bool added;
  struct store_contact row = {
      .tenant = f->event->tenant, .address = (char *)*address, .source = (char *)"mail"};
  if (!store_contact_put(policyd->store, &row, &added, f->event->at, error)) return false;
  *contact = row.id;
  return true;
}

/* A mail that a workflow sent has come by our milter: the send was offered. */
static bool note_offered(const struct folding *f, struct store_mail *mail, GError **error)
{
  struct policyd *policyd = f->policyd;
  struct store_send send = {0};
  int64_t visit = json_integer_value(json_object_get(f->data, "visit"));
  mail->journey = json_integer_value(json_object_get(f->data, "journey"));
  mail->step = g_strdup(text_of(f, "step"));
  struct store_journey journey = {0};
  struct store_workflow workflow = {0};
  if (!mail->step || !store_journey_get(policyd->store, mail->tenant, mail->journey, &journey, NULL))
    return true;
  if (store_workflow_get(policyd->store, mail->tenant, NULL, journey.workflow, &workflow, NULL))
    mail->workflow = g_strdup(workflow.name);
  store_workflow_clear(&workflow);
  store_journey_clear(&journey);
  if (!store_send_get(policyd->store, mail->tenant, mail->journey, mail->step, (int)visit, &send, NULL))
    return true;
  send.offered = mail->id;
  g_free(send.queue_id);
  send.queue_id = g_strdup(mail->queue_id);
  bool done = store_send_update(policyd->store, &send, error);
  store_send_clear(&send);
  return done;
}

/* Whether the mail of F was folded before. Only a mail whose id is derived can come
 * twice: an MTA that could not deliver it runs the filter again, and a copy of a split
 * mail that was in doubt is handed over again. */
static bool is_repeated(const struct folding *f, bool *repeated, GError **error)
{
  *repeated = false;
  if (!f->event->mail || f->event->mail == f->event->id) return true;
  struct store_mail mail = {0};
  g_autoptr(GError) missing = NULL;
  *repeated = store_mail_hits(f->policyd->store, f->event->tenant, f->event->mail, &mail, &missing);
  store_mail_clear(&mail);
  if (*repeated || g_error_matches(missing, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND)) return true;
  g_propagate_error(error, g_steal_pointer(&missing));
  return false;
}

/* One body for several recipients has tokens that name none of them. */
static void count_tracked(const struct folding *f, const struct store_mail *mail)
{
  const char *list = mail->list ? text_of(f, "list") : NULL;
  count(f->policyd, mail, list, "tracked", f->event->at);
  if (g_strcmp0(text_of(f, "per"), "message") == 0)
    count(f->policyd, mail, list, "per-message", f->event->at);
}

static bool fold_mail(const struct folding *f, GError **error)
{
  const char *address;
  int64_t contact;
  bool repeated;
  /* Of each try: the last queue id is the one that proves. */
  if (json_is_true(json_object_get(f->data, "copy")) &&
      !copies_offered(f->policyd, f->event->tenant, f->event->mail, text_of(f, "qid"), error))
    return false;
  if (!is_repeated(f, &repeated, error)) return false;
  if (repeated) return true;
  if (!contact_of_mail(f, &address, &contact, error)) return false;
  if (contact == ERASED) return true;
  struct store_mail mail = {
      .id = f->event->mail ? f->event->mail : f->event->id,
      .tenant = f->event->tenant,
      .at = f->event->at,
      .contact = contact,
      .list = list_id(f->policyd, f->event->tenant, text_of(f, "list")),
      .links = (int64_t)json_array_size(json_object_get(f->data, "links")),
      .action = g_strdup(text_of(f, "action")),
      .reason = g_strdup(text_of(f, "reason")),
      .sender = g_strdup(text_of(f, "from")),
      .recipient = g_strdup(address),
      .subject = g_strdup(text_of(f, "subject")),
      .message_id = g_strdup(text_of(f, "mid")),
      .queue_id = g_strdup(text_of(f, "qid")),
  };
  struct flow_event event = as_flow_event(f);
  /* A journey that starts from this mail may ask for its opens and clicks. */
  json_object_set_new(f->data, "mail", json_integer(mail.id));
  bool refused = is_refused(f);
  bool done = (!event.of_workflow || note_offered(f, &mail, error)) &&
              store_mail_add(f->policyd->store, &mail, error) && add_event(f, contact, 0, NULL, error) &&
              (refused || engine_event(f->policyd, mail.tenant, contact, &event, f->data, error));
  if (!refused) count(f->policyd, &mail, mail.list ? text_of(f, "list") : NULL, "mails", f->event->at);
  if (g_strcmp0(mail.action, "tracked") == 0) count_tracked(f, &mail);
  store_mail_clear(&mail);
  return done;
}

/* Adds what a workflow's mail belongs to. */
static void name_workflow(struct policyd *policyd, struct store_mail *mail)
{
  struct store_mail whole = {0};
  if (!store_mail_get(policyd->store, mail->tenant, mail->id, &whole, NULL)) return;
  mail->workflow = g_steal_pointer(&whole.workflow);
  mail->step = g_steal_pointer(&whole.step);
  store_mail_clear(&whole);
}

static void count_hit(const struct folding *f, const struct store_mail *mail, bool click, bool machine,
                      bool first)
{
  const char *list = list_name(f->policyd, mail->tenant, mail->list);
  count(f->policyd, mail, list,
        click ? (machine ? "clicks-machine" : "clicks") : (machine ? "opens-machine" : "opens"),
        f->event->at);
  if (first) count(f->policyd, mail, list, click ? "clicked" : "opened", f->event->at);
}

static bool fold_hit(const struct folding *f, GError **error)
{
  struct store_mail mail = {.tenant = f->event->tenant};
  g_autoptr(GError) missing = NULL;
  bool known = store_mail_hits(f->policyd->store, f->event->tenant, f->event->mail, &mail, &missing);
  if (!known && !g_error_matches(missing, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND)) {
    g_propagate_error(error, g_steal_pointer(&missing));
    return false;
  }
  mail.tenant = f->event->tenant;
  if (mail.contact == ERASED) {
    store_mail_clear(&mail);
    return true;
  }
  const char *reason;
  const struct verdict_hit hit = {.method = text_of(f, "method"),
                                  .user_agent = text_of(f, "ua"),
                                  .since_sent = f->event->at - (known ? mail.at : id_time(f->event->mail))};
  enum verdict verdict = verdict_of(&hit, &reason);
  bool machine = verdict == VERDICT_MACHINE, click = f->event->kind == EVENT_CLICK, first = false;
  /* What the browser said of itself has served: it is not kept. */
  json_object_del(f->data, "ua");
  json_object_del(f->data, "ip");
  char *text = json_dumps(f->data, JSON_COMPACT);
  struct event bare = *f->event;
  bare.data = text;
  struct folding rest = {.policyd = f->policyd, .event = &bare, .data = f->data};
  bool done =
      (!known || store_mail_hit(f->policyd->store, &mail, click, machine, f->event->at, &first, error)) &&
      add_event(&rest, mail.contact, (int)verdict, reason, error);
  if (done && mail.journey) name_workflow(f->policyd, &mail);
  if (done) count_hit(f, &mail, click, machine, first);
  if (done && !machine && mail.contact) {
    struct flow_event event = as_flow_event(f);
    done = engine_event(f->policyd, mail.tenant, mail.contact, &event, f->data, error);
  }
  free(text);
  store_mail_clear(&mail);
  return done;
}

bool fold_unsubscribe(struct policyd *policyd, int64_t tenant, int64_t contact, const char *address,
                      int64_t list, const char *source, int64_t at, GError **error)
{
  bool changed;
  uint8_t key[16];
  directory_address_key(address, key);
  if (!store_suppress(policyd->store, tenant, list, key, source, at, error)) return false;
  publish_suppression(policyd->publish, tenant, list, key, true);
  if (!contact) return true;
  return store_subscribe(policyd->store, tenant, contact, list, false, source, at, &changed, error) &&
         engine_unsubscribed(policyd, tenant, contact, list, error);
}

static bool fold_unsubscribed(const struct folding *f, GError **error)
{
  struct policyd *policyd = f->policyd;
  const char *address = text_of(f, "address"), *list = text_of(f, "list");
  int64_t id = list_id(policyd, f->event->tenant, list);
  if (!address || !id) return true; /* a list that is gone needs no leaving */
  int64_t contact = store_contact_id(policyd->store, f->event->tenant, address, error);
  if (contact < 0) return false;
  bool erased = false;
  if (contact == 0 && !is_erased(f, address, &erased, error)) return false;
  if (erased) return true;
  struct store_mail mail = {.tenant = f->event->tenant};
  store_mail_get(policyd->store, f->event->tenant, f->event->mail, &mail, NULL);
  mail.tenant = f->event->tenant;
  const char *how = text_of(f, "how");
  struct flow_event event = as_flow_event(f);
  bool done = fold_unsubscribe(policyd, f->event->tenant, contact, address, id, how ? how : "page",
                               f->event->at, error) &&
              add_event(f, contact, 0, NULL, error) &&
              engine_event(policyd, f->event->tenant, contact, &event, f->data, error);
  count(policyd, &mail, list, "unsubscribed", f->event->at);
  store_mail_clear(&mail);
  return done;
}

static bool fold_suppressed(const struct folding *f, GError **error)
{
  const char *address = text_of(f, "address");
  int64_t contact = address ? store_contact_id(f->policyd->store, f->event->tenant, address, error) : 0;
  if (contact < 0) return false;
  bool erased = false;
  if (address && contact == 0 && !is_erased(f, address, &erased, error)) return false;
  const struct store_mail mail = {.tenant = f->event->tenant};
  count(f->policyd, &mail, text_of(f, "list"), "suppressed", f->event->at);
  return erased || add_event(f, contact, 0, NULL, error);
}

static bool fold_spooled(const struct folding *f, GError **error)
{
  const char *address = text_of(f, "to");
  int64_t contact = address ? store_contact_id(f->policyd->store, f->event->tenant, address, error) : 0;
  if (contact < 0) return false;
  return copies_plan(f->policyd, f->event->tenant, f->event->mail, contact, f->event->at, error) &&
         add_event(f, contact, 0, NULL, error);
}

static bool fold_known(const struct folding *f, int64_t contact, GError **error)
{
  struct flow_event event = as_flow_event(f);
  return add_event(f, contact, 0, NULL, error) &&
         engine_event(f->policyd, f->event->tenant, contact, &event, f->data, error);
}

static bool fold_one(const struct folding *f, GError **error)
{
  switch (f->event->kind) {
  case EVENT_MAIL:
    return fold_mail(f, error);
  case EVENT_OPEN:
  case EVENT_CLICK:
    return fold_hit(f, error);
  case EVENT_UNSUBSCRIBED:
    return fold_unsubscribed(f, error);
  case EVENT_SUPPRESSED:
    return fold_suppressed(f, error);
  case EVENT_SPOOLED:
    return fold_spooled(f, error);
  default:
    return fold_known(f, 0, error);
  }
}

bool fold_event(struct policyd *policyd, const struct event *event, int64_t contact, GError **error)
{
  struct folding f = {
      .policyd = policyd, .event = event, .data = event->data ? json_loads(event->data, 0, NULL) : NULL};
  bool done = fold_known(&f, contact, error);
  json_decref(f.data);
  return done;
}

/* ---- journals */

static bool open_source(struct fold *fold, struct source *source, const char *producer, const char *dir,
                        GError **error)
{
  source->producer = producer;
  source->reader = journal_reader_open(dir, error);
  return source->reader && store_position(fold->policyd->store, producer, &source->position.segment,
                                          &source->position.seq, error);
}

struct fold *fold_new(struct policyd *policyd, GError **error)
{
  struct fold *fold = g_new0(struct fold, 1);
  fold->policyd = policyd;
  policyd->list_ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  policyd->list_names = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
  fold->events = g_array_new(FALSE, TRUE, sizeof(struct event));
  g_array_set_clear_func(fold->events, (GDestroyNotify)event_clear);
  const struct conf *conf = policyd->conf;
  if (open_source(fold, &fold->mails[0], "milter", conf->milter_journal, error) &&
      open_source(fold, &fold->mails[1], "filter", conf->filter_journal, error) &&
      open_source(fold, &fold->tracker, "tracker", conf->tracker_journal, error))
    return fold;
  fold_free(fold);
  return NULL;
}

void fold_free(struct fold *fold)
{
  if (!fold) return;
  journal_reader_close(fold->mails[0].reader);
  journal_reader_close(fold->mails[1].reader);
  journal_reader_close(fold->tracker.reader);
  g_array_unref(fold->events);
  g_clear_pointer(&fold->policyd->list_ids, g_hash_table_unref);
  g_clear_pointer(&fold->policyd->list_names, g_hash_table_unref);
  g_free(fold);
}

uint64_t fold_count(const struct fold *fold)
{
  return fold->count;
}

/* Folds one event; what cannot be understood is logged and passed over. */
static bool fold_foreign(struct policyd *policyd, const struct event *event, GError **error)
{
  struct folding f = {.policyd = policyd,
                      .event = event,
                      .data = event->data ? json_loads(event->data, 0, NULL) : json_object()};
  g_autoptr(GError) fault = NULL;
  bool done = json_is_object(f.data) && fold_one(&f, &fault);
  json_decref(f.data);
  if (done) return true;
  if (fault && !g_error_matches(fault, TIDINGS_ERROR, TIDINGS_ERROR_INPUT)) {
    g_propagate_error(error, g_steal_pointer(&fault));
    return false;
  }
  log_event(policyd->log, LOG_EVENT_EVENT_REFUSED, NULL, "event=%" PRId64 " kind=%d reason=%s", event->id,
            (int)event->kind, LOG_VALUE(fault ? fault->message : "its data is no JSON object"));
  return true;
}

/* Folds EVENTS and moves SOURCE to POSITION, or leaves everything as it was. */
static bool fold_batch(struct fold *fold, struct source *source, const struct journal_position *position,
                       GError **error)
{
  struct policyd *policyd = fold->policyd;
  if (!store_begin(policyd->store, error)) return false;
  bool fine = true;
  for (guint i = 0; fine && i < fold->events->len; i++)
    fine = fold_foreign(policyd, &g_array_index(fold->events, struct event, i), error);
  fine = fine &&
         store_set_position(policyd->store, source->producer, position->segment, position->seq, error) &&
         store_commit(policyd->store, error);
  if (!fine) {
    policyd_undo(policyd);
    return false;
  }
  bool left = position->segment > source->position.segment;
  source->position = *position;
  fold->count += fold->events->len;
  /* A segment that could not be unlinked now is unlinked the next time. */
  if (left) journal_discard(source->reader, position, NULL);
  return true;
}

/* Reads what SOURCE has after POSITION. The first fault of a round is kept in
 * *FIRST: the others go on. */
static bool read_source(const struct source *source, struct journal_position *position, GArray *events,
                        GError **first)
{
  g_autoptr(GError) fault = NULL;
  if (journal_read(source->reader, position, BATCH, events, &fault)) return true;
  if (!*first) *first = g_steal_pointer(&fault);
  return false;
}

/* Folds all that SOURCE has. *HOLD becomes true if mails of it may still come.
 * False: state could not be written. */
static bool fold_mails(struct fold *fold, struct source *source, bool *hold, GError **first, GError **error)
{
  for (;;) {
    struct journal_position position = source->position;
    g_array_set_size(fold->events, 0);
    if (!read_source(source, &position, fold->events, first)) {
      if (!journal_reader_is_damaged(source->reader)) *hold = true;
      return true;
    }
    if (fold->events->len == 0) return true;
    if (!fold_batch(fold, source, &position, error)) return false;
  }
}

static bool fold_hits(struct fold *fold, GArray *hits, const struct journal_position *position,
                      GError **error)
{
  GArray *own = fold->events;
  fold->events = hits;
  bool done = fold_batch(fold, &fold->tracker, position, error);
  fold->events = own;
  return done;
}

bool fold_round(struct fold *fold, bool *more, GError **error)
{
  struct journal_position position = fold->tracker.position;
  g_autoptr(GArray) hits = g_array_new(FALSE, TRUE, sizeof(struct event));
  g_array_set_clear_func(hits, (GDestroyNotify)event_clear);
  g_autoptr(GError) first = NULL;
  bool hold = !read_source(&fold->tracker, &position, hits, &first);
  *more = false;
  for (size_t i = 0; i < G_N_ELEMENTS(fold->mails); i++)
    if (!fold_mails(fold, &fold->mails[i], &hold, &first, error)) return false;
  if (hits->len > 0 && !hold) {
    if (!fold_hits(fold, hits, &position, error)) return false;
    *more = true;
  }
  if (!first) return true;
  g_propagate_error(error, g_steal_pointer(&first));
  return false;
}
