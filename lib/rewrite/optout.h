#pragma once

#include "mail/header.h"

/* What a message asks not to measure, in the fields of other services whose
 * customers move here: optout.def. */

enum rewrite_deny {
  REWRITE_DENY_NOTHING = 0,
  REWRITE_DENY_OPENS = 1,
  REWRITE_DENY_HTML_CLICKS = 2,
  REWRITE_DENY_TEXT_CLICKS = 4,
  REWRITE_DENY_CLICKS = 6,
  REWRITE_DENY_ALL = 7,
};

/* What FIELD of BYTES denies, a set of enum rewrite_deny; NOTHING for a field that
 * is not one of them. A value of no meaning denies all that its field is about. */
unsigned rewrite_optout_read(const char *bytes, const struct mail_field *field);
