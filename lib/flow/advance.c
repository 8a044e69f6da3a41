/* What a journey does next.
 *
 * The caller makes a state with flow_start() and then asks flow_advance(), as often as
 * it likes; each kind of step is one function that either moves the journey on (true)
 * or fills the decision (false). The state's own time, `since`, is the instant of what
 * happened (the trigger, the send, the event, the end of the wait) and not of when
 * somebody looked: that is why batching and downtime change nothing. A round of steps
 * always holds a wait of a minute or more (check.c), so going on comes to an end. */

#include "flow/flow.h"
#include "flow/table.h"

#include <string.h>

/* After so many steps without a stop the caller gets a turn: a journey that missed
 * years of short waits must not keep it. */
#define MOVES_MAX 1000

struct turn {
  const struct flow *flow;
  const struct tz_zone *zone;
  const struct flow_facts *facts;
  int64_t now;
  struct flow_state *state;
  struct flow_decision *decision;
};

static int64_t never(void *user, const struct flow_question *question)
{
  (void)user;
  (void)question;
  return FLOW_NEVER;
}

const struct flow_facts flow_no_facts = {.first = never};

const char *flow_exit_name(enum flow_exit reason)
{
  static const char *const names[] = {
      [FLOW_EXIT_NONE] = "none",
      [FLOW_EXIT_END] = "end",
      [FLOW_EXIT_STEP] = "exit",
      [FLOW_EXIT_FAILED] = "failed",
      [FLOW_EXIT_SUPPRESSED] = "suppressed",
  };
  return (size_t)reason < G_N_ELEMENTS(names) ? names[reason] : "none";
}

void flow_start(const struct flow *flow, int64_t at, struct flow_state *state)
{
  (void)flow; /* every workflow has a first step */
  *state = (struct flow_state){.step = 0, .visit = 1, .started = at, .since = at, .sent_step = -1};
}

static void leave(struct flow_state *state, enum flow_exit reason, int64_t at)
{
  state->since = MAX(state->since, at);
  state->step = -1;
  state->exit = reason;
}

/* To step TARGET, at the instant AT or, since time never runs back, later. */
static void go(const struct flow *flow, struct flow_state *state, int target, int64_t at)
{
  if (target == flow->about.steps) {
    leave(state, FLOW_EXIT_END, at);
    return;
  }
  state->since = MAX(state->since, at);
  state->step = target;
  state->visit++;
}

static bool move(const struct turn *turn, int target, int64_t at)
{
  go(turn->flow, turn->state, target, at);
  return true;
}

static bool stop(const struct turn *turn, enum flow_verb verb)
{
  turn->decision->verb = verb;
  return false;
}

/* The end of STEP's wait, or FLOW_NEVER beyond the calendar; and in the decision what the
 * contact's wall shows then. */
static int64_t wait_end(const struct turn *turn, const struct flow_step *step)
{
  struct tz_due due;
  if (!tz_plan_next(&step->plan, turn->zone, turn->state->since, &due, NULL)) return FLOW_NEVER;
  if (due.is_wall) {
    g_autofree char *wall = tz_text_from_civil(&due.wall);
    g_strlcpy(turn->decision->wall, wall, sizeof turn->decision->wall);
  }
  return due.instant;
}

static bool run_send(const struct turn *turn, const struct flow_step *step)
{
  turn->decision->message = step->message;
  return stop(turn, FLOW_SEND);
}

static bool run_wait(const struct turn *turn, const struct flow_step *step)
{
  turn->decision->until = wait_end(turn, step);
  if (turn->decision->until <= turn->now) return move(turn, step->then, turn->decision->until);
  return stop(turn, FLOW_WAIT_UNTIL);
}

/* What the step asks for. An event counts from the send that it follows, or from the
 * start: what has already happened is not waited for. */
