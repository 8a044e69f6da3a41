#pragma once

/* Why something was changed or left alone: reasons.def. */

enum rewrite_reason {
#define REASON(symbol, code, sentence) REWRITE_REASON_##symbol,
#include "rewrite/reasons.def"
#undef REASON
  REWRITE_REASONS
};

/* The code ("visible-url") and the sentence of REASON. Static. */
const char *rewrite_reason_code(enum rewrite_reason reason);
const char *rewrite_reason_sentence(enum rewrite_reason reason);
