#pragma once

#include <jansson.h>

#include "policyd/policyd.h"

/* The control socket: tidings(1) asks here. One door, one place that validates;
 * who may enter the socket's folder is an administrator. */
struct control;

/* Listens at PATH, whose folder is made if missing (mode 0750); a socket that is
 * left from before is replaced, one that answers is not. Errors: SYS, TEMP. */
struct control *control_new(struct policyd *policyd, const char *path, GError **error);
void control_free(struct control *control);

/* A request in hand. */
struct request {
  struct policyd *policyd;
  json_t *args; /* an object */
  GString *out; /* what goes back */
};

/* Answers one row. ROW is taken. */
void request_row(struct request *request, json_t *row);

/* An argument: NULL, or FALLBACK, if it is not there. */
const char *request_text(const struct request *request, const char *name);
int64_t request_int(const struct request *request, const char *name, int64_t fallback);

/* A text that must be there. Errors: INPUT. */
const char *request_need(const struct request *request, const char *name, GError **error);

/* The tenant that the argument "tenant" names. Errors: INPUT, NOTFOUND. */
bool request_tenant(const struct request *request, struct store_tenant *tenant, GError **error);

/* Does the work; gives what goes into {"ok":…}, or NULL and an error. */
typedef json_t *command_fn(struct request *request, GError **error);

/* WRITES: stands in a transaction, and the directory goes out after it. ARGS: what
 * it takes, for command_args(). */
struct command {
  const char *name;
  command_fn *run;
  bool writes;
  const char *args;
};

/* All of them, ended by a NULL name (commands.c). */
extern const struct command *const commands[];
