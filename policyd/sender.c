/* From decision to MTA.
 *
 * A round has three parts, each a transaction: results of the submitters are
 * recorded (and the journeys go on); sends in doubt are settled; planned sends
 * are claimed, that is marked as handed over, and only after that commit given
 * to the submitters. So whatever a crash cuts off stands in state as "handed",
 * and no message leaves that state does not know of.
 *
 * Just before release everything is asked again: is the journey still on its
 * way, is the contact suppressed. */

#include "policyd/sender.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/error.h"
#include "directory/directory.h"
#include "maillog/maillog.h"
#include "policyd/copies.h"
#include "policyd/engine.h"
#include "policyd/publish.h"
#include "policyd/timers.h"
#include "mail/header.h"
#include "policyd/workflows.h"
#include "rewrite/control.h"
#include "submit/submit.h"

enum { QUEUE = 256 };

/* How long a doubt rests before it is settled: by then the milter and the MTA
 * have written what they know. Real time, since theirs is. */
static const int64_t doubt_rest = 5 * G_USEC_PER_SEC;

struct sender {
  struct policyd *policyd;
  struct submit *submit;
  int64_t next_job;
  GArray *results;       /* of struct submit_result: taken, and not yet recorded */
  GHashTable *in_flight; /* int64_t * job id → struct store_send * */
  GHashTable *flying;    /* the same sends, by send_key() */
  GHashTable *doubts;    /* send_key() → int64_t * monotonic time since when it is in doubt */
  int64_t doubts_looked; /* when doubts were last looked for, monotonic */
  GArray *ended;         /* of struct ended: copies whose end the next commit makes known */
  struct sender_figures figures;
};

struct ended {
  int64_t tenant, mail;
};

/* A message ready to go. */
struct parcel {
  struct store_send send;
  char *sender, *recipient;
  GBytes *bytes;
};

static void send_free(void *data)
{
  struct store_send *send = data;
  store_send_clear(send);
  g_free(send);
}

static void parcel_clear(void *data)
{
  struct parcel *parcel = data;
  store_send_clear(&parcel->send);
  g_free(parcel->sender);
  g_free(parcel->recipient);
  g_clear_pointer(&parcel->bytes, g_bytes_unref);
}

static char *send_key(const struct store_send *send)
{
  return g_strdup_printf("%" PRId64 "/%" PRId64 "/%s/%d", send->tenant, send->journey, send->step,
                         send->visit);
}

/* Whose send it is, for the log. */
static char *who_is(const struct store_send *send)
{
  if (copies_is(send)) return g_strdup_printf("mail=%" PRId64 " copy=yes", send->journey);
  return g_strdup_printf("journey=%" PRIx64 " step=%s", send->journey, send->step);
}

struct sender *sender_new(struct policyd *policyd, GError **error)
{
  const struct conf *conf = policyd->conf;
  const struct submit_options options = {
      .host = conf->policyd_submit_host,
      .port = (uint16_t)conf->policyd_submit_port,
      .helo = conf->policyd_from_hostname ? conf->policyd_from_hostname : policyd->hostname,
      .connections = (unsigned)conf->policyd_submit_connections,
      .queue = QUEUE,
  };
  struct submit *submit = submit_new(&options, error);
  if (!submit) return NULL;
  struct sender *sender = g_new0(struct sender, 1);
  sender->policyd = policyd;
  sender->submit = submit;
  sender->ended = g_array_new(FALSE, FALSE, sizeof(struct ended));
  sender->results = g_array_new(FALSE, FALSE, sizeof(struct submit_result));
  sender->in_flight = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, send_free);
  sender->flying = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  sender->doubts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  return sender;
}

int sender_fd(const struct sender *sender)
{
  return submit_fd(sender->submit);
}

struct sender_figures sender_figures(const struct sender *sender)
{
  struct sender_figures figures = sender->figures;
  figures.in_flight = g_hash_table_size(sender->in_flight);
  return figures;
}

/* ---- making the message */

static char *unsubscribe_url(struct policyd *policyd, const struct store_tenant *tenant, const char *list,
                             const char *address)
{
  g_autofree char *destination = g_strdup_printf("%s\n%s", list, address);
  struct token token = {.kind = TOKEN_UNSUBSCRIBE,
                        .tenant = tenant->id,
                        .destination = destination,
                        .destination_length = strlen(destination)};
  g_autoptr(GString) url = g_string_new(tenant->url);
  g_string_append(url, "/u/");
  if (!token_seal(policyd->keys, &token, url, NULL)) return NULL;
  return g_string_free(g_steal_pointer(&url), FALSE);
}

