#pragma once

#include "policyd/policyd.h"

/* Publishes the directory: what the milter and the tracker may know. */
struct publish;

struct publish *publish_new(struct policyd *policyd);
void publish_free(struct publish *publish);

/* Tenants, users, domains or lists have changed: a new snapshot is due. */
void publish_changed(struct publish *publish);

/* A suppression was added or removed: it goes out with the delta. */
void publish_suppression(struct publish *publish, int64_t tenant, int64_t list, const uint8_t key[16],
                         bool suppressed);

/* After a commit: brings out what has changed. A failure is kept and tried again
 * at the next call. */
bool publish_flush(struct publish *publish, GError **error);

/* After a rollback: forgets what the transaction wanted to change. */
void publish_forget(struct publish *publish);
