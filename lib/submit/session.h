#pragma once

#include "submit/submit.h"

/* One SMTP connection to the MTA and the libcurl handle that owns it. It belongs
 * to one thread. */
struct submit_session;

/* NULL if OPTIONS name no server that a URL could. Nothing is connected yet.
 * Errors: SYS. */
struct submit_session *submit_session_new(const struct submit_options *options, GError **error);

/* Hands over JOB and fills RESULT. Connects if there is no connection, and leaves
 * it open for the next job when it is in order. Blocks for reply_seconds at most,
 * and the time of one farewell. */
void submit_session_deliver(struct submit_session *session, const struct submit_job *job,
                            struct submit_result *result);

/* Says goodbye and closes the connection, if there is one. Waits for nothing. */
void submit_session_rest(struct submit_session *session);

/* Rests and frees. SESSION may be NULL. */
void submit_session_free(struct submit_session *session);
