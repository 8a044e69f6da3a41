/* Counters: the table, and how Prometheus wants to see it. */

#include "metrics/metrics.h"

#include <stdatomic.h>
#include <string.h>

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
