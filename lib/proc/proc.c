/* The frame of every daemon; proc.h has the order of calls.
 *
 * Up to proc_start()'s return whatever is wrong is said on stderr, for the
 * person at the keyboard; afterwards it goes to the log. Signals are blocked and
 * read from a descriptor, so no code of ours ever runs in a signal handler. */

#include "proc/proc.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/error.h"
#include "config.h"
#include "proc/identity.h"

enum { MAX_OPEN_FILES = 65536 };

struct options {
  char *file;
  char *clock;
  gboolean test;
  gboolean version;
};

/* --- options --- */

static bool read_options(const struct proc_program *program, int argc, char **argv, struct options *options,
                         GError **error)
{
  const GOptionEntry entries[] = {
      {"config", 'c', 0, G_OPTION_ARG_FILENAME, &options->file, "Read FILE instead of " CONF_FILE, "FILE"},
      {"test", 'n', 0, G_OPTION_ARG_NONE, &options->test,
       "Test the configuration, say what is wrong, and end", NULL},
      {"clock", 0, 0, G_OPTION_ARG_FILENAME, &options->clock, "Follow the clock file FILE (for tests)",
       "FILE"},
      {"version", 'V', 0, G_OPTION_ARG_NONE, &options->version, "Print the version and end", NULL},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  g_autoptr(GOptionContext) context = g_option_context_new(NULL);
  g_autofree char *page =
      g_strdup_printf("It stays in the foreground. See %s(8) and tidings.conf(5).", program->name);
  g_option_context_set_summary(context, program->summary);
  g_option_context_set_description(context, page);
  g_option_context_add_main_entries(context, entries, NULL);
  if (!g_option_context_parse(context, &argc, &argv, error)) return false;
  if (argc == 1) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "'%s' is one word too many: see --help", argv[1]);
  return false;
}

/* --- who we shall be --- */

static const char *text_at(const struct proc *proc, size_t offset)
{
  return *(char *const *)(const void *)((const char *)proc->conf + offset);
}

static char *const *list_at(const struct proc *proc, size_t offset)
{
  return *(char **const *)(const void *)((const char *)proc->conf + offset);
}

static bool find_identity(const struct proc *proc, struct identity *identity, GError **error)
{
  const struct proc_program *program = proc->program;
  *identity = (struct identity){0};
  const char *user = text_at(proc, program->user);
  if (!user) {
    if (geteuid() != 0) return true;
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
                "%s: %s was started by root and does not stay root: set user in section %s", proc->conf->file,
                program->name, program->section);
    return false;
  }
  if (identity_find(user, text_at(proc, program->group), list_at(proc, program->groups), identity, error))
    return true;
  g_autofree char *key = g_strdup_printf("%s.user", program->section);
  g_prefix_error(error, "%s:%d: %s.", proc->conf->file, conf_line(proc->conf, key), program->section);
  return false;
}

static bool check_identity(const struct proc *proc, GError **error)
{
  if (!proc->program->section) return true;
  struct identity identity;
  bool good = find_identity(proc, &identity, error);
  identity_clear(&identity);
  return good;
}

bool proc_drop(struct proc *proc, GError **error)
{
  if (!proc->program->section || geteuid() != 0) return true;
  struct identity identity;
  bool good = find_identity(proc, &identity, error) && identity_take(&identity, error);
  identity_clear(&identity);
  return good;
}

/* --- starting --- */

bool proc_check_secret(const char *path, GError **error)
{
  struct stat st;
  if (stat(path, &st) < 0 || !(st.st_mode & 007)) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS,
              "%s: holds secrets and is open to others (mode %04o): chmod o-rwx %s", path,
              (unsigned)st.st_mode & 07777, path);
  return false;
}

static void fill_hostname(struct conf *conf)
{
  char name[256] = "localhost";
  if (conf->hostname) return;
  gethostname(name, sizeof name - 1);
  conf->hostname = g_strdup(name);
}

static void raise_limits(void)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  limit.rlim_cur = MAX(limit.rlim_cur, MIN(limit.rlim_max, MAX_OPEN_FILES));
  setrlimit(RLIMIT_NOFILE, &limit);
}

