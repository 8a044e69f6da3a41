/* The life of policyd: open everything, make rounds, close.
 *
 * A round folds what the producers wrote, moves on the journeys that are due,
 * hands over what is to be sent, and publishes what changed. It comes every
 * fold_interval, and at once when a submitter has a result. A round that fails
 * changes nothing and is tried again after a second; the same fault is logged once
 * a minute. */

#include "policyd/serve.h"

#include <glib-unix.h>

#include "keyfile/keyfile.h"
#include "policyd/control.h"
#include "policyd/copies.h"
#include "policyd/engine.h"
#include "policyd/fold.h"
#include "policyd/policyd.h"
#include "policyd/publish.h"
#include "policyd/sender.h"
#include "policyd/timers.h"
#include "policyd/workflows.h"

enum { DUE_BATCH = 500, ROUNDS_AT_ONCE = 8, FAULTS_MAX = 16 };

struct serve {
  struct policyd policyd;
  struct proc *proc;
  GHashTable *faults; /* what was logged in this minute */
  int64_t forget_at;  /* monotonic: the minute's end */
  int64_t rest_until; /* monotonic: after a fault */
  guint tick, results, signals;
};

static void complain(struct serve *serve, GError *error)
{
  int64_t now = g_get_monotonic_time();
  serve->rest_until = now + G_USEC_PER_SEC;
  if (now >= serve->forget_at) {
    g_hash_table_remove_all(serve->faults);
    serve->forget_at = now + CLOCK_MINUTE;
  }
  if (g_hash_table_size(serve->faults) < FAULTS_MAX &&
      g_hash_table_add(serve->faults, g_strdup(error->message)))
    log_event(serve->policyd.log, LOG_EVENT_ROUND_FAILED, NULL, "reason=%s", LOG_VALUE(error->message));
  g_error_free(error);
}

/* A batch of what is due; *MORE if there may be more. */
static bool move_due(struct policyd *policyd, bool *more, GError **error)
{
  int64_t now = policyd_now(policyd);
  *more = false;
  if (timers_next(policyd->timers, error) > now) return true;
  if (!store_begin(policyd->store, error)) return false;
  bool fine = true, found = true;
  int n = 0;
  for (; fine && found && n < DUE_BATCH; n++) {
    struct store_due due;
    fine = timers_pop(policyd->timers, now, &due, &found, error);
    if (fine && found) fine = engine_due(policyd, &due, error);
  }
  if (!fine || !store_commit(policyd->store, error)) {
    policyd_undo(policyd);
    return false;
  }
  *more = found;
  return true;
}

/* *BEHIND: there is more than one turn folds. */
static bool fold_all(struct policyd *policyd, bool *behind, GError **error)
{
  *behind = true;
  for (int i = 0; *behind && i < ROUNDS_AT_ONCE; i++)
    if (!fold_round(policyd->fold, behind, error)) {
      *behind = false;
      return false;
    }
  return true;
}

static bool move_all(struct policyd *policyd, GError **error)
{
  bool more = true;
  for (int i = 0; more && i < ROUNDS_AT_ONCE; i++)
    if (!move_due(policyd, &more, error)) return false;
  return true;
}

/* Each part has its own try: a journal that cannot be read does not keep what is
 * due from being sent. But while events wait to be folded no deadline passes: one
 * of them may be what a journey waits for. */
static void make_round(struct serve *serve)
{
  struct policyd *policyd = &serve->policyd;
  GError *error = NULL;
  bool behind, folded = fold_all(policyd, &behind, &error);
  if (!folded) complain(serve, g_steal_pointer(&error));
  if (!publish_flush(policyd->publish, &error)) complain(serve, g_steal_pointer(&error));
  if (!behind && !move_all(policyd, &error)) complain(serve, g_steal_pointer(&error));
  if (!sender_round(policyd->sender, &error)) complain(serve, g_steal_pointer(&error));
  if (folded && !behind && !copies_sweep(policyd, &error)) complain(serve, g_steal_pointer(&error));
}

