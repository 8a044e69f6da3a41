#pragma once

#include "policyd/policyd.h"

/* Folds the producers' journals into state, each event exactly once: its effects
 * and the journal's position are one transaction. */
struct fold;

struct fold *fold_new(struct policyd *policyd, GError **error);
void fold_free(struct fold *fold);

/* Folds up to a batch of what is new; *MORE if there may be more. What is said
 * about a mail is folded after the mail. Errors leave everything as it was. */
bool fold_round(struct fold *fold, bool *more, GError **error);

/* Events folded since the start. */
uint64_t fold_count(const struct fold *fold);

/* Records an event of policyd's own making: adds it to the store, counts it, and
 * lets the engine see it. Inside a transaction. EVENT's id and tenant are set;
 * CONTACT 0 if it is about nobody we know. */
bool fold_event(struct policyd *policyd, const struct event *event, int64_t contact, GError **error);

/* CONTACT leaves LIST: subscription, suppression, and the journeys that mail for
 * it end. The event itself is the caller's. Inside a transaction. */
bool fold_unsubscribe(struct policyd *policyd, int64_t tenant, int64_t contact, const char *address,
                      int64_t list, const char *source, int64_t at, GError **error);
