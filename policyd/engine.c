/* Journeys. What is decided is lib/flow's; here it is made durable: position,
 * plan and send of a journey change in one transaction with what caused it.
 *
 * Deciding is harmless, so every event of a contact makes all its active
 * journeys decide again; only what changed is written. */

#include "policyd/engine.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/error.h"
#include "base/id.h"
#include "policyd/timers.h"
#include "policyd/workflows.h"

/* A journey in hand. */
struct walk {
  struct policyd *policyd;
  struct store_journey *journey;
  const struct workflow *workflow;
  struct flow_state state;
};

/* ---- position: flow_state as JSON */

static char *position_text(const struct flow_state *state)
{
  json_t *json =
      json_pack("{s:i,s:I,s:I,s:I,s:i,s:I,s:I,s:i}", "step", state->step, "visit", (json_int_t)state->visit,
                "started", (json_int_t)state->started, "since", (json_int_t)state->since, "sent_step",
                state->sent_step, "sent_visit", (json_int_t)state->sent_visit, "sent_at",
                (json_int_t)state->sent_at, "exit", state->exit);
  char *text = json_dumps(json, JSON_COMPACT);
  char *position = g_strdup(text);
  free(text);
  json_decref(json);
  return position;
}

static bool position_parse(const char *text, struct flow_state *state, GError **error)
{
  json_int_t visit = 0, started = 0, since = 0, sent_visit = 0, sent_at = 0;
  json_t *json = json_loads(text, 0, NULL);
  int failed = json_unpack(json, "{s:i,s:I,s:I,s:I,s:i,s:I,s:I,s:i}", "step", &state->step, "visit", &visit,
                           "started", &started, "since", &since, "sent_step", &state->sent_step, "sent_visit",
                           &sent_visit, "sent_at", &sent_at, "exit", &state->exit);
  json_decref(json);
  if (failed) {
    g_set_error_literal(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "a journey's position cannot be read");
    return false;
  }
  state->visit = visit;
  state->started = started;
  state->since = since;
  state->sent_visit = sent_visit;
  state->sent_at = sent_at;
  return true;
}

/* ---- facts: what has happened already */

/* The mail that QUESTION is about: that of a send, or the one that started the
 * journey. 0: none that we know. */
static int64_t mail_asked_for(struct walk *walk, const struct flow_question *question)
{
  struct store_send send = {0};
  if (!question->send) {
    json_t *cause = walk->journey->cause ? json_loads(walk->journey->cause, 0, NULL) : NULL;
    int64_t mail = json_integer_value(json_object_get(cause, "mail"));
    json_decref(cause);
    return mail;
  }
  if (!store_send_get(walk->policyd->store, walk->journey->tenant, walk->journey->id, question->send,
                      (int)question->visit, &send, NULL))
    return 0;
  int64_t mail = send.offered;
  store_send_clear(&send);
  return mail;
}

static int64_t answer_of_mail(struct walk *walk, const struct flow_question *question)
{
  struct store_mail mail = {0};
  int64_t id = mail_asked_for(walk, question), at = 0;
  if (id && store_mail_get(walk->policyd->store, walk->journey->tenant, id, &mail, NULL))
    at = question->pattern.kind == EVENT_CLICK ? mail.clicked_at : mail.opened_at;
  store_mail_clear(&mail);
  return at ? at : FLOW_NEVER;
}

struct flow_event engine_view(enum event_kind kind, int64_t at, const json_t *data)
{
  return (struct flow_event){
      .kind = kind,
      .at = at,
      .name = json_string_value(json_object_get(data, "name")),
      .list = json_string_value(json_object_get(data, "list")),
      .sender = json_string_value(json_object_get(data, "from")),
      .subject = json_string_value(json_object_get(data, "subject")),
      .properties = json_object_get(data, "properties"),
      .of_workflow = json_object_get(data, "journey") != NULL,
  };
}

