#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Who was it? A first verdict on a hit, with the reason. Raw facts are never
 * dropped; only human-likely clicks may move a journey. */

enum verdict { VERDICT_UNKNOWN, VERDICT_HUMAN, VERDICT_MACHINE };

struct verdict_hit {
  const char *method;     /* "GET", "HEAD", … */
  const char *user_agent; /* NULL: none was sent */
  int64_t since_sent;     /* microseconds between the mail and the hit */
};

/* The verdict; *REASON is a static word of reasons.def ("head", "prefetch",
 * "proxy", "scanner", "too-soon", "none"). */
enum verdict verdict_of(const struct verdict_hit *hit, const char **reason);

/* "unknown", "human", "machine". Static. */
const char *verdict_name(enum verdict verdict);
