/* The log of a program.
 *
 * log_open() once, log_event() from any thread, log_close() at the end. A line
 * is made whole in a buffer on the stack and leaves in one write(2), so threads
 * need no lock. Escaping happens last, over the whole line: no caller can forget
 * it. */

#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <syslog.h>
#include <unistd.h>

#include "base/error.h"

struct log {
  const char *program;
  const struct clock *clock;
  char *path;     /* of a file */
  _Atomic int fd; /* -1: syslog */
};

static const struct {
  const char *name;
  int level;
} events[] = {
#define LOG(symbol, name, level, text) {name, LOG_##level},
#include "log/events.def"
#undef LOG
};

static int open_file(const char *path, GError **error)
{
  int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0)
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "log file %s: %s", path, g_strerror(errno));
  return fd;
}

struct log *log_open(const char *target, const char *program, const struct clock *clock, GError **error)
{
  struct log *log = g_new0(struct log, 1);
  log->program = program;
  log->clock = clock;
  if (strcmp(target, "stderr") == 0) {
    log->fd = STDERR_FILENO;
  } else if (strcmp(target, "syslog") == 0) {
    log->fd = -1;
    openlog(program, LOG_PID, LOG_MAIL);
  } else {
    log->path = g_strdup(target);
    log->fd = open_file(target, error);
    if (log->fd < 0) {
      log_close(log);
      return NULL;
    }
  }
  return log;
}

void log_close(struct log *log)
{
  if (!log) return;
  if (log->path && log->fd >= 0) close(log->fd);
  if (!log->path && log->fd < 0) closelog();
  g_free(log->path);
  g_free(log);
}

bool log_reopen(struct log *log, GError **error)
{
  if (!log->path) return true;
  int fd = open_file(log->path, error);
  if (fd < 0) return false;
  /* dup3 and not close: another thread may be writing to the number. */
  dup3(fd, log->fd, O_CLOEXEC);
  close(fd);
  return true;
}

static bool is_plain(const char *text)
{
  for (const char *p = text; *p; p++)
    if ((unsigned char)*p <= ' ' || *p == '"' || *p == '\\' || *p == 0x7f) return false;
  return *text != '\0';
}

/* The length of the UTF-8 character at TEXT, 0 if it is none or a C1 control. */
static size_t utf8_length(const char *text, size_t left)
{
  gunichar c = g_utf8_get_char_validated(text, (gssize)left);
  if (c == (gunichar)-1 || c == (gunichar)-2 || c < 0xa0) return 0;
  return (size_t)(g_utf8_next_char(text) - text);
}

/* Copies TEXT to OUT (SIZE bytes, NUL included) with all but printable
 * characters as \xNN; true if all of it fitted. */
static bool escape(const char *text, char *out, size_t size)
{
  size_t length = strlen(text), n = 0;
  for (size_t i = 0; i < length;) {
    unsigned char c = (unsigned char)text[i];
    size_t whole = c >= 0x80 ? utf8_length(text + i, length - i) : c >= ' ' && c < 0x7f;
    if (n + (whole ? whole : 4) >= size) {
      out[n] = '\0';
      return false;
    }
    if (whole)
      memcpy(out + n, text + i, whole);
    else
      snprintf(out + n, 5, "\\x%02x", c);
    n += whole ? whole : 4;
    i += whole ? whole : 1;
  }
  out[n] = '\0';
  return true;
}

const char *log_value(const char *text, char *buffer, size_t size)
{
  if (!text) return "-";
  if (is_plain(text) && strlen(text) < size) return memcpy(buffer, text, strlen(text) + 1);
  size_t n = 0;
  const char *p = text;
  buffer[n++] = '"';
  for (; *p && n + 8 < size; p++) {
    bool mark = *p == '"' || *p == '\\';
    if (mark) buffer[n++] = '\\';
    buffer[n++] = *p;
  }
  if (*p) {
    memcpy(buffer + n, "…", 3);
    n += 3;
  }
  buffer[n++] = '"';
  buffer[n] = '\0';
  return buffer;
}

static void write_line(struct log *log, int level, const char *line)
{
  char text[LOG_MAX_LINE + 128];
  int n;
  if (log->fd < 0) {
    syslog(level, "%s", line);
    return;
  }
  if (log->path) {
    int64_t now = clock_now(log->clock);
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(now / CLOCK_SECOND);
    g_autofree char *stamp = g_date_time_format(time, "%Y-%m-%dT%H:%M:%S");
    n = snprintf(text, sizeof text, "%s.%03dZ %s[%d]: %s\n", stamp, (int)(now / 1000 % 1000), log->program,
                 (int)getpid(), line);
  } else {
    n = snprintf(text, sizeof text, "%s: %s\n", log->program, line);
  }
  /* A log that cannot be written has nobody to be told to. */
  ssize_t written = write(log->fd, text, MIN((size_t)n, sizeof text - 1));
  (void)written;
}

void log_event(struct log *log, enum log_event event, const char *queueid, const char *format, ...)
{
  char raw[LOG_MAX_LINE], line[LOG_MAX_LINE];
  if (!log) return;
  int head =
      snprintf(raw, sizeof raw, "%s%s%s", queueid ? queueid : "", queueid ? ": " : "", events[event].name);
  if (*format && head < (int)sizeof raw - 1) {
    raw[head++] = ' ';
    va_list args;
    va_start(args, format);
    vsnprintf(raw + head, sizeof raw - (size_t)head, format, args);
    va_end(args);
  }
  escape(raw, line, sizeof line);
  write_line(log, events[event].level, line);
}

bool log_due(struct log_limit *limit, int64_t now, int64_t interval, uint64_t *held)
{
  int64_t until = limit->until;
  /* A clock that stepped back does not silence the log for longer than an interval. */
  bool quiet = now < until && until - now <= interval;
  if (quiet || !atomic_compare_exchange_strong(&limit->until, &until, now + interval)) {
    limit->held++;
    return false;
  }
  *held = atomic_exchange(&limit->held, 0);
  return true;
}

const char *log_event_name(enum log_event event)
{
  return events[event].name;
}