static int64_t answer_of_timeline(struct walk *walk, const struct flow_question *question)
{
  enum { PAGE = 200 };
  int64_t after = id_floor(question->from);
  for (;;) {
    g_autoptr(GArray) events =
        store_events(walk->policyd->store, walk->journey->tenant, walk->journey->contact, after, PAGE, NULL);
    if (!events) return FLOW_NEVER;
    for (guint i = 0; i < events->len; i++) {
      const struct store_event *row = &g_array_index(events, struct store_event, i);
      after = row->id;
      if (row->kind != question->pattern.kind || row->at < question->from) continue;
      json_t *data = row->data ? json_loads(row->data, 0, NULL) : NULL;
      struct flow_event event = engine_view(row->kind, row->at, data);
      bool matches = flow_event_matches(&question->pattern, &event);
      json_decref(data);
      if (matches) return row->at;
    }
    if (events->len < PAGE) return FLOW_NEVER;
  }
}

static int64_t first_answer(void *user, const struct flow_question *question)
{
  return question->of_send ? answer_of_mail(user, question) : answer_of_timeline(user, question);
}

/* ---- zones */

const struct tz_zone *engine_zone(struct policyd *policyd, const char *contact_zone, const struct flow *flow,
                                  int64_t tenant)
{
  struct store_tenant row = {0};
  if (!store_tenant_get(policyd->store, NULL, tenant, &row, NULL)) row.zone = NULL;
  const char *ladder[] = {contact_zone, flow ? flow_about(flow)->zone : NULL, row.zone, policyd->conf->zone};
  const struct tz_zone *zone = NULL;
  for (size_t i = 0; i < G_N_ELEMENTS(ladder) && !zone; i++) {
    g_autoptr(GError) error = NULL;
    if (!ladder[i] || !*ladder[i]) continue;
    zone = zoneinfo_get(policyd->zones, ladder[i], &error);
    if (!zone) log_event(policyd->log, LOG_EVENT_ZONE_UNKNOWN, NULL, "zone=%s", LOG_VALUE(ladder[i]));
  }
  store_tenant_clear(&row);
  return zone ? zone : zoneinfo_get(policyd->zones, "UTC", NULL);
}

static const struct tz_zone *zone_of(struct walk *walk)
{
  struct store_contact contact = {0};
  store_contact_get(walk->policyd->store, walk->journey->tenant, NULL, walk->journey->contact, &contact,
                    NULL);
  const struct tz_zone *zone =
      engine_zone(walk->policyd, contact.zone, walk->workflow->flow, walk->journey->tenant);
  store_contact_clear(&contact);
  return zone;
}

/* ---- deciding */

/* Moves the journey's plan to DUE (0: none). */
static bool replan(struct walk *walk, int64_t due, GError **error)
{
  struct store_journey *journey = walk->journey;
  if (journey->due_at == due) return true;
  struct store_due old = {.at = journey->due_at, .tenant = journey->tenant, .journey = journey->id};
  struct store_due new = {.at = due, .tenant = journey->tenant, .journey = journey->id};
  if (old.at && !timers_remove(walk->policyd->timers, &old, error)) return false;
  if (new.at && !timers_add(walk->policyd->timers, &new, error)) return false;
  journey->due_at = due;
  return true;
}

/* Plans the send that the journey stands at, unless it is planned already. */
static bool plan_send(struct walk *walk, const struct flow_decision *decision, GError **error)
{
  struct store_send send = {0};
  struct store_journey *journey = walk->journey;
  if (store_send_get(walk->policyd->store, journey->tenant, journey->id, decision->step, (int)decision->visit,
                     &send, NULL)) {
    store_send_clear(&send);
    return true;
  }
  int64_t now = policyd_now(walk->policyd);
  send = (struct store_send){.tenant = journey->tenant,
                             .journey = journey->id,
                             .contact = journey->contact,
                             .step = (char *)decision->step,
                             .visit = (int)decision->visit,
                             .state = SEND_PLANNED,
                             .planned = now,
                             .not_before = now};
  return store_send_add(walk->policyd->store, &send, error);
}

