#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>
#include <jansson.h>

#include "event/event.h"

/* The workflow language (tidings-workflow(5)) and its decisions. Pure: no clock,
 * no database; everything is given, so a year of a workflow runs in a test.
 *
 * A journey is one contact's way through one version of a workflow. The caller
 * keeps its state and drives it:
 *
 *   an event happened     for each workflow with flow_event_matches(flow_trigger(flow), event):
 *                         flow_start(), then decide
 *   decide                flow_advance(): it goes on through the steps until it must stop, and says why.
 *                         Keep state and decision in one transaction.
 *     FLOW_SEND           hand over the message, then flow_sent() and decide again. Until flow_sent() the
 *                         same decision comes back, with the same step and visit, however often it is asked.
 *     FLOW_WAIT_UNTIL     decide again at `until`
 *     FLOW_WAIT_FOR       decide again at `until`, or when an event matches `await`
 *     FLOW_EXIT           the journey is over
 *
 * Deciding too early or too often never harms: a decision follows from the state,
 * the facts and `now` alone, not from how events were batched or why it was asked.
 * For that to hold the caller folds what producers have written before it asks. */

struct doc;
struct tz_zone;

/* ---- the definition ---- */

/* A compiled workflow; immutable, any number of threads may read it. */
struct flow;

/* Caps. */
#define FLOW_STEPS_MAX    1000
#define FLOW_PROBLEMS_MAX 50

/* Compiles DOCUMENT. PROBLEMS, if not NULL, collects every error and warning as a text
 * "FILE:LINE: sentence" (g_free()d by it: make it with
 * g_ptr_array_new_with_free_func(g_free)), at most FLOW_PROBLEMS_MAX; a warning
 * has "warning: " after the place and does not fail. Caller frees with
 * flow_free(). Errors: INPUT, with the first problem's text. */
struct flow *flow_compile(const struct doc *document, GPtrArray *problems, GError **error);

/* The same from the JSON that flow_to_json() gave, or that the API got; NAME stands
 * for the file's name in messages, which have no line then. */
struct flow *flow_compile_json(const json_t *root, const char *name, GPtrArray *problems, GError **error);

/* Frees FLOW, which may be NULL. */
void flow_free(struct flow *flow);
typedef struct flow flow_auto;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(flow_auto, flow_free)

/* The definition in the same language, with every default written out. New
 * reference. flow_compile_json() makes the same workflow of it. */
json_t *flow_to_json(const struct flow *flow);

/* What is said about the whole workflow. Borrowed; NULL where it is not given. */
struct flow_about {
  const char *name;  /* [a-z0-9-], at most 64 bytes */
  const char *title; /* for people; the name if not given */
  const char *zone;  /* of a contact that has none; not checked against a zone tree */
  const char *list;  /* whose suppression and unsubscribe headers its mail obeys; a trigger's `subscribed`
                        list if not given */
  const char *from;  /* sender of messages that have no From of their own */
  int steps;
};
const struct flow_about *flow_about(const struct flow *flow);

/* Step STEP (0…steps-1): its name; its message file if it sends, else NULL; a few
 * words that say what it does ("wait 2 days, at 09:00"). Borrowed. */
const char *flow_step_name(const struct flow *flow, int step);
const char *flow_step_message(const struct flow *flow, int step);
const char *flow_step_text(const struct flow *flow, int step);

/* The step called NAME, or -1. */
int flow_step_find(const struct flow *flow, const char *name);

/* ---- events ---- */

/* What an event says, as far as workflows ask. Borrowed; NULL where it says nothing. */
struct flow_event {
  enum event_kind kind;
  int64_t at;               /* microseconds UTC */
  const char *name;         /* of a custom event */
  const char *list;         /* of mail, subscribed, unsubscribed */
  const char *sender;       /* address that sent the mail */
  const char *subject;      /* decoded to UTF-8 */
  const json_t *properties; /* of a custom event */
  bool of_workflow;         /* a mail that a workflow sent: it triggers nothing */
};

/* Which events are meant. Borrowed from the flow; NULL matches all. */
struct flow_pattern {
  enum event_kind kind;
  const char *name;    /* equal */
  const char *list;    /* equal */
  const char *sender;  /* equal address, or "@example.com"; case does not matter */
  const char *subject; /* contained; case does not matter */
  const json_t *where; /* object: each property is equal (numbers by value) */
};

