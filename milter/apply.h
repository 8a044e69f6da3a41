#pragma once

#include <libmilter/mfapi.h>

#include "milter/engine.h"

/* Hands a decision to the MTA in one burst: the body in one contiguous run, then
 * the header, then the recipients. ARGUMENTS are the recipients as the MTA wrote
 * them; LEADING: field values carry the space after the colon. What is to be
 * returned from eom: if a call fails, the whole message is put off. */
sfsistat apply_verdict(SMFICTX *context, struct engine *engine, const struct engine_mail *mail,
                       const GPtrArray *arguments, bool leading, struct engine_verdict *verdict);
