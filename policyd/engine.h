#pragma once

#include <jansson.h>

#include "flow/flow.h"
#include "policyd/policyd.h"

/* Journeys: an event starts them, an event or a timer moves them on. Everything
 * here stands in the transaction of whoever calls, so an event and its effects
 * are one. */

/* An event as the workflow language sees it; borrows from DATA, its JSON. */
struct flow_event engine_view(enum event_kind kind, int64_t at, const json_t *data);

/* EVENT, which is in the store already, happened to CONTACT (0: nobody we know).
 * Moves on what waits for it and starts what it triggers. CAUSE (an object, may
 * be NULL) is kept for the messages. */
bool engine_event(struct policyd *policyd, int64_t tenant, int64_t contact, const struct flow_event *event,
                  const json_t *cause, GError **error);

/* True if EVENT starts any workflow of TENANT: then its contact is worth making. */
bool engine_triggers(struct policyd *policyd, int64_t tenant, const struct flow_event *event, GError **error);

/* A plan has come due. A stale one is dropped. */
bool engine_due(struct policyd *policyd, const struct store_due *due, GError **error);

/* A send of a journey came to OUTCOME at AT. A second word about the same send
 * changes nothing. */
bool engine_sent(struct policyd *policyd, const struct store_send *send, enum flow_outcome outcome,
                 int64_t at, GError **error);

/* The contact has left LIST (by id): the journeys that mail for it end. */
bool engine_unsubscribed(struct policyd *policyd, int64_t tenant, int64_t contact, int64_t list,
                         GError **error);

/* The zone of a contact: its own, the workflow's, the tenant's, the host's. One
 * that is not known is logged and passed over. Never NULL. */
const struct tz_zone *engine_zone(struct policyd *policyd, const char *contact_zone, const struct flow *flow,
                                  int64_t tenant);
