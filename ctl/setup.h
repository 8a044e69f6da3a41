#pragma once

#include <stdbool.h>

#include <glib.h>

#include "conf/conf.h"

/* tidings setup postfix: what is to be changed (setup_plan.c), by postconf
 * (setup_postconf.c), and back again (setup_undo.c). */

/* ---- lists of milters (setup_list.c); pure */

/* The elements of a value of smtpd_milters: separated by white space or commas, a
 * { … } being one. char *, freed with the array. */
GPtrArray *setup_list_split(const char *value);

/* The elements as a value, with ", " between them, or, where TIGHT (postconf -P takes
 * no white space), with no white space at all. Caller frees. */
char *setup_list_join(const GPtrArray *list, bool tight);

/* The index of SOCKET in LIST; -1: it is not there. Sockets are the same also if one
 * is named from QUEUE (the queue folder) and the other from the root. */
int setup_list_find(const GPtrArray *list, const char *socket, const char *queue);

/* Whether an element is known to be a program that signs, or may sign. */
bool setup_list_signs(const char *element);

/* SOCKET ("unix:/path", "inet:port@address") as Postfix writes it, from QUEUE if it is
 * below it: a service in a chroot finds it there. Caller frees. */
char *setup_list_socket(const char *socket, const char *queue);

/* ---- postconf (setup_postconf.c) */

struct setup_postconf {
  char *program;
  char *folder; /* of main.cf; NULL: where postconf looks by itself */
};

/* Finds postconf. Errors: NOTFOUND. */
bool setup_postconf_find(struct setup_postconf *postconf, const char *folder, GError **error);
void setup_postconf_clear(struct setup_postconf *postconf);

/* What postconf prints when called with these words, up to NULL, after its -c. Caller
 * frees. NULL: an error, with its words. */
char *setup_postconf_read(const struct setup_postconf *postconf, GError **error, ...) G_GNUC_NULL_TERMINATED;

/* ---- the plan (setup_plan.c) */

struct setup_change {
  bool master;                 /* of master.cf: NAME is "service/type/parameter" */
  char *name, *before, *after; /* BEFORE NULL: it was not set */
};

struct setup_plan {
  char *folder;        /* of main.cf and master.cf */
  char *socket;        /* ours, as Postfix writes it */
  char *queue;         /* the queue folder */
  GPtrArray *changes;  /* struct setup_change * */
  GPtrArray *warnings; /* char * */
};

/* Looks at the configuration and says what to change. Errors: SYS postconf fails,
 * INPUT the socket cannot be reached from a chroot. Release with setup_plan_clear(),
 * also after an error. */
bool setup_plan_make(struct setup_plan *plan, const struct setup_postconf *postconf, const struct conf *conf,
                     GError **error);
void setup_plan_clear(struct setup_plan *plan);

struct setup_change *setup_change_new(bool master, const char *name, const char *before, const char *after);
void setup_change_free(struct setup_change *change);

/* The command that makes CHANGE, or takes it back, as words for
 * setup_postconf_run(). Caller frees with g_strfreev(). */
char **setup_change_words(const struct setup_change *change, bool back);

/* The commands that make all CHANGES, one of a kind: char **, freed with the array. */
GPtrArray *setup_change_commands(const GPtrArray *changes);

/* Adds the command WORDS, which it takes, to COMMANDS: to the last one if it is of the
 * same kind. Each postconf waits for files that have only just changed. */
void setup_add_command(GPtrArray *commands, char **words);

/* Runs postconf with WORDS. */
bool setup_postconf_run(const struct setup_postconf *postconf, char **words, GError **error);
/* The same as a line for a shell. Caller frees. */
char *setup_postconf_line(const struct setup_postconf *postconf, char **words);

/* ---- what was there (setup_undo.c) */

/* Makes the changes of PLAN; before that keeps in the folder KEPT what was there. After
 * an error main.cf and master.cf are as they were. */
bool setup_apply(const struct setup_plan *plan, const struct setup_postconf *postconf, const char *kept,
                 GError **error);

/* How a setup is undone. */
struct setup_undo {
  struct setup_plan plan; /* what was changed; no socket: nothing was */
  bool whole[2];          /* main.cf, master.cf: still as we left it, so it is put back whole */
  GPtrArray *steps;       /* char **: else one command for each */
};

/* Reads KEPT. Errors: NOTFOUND nothing was set up; INPUT it was for another folder. */
bool setup_undo_read(struct setup_undo *undo, const struct setup_postconf *postconf, const char *kept,
                     GError **error);
bool setup_undo_run(const struct setup_undo *undo, const struct setup_postconf *postconf, const char *kept,
                    GError **error);
void setup_undo_clear(struct setup_undo *undo);