/* The proof, for our own milter, that this mail is a workflow's. */
static char *marker_of(struct policyd *policyd, const struct store_send *send, GError **error)
{
  struct rewrite_marker marker = {.tenant = send->tenant, .journey = send->journey, .visit = send->visit};
  g_strlcpy(marker.step, send->step, sizeof marker.step);
  g_autoptr(GString) text = g_string_new(NULL);
  if (!rewrite_marker_seal(policyd->keys, &marker, text, error)) return NULL;
  return g_string_free(g_steal_pointer(&text), FALSE);
}

/* The return path: the address of the From field, which our own renderer wrote:
 * one mailbox, bare or in the last angle brackets. */
static char *sender_of(const GByteArray *bytes, GError **error)
{
  const char *text = (const char *)bytes->data;
  struct mail_field field;
  if (!mail_header_find(text, (struct mail_range){0, bytes->len}, "From", 0, &field)) {
    g_set_error_literal(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "the message has no From");
    return NULL;
  }
  g_autofree char *value = g_strndup(text + field.value.start, field.value.end - field.value.start);
  char *open = strrchr(value, '<'), *close = open ? strchr(open, '>') : NULL;
  if (!close) return g_strdup(g_strstrip(value));
  *close = '\0';
  return g_strdup(open + 1);
}

static json_t *facts_of(const struct store_tenant *tenant, const struct store_contact *contact,
                        const char *cause)
{
  json_t *fields = contact->fields ? json_loads(contact->fields, 0, NULL) : NULL;
  if (!json_is_object(fields)) {
    json_decref(fields);
    fields = json_object();
  }
  json_object_set_new(fields, "address", json_string(contact->address));
  json_t *event = cause ? json_loads(cause, 0, NULL) : NULL;
  json_t *properties = json_object_get(event, "properties");
  json_t *data = json_pack("{s:o,s:O,s:{s:s,s:s}}", "contact", fields, "event",
                           properties ? properties : (event ? event : json_null()), "tenant", "name",
                           tenant->name, "title", tenant->title);
  json_decref(event);
  return data;
}

static bool render(struct policyd *policyd, const struct store_send *send,
                   const struct store_journey *journey, const struct workflow *workflow,
                   const struct store_contact *contact, const struct store_tenant *tenant,
                   struct parcel *parcel, GError **error)
{
  const struct flow_about *about = flow_about(workflow->flow);
  int step = flow_step_find(workflow->flow, send->step);
  const char *file = step >= 0 ? flow_step_message(workflow->flow, step) : NULL;
  if (!file) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "step %s sends nothing", send->step);
    return false;
  }
  const struct message *message = workflows_message(policyd->workflows, workflow, file, error);
  g_autofree char *mark = message ? marker_of(policyd, send, error) : NULL;
  if (!mark) return false;
  json_t *data = facts_of(tenant, contact, journey->cause);
  g_autofree char *url = about->list ? unsubscribe_url(policyd, tenant, about->list, contact->address) : NULL;
  g_autofree char *list_id =
      about->list ? g_strdup_printf("%s.%s.%s", about->list, tenant->name, policyd->hostname) : NULL;
  g_autofree char *id = g_strdup_printf("<%" PRIx64 ".%d.%s@%s>", (uint64_t)journey->id, send->visit,
                                        send->step, policyd->hostname);
  const struct message_facts facts = {
      .data = data,
      .to = contact->address,
      .to_name = json_string_value(json_object_get(json_object_get(data, "contact"), "name")),
      .from = about->from,
      .date = policyd_now(policyd),
      .message_id = id,
      .list = about->list,
      .list_id = list_id,
      .send = mark,
      .unsubscribe_url = url};
  g_autoptr(GByteArray) bytes = g_byte_array_new();
  bool done = message_render(message, &facts, bytes, error) && (parcel->sender = sender_of(bytes, error));
  json_decref(data);
  if (!done) return false;
  parcel->recipient = g_strdup(contact->address);
  parcel->bytes = g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
  return true;
}

/* ---- claiming */

enum release { RELEASE_GO, RELEASE_DROP, RELEASE_REFUSE, RELEASE_LATER };