/* What starts a journey. */
const struct flow_pattern *flow_trigger(const struct flow *flow);

/* Whether EVENT is one that PATTERN means. */
bool flow_event_matches(const struct flow_pattern *pattern, const struct flow_event *event);

/* ---- a journey ---- */

/* Where a journey stands. Plain numbers, for the caller to keep; `step` and
 * `sent_step` belong to this version of the definition. */
struct flow_state {
  int step;        /* index; -1: over */
  int64_t visit;   /* how many steps it has come to, this one included: so (journey, step, visit) is unique */
  int64_t started; /* microseconds UTC */
  int64_t since;   /* when it came to this step, in its own time: the instant that was waited for, not the
                      one at which somebody looked. Never runs back. */
  int sent_step;   /* the last send: step, visit and instant; -1, 0, 0 before the first */
  int64_t sent_visit;
  int64_t sent_at;
  int exit; /* enum flow_exit, when over */
};

/* An event that a journey asks for. */
struct flow_question {
  struct flow_pattern pattern;
  bool of_send;     /* true: it must concern the mail of that send (open, click) */
  const char *send; /* of_send: name of the send step; NULL: the mail that started the journey */
  int64_t visit;    /* of_send: which send of it; 0: the last one */
  int64_t from;     /* events before this instant do not count */
};

/* Whether EVENT may be an answer to QUESTION, so that a journey that waits for it
 * should decide again; whether it is about the right mail is left to the facts.
 * Who clicks has opened: a click answers a question for an open. */
bool flow_wakes(const struct flow_question *question, const struct flow_event *event);

/* The answer of facts that know of no such event. */
#define FLOW_NEVER INT64_MAX

/* What has happened, as the caller knows it. */
struct flow_facts {
  /* The instant of the first event that QUESTION means for this journey's contact,
   * or FLOW_NEVER. Only what a person did counts (not verdict machine). */
  int64_t (*first)(void *user, const struct flow_question *question);
  void *user;
};

/* Facts that know nothing. */
extern const struct flow_facts flow_no_facts;

enum flow_verb { FLOW_SEND, FLOW_WAIT_UNTIL, FLOW_WAIT_FOR, FLOW_EXIT };

enum flow_exit { FLOW_EXIT_NONE, FLOW_EXIT_END, FLOW_EXIT_STEP, FLOW_EXIT_FAILED, FLOW_EXIT_SUPPRESSED };

/* The word for REASON: "end" (after the last step), "exit" (an exit step), "failed",
 * "suppressed". Static. */
const char *flow_exit_name(enum flow_exit reason);

struct flow_decision {
  enum flow_verb verb;
  const char *step; /* name of the step it stands at; NULL once over. Borrowed from the flow */
  int64_t visit;
  const char *message; /* FLOW_SEND: the message file, as written */
  int64_t until;       /* FLOW_WAIT_UNTIL, FLOW_WAIT_FOR: microseconds UTC */
  char wall[24];       /* the same on the contact's wall, "2026-10-25T09:00:00", where it is a civil time
                          that a change of zone or zone rules moves (decide again then); else "" */
  struct flow_question await; /* FLOW_WAIT_FOR */
  enum flow_exit exit;        /* FLOW_EXIT */
};

/* A journey that starts at AT, the instant of its trigger. */
void flow_start(const struct flow *flow, int64_t at, struct flow_state *state);

/* Goes on from STATE as far as FACTS and NOW (microseconds UTC) allow, in ZONE (the
 * contact's, else the workflow's or the tenant's; the caller resolves it). A wait
 * whose instant is past is over at that instant; an event at or before the
 * deadline wins over the deadline, whenever it is asked. */
void flow_advance(const struct flow *flow, const struct tz_zone *zone, const struct flow_facts *facts,
                  int64_t now, struct flow_state *state, struct flow_decision *decision);

/* What became of a send. */
enum flow_outcome {
  FLOW_SENT,       /* accepted by the MTA: the journey goes on */
  FLOW_FAILED,     /* refused for good: it ends */
  FLOW_SUPPRESSED, /* not offered, since the contact may not be mailed: it ends */
};

/* Records that the send STATE stands at came to OUTCOME at AT; then decide again.
 * Nothing happens if it stands at no send, so a result may be told twice only
 * when its visit is compared first: false if VISIT is not the state's. */
bool flow_sent(const struct flow *flow, enum flow_outcome outcome, int64_t visit, int64_t at,
               struct flow_state *state);
