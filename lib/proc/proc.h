#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

#include "clock/clock.h"
#include "conf/conf.h"
#include "log/log.h"

/* What all daemons share: options, configuration, log, privileges, signals. A
 * main() calls, in this order:
 *
 *   proc_start()   options, configuration, clock, log; -n and -V end here
 *   …              open what needs root: sockets, keys
 *   proc_drop()    become the configured user
 *   …              open the journal
 *   proc_ready()   tell the service manager
 *   …              serve until proc_signal() says stop
 *   proc_end() */

struct proc;

struct proc_program {
  const char *name;    /* "tidings-tracker" */
  const char *summary; /* for --help: what it does, one sentence */
  const char *section; /* its section in the configuration; see PROC_SECTION */
  size_t user, group, groups;
  bool libmilter; /* libmilter stops on SIGTERM, SIGINT and SIGHUP by itself; we keep SIGUSR1 */
  /* What else -n tests (files that the configuration names), or NULL. */
  bool (*check)(const struct proc *proc, GError **error);
};

/* Initialises the fields of a daemon with a section of its own. */
#define PROC_SECTION(name)                                                                                   \
  .section = #name, .user = offsetof(struct conf, name##_user),                                              \
  .group = offsetof(struct conf, name##_group), .groups = offsetof(struct conf, name##_groups)

struct proc {
  const struct proc_program *program;
  struct conf *conf; /* hostname is filled in */
  struct clock *clock;
  struct log *log;
  int signals; /* readable when proc_signal() has something to say */
};

/* Begins the program: reads -c FILE, -n, --clock FILE, -V, --help; loads the
 * configuration, refuses secrets that others can read, checks the user, opens
 * the log, sets umask 007, raises the limit of open files, blocks the signals
 * that proc_signal() reports (so: before any thread is made) and ignores
 * SIGPIPE. PROGRAM is borrowed. NULL if the program shall end now, with *STATUS
 * (0 after -n with a good file, 78 after a bad one, 64 for a bad option); what
 * there was to say has been said on stderr. */
struct proc *proc_start(const struct proc_program *program, int argc, char **argv, int *status);

/* Becomes the user, group and further groups of the program's section for good.
 * Nothing to do if not started by root. Errors: SYS. */
bool proc_drop(struct proc *proc, GError **error);

/* Tells the service manager (sd_notify's READY=1) and the log. */
void proc_ready(struct proc *proc);

enum proc_signal { PROC_NONE, PROC_STOP, PROC_RELOAD };

/* What was asked by signal: SIGTERM and SIGINT stop, SIGHUP and SIGUSR1 reload
 * (a libmilter program: SIGUSR1 alone). Waits up to TIMEOUT milliseconds (-1:
 * for ever, 0: not at all). One thread at a time. */
enum proc_signal proc_signal(struct proc *proc, int timeout);

/* Logs ERROR, frees it and all, and returns the exit status for it: 78 INPUT, 75
 * TEMP, 77 DENIED, 71 otherwise. */
int proc_fail(struct proc *proc, GError *error);

/* Ends in order: tells the service manager and the log, frees all. Returns 0. */
int proc_end(struct proc *proc);

/* Is PATH, a file of secrets, closed to others? A file that is not there
 * is. Errors: SYS, with the chmod that mends it. */
bool proc_check_secret(const char *path, GError **error);