static bool is_suppressed(struct policyd *policyd, const struct workflow *workflow,
                          const struct store_contact *contact)
{
  const struct flow_about *about = flow_about(workflow->flow);
  struct store_list list = {0};
  int64_t id = 0;
  uint8_t key[16];
  bool suppressed = true; /* if it cannot be known */
  if (about->list && store_list_get(policyd->store, contact->tenant, about->list, 0, &list, NULL))
    id = list.id;
  store_list_clear(&list);
  directory_address_key(contact->address, key);
  store_is_suppressed(policyd->store, contact->tenant, id, key, &suppressed, NULL);
  return suppressed;
}

/* A copy of a split mail was promised to its sender: only one that is gone for good
 * is given up. */
static enum release prepare_copy(struct policyd *policyd, const struct store_send *send,
                                 struct parcel *parcel, GError **error)
{
  g_autoptr(GError) fault = NULL;
  if (copies_load(policyd, send, &parcel->sender, &parcel->recipient, &parcel->bytes, &fault))
    return RELEASE_GO;
  bool lost = g_error_matches(fault, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND) ||
              g_error_matches(fault, TIDINGS_ERROR, TIDINGS_ERROR_INPUT);
  log_event(policyd->log, LOG_EVENT_SPOOL_FAILED, NULL, "mail=%" PRId64 " given-up=%s reason=%s",
            send->journey, lost ? "yes" : "no", LOG_VALUE(fault->message));
  g_propagate_error(error, g_steal_pointer(&fault));
  return lost ? RELEASE_REFUSE : RELEASE_LATER;
}

/* Makes PARCEL for SEND, or says why it does not go. */
static enum release prepare(struct policyd *policyd, const struct store_send *send, struct parcel *parcel,
                            GError **error)
{
  struct store_journey journey = {0};
  struct store_contact contact = {0};
  struct store_tenant tenant = {0};
  const struct workflow *workflow = NULL;
  enum release release = RELEASE_REFUSE;
  if (copies_is(send)) return prepare_copy(policyd, send, parcel, error);
  bool found = store_journey_get(policyd->store, send->tenant, send->journey, &journey, error) &&
               store_contact_get(policyd->store, send->tenant, NULL, send->contact, &contact, error) &&
               store_tenant_get(policyd->store, NULL, send->tenant, &tenant, error) &&
               (workflow = workflows_get(policyd->workflows, send->tenant, journey.workflow, error));
  if (found && (!journey.active || is_suppressed(policyd, workflow, &contact)))
    release = RELEASE_DROP;
  else if (found && render(policyd, send, &journey, workflow, &contact, &tenant, parcel, error))
    release = RELEASE_GO;
  store_tenant_clear(&tenant);
  store_contact_clear(&contact);
  store_journey_clear(&journey);
  return release;
}

static bool end_send(struct sender *sender, struct store_send *send, enum store_send_state state,
                     enum flow_outcome outcome, const char *reply, GError **error)
{
  struct policyd *policyd = sender->policyd;
  send->state = state;
  g_free(send->reply);
  send->reply = g_strdup(reply);
  if (!store_send_update(policyd->store, send, error)) return false;
  if (copies_is(send)) {
    struct ended ended = {send->tenant, send->journey};
    g_array_append_val(sender->ended, ended);
    return true;
  }
  return engine_sent(policyd, send, outcome, policyd_now(policyd), error);
}

static bool put_back(struct sender *sender, struct store_send *send, int64_t not_before, const char *reply,
                     GError **error)
{
  send->state = SEND_PLANNED;
  send->not_before = not_before;
  g_free(send->reply);
  send->reply = g_strdup(reply);
  return store_send_update(sender->policyd->store, send, error);
}

/* Claims one planned send: PARCEL is filled if it is to go. */
static bool claim(struct sender *sender, struct store_send *send, struct parcel *parcel, GError **error)
{
  struct policyd *policyd = sender->policyd;
  g_autoptr(GError) fault = NULL;
  g_autofree char *who = who_is(send);
  switch (prepare(policyd, send, parcel, &fault)) {
  case RELEASE_GO:
    send->state = SEND_HANDED;
    send->handed = policyd_now(policyd);
    send->tries++;
    parcel->send = *send;
    *send = (struct store_send){0};
    return store_send_update(policyd->store, &parcel->send, error);
  case RELEASE_DROP:
    sender->figures.dropped++;
    log_event(policyd->log, LOG_EVENT_SEND_DROPPED, NULL, "%s", who);
    return end_send(sender, send, SEND_DROPPED, FLOW_SUPPRESSED, NULL, error);
  case RELEASE_LATER:
    return put_back(sender, send, policyd_now(policyd) + CLOCK_MINUTE, fault->message, error);
  case RELEASE_REFUSE:
    break;
  }
  sender->figures.refused++;
  log_event(policyd->log, LOG_EVENT_SEND_FAILED, NULL, "%s reason=%s", who,
            LOG_VALUE(fault ? fault->message : "unknown"));
  return end_send(sender, send, SEND_REFUSED, FLOW_FAILED, fault ? fault->message : NULL, error);
}

