#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

/* Counters of a program, the rows of counters.def, shown in Prometheus' text
 * format (version 0.0.4). The program owns the struct; all zero at start. */

enum metric {
#define COUNTER(symbol, name, labels, help) METRIC_##symbol,
#include "metrics/counters.def"
#undef COUNTER
  METRIC_N
};

struct metrics {
  _Atomic uint64_t values[METRIC_N];
};

/* Adds N to METRIC. Any thread. */
void metrics_add(struct metrics *metrics, enum metric metric, uint64_t n);

/* The value of METRIC. */
uint64_t metrics_value(const struct metrics *metrics, enum metric metric);

/* Appends all counters whose name begins with PREFIX ("tidings_tracker_"). */
void metrics_print(const struct metrics *metrics, const char *prefix, GString *out);

/* Writes them to the file PATH, which everybody may read (0644); made beside it
 * and renamed, so that a reader always meets a whole one. Not durable. Errors:
 * SYS. */
bool metrics_write(const struct metrics *metrics, const char *prefix, const char *path, GError **error);
