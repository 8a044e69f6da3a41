/* The table of reasons. */

#include "rewrite/reason.h"

#include <glib.h>

static const struct {
  const char *code, *sentence;
} reasons[] = {
#define REASON(symbol, code, sentence) {code, sentence},
#include "rewrite/reasons.def"
#undef REASON
};

const char *rewrite_reason_code(enum rewrite_reason reason)
{
  g_assert(reason < REWRITE_REASONS);
  return reasons[reason].code;
}

const char *rewrite_reason_sentence(enum rewrite_reason reason)
{
  g_assert(reason < REWRITE_REASONS);
  return reasons[reason].sentence;
}