static void hand_over(struct sender *sender, struct parcel *parcel)
{
  g_autoptr(GError) fault = NULL;
  g_autofree char *who = who_is(&parcel->send);
  struct submit_job job = {.id = ++sender->next_job,
                           .sender = parcel->sender,
                           .recipient = parcel->recipient,
                           .message = parcel->bytes};
  /* What cannot be queued stays "handed" and is settled as a doubt: it was not offered. */
  if (!submit_send(sender->submit, &job, &fault)) {
    log_event(sender->policyd->log, LOG_EVENT_SEND_FAILED, NULL, "%s reason=%s", who,
              LOG_VALUE(fault->message));
    return;
  }
  g_hash_table_add(sender->flying, send_key(&parcel->send));
  g_hash_table_insert(sender->in_flight, g_memdup2(&job.id, sizeof job.id),
                      g_memdup2(&parcel->send, sizeof parcel->send));
  parcel->send = (struct store_send){0};
}

/* Commits; what copies came to their end is no longer needed in the spool. */
static bool commit(struct sender *sender, GError **error)
{
  if (!store_commit(sender->policyd->store, error)) return false;
  for (guint i = 0; i < sender->ended->len; i++) {
    const struct ended *ended = &g_array_index(sender->ended, struct ended, i);
    copies_remove(sender->policyd, ended->tenant, ended->mail);
  }
  g_array_set_size(sender->ended, 0);
  return true;
}

/* Undoes what a failed transaction left in memory. */
static bool undo(struct sender *sender)
{
  struct policyd *policyd = sender->policyd;
  g_array_set_size(sender->ended, 0);
  policyd_undo(policyd);
  return false;
}

static bool release_planned(struct sender *sender, GError **error)
{
  struct policyd *policyd = sender->policyd;
  unsigned pending = g_hash_table_size(sender->in_flight);
  if (pending >= QUEUE / 2) return true;
  g_autoptr(GArray) sends =
      store_sends(policyd->store, SEND_PLANNED, policyd_now(policyd), QUEUE / 2 - pending, error);
  if (!sends) return false;
  if (sends->len == 0) return true;
  g_autoptr(GArray) parcels = g_array_new(FALSE, TRUE, sizeof(struct parcel));
  g_array_set_clear_func(parcels, parcel_clear);
  if (!store_begin(policyd->store, error)) return false;
  bool fine = true;
  for (guint i = 0; fine && i < sends->len; i++) {
    struct parcel parcel = {0};
    fine = claim(sender, &g_array_index(sends, struct store_send, i), &parcel, error);
    if (parcel.bytes)
      g_array_append_val(parcels, parcel);
    else
      parcel_clear(&parcel);
  }
  if (!fine || !commit(sender, error)) return undo(sender);
  for (guint i = 0; i < parcels->len; i++)
    hand_over(sender, &g_array_index(parcels, struct parcel, i));
  return true;
}

/* ---- results */

/* Tries again after a minute, then two, four … at most an hour. */
static int64_t retry_after(int tries)
{
  int64_t minutes = 1;
  for (int i = 1; i < tries && minutes < 60; i++)
    minutes *= 2;
  return MIN(minutes, 60) * CLOCK_MINUTE;
}

static bool note_event(struct policyd *policyd, const struct store_send *send, enum event_kind kind,
                       const char *reply, GError **error)
{
  json_t *data = copies_is(send) ? json_pack("{s:b,s:s?}", "copy", true, "reply", reply)
                                 : json_pack("{s:I,s:s,s:i,s:s?}", "journey", (json_int_t)send->journey,
                                             "step", send->step, "visit", send->visit, "reply", reply);
  char *text = json_dumps(data, JSON_COMPACT);
  int64_t now = policyd_now(policyd);
  const struct store_event row = {.id = store_next_id(policyd->store, now),
                                  .at = now,
                                  .kind = kind,
                                  .contact = send->contact,
                                  .mail = copies_is(send) ? send->journey : send->offered,
                                  .data = text};
  bool done = store_event_add(policyd->store, send->tenant, &row, error);
  free(text);
  json_decref(data);
  return done;
}

