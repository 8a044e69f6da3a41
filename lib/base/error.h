#pragma once

#include <glib.h>

/* Every fallible function of the project fills a GError of this domain. The
 * code is the kind of failure: it decides what a caller does about it, on the
 * mail path above all. */
#define TIDINGS_ERROR (tidings_error_quark())

enum tidings_error {
  TIDINGS_ERROR_INPUT,    /* foreign bytes are wrong: leave the mail alone, answer 400 */
  TIDINGS_ERROR_LIMIT,    /* a cap was reached, or input-sized memory was refused */
  TIDINGS_ERROR_TEMP,     /* may succeed later: keep the work, answer 4xx */
  TIDINGS_ERROR_SYS,      /* our machine, files or configuration are broken */
  TIDINGS_ERROR_NOTFOUND, /* no such thing */
  TIDINGS_ERROR_DENIED,   /* not yours, or a proof is missing */
};

/* The error domain. */
GQuark tidings_error_quark(void);

/* A short lower-case word for the kind of ERROR ("input", "limit", …), for log
 * lines and --json. Static. */
const char *tidings_error_kind(const GError *error);
