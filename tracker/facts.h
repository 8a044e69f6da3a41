#pragma once

#include <stdbool.h>

#include <glib.h>

#include "token/token.h"

/* What a hit says, as the `data` of its event (event/event.h): a JSON object.
 * Pure. Foreign text becomes valid UTF-8, with U+FFFD for what is none. */

enum { FACTS_MAX_USER_AGENT = 256 };

/* Appends {"method","ua"} of an open, and "link" and "url" of a click. The user
 * agent (NULL: none) is cut at FACTS_MAX_USER_AGENT bytes. */
void facts_hit(const struct token *token, const char *method, const char *user_agent, GString *out);

/* Appends {"list","address","how"} of an unsubscribe token ("list\naddress"). */
void facts_unsubscribe(const struct token *token, bool one_click, GString *out);