static void count_send(struct policyd *policyd, const struct store_send *send, const char *metric)
{
  struct store_journey journey = {0};
  const struct workflow *workflow = NULL;
  int64_t now = policyd_now(policyd);
  if (!copies_is(send) && store_journey_get(policyd->store, send->tenant, send->journey, &journey, NULL))
    workflow = workflows_get(policyd->workflows, send->tenant, journey.workflow, NULL);
  store_journey_clear(&journey);
  store_tally(policyd->store, send->tenant, "tenant", metric, now, 1);
  if (!workflow) return;
  g_autofree char *scope = g_strdup_printf("workflow:%s", workflow->name);
  g_autofree char *step = g_strdup_printf("step:%s/%s", workflow->name, send->step);
  const char *list_name = flow_about(workflow->flow)->list;
  if (list_name) {
    g_autofree char *list = g_strdup_printf("list:%s", list_name);
    store_tally(policyd->store, send->tenant, list, metric, now, 1);
  }
  store_tally(policyd->store, send->tenant, scope, metric, now, 1);
  store_tally(policyd->store, send->tenant, step, metric, now, 1);
}

static bool accepted(struct sender *sender, struct store_send *send, const char *reply, GError **error)
{
  struct policyd *policyd = sender->policyd;
  if (copies_is(send)) return end_send(sender, send, SEND_ACCEPTED, FLOW_SENT, reply, error);
  count_send(policyd, send, "sent");
  return note_event(policyd, send, EVENT_SENT, reply, error) &&
         end_send(sender, send, SEND_ACCEPTED, FLOW_SENT, reply, error);
}

static bool refused(struct sender *sender, struct store_send *send, const char *reply, GError **error)
{
  if (copies_is(send) && !copies_report(sender->policyd, send, reply, error)) return false;
  count_send(sender->policyd, send, "failed");
  return note_event(sender->policyd, send, EVENT_FAILED, reply, error) &&
         end_send(sender, send, SEND_REFUSED, FLOW_FAILED, reply, error);
}

/* Says what became of SEND, once it is recorded. */
static void tell(struct sender *sender, const struct store_send *send, enum submit_outcome outcome,
                 const char *reply)
{
  struct log *log = sender->policyd->log;
  g_autofree char *who = who_is(send);
  switch (outcome) {
  case SUBMIT_ACCEPTED:
    sender->figures.accepted++;
    log_event(log, LOG_EVENT_SEND_ACCEPTED, NULL, "%s reply=%s", who, LOG_VALUE(reply));
    break;
  case SUBMIT_PERMANENT:
    sender->figures.refused++;
    log_event(log, LOG_EVENT_SEND_FAILED, NULL, "%s reason=%s", who, LOG_VALUE(reply));
    break;
  case SUBMIT_TEMPORARY:
    sender->figures.deferred++;
    log_event(log, LOG_EVENT_SEND_DEFERRED, NULL, "%s tries=%d reason=%s", who, send->tries,
              LOG_VALUE(reply));
    break;
  case SUBMIT_UNKNOWN:
    break;
  }
}

/* The store knows more than our copy: the milter's word may have come since. */
static bool take_result(struct sender *sender, const struct submit_result *result, GError **error)
{
  struct policyd *policyd = sender->policyd;
  struct store_send *handed = g_hash_table_lookup(sender->in_flight, &result->id);
  struct store_send send = {0};
  if (!handed) return true;
  if (!store_send_get(policyd->store, handed->tenant, handed->journey, handed->step, handed->visit, &send,
                      error))
    return false;
  bool fine = true;
  switch (result->outcome) {
  case SUBMIT_ACCEPTED:
    fine = accepted(sender, &send, result->reply, error);
    break;
  case SUBMIT_PERMANENT:
    fine = refused(sender, &send, result->reply, error);
    break;
  case SUBMIT_TEMPORARY:
    fine =
        copies_is(&send) && copies_is_old(policyd, &send)
            ? refused(sender, &send, result->reply, error)
            : put_back(sender, &send, policyd_now(policyd) + retry_after(send.tries), result->reply, error);
    break;
  case SUBMIT_UNKNOWN: /* stays handed: a doubt */
    break;
  }
  store_send_clear(&send);
  return fine;
}