static bool keep(struct walk *walk, const struct flow_decision *decision, GError **error)
{
  struct store_journey *journey = walk->journey;
  bool waits = decision->verb == FLOW_WAIT_UNTIL || decision->verb == FLOW_WAIT_FOR;
  if (!replan(walk, waits ? decision->until : 0, error)) return false;
  if (decision->verb == FLOW_SEND && !plan_send(walk, decision, error)) return false;
  if (decision->verb == FLOW_EXIT) {
    journey->active = false;
    g_free(journey->outcome);
    journey->outcome = g_strdup(flow_exit_name(decision->exit));
  }
  if (decision->step) {
    g_free(journey->step);
    journey->step = g_strdup(decision->step);
  }
  g_free(journey->position);
  journey->position = position_text(&walk->state);
  journey->since = walk->state.since;
  return true;
}

/* Decides, and writes what changed. FRESH: the journey is not in the store yet. */
static bool decide(struct walk *walk, bool fresh, GError **error)
{
  struct flow_facts facts = {.first = first_answer, .user = walk};
  struct flow_decision decision;
  flow_advance(walk->workflow->flow, zone_of(walk), &facts, policyd_now(walk->policyd), &walk->state,
               &decision);
  g_autofree char *before = g_strdup(walk->journey->position);
  int64_t due = walk->journey->due_at;
  if (!keep(walk, &decision, error)) return false;
  if (fresh) return store_journey_add(walk->policyd->store, walk->journey, error);
  if (due == walk->journey->due_at && walk->journey->active &&
      g_strcmp0(before, walk->journey->position) == 0)
    return true;
  return store_journey_update(walk->policyd->store, walk->journey, error);
}

static bool take_up(struct walk *walk, GError **error)
{
  walk->workflow =
      workflows_get(walk->policyd->workflows, walk->journey->tenant, walk->journey->workflow, error);
  return walk->workflow && position_parse(walk->journey->position, &walk->state, error);
}

static bool start(struct policyd *policyd, const struct workflow *workflow, int64_t contact, int64_t at,
                  const json_t *cause, GError **error)
{
  char *cause_text = cause ? json_dumps(cause, JSON_COMPACT) : NULL;
  struct store_journey journey = {.id = store_next_id(policyd->store, policyd_now(policyd)),
                                  .tenant = workflow->tenant,
                                  .workflow = workflow->id,
                                  .contact = contact,
                                  .active = true,
                                  .step = g_strdup(flow_step_name(workflow->flow, 0)),
                                  .cause = g_strdup(cause_text)};
  free(cause_text);
  struct walk walk = {.policyd = policyd, .journey = &journey, .workflow = workflow};
  flow_start(workflow->flow, at, &walk.state);
  bool done = decide(&walk, true, error);
  g_autofree char *scope = g_strdup_printf("workflow:%s", workflow->name);
  store_tally(policyd->store, workflow->tenant, scope, "started", at, 1);
  store_tally(policyd->store, workflow->tenant, "tenant", "started", at, 1);
  store_journey_clear(&journey);
  return done;
}

/* ---- what happens */

/* Is one of JOURNEYS on its way through any version of the workflow? */
static bool is_underway(struct policyd *policyd, const GArray *journeys, const char *name)
{
  for (guint i = 0; i < journeys->len; i++) {
    const struct store_journey *journey = &g_array_index(journeys, struct store_journey, i);
    const struct workflow *workflow =
        workflows_get(policyd->workflows, journey->tenant, journey->workflow, NULL);
    if (journey->active && workflow && strcmp(workflow->name, name) == 0) return true;
  }
  return false;
}

bool engine_triggers(struct policyd *policyd, int64_t tenant, const struct flow_event *event, GError **error)
{
  GPtrArray *active = workflows_of(policyd->workflows, tenant, error);
  for (guint i = 0; active && i < active->len; i++) {
    const struct workflow *workflow = g_ptr_array_index(active, i);
    if (!event->of_workflow && flow_event_matches(flow_trigger(workflow->flow), event)) return true;
  }
  return false;
}

