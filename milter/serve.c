/* The daemon around the sessions. libmilter owns the main thread and ends on
 * SIGTERM or SIGINT (and on SIGHUP, which is why we reload on SIGUSR1); a second
 * thread waits for reloads and writes the counters to their file. */

#include "milter/serve.h"

#include <errno.h>
#include <grp.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <libmilter/mfapi.h>

#include "base/error.h"
#include "milter/engine.h"
#include "milter/session.h"
#include "milter/sign.h"

enum { BACKLOG = 1024, ARENAS = 4, BIG = 256 * 1024, METRICS_MS = 15000 };

struct server {
  struct proc *proc;
  struct engine engine;
  pthread_t reloader;
  atomic_bool stopping;
  struct log_limit metrics_failed;
};

static bool fail(GError **error, const char *what, const char *path)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: %s: %s", path, what, g_strerror(errno));
  return false;
}

/* Who may connect: the mode, and the group that the MTA is in. A socket in a
 * set-gid folder has that folder's group already. */
static bool open_to_mta(const struct conf *conf, const char *path, GError **error)
{
  if (conf->milter_socket_group) {
    const struct group *group = getgrnam(conf->milter_socket_group);
    if (!group) {
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "milter.socket_group: there is no group %s",
                  conf->milter_socket_group);
      return false;
    }
    if (chown(path, (uid_t)-1, group->gr_gid) < 0)
      return fail(error, "cannot give the socket to its group", path);
  }
  if (chmod(path, (mode_t)conf->milter_socket_mode) < 0)
    return fail(error, "cannot set the socket's mode", path);
  return true;
}

/* libmilter would take the path from another milter that lives, and says little
 * of one that is too long. */
static bool check_socket(const char *path, GError **error)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (g_strlcpy(address.sun_path, path, sizeof address.sun_path) >= sizeof address.sun_path) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
                "milter.socket: %s: a socket's path has at most %zu bytes", path,
                sizeof address.sun_path - 1);
    return false;
  }
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool alive = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
  if (fd >= 0) close(fd);
  if (alive)
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_TEMP, "%s: another milter serves it; stop it first",
                path);
  return !alive;
}

/* Binds the socket; one left by a process that was killed is removed. */
static bool open_socket(const struct conf *conf, GError **error)
{
  bool local = g_str_has_prefix(conf->milter_socket, "unix:");
  const char *path = local ? conf->milter_socket + strlen("unix:") : conf->milter_socket;
  if (local && !check_socket(path, error)) return false;
  if (smfi_setconn(conf->milter_socket) != MI_SUCCESS || smfi_setbacklog(BACKLOG) != MI_SUCCESS ||
      smfi_opensocket(true) != MI_SUCCESS)
    return fail(error, "cannot listen", path);
  return !local || open_to_mta(conf, path, error);
}

/* A journal that cannot be written stops no mail: it passes unchanged. Another
 * milter on the same journal is a mistake. */
static bool open_journal(struct server *server, GError **error)
{
  g_autoptr(GError) fault = NULL;
  const char *dir = server->proc->conf->milter_journal;
  if (engine_open_journal(&server->engine, dir, ID_MILTER, &fault)) return true;
  if (g_error_matches(fault, TIDINGS_ERROR, TIDINGS_ERROR_TEMP)) {
    g_propagate_error(error, g_steal_pointer(&fault));
    return false;
  }
  log_event(server->proc->log, LOG_EVENT_JOURNAL_FAILED, NULL, "reason=%s", LOG_VALUE(fault->message));
  return true;
}

static void reload(struct server *server)
{
  g_autoptr(GError) error = NULL;
  struct log *log = server->proc->log;
  bool good = log_reopen(log, &error) && engine_reload(&server->engine, &error) &&
              sign_reload(server->engine.sign, &error) && open_journal(server, &error);
  if (good)
    log_event(log, LOG_EVENT_RELOADED, NULL, "%s", "");
  else
    log_event(log, LOG_EVENT_RELOAD_FAILED, NULL, "reason=%s", LOG_VALUE(error->message));
}

static void write_metrics(struct server *server)
{
  const struct proc *proc = server->proc;
  g_autoptr(GError) error = NULL;
  uint64_t held;
  if (metrics_write(&server->engine.metrics, "tidings_milter_", proc->conf->milter_metrics_file, &error))
    return;
  if (log_due(&server->metrics_failed, clock_now(proc->clock), CLOCK_HOUR, &held))
    log_event(proc->log, LOG_EVENT_METRICS_FAILED, NULL, "reason=%s", LOG_VALUE(error->message));
}

/* The second thread: reloads, and the counters' file, also at its end. */
static void *keep_house(void *argument)
{
  struct server *server = argument;
  bool metrics = server->proc->conf->milter_metrics_file != NULL;
  for (;;) {
    bool stopping = server->stopping;
    if (metrics) write_metrics(server);
    if (stopping) return NULL;
    enum proc_signal what = proc_signal(server->proc, metrics ? METRICS_MS : -1);
    if (what == PROC_RELOAD && !server->stopping) reload(server);
  }
}

/* The thread takes no signal: libmilter waits for its own. */
static bool start_reloader(struct server *server, GError **error)
{
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  errno = pthread_create(&server->reloader, NULL, keep_house, server);
  int failed = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return failed == 0 || fail(error, "no thread", "tidings-milter");
}

static void stop_reloader(struct server *server)
{
  server->stopping = true;
  kill(getpid(), SIGUSR1);
  pthread_join(server->reloader, NULL);
}

/* A thread a connection, and messages of megabytes: glibc is told to give big
 * pieces back to the system, and not to keep a heap for each thread. */
static void tame_memory(void)
{
  mallopt(M_ARENA_MAX, ARENAS);
  mallopt(M_MMAP_THRESHOLD, BIG);
  mallopt(M_TRIM_THRESHOLD, 4 * BIG);
}

static bool prepare(struct server *server, GError **error)
{
  tame_memory();
  struct proc *proc = server->proc;
  if (!session_register(&server->engine)) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "libmilter does not take our callbacks");
    return false;
  }
  return open_socket(proc->conf, error) &&
         /* As the user that reads them later: what root alone can read would never be seen anew. */
         proc_drop(proc, error) && engine_open(&server->engine, proc->conf, proc->clock, proc->log, error) &&
         (server->engine.sign = sign_open(proc->conf, error)) && open_journal(server, error) &&
         start_reloader(server, error);
}

int serve(struct proc *proc)
{
  struct server server = {.proc = proc};
  GError *error = NULL;
  if (!prepare(&server, &error)) {
    sign_close(server.engine.sign);
    if (server.engine.conf) engine_close(&server.engine);
    return proc_fail(proc, error);
  }
  proc_ready(proc);
  if (smfi_main() != MI_SUCCESS) log_event(proc->log, LOG_EVENT_FAILED, NULL, "reason=%s", "libmilter");
  stop_reloader(&server);
  sign_close(server.engine.sign);
  engine_close(&server.engine);
  return proc_end(proc);
}