static struct flow_question question_of(const struct turn *turn, const struct flow_step *step)
{
  const struct flow_state *state = turn->state;
  struct flow_question question = {.pattern = step->await,
                                   .from = state->started + 1}; /* not the trigger itself */
  if (state->sent_step >= 0) question.from = state->sent_at;
  if (!step->of_send) return question;
  question.of_send = true;
  question.from = state->started;
  int send = step->of == FLOW_OF_LAST ? state->sent_step : step->of;
  if (send < 0) return question;
  question.send = flow_step(turn->flow, send)->name;
  if (send == state->sent_step) question.visit = state->sent_visit;
  return question;
}

/* Who clicks has opened, also where images are not shown. */
static int64_t first(const struct turn *turn, const struct flow_question *question)
{
  bool of_nothing = question->of_send && !question->send && turn->flow->trigger.kind != EVENT_MAIL;
  if (of_nothing) return FLOW_NEVER;
  int64_t at = turn->facts->first(turn->facts->user, question);
  if (question->pattern.kind != EVENT_OPEN) return at;
  struct flow_question click = *question;
  click.pattern.kind = EVENT_CLICK;
  return MIN(at, turn->facts->first(turn->facts->user, &click));
}

static bool run_wait_for(const struct turn *turn, const struct flow_step *step)
{
  struct flow_question question = question_of(turn, step);
  int64_t deadline = wait_end(turn, step);
  int64_t happened = first(turn, &question);
  /* An event from a clock that is ahead is not later than now. */
  if (happened != FLOW_NEVER && happened <= deadline) return move(turn, step->then, MIN(happened, turn->now));
  if (deadline <= turn->now) return move(turn, step->otherwise, deadline);
  turn->decision->until = deadline;
  turn->decision->await = question;
  return stop(turn, FLOW_WAIT_FOR);
}

static bool run_exit(const struct turn *turn, const struct flow_step *step)
{
  (void)step;
  leave(turn->state, FLOW_EXIT_STEP, turn->state->since);
  return true;
}

static bool run_next(const struct turn *turn, const struct flow_step *step)
{
  return move(turn, step->then, turn->state->since);
}

static bool run(const struct turn *turn)
{
  static bool (*const runs[])(const struct turn *, const struct flow_step *) = {
#define STEP(symbol, key, function, keys) [FLOW_STEP_##symbol] = run_##function,
#include "flow/steps.def"
#undef STEP
  };
  const struct flow_step *step = flow_step(turn->flow, turn->state->step);
  *turn->decision = (struct flow_decision){.step = step->name, .visit = turn->state->visit};
  return runs[step->kind](turn, step);
}

void flow_advance(const struct flow *flow, const struct tz_zone *zone, const struct flow_facts *facts,
                  int64_t now, struct flow_state *state, struct flow_decision *decision)
{
  struct turn turn = {flow, zone, facts, now, state, decision};
  for (int moves = 0; state->step >= 0; moves++) {
    if (!run(&turn)) return;
    if (moves == MOVES_MAX && state->step >= 0) {
      *decision = (struct flow_decision){
          .verb = FLOW_WAIT_UNTIL,
          .step = flow_step(flow, state->step)->name,
          .visit = state->visit,
          .until = now,
      };
      return;
    }
  }
  *decision = (struct flow_decision){.verb = FLOW_EXIT, .visit = state->visit, .exit = state->exit};
}

bool flow_sent(const struct flow *flow, enum flow_outcome outcome, int64_t visit, int64_t at,
               struct flow_state *state)
{
  if (state->step < 0 || state->visit != visit) return false;
  const struct flow_step *step = flow_step(flow, state->step);
  if (step->kind != FLOW_STEP_SEND) return false;
  if (outcome != FLOW_SENT) {
    leave(state, outcome == FLOW_FAILED ? FLOW_EXIT_FAILED : FLOW_EXIT_SUPPRESSED, at);
    return true;
  }
  state->sent_step = state->step;
  state->sent_visit = visit;
  state->sent_at = MAX(state->since, at);
  go(flow, state, step->then, at);
  return true;
}
