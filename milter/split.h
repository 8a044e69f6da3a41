#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "journal/journal.h"
#include "milter/engine.h"

/* A mail to several recipients becomes a copy for each, in the spool: the original's
 * own bytes, so To and Cc stay as written and nobody learns of a Bcc. policyd hands
 * the copies to the MTA, and they come back through this milter one by one. */

struct split {
  struct engine *engine;
  const struct engine_mail *mail;
  const GArray *remove;    /* indices of recipients that get none, ascending */
  struct journal *journal; /* NULL: not open */
  int64_t tenant, now;
  guint copies;        /* out: how many were made, */
  int64_t first, last; /* and their ids */
};

/* Why the mail is not to be split, a word of the log event "unsplit"; NULL if it may
 * be. Who sent it must not lose what the envelope asks for. */
const char *split_hindrance(const struct split *split);

/* Makes the copies. True: the files and the journal that tells of them are on disk,
 * so the MTA may be told to forget the original. False: there is nothing of them,
 * and the mail is to pass as one. Errors: those of spool_write() and
 * journal_write(). */
bool split_make(struct split *split, GError **error);
