#pragma once

#include <stdbool.h>

#include <glib.h>
#include <jansson.h>

/* The asking end of policyd's control socket; the protocol is in control/frame.h.
 * Blocking, one thread. */

struct control_client;

/* Connects to the socket PATH. Errors: TEMP (nobody answers there: policyd does not
 * run), DENIED (the caller may not enter its folder), SYS. Each says what to do. */
struct control_client *control_connect(const char *path, GError **error);
void control_close(struct control_client *client);

/* Takes one row of an answer, borrowed. False ends the call, with an error set. */
typedef bool control_row_fn(void *data, const json_t *row, GError **error);

/* Asks VERB ("contact.add") with ARGS, an object that it takes (NULL: empty), and waits
 * for the end of the answer. Rows go to ROW_FN (NULL: dropped) with DATA. *OK (may be
 * NULL) is the value of "ok", a new reference. Errors: those of the server with their
 * kind; TEMP if the connection breaks, after which nothing more may be asked. A row
 * function's error breaks it, too. */
bool control_call(struct control_client *client, const char *verb, json_t *args, control_row_fn *row_fn,
                  void *data, json_t **ok, GError **error);

typedef struct control_client control_client; /* for g_autoptr */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(control_client, control_close)
