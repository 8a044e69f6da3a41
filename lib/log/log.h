#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "clock/clock.h"

/* The log: one event, one line, `queueid: event key=value …`. The events are
 * the rows of events.def. */

enum log_event {
#define LOG(symbol, name, level, text) LOG_EVENT_##symbol,
#include "log/events.def"
#undef LOG
  LOG_N_EVENTS
};

struct log;

/* Opens TARGET: "stderr", "syslog" (facility mail), or the path of a file that is
 * appended to, its lines beginning with the time. PROGRAM is the name in the
 * lines; both and CLOCK are borrowed. Errors: SYS. Free with log_close(). */
struct log *log_open(const char *target, const char *program, const struct clock *clock, GError **error);
void log_close(struct log *log);

/* Opens the file anew, for log rotation; keeps the old one on failure. */
bool log_reopen(struct log *log, GError **error);

/* Logs EVENT about the message QUEUEID (NULL: none). FORMAT makes the
 * `key=value` pairs (at least one); a value that is foreign or may hold spaces goes through
 * LOG_VALUE(). Whatever is in the line, no control byte reaches the log, and it is cut at LOG_MAX_LINE. LOG
 * NULL: nothing happens. Any thread. */
void log_event(struct log *log, enum log_event event, const char *queueid, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

enum { LOG_MAX_LINE = 2000, LOG_MAX_VALUE = 512 };

/* TEXT as a value: as it is if it is a plain word, else in double quotes with
 * " \ and control bytes escaped; cut at SIZE (with …). NULL is `-`. Returns BUFFER. */
const char *log_value(const char *text, char *buffer, size_t size);

/* The same in a buffer that lives as long as the enclosing block. */
#define LOG_VALUE(text) log_value((text), (char[LOG_MAX_VALUE]){0}, LOG_MAX_VALUE)

/* A fault that repeats is logged once in an INTERVAL. Any thread. */
struct log_limit {
  _Atomic int64_t until;
  _Atomic uint64_t held;
};

/* True if it may be logged now; *HELD is then how many were held back since
 * the last one. NOW and INTERVAL in microseconds. */
bool log_due(struct log_limit *limit, int64_t now, int64_t interval, uint64_t *held);

/* The event's name ("started"). Static. */
const char *log_event_name(enum log_event event);
