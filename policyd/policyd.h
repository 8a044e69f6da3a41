#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "clock/clock.h"
#include "conf/conf.h"
#include "log/log.h"
#include "store/store.h"
#include "token/token.h"
#include "zoneinfo/zoneinfo.h"

/* What the parts of policyd share: one process, one thread beside the senders'.
 *
 *   fold      journals → state, and what follows from each event
 *   engine    journeys: starts them, moves them on
 *   timers    what is due
 *   sender    what is to be handed to the MTA, and what became of it
 *   copies    what the sender sends of split mails
 *   publish   state → directory
 *   control   tidings(1) asks */
struct policyd {
  const struct conf *conf;
  const struct clock *clock;
  struct log *log;
  struct store *store;
  struct token_keys *keys;
  struct zoneinfo *zones;
  const char *hostname; /* in Message-IDs */

  struct fold *fold;
  struct workflows *workflows;
  struct timers *timers;
  struct sender *sender;
  struct publish *publish;
  struct control *control;

  GMainLoop *loop;
  GHashTable *list_ids; /* "tenant/name" → id, and back: they never change (fold.c) */
  GHashTable *list_names;
  int64_t started;
  int64_t sweep_at; /* monotonic: when the spool is looked through (copies.c) */
};

static inline int64_t policyd_now(const struct policyd *policyd)
{
  return clock_now(policyd->clock);
}

/* Rolls back the transaction, and what it left in memory: changes of the
 * directory that were to go out, and the plans of the heap. */
void policyd_undo(struct policyd *policyd);
