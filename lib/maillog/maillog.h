#pragma once

#include <stdbool.h>

/* The mail server's own log, as far as it proves something. */

/* True if Postfix's log file PATH says that it queued QUEUE_ID: qmgr logs
 * "QUEUE_ID: from=<" only for a message that cleanup has committed. Reads the
 * newest 64 MB. What cannot be read proves nothing. */
bool maillog_has_accepted(const char *path, const char *queue_id);
