/* What no single key of a definition shows: where its ways lead. */

#include "flow/table.h"

#include <string.h>

struct check {
  const struct flow *flow;
  flow_report *report;
  void *user;
};

static void tell(const struct check *check, bool is_error, int step, const char *text)
{
  check->report(check->user, is_error, flow_step(check->flow, step)->line, text);
}

/* Adds TARGET to those that are found and still to be followed. */
static void find(const struct flow *flow, bool *is_found, GArray *queue, int target)
{
  if (target == flow->about.steps || is_found[target]) return;
  is_found[target] = true;
  g_array_append_val(queue, target);
}

/* Marks every step that a way leads to from those in IS_FOUND. */
static void follow(const struct flow *flow, bool *is_found)
{
  g_autoptr(GArray) queue = g_array_new(false, false, sizeof(int));
  for (int i = 0; i < flow->about.steps; i++)
    if (is_found[i]) g_array_append_val(queue, i);
  for (guint i = 0; i < queue->len; i++) {
    const struct flow_step *step = flow_step(flow, g_array_index(queue, int, i));
    if (step->kind != FLOW_STEP_EXIT) find(flow, is_found, queue, step->then);
    if (step->kind == FLOW_STEP_WAIT_FOR) find(flow, is_found, queue, step->otherwise);
  }
}

static void check_reached(const struct check *check)
{
  g_autofree bool *is_found = g_new0(bool, check->flow->about.steps);
  is_found[0] = true;
  follow(check->flow, is_found);
  for (int i = 0; i < check->flow->about.steps; i++) {
    if (is_found[i]) continue;
    g_autofree char *text = g_strdup_printf(
        "no way leads to step '%s'; name it in a 'next', 'then' or 'otherwise', or leave it out",
        flow_step(check->flow, i)->name);
    tell(check, false, i, text);
  }
}

/* The step that follows STEP at once, without time passing; -1: none. An event may have
 * happened already, so only the deadline of a wait_for is a wait. */
static int next_at_once(const struct flow *flow, int step)
{
  const struct flow_step *s = flow_step(flow, step);
  if (s->kind == FLOW_STEP_WAIT || s->kind == FLOW_STEP_AT || s->kind == FLOW_STEP_EXIT) return -1;
  return s->then == flow->about.steps ? -1 : s->then;
}

/* Every step has one follower at once at most, so a round is found by walking on from each
 * step until one that was walked before. */
static void check_rounds(const struct check *check)
{
  g_autofree int *walked = g_new0(int, check->flow->about.steps); /* by the walk from step N - 1 */
  for (int start = 0; start < check->flow->about.steps; start++) {
    int step = start;
    while (step >= 0 && !walked[step]) {
      walked[step] = start + 1;
      step = next_at_once(check->flow, step);
    }
    if (step < 0 || walked[step] != start + 1) continue;
    g_autofree char *text = g_strdup_printf(
        "from step '%s' the way leads round to it again without a wait; put '- wait: 1 day' in between",
        flow_step(check->flow, step)->name);
    tell(check, true, step, text);
  }
}

/* Whether STEP comes after a send: after OF, or after any if that is FLOW_OF_LAST. */
static bool is_after_send(const struct flow *flow, int step, int of)
{
  g_autofree bool *is_found = g_new0(bool, flow->about.steps);
  for (int i = 0; i < flow->about.steps; i++)
    is_found[i] = of == FLOW_OF_LAST ? flow_step(flow, i)->kind == FLOW_STEP_SEND : i == of;
  follow(flow, is_found);
  return is_found[step];
}

static void check_sends(const struct check *check)
{
  for (int i = 0; i < check->flow->about.steps; i++) {
    const struct flow_step *step = flow_step(check->flow, i);
    if (step->kind != FLOW_STEP_WAIT_FOR || !step->of_send || is_after_send(check->flow, i, step->of))
      continue;
    /* The mail that started the journey can be opened and clicked as well. */
    if (step->of == FLOW_OF_LAST && check->flow->trigger.kind == EVENT_MAIL) continue;
    g_autofree char *text =
        step->of == FLOW_OF_LAST
            ? g_strdup("nothing is sent before this step, so nothing can be opened or clicked; put a 'send' "
                       "before it")
            : g_strdup_printf("step '%s' does not come before this step; name an earlier one in 'of'",
                              flow_step(check->flow, step->of)->name);
    tell(check, true, i, text);
  }
}

void flow_check(const struct flow *flow, flow_report *report, void *user)
{
  struct check check = {flow, report, user};
  check_reached(&check);
  check_rounds(&check);
  check_sends(&check);
}
