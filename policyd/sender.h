#pragma once

#include "policyd/policyd.h"

/* Hands what workflows decided to send to the local MTA, and records what became
 * of it.
 *
 *   planned ──claim──▶ handed ──250──▶ accepted
 *                        │ ├──5xx──▶ refused
 *                        │ └──4xx──▶ planned, later
 *                        └── no word (a crash, a lost connection): in doubt
 *
 * A message in doubt is looked up: if our milter never saw it, it was not
 * accepted; if it did, the MTA's log tells. It goes again unless there is proof
 * that it went: rather twice than never. */
struct sender;

struct sender *sender_new(struct policyd *policyd, GError **error);

/* Waits for what is in flight, records it, and frees. */
void sender_free(struct sender *sender);

/* Records results, settles doubts, and hands over what is planned as far as the
 * connections allow. A transaction of its own. */
bool sender_round(struct sender *sender, GError **error);

/* Readable when results wait. */
int sender_fd(const struct sender *sender);

/* In flight now, and settled doubts since the start: went again, were proved. */
struct sender_figures {
  unsigned in_flight;
  uint64_t accepted, refused, deferred, dropped, doubts_resent, doubts_proved;
};
struct sender_figures sender_figures(const struct sender *sender);
