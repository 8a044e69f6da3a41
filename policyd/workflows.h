#pragma once

#include "flow/flow.h"
#include "message/message.h"
#include "policyd/policyd.h"

/* The compiled workflows and messages, by id. A version never changes, so what
 * is compiled stays good. */
struct workflows;

/* One version of a workflow. */
struct workflow {
  int64_t id, tenant;
  int version;
  char *name;
  struct flow *flow;
};

struct workflows *workflows_new(struct policyd *policyd);
void workflows_free(struct workflows *workflows);

/* Forgets which ones are active (after one was loaded or stopped). */
void workflows_changed(struct workflows *workflows);

/* The active workflows of TENANT: a borrowed array of struct workflow *, valid until
 * workflows_changed(). NULL on error. */
GPtrArray *workflows_of(struct workflows *workflows, int64_t tenant, GError **error);

/* Any version, by its id. Borrowed. Errors: NOTFOUND. */
const struct workflow *workflows_get(struct workflows *workflows, int64_t tenant, int64_t id, GError **error);

/* A compiled message of a workflow. Borrowed. Errors: NOTFOUND. */
const struct message *workflows_message(struct workflows *workflows, const struct workflow *workflow,
                                        const char *name, GError **error);
