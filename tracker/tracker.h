#pragma once

#include <stdbool.h>

#include <glib.h>

#include "proc/proc.h"

/* tidings-tracker(8): opens, clicks and unsubscribes. */

struct tracker;

/* What -n tests besides the configuration itself: addresses and the key file.
 * Errors: INPUT, SYS. */
bool tracker_check(const struct proc *proc, GError **error);

/* Binds the address; what may need root. PROC is borrowed. Errors: SYS, INPUT. */
struct tracker *tracker_open(struct proc *proc, GError **error);

/* Reads the token keys and opens directory and journal, as the daemon's user. */
bool tracker_start(struct tracker *tracker, GError **error);

/* Serves until it is told to stop. */
void tracker_run(struct tracker *tracker);

void tracker_close(struct tracker *tracker);