static gboolean on_tick(gpointer data)
{
  struct serve *serve = data;
  if (g_get_monotonic_time() >= serve->rest_until) make_round(serve);
  return G_SOURCE_CONTINUE;
}

static gboolean on_result(int fd, GIOCondition condition, gpointer data)
{
  (void)fd, (void)condition;
  struct serve *serve = data;
  GError *error = NULL;
  if (!sender_round(serve->policyd.sender, &error)) complain(serve, error);
  return G_SOURCE_CONTINUE;
}

static void reload(struct serve *serve)
{
  struct policyd *policyd = &serve->policyd;
  g_autoptr(GError) error = NULL;
  struct token_keys *keys = keyfile_load(policyd->conf->keys, &error);
  if (!keys) {
    log_event(policyd->log, LOG_EVENT_RELOAD_FAILED, NULL, "reason=%s", LOG_VALUE(error->message));
    return;
  }
  token_keys_free(policyd->keys);
  policyd->keys = keys;
  zoneinfo_refresh(policyd->zones);
  log_reopen(policyd->log, NULL);
  log_event(policyd->log, LOG_EVENT_RELOADED, NULL, "%s", "");
}

static gboolean on_signal(int fd, GIOCondition condition, gpointer data)
{
  (void)fd, (void)condition;
  struct serve *serve = data;
  switch (proc_signal(serve->proc, 0)) {
  case PROC_STOP:
    g_main_loop_quit(serve->policyd.loop);
    break;
  case PROC_RELOAD:
    reload(serve);
    break;
  case PROC_NONE:
    break;
  }
  return G_SOURCE_CONTINUE;
}

static bool open_all(struct policyd *policyd, GError **error)
{
  const struct conf *conf = policyd->conf;
  g_autofree char *folder = g_path_get_dirname(conf->policyd_database);
  g_mkdir_with_parents(folder, 0700);
  policyd->workflows = workflows_new(policyd);
  policyd->publish = publish_new(policyd);
  return (policyd->keys = keyfile_load(conf->keys, error)) &&
         (policyd->zones = zoneinfo_open(conf->zoneinfo, error)) &&
         (policyd->store = store_open(conf->policyd_database, (uint8_t)conf->node, error)) &&
         (policyd->timers = timers_new(policyd->store)) && (policyd->fold = fold_new(policyd, error)) &&
         (policyd->sender = sender_new(policyd, error)) && publish_flush(policyd->publish, error) &&
         (policyd->control = control_new(policyd, conf->policyd_control, error));
}

static void close_all(struct policyd *policyd)
{
  control_free(policyd->control);
  sender_free(policyd->sender);
  fold_free(policyd->fold);
  timers_free(policyd->timers);
  publish_free(policyd->publish);
  workflows_free(policyd->workflows);
  store_close(policyd->store);
  zoneinfo_close(policyd->zones);
  token_keys_free(policyd->keys);
}

static void run(struct serve *serve)
{
  struct policyd *policyd = &serve->policyd;
  policyd->loop = g_main_loop_new(NULL, FALSE);
  serve->tick = g_timeout_add((guint)(policyd->conf->policyd_fold_interval / 1000), on_tick, serve);
  serve->results = g_unix_fd_add(sender_fd(policyd->sender), G_IO_IN, on_result, serve);
  serve->signals = g_unix_fd_add(serve->proc->signals, G_IO_IN, on_signal, serve);
  proc_ready(serve->proc);
  g_main_loop_run(policyd->loop);
  g_source_remove(serve->tick);
  g_source_remove(serve->results);
  g_source_remove(serve->signals);
  g_main_loop_unref(policyd->loop);
}

bool serve(struct proc *proc, GError **error)
{
  struct serve serve = {.proc = proc,
                        .faults = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                        .policyd = {.conf = proc->conf,
                                    .clock = proc->clock,
                                    .log = proc->log,
                                    .hostname = proc->conf->hostname,
                                    .started = clock_now(proc->clock)}};
  bool opened = open_all(&serve.policyd, error);
  if (opened) run(&serve);
  close_all(&serve.policyd);
  g_hash_table_unref(serve.faults);
  return opened;
}