/* The result is recorded: its job is no longer in flight. */
static void land(struct sender *sender, const struct submit_result *result)
{
  const struct store_send *send = g_hash_table_lookup(sender->in_flight, &result->id);
  if (!send) return;
  tell(sender, send, result->outcome, result->reply);
  g_autofree char *key = send_key(send);
  g_hash_table_remove(sender->flying, key);
  g_hash_table_remove(sender->in_flight, &result->id);
}

/* Results that cannot be recorded (the disk is full) are kept and tried again:
 * what the MTA has accepted must not become a doubt. */
static bool take_results(struct sender *sender, GError **error)
{
  struct policyd *policyd = sender->policyd;
  GArray *results = sender->results;
  struct submit_result result;
  while (submit_next(sender->submit, &result))
    g_array_append_val(results, result);
  if (results->len == 0) return true;
  if (!store_begin(policyd->store, error)) return false;
  bool fine = true;
  for (guint i = 0; fine && i < results->len; i++)
    fine = take_result(sender, &g_array_index(results, struct submit_result, i), error);
  if (!fine || !commit(sender, error)) return undo(sender);
  for (guint i = 0; i < results->len; i++)
    land(sender, &g_array_index(results, struct submit_result, i));
  g_array_set_size(results, 0);
  return true;
}

/* ---- doubts */

/* Has the send KEY been in doubt for long enough? Notes it the first time. */
static bool has_rested(struct sender *sender, const char *key)
{
  int64_t now = g_get_monotonic_time();
  const int64_t *since = g_hash_table_lookup(sender->doubts, key);
  if (since) return now - *since >= doubt_rest;
  g_hash_table_insert(sender->doubts, g_strdup(key), g_memdup2(&now, sizeof now));
  return false;
}

static bool settle(struct sender *sender, struct store_send *send, const char *key, GError **error)
{
  struct policyd *policyd = sender->policyd;
  const char *log = policyd->conf->policyd_mta_log;
  bool proved = send->offered && send->queue_id && log && maillog_has_accepted(log, send->queue_id);
  g_autofree char *who = who_is(send);
  g_hash_table_remove(sender->doubts, key);
  log_event(policyd->log, LOG_EVENT_DOUBT_SETTLED, send->queue_id, "%s went=%s offered=%s", who,
            proved ? "yes" : "again", send->offered ? "yes" : "no");
  if (proved) {
    sender->figures.doubts_proved++;
    tell(sender, send, SUBMIT_ACCEPTED, "proved by the MTA's log");
    return accepted(sender, send, "proved by the MTA's log", error);
  }
  sender->figures.doubts_resent++;
  return put_back(sender, send, policyd_now(policyd), "in doubt", error);
}

static bool settle_doubts(struct sender *sender, GError **error)
{
  struct policyd *policyd = sender->policyd;
  int64_t now = g_get_monotonic_time();
  if (now - sender->doubts_looked < G_USEC_PER_SEC) return true;
  sender->doubts_looked = now;
  g_autoptr(GArray) handed = store_sends(policyd->store, SEND_HANDED, INT64_MAX, 4 * QUEUE, error);
  if (!handed) return false;
  if (handed->len == g_hash_table_size(sender->in_flight)) return true;
  if (!store_begin(policyd->store, error)) return false;
  bool fine = true;
  for (guint i = 0; fine && i < handed->len; i++) {
    struct store_send *send = &g_array_index(handed, struct store_send, i);
    g_autofree char *key = send_key(send);
    if (g_hash_table_contains(sender->flying, key) || !has_rested(sender, key)) continue;
    fine = settle(sender, send, key, error);
  }
  if (!fine || !commit(sender, error)) return undo(sender);
  return true;
}

/* ---- */

bool sender_round(struct sender *sender, GError **error)
{
  return take_results(sender, error) && settle_doubts(sender, error) && release_planned(sender, error);
}

void sender_free(struct sender *sender)
{
  if (!sender) return;
  submit_stop(sender->submit);
  take_results(sender, NULL);
  submit_free(sender->submit);
  g_array_unref(sender->results);
  g_array_unref(sender->ended);
  g_hash_table_unref(sender->in_flight);
  g_hash_table_unref(sender->flying);
  g_hash_table_unref(sender->doubts);
  g_free(sender);
}
