#pragma once

#include "policyd/policyd.h"

/* What is due: the store keeps every planned instant in buckets of a quarter of
 * an hour; the buckets up to the present one stand in memory, in a heap. So a
 * pop costs the same however much is planned. */
struct timers;

struct timers *timers_new(struct store *store);
void timers_free(struct timers *timers);

/* Plans a journey. Inside a transaction. */
bool timers_add(struct timers *timers, const struct store_due *due, GError **error);

/* Takes back a plan. Inside a transaction. What stands in the heap stays there:
 * timers_pop() may give it, so the taker compares it with the journey. */
bool timers_remove(struct timers *timers, const struct store_due *due, GError **error);

/* The next plan with `at` <= NOW, or *FOUND false. Inside a transaction, in which
 * the taker removes it. After a rollback call timers_reload(). */
bool timers_pop(struct timers *timers, int64_t now, struct store_due *due, bool *found, GError **error);

/* Forgets the heap; the next pop loads it anew. */
void timers_reload(struct timers *timers);

/* When to look again: the next planned instant as far as it is known, INT64_MAX
 * if nothing is planned. */
int64_t timers_next(struct timers *timers, GError **error);
