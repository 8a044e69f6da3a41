/* tidings-filter(1): the milter's rewriting from stdin to stdout, for Exim's
 * transport_filter and for pipes.
 *
 * Mail must not be lost for our sake: nothing is written before all is read and
 * the event is on disk, and whatever goes wrong, the bytes that came in go out. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/error.h"
#include "config.h"
#include "milter/engine.h"

enum { CHUNK = 65536, JOURNAL_TRIES = 200, JOURNAL_PAUSE = 10000 /* µs; two seconds in all */ };

struct options {
  char *file, *clock, *tenant, *sender, *list, *user;
  char **recipients;
  gboolean version;
};

struct filter {
  struct options options;
  struct conf *conf;
  struct clock *clock;
  struct log *log;
  struct engine engine;
  char *bytes;
  size_t length;
  bool more; /* stdin has more than fits: pass it on as it is */
};

static bool read_options(struct options *o, int argc, char **argv, GError **error)
{
  const GOptionEntry entries[] = {
      {"config", 'c', 0, G_OPTION_ARG_FILENAME, &o->file, "Read FILE instead of " CONF_FILE, "FILE"},
      {"tenant", 't', 0, G_OPTION_ARG_STRING, &o->tenant, "The mail is of the tenant NAME", "NAME"},
      {"recipient", 'r', 0, G_OPTION_ARG_STRING_ARRAY, &o->recipients, "A recipient of the envelope",
       "ADDRESS"},
      {"sender", 'f', 0, G_OPTION_ARG_STRING, &o->sender, "The sender of the envelope", "ADDRESS"},
      {"list", 'l', 0, G_OPTION_ARG_STRING, &o->list, "The mail is of the list NAME", "NAME"},
      {"user", 'u', 0, G_OPTION_ARG_STRING, &o->user, "The user who authenticated to the mail server",
       "USER"},
      {"clock", 0, 0, G_OPTION_ARG_FILENAME, &o->clock, "Follow the clock file FILE (for tests)", "FILE"},
      {"version", 'V', 0, G_OPTION_ARG_NONE, &o->version, "Print the version and end", NULL},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  g_autoptr(GOptionContext) context = g_option_context_new(NULL);
  g_option_context_set_summary(context,
                               "Rewrites a message from stdin to stdout so that it can be followed.");
  g_option_context_set_description(context, "See tidings-filter(1) and tidings.conf(5).");
  g_option_context_add_main_entries(context, entries, NULL);
  if (!g_option_context_parse(context, &argc, &argv, error)) return false;
  if (argc == 1) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "'%s' is one word too many: see --help", argv[1]);
  return false;
}

static void complain(const char *what)
{
  fprintf(stderr, "tidings-filter: %s\n", what);
}

/* ---- bytes ---- */

/* One piece of stdin; 0 at its end, -1 on an error. */
static ssize_t read_some(char *bytes, size_t size)
{
  ssize_t n;
  do
    n = read(STDIN_FILENO, bytes, size);
  while (n < 0 && errno == EINTR);
  return n;
}

/* Reads up to LIMIT bytes. False if stdin breaks off: then nothing may go out. */
static bool read_message(struct filter *f, size_t limit)
{
  size_t size = 0;
  while (f->length < limit) {
    if (f->length == size) {
      size_t bigger = MAX(size * 2, (size_t)CHUNK);
      char *more = g_try_realloc(f->bytes, bigger);
      if (!more) break;
      f->bytes = more;
      size = bigger;
    }
    ssize_t n = read_some(f->bytes + f->length, MIN(size, limit) - f->length);
    if (n <= 0) return n == 0;
    f->length += (size_t)n;
  }
  f->more = true;
  return true;
}

