/* Counters: the table, and how Prometheus wants to see it. */

#include "metrics/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

static const struct {
  const char *name, *labels, *help;
} counters[] = {
#define COUNTER(symbol, name, labels, help) {name, labels, help},
#include "metrics/counters.def"
#undef COUNTER
};

void metrics_add(struct metrics *metrics, enum metric metric, uint64_t n)
{
  atomic_fetch_add_explicit(&metrics->values[metric], n, memory_order_relaxed);
}

uint64_t metrics_value(const struct metrics *metrics, enum metric metric)
{
  return atomic_load_explicit(&metrics->values[metric], memory_order_relaxed);
}

void metrics_print(const struct metrics *metrics, const char *prefix, GString *out)
{
  const char *last = "";
  for (size_t i = 0; i < METRIC_N; i++) {
    const char *name = counters[i].name, *labels = counters[i].labels;
    if (!g_str_has_prefix(name, prefix)) continue;
    if (strcmp(name, last) != 0)
      g_string_append_printf(out, "# HELP %s %s\n# TYPE %s counter\n", name, counters[i].help, name);
    last = name;
    g_string_append_printf(out, "%s%s%s%s %" G_GUINT64_FORMAT "\n", name, *labels ? "{" : "", labels,
                           *labels ? "}" : "", metrics_value(metrics, (enum metric)i));
  }
}

/* A new file of our own: nothing that somebody put in its place is followed. */
static bool write_new(const char *path, const GString *text)
{
  unlink(path);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  errno = 0;
  ssize_t written = write(fd, text->str, text->len);
  bool good = written == (ssize_t)text->len && fchmod(fd, 0644) == 0; /* whatever the umask */
  if (!good && errno == 0) errno = ENOSPC;
  int because = errno;
  close(fd);
  errno = because;
  return good;
}

bool metrics_write(const struct metrics *metrics, const char *prefix, const char *path, GError **error)
{
  g_autoptr(GString) text = g_string_new(NULL);
  g_autofree char *aside = g_strconcat(path, ".new", NULL);
  metrics_print(metrics, prefix, text);
  if (write_new(aside, text) && rename(aside, path) == 0) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: cannot write the counters: %s", path,
              g_strerror(errno));
  unlink(aside);
  return false;
}
