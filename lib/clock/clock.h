#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

/* The one place that reads the clock. A program makes one clock at start and
 * everything else is given `now`: int64 microseconds since 1970-01-01 UTC. */
struct clock;

/* One second, minute, hour and civil-free day in clock units. */
#define CLOCK_SECOND INT64_C(1000000)
#define CLOCK_MINUTE (60 * CLOCK_SECOND)
#define CLOCK_HOUR   (60 * CLOCK_MINUTE)
#define CLOCK_DAY    (24 * CLOCK_HOUR)

/* Opens the clock. FILE NULL: the system's clock. Otherwise a clock file shared
 * with a test or the demo: 16 bytes in host order, int64 `start` and int64
 * `since`. `since` 0: time stands still at `start`; else time runs, and the
 * system time `since` is shown as `start`. The file is mapped, so a change of
 * it is seen at once. Caller frees with clock_close(). Errors: SYS. */
struct clock *clock_open(const char *file, GError **error);
void clock_close(struct clock *clock);

/* The time now, microseconds UTC. Any thread. */
int64_t clock_now(const struct clock *clock);

/* True if the clock follows a file: waiting loops then poll instead of
 * sleeping until a planned instant. */
bool clock_is_controlled(const struct clock *clock);