static bool write_all(const char *bytes, size_t length)
{
  while (length > 0) {
    ssize_t n = write(STDOUT_FILENO, bytes, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes += n;
    length -= (size_t)n;
  }
  return true;
}

/* What was read, and what is still in stdin. */
static int pass(struct filter *f)
{
  if (!write_all(f->bytes, f->length)) return EX_TEMPFAIL;
  char bytes[CHUNK];
  for (ssize_t n; f->more && (n = read_some(bytes, sizeof bytes)) != 0;)
    if (n < 0 || !write_all(bytes, (size_t)n)) return EX_TEMPFAIL;
  return 0;
}

/* ---- rewriting ---- */

/* Other filters have the journal for a moment each. Without it the message is not
 * tracked, but our control fields are still taken out. */
static void open_journal(struct filter *f)
{
  for (int i = 0;; i++) {
    g_autoptr(GError) error = NULL;
    if (engine_open_journal(&f->engine, f->conf->filter_journal, ID_FILTER, &error)) return;
    if (i == JOURNAL_TRIES || !g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_TEMP)) {
      log_event(f->log, LOG_EVENT_JOURNAL_FAILED, NULL, "reason=%s", LOG_VALUE(error->message));
      return;
    }
    g_usleep(JOURNAL_PAUSE);
  }
}

static bool prepare(struct filter *f, GError **error)
{
  f->clock = clock_open(f->options.clock, error);
  if (!f->clock) return false;
  f->log = log_open(f->conf->log, "tidings-filter", f->clock, NULL);
  if (!f->log) f->log = log_open("stderr", "tidings-filter", f->clock, error);
  if (!f->log || !engine_open(&f->engine, f->conf, f->clock, f->log, error)) return false;
  open_journal(f);
  return true;
}

static bool find_tenant(struct filter *f, int64_t *id, GError **error)
{
  *id = 0;
  if (!f->options.tenant) return true;
  struct directory_view *view = directory_acquire(f->engine.directory, NULL);
  const struct directory_tenant *tenant = directory_tenant_by_name(view, f->options.tenant);
  if (tenant) *id = tenant->id;
  directory_release(view);
  if (!tenant)
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND, "there is no tenant %s", f->options.tenant);
  return tenant != NULL;
}

/* The rewritten message into *OUT; false if the original is to go out. */
static bool rewrite(struct filter *f, char **out, size_t *size, GError **error)
{
  int64_t tenant;
  if (!prepare(f, error) || !find_tenant(f, &tenant, error)) return false;
  g_autoptr(GPtrArray) recipients = g_ptr_array_new();
  for (char **r = f->options.recipients; r && *r; r++)
    g_ptr_array_add(recipients, *r);
  struct engine_mail mail = {
      .sender = f->options.sender ? f->options.sender : "",
      .recipients = recipients,
      .user = f->options.user,
      .tenant = tenant,
      .list = f->options.list,
      .message = f->bytes,
      .length = f->length,
      .body = rewrite_find_body(f->bytes, f->length),
      .total = f->length,
      .one_copy = true,
  };
  struct engine_verdict verdict;
  engine_decide(&f->engine, &mail, &verdict);
  bool good = rewrite_apply(verdict.result, f->bytes, f->length, out, size, error);
  engine_verdict_clear(&verdict);
  return good;
}

static int run(struct filter *f)
{
  g_autoptr(GError) error = NULL;
  f->conf = conf_load(f->options.file ? f->options.file : CONF_FILE, &error);
  size_t limit = f->conf ? (size_t)f->conf->milter_max_size : CHUNK;
  if (!read_message(f, limit + 1)) {
    complain("stdin broke off");
    return EX_TEMPFAIL;
  }
  if (!f->conf || f->more) {
    complain(error ? error->message : "the message is over milter.max_size and passes unchanged");
    return pass(f);
  }
  g_autofree char *out = NULL;
  size_t size;
  if (rewrite(f, &out, &size, &error)) return write_all(out, size) ? 0 : EX_TEMPFAIL;
  complain(error->message);
  return pass(f);
}

static void release(struct filter *f)
{
  if (f->engine.conf) engine_close(&f->engine);
  log_close(f->log);
  clock_close(f->clock);
  conf_free(f->conf);
  g_free(f->bytes);
  g_free(f->options.file);
  g_free(f->options.clock);
  g_free(f->options.tenant);
  g_free(f->options.sender);
  g_free(f->options.list);
  g_free(f->options.user);
  g_strfreev(f->options.recipients);
}

int main(int argc, char **argv)
{
  struct filter f = {0};
  g_autoptr(GError) error = NULL;
  umask(007);
  if (!read_options(&f.options, argc, argv, &error)) {
    complain(error->message);
    release(&f);
    return EX_USAGE;
  }
  if (f.options.version) {
    puts("tidings-filter " PACKAGE_VERSION);
    release(&f);
    return 0;
  }
  int status = run(&f);
  release(&f);
  return status;
}
