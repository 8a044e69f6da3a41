#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "clock/clock.h"
#include "conf/conf.h"
#include "event/event.h"
#include "log/log.h"
#include "metrics/metrics.h"
#include "token/token.h"

/* Hits on their way into the journal: those of a round share one batch, and one
 * transaction. */

enum batch_state { BATCH_OPEN, BATCH_DURABLE, BATCH_LOST };

struct batch; /* counted */
enum batch_state batch_state(const struct batch *batch);
void batch_unref(struct batch *batch);

struct hit {
  const struct token *token;
  const char *method;
  const char *user_agent; /* NULL: none was sent */
};

struct hits;

/* The tracker's end of its journal. If the journal cannot be opened it is tried
 * again with each batch; a journal that another process holds is the one error
 * (TEMP). CONF, CLOCK, LOG and METRICS are borrowed. */
struct hits *hits_open(const struct conf *conf, const struct clock *clock, struct log *log,
                       struct metrics *metrics, GError **error);
void hits_close(struct hits *hits);

/* Puts a hit into the open batch: an open or a click (also by HEAD), or with
 * hits_add_unsubscribe() what a contact asked for. ADDRESS and LIST need no NUL.
 * The caller gives its count of the batch back with batch_unref(). */
struct batch *hits_add(struct hits *hits, const struct hit *hit);
struct batch *hits_add_unsubscribe(struct hits *hits, const struct token *token, bool one_click);

/* Writes the open batch and settles it: durable, or lost (counted and logged). */
void hits_settle(struct hits *hits);

/* NULL if hits can be recorded as far as we know, else why the last could not. */
const char *hits_trouble(const struct hits *hits);
