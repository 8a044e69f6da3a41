#pragma once

#include "policyd/policyd.h"

/* Copies of split mails: what the milter left in the spool, one message for one
 * recipient. In state a copy is a row of `send` without a step, whose journey is the
 * mail's id; the sender treats it like a workflow's send, and asks here where the
 * two differ. */

/* Is SEND a copy? */
bool copies_is(const struct store_send *send);

/* Folds EVENT_SPOOLED: the copy is planned. */
bool copies_plan(struct policyd *policyd, int64_t tenant, int64_t mail, int64_t contact, int64_t at,
                 GError **error);

/* The milter saw the copy MAIL pass as QUEUE_ID. One that is not known is no error. */
bool copies_offered(struct policyd *policyd, int64_t tenant, int64_t mail, const char *queue_id,
                    GError **error);

/* Reads what is to be sent: the caller's strings and bytes, the marker on top.
 * Errors: NOTFOUND, INPUT (it is lost); else: try again. */
bool copies_load(struct policyd *policyd, const struct store_send *send, char **sender, char **recipient,
                 GBytes **bytes, GError **error);

/* The MTA refused the copy for good with REPLY: plans a report (RFC 3464) to its
 * sender, in the transaction that stands. A copy from the null sender has none. */
bool copies_report(struct policyd *policyd, const struct store_send *send, const char *reply, GError **error);

/* Has it been tried for as long as a mail server tries? */
bool copies_is_old(const struct policyd *policyd, const struct store_send *send);

/* Removes the file of a copy whose end is committed. */
void copies_remove(struct policyd *policyd, int64_t tenant, int64_t mail);

/* Removes files that belong to nothing: of copies whose end is in state, and those
 * that a milter left which died before its journal had them. To be called when all
 * journals are folded. Looks once in ten minutes. A transaction of its own. */
bool copies_sweep(struct policyd *policyd, GError **error);