static int block_signals(bool libmilter)
{
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  if (!libmilter) {
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
  }
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void proc_free(struct proc *proc)
{
  conf_free(proc->conf);
  clock_close(proc->clock);
  log_close(proc->log);
  if (proc->signals >= 0) close(proc->signals);
  g_free(proc);
}

/* All that -n tests. */
static bool prepare(struct proc *proc, const struct options *options, GError **error)
{
  proc->conf = conf_load(options->file ? options->file : CONF_FILE, error);
  if (!proc->conf) return false;
  fill_hostname(proc->conf);
  proc->clock = clock_open(options->clock, error);
  if (!proc->clock || !proc_check_secret(proc->conf->keys, error) || !check_identity(proc, error))
    return false;
  return !options->test || !proc->program->check || proc->program->check(proc, error);
}

static bool set_up(struct proc *proc, GError **error)
{
  umask(007);
  raise_limits();
  proc->signals = block_signals(proc->program->libmilter);
  proc->log = log_open(proc->conf->log, proc->program->name, proc->clock, error);
  return proc->log != NULL;
}

static struct proc *stop_here(struct proc *proc, int *status, int code)
{
  proc_free(proc);
  *status = code;
  return NULL;
}

static void say(const char *program, const GError *error)
{
  fprintf(stderr, "%s: %s\n", program, error->message);
}

static struct proc *start(const struct proc_program *program, const struct options *options, int *status)
{
  g_autoptr(GError) error = NULL;
  struct proc *proc = g_new0(struct proc, 1);
  proc->program = program;
  proc->signals = -1;
  if (!prepare(proc, options, &error)) {
    say(program->name, error);
    return stop_here(proc, status, EX_CONFIG);
  }
  if (options->test) {
    printf("%s: good\n", proc->conf->file);
    return stop_here(proc, status, EX_OK);
  }
  if (set_up(proc, &error)) return proc;
  say(program->name, error);
  return stop_here(proc, status, EX_CONFIG);
}

struct proc *proc_start(const struct proc_program *program, int argc, char **argv, int *status)
{
  g_autoptr(GError) error = NULL;
  struct options options = {0};
  struct proc *proc = NULL;
  *status = EX_OK;
  if (!read_options(program, argc, argv, &options, &error)) {
    say(program->name, error);
    *status = EX_USAGE;
  } else if (options.version) {
    printf("%s %s\n", program->name, PACKAGE_VERSION);
  } else {
    proc = start(program, &options, status);
  }
  g_free(options.file);
  g_free(options.clock);
  return proc;
}

/* --- running --- */

/* The sd_notify protocol: one datagram. Nobody listening is no error. */
static void notify(const char *text)
{
  const char *path = g_getenv("NOTIFY_SOCKET");
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path) return;
  memcpy(address.sun_path, path, strlen(path));
  if (path[0] == '@') address.sun_path[0] = '\0';
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
  sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&address, length);
  close(fd);
}

void proc_ready(struct proc *proc)
{
  notify("READY=1");
  log_event(proc->log, LOG_EVENT_STARTED, NULL, "version=%s pid=%d", PACKAGE_VERSION, (int)getpid());
}

enum proc_signal proc_signal(struct proc *proc, int timeout)
{
  struct signalfd_siginfo info;
  struct pollfd p = {.fd = proc->signals, .events = POLLIN};
  if (poll(&p, 1, timeout) <= 0) return PROC_NONE;
  if (read(proc->signals, &info, sizeof info) != (ssize_t)sizeof info) return PROC_NONE;
  return info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT ? PROC_STOP : PROC_RELOAD;
}

int proc_fail(struct proc *proc, GError *error)
{
  int status = EX_OSERR;
  if (g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT)) status = EX_CONFIG;
  if (g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_TEMP)) status = EX_TEMPFAIL;
  if (g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_DENIED)) status = EX_NOPERM;
  log_event(proc->log, LOG_EVENT_FAILED, NULL, "kind=%s reason=%s", tidings_error_kind(error),
            LOG_VALUE(error->message));
  g_error_free(error);
  proc_free(proc);
  return status;
}

int proc_end(struct proc *proc)
{
  notify("STOPPING=1");
  log_event(proc->log, LOG_EVENT_STOPPED, NULL, "pid=%d", (int)getpid());
  proc_free(proc);
  return EX_OK;
}