bool engine_event(struct policyd *policyd, int64_t tenant, int64_t contact, const struct flow_event *event,
                  const json_t *cause, GError **error)
{
  if (!contact) return true;
  g_autoptr(GArray) journeys = store_journeys_of(policyd->store, tenant, contact, true, error);
  GPtrArray *active = workflows_of(policyd->workflows, tenant, error);
  if (!journeys || !active) return false;
  for (guint i = 0; i < journeys->len; i++) {
    struct walk walk = {.policyd = policyd, .journey = &g_array_index(journeys, struct store_journey, i)};
    if (!take_up(&walk, error) || !decide(&walk, false, error)) return false;
  }
  if (event->of_workflow) return true;
  for (guint i = 0; i < active->len; i++) {
    const struct workflow *workflow = g_ptr_array_index(active, i);
    if (!flow_event_matches(flow_trigger(workflow->flow), event)) continue;
    if (is_underway(policyd, journeys, workflow->name)) continue;
    if (!start(policyd, workflow, contact, event->at, cause, error)) return false;
  }
  return true;
}

bool engine_due(struct policyd *policyd, const struct store_due *due, GError **error)
{
  struct store_journey journey = {0};
  g_autoptr(GError) missing = NULL;
  if (!store_journey_get(policyd->store, due->tenant, due->journey, &journey, &missing)) {
    if (g_error_matches(missing, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND))
      return timers_remove(policyd->timers, due, error);
    g_propagate_error(error, g_steal_pointer(&missing));
    return false;
  }
  bool fine = true;
  struct walk walk = {.policyd = policyd, .journey = &journey};
  if (journey.active && journey.due_at == due->at)
    fine = take_up(&walk, error) && timers_remove(policyd->timers, due, error) &&
           (journey.due_at = 0, true) && decide(&walk, false, error);
  else if (!journey.active || journey.due_at / STORE_BUCKET != due->at / STORE_BUCKET)
    fine = timers_remove(policyd->timers, due, error);
  store_journey_clear(&journey);
  return fine;
}

bool engine_sent(struct policyd *policyd, const struct store_send *send, enum flow_outcome outcome,
                 int64_t at, GError **error)
{
  struct store_journey journey = {0};
  g_autoptr(GError) missing = NULL;
  if (!store_journey_get(policyd->store, send->tenant, send->journey, &journey, &missing)) {
    /* Its contact was erased while the mail was on its way. */
    if (g_error_matches(missing, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND)) return true;
    g_propagate_error(error, g_steal_pointer(&missing));
    return false;
  }
  struct walk walk = {.policyd = policyd, .journey = &journey};
  bool fine = !journey.active || (take_up(&walk, error) &&
                                  (!flow_sent(walk.workflow->flow, outcome, send->visit, at, &walk.state) ||
                                   decide(&walk, false, error)));
  store_journey_clear(&journey);
  return fine;
}

bool engine_unsubscribed(struct policyd *policyd, int64_t tenant, int64_t contact, int64_t list,
                         GError **error)
{
  struct store_list row = {0};
  if (!store_list_get(policyd->store, tenant, NULL, list, &row, error)) return false;
  g_autofree char *name = g_strdup(row.name);
  store_list_clear(&row);
  g_autoptr(GArray) journeys = store_journeys_of(policyd->store, tenant, contact, true, error);
  if (!journeys) return false;
  for (guint i = 0; i < journeys->len; i++) {
    struct store_journey *journey = &g_array_index(journeys, struct store_journey, i);
    struct walk walk = {.policyd = policyd, .journey = journey};
    if (!take_up(&walk, error)) return false;
    if (g_strcmp0(flow_about(walk.workflow->flow)->list, name) != 0) continue;
    if (!replan(&walk, 0, error)) return false;
    journey->active = false;
    g_free(journey->outcome);
    journey->outcome = g_strdup("unsubscribed");
    if (!store_journey_update(policyd->store, journey, error)) return false;
  }
  return true;
}
