#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

#include "base/id.h"
#include "clock/clock.h"
#include "conf/conf.h"
#include "directory/directory.h"
#include "journal/journal.h"
#include "log/log.h"
#include "metrics/metrics.h"
#include "rewrite/rewrite.h"

/* What milter and filter share: a whole message and its envelope in, the decision
 * out, with its event in the journal. From local files alone: no network, no
 * waiting for another process. Any number of threads. */

struct sign;
struct dkim_key;

struct engine {
  const struct conf *conf;
  const struct clock *clock;
  struct log *log;
  struct directory *directory;
  struct journal *journal; /* atomic; NULL: not open, every mail passes unchanged */
  struct sign *sign;       /* NULL: mail is not signed here; borrowed */
  struct metrics metrics;
  /* Own: */
  GMutex lock;
  struct engine_keys *keys;
  GMutex opening; /* over what follows, and over setting `journal` */
  const char *journal_dir;
  enum id_producer producer;
  int64_t try_at; /* monotonic: when a journal that is not open is tried again */
  struct log_limit signer_before;
  int stale; /* atomic: the directory could not be read anew, and the log says so */
};

/* Opens directory and keys; the journal is opened by engine_open_journal(), as
 * the user that the program becomes. LOG and CLOCK are borrowed. Errors: those of
 * directory_open(); keys that cannot be read are an error too. A journal that
 * cannot be opened is tried again once a second, when there is mail. */
bool engine_open(struct engine *engine, const struct conf *conf, const struct clock *clock, struct log *log,
                 GError **error);
bool engine_open_journal(struct engine *engine, const char *dir, enum id_producer producer, GError **error);
void engine_close(struct engine *engine);

/* Reads the keys anew; the old ones stay on an error. Any thread. */
bool engine_reload(struct engine *engine, GError **error);

/* What the MTA says of a message. All borrowed; strings may be NULL. */
struct engine_mail {
  const char *queue_id;
  const char *sender;          /* of the envelope, without brackets; "": the null sender */
  const GPtrArray *recipients; /* char *, without brackets */
  const char *user;            /* who authenticated */
  const char *listener;        /* the MTA's daemon_name */
  const char *client;          /* address of the client */
  int64_t tenant;              /* 0: to be found out; else the caller vouches for it */
  int64_t id;                  /* the mail's, the same each time it is tried; 0: a fresh one */
  const char *list;            /* NULL: to be found out */
  const char *message;         /* header section, empty line, body */
  size_t length;
  size_t body;     /* where the body begins in it */
  size_t total;    /* bytes of the whole message, also where it is too large to be here */
  bool too_large;  /* the body is not complete: it is over the limit */
  bool one_copy;   /* recipients cannot be taken away, nor the message refused, nor split */
  bool parameters; /* the envelope has some that a copy would lose: NOTIFY, ORCPT, RET, ENVID or others */
};

struct engine_verdict {
  struct rewrite_result *result; /* what to change */
  char *refusal;                 /* not NULL: refuse the message, with this sentence */
  bool split;                    /* copies for all are in the spool: forget the message, as if taken */
  bool put_off;                  /* whether it may go cannot be known now: try again (4xx) */
  struct dkim_key *key;          /* what it is to be signed with; NULL: it is not */
  GArray *remove;                /* size_t: indices of the recipients to be taken away, ascending */
};

/* Decides, logs, and has the event on disk when it returns. Never fails. Release
 * with engine_verdict_clear(). */
void engine_decide(struct engine *engine, const struct engine_mail *mail, struct engine_verdict *verdict);
void engine_verdict_clear(struct engine_verdict *verdict);
