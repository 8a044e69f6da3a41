#pragma once

/* The inside of a compiled workflow, shared by the files that make it (compile.c,
 * check.c) and read it (advance.c, match.c, json.c). Not for other modules. */

#include "flow/flow.h"
#include "tz/plan.h"

enum flow_step_kind {
#define STEP(symbol, key, function, keys) FLOW_STEP_##symbol,
#include "flow/steps.def"
#undef STEP
};

/* The keys of the whole. */
#define FLOW_HEAD_KEYS "workflow title zone trigger list from steps"

/* What `of` says, where it names no step: the last send, whichever it was. */
#define FLOW_OF_LAST (-1)

/* A step. Targets are indexes; the number of steps stands for the end. */
struct flow_step {
  char *name;
  enum flow_step_kind kind;
  int line;                  /* 0: not known */
  int then;                  /* where it goes on */
  char *text;                /* flow_step_text() */
  char *message;             /* SEND */
  char *wait, *at;           /* WAIT, AT: as written; NULL: not given. WAIT_FOR: `wait` is `within` */
  struct tz_plan plan;       /* the same, read */
  struct flow_pattern await; /* WAIT_FOR */
  bool of_send;
  int of; /* of_send: a step, or FLOW_OF_LAST */
  int otherwise;
};

struct flow {
  struct flow_about about; /* borrows from the texts below */
  char *name, *title, *zone, *list, *from;
  struct flow_pattern trigger;
  GArray *steps; /* struct flow_step */
};

static inline const struct flow_step *flow_step(const struct flow *flow, int step)
{
  return &g_array_index(flow->steps, struct flow_step, step);
}

/* Where a pattern may stand, and what it is about. */
enum flow_pattern_use { FLOW_TRIGGER = 1, FLOW_AWAIT = 2, FLOW_OF_SEND = 4 };

/* The rows of patterns.def. */
struct flow_pattern_row {
  enum event_kind kind;
  const char *key;
  int use; /* enum flow_pattern_use */
  const char *plain, *members;
};
extern const struct flow_pattern_row flow_pattern_rows[];
extern const size_t flow_pattern_row_count;

/* The row of KIND. */
const struct flow_pattern_row *flow_pattern_row(enum event_kind kind);

/* Frees what PATTERN owns, when it is part of a flow. */
void flow_pattern_clear(struct flow_pattern *pattern);

/* Takes a problem: an error, or a warning; LINE 0 if it is not known. */
typedef void flow_report(void *user, bool is_error, int line, const char *text);

/* Reports what no single key shows: steps that are never reached, rounds without a
 * wait, opens and clicks of nothing. */
void flow_check(const struct flow *flow, flow_report *report, void *user);

/* Fills each step's text. */
void flow_describe(struct flow *flow);
