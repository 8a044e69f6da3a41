/* tidings-filter(1): the milter's rewriting from stdin to stdout, for Exim's
 * transport_filter and for pipes.
 *
 * Mail must not be lost for our sake: nothing is written before all is read and
 * the event is on disk, and whatever goes wrong, the bytes that came in go out,
 * less the private field in which the mail server handed over the envelope. Exim
 * gives us one pipe as both output and errors: then complaints go to syslog, or
 * they would stand in the message. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "base/error.h"
#include "base/id.h"
#include "config.h"
#include "mail/header.h"
#include "milter/engine.h"

#define ENVELOPE_FIELD "X-Tidings-Envelope"

enum {
  CHUNK = 65536,
  NO_CONF_SIZE = 1 << 20,
  MAX_WORD = 2048,
  JOURNAL_TRIES = 200,
  JOURNAL_PAUSE = 10000 /* µs; two seconds in all */
};

struct options {
  char *file, *clock, *tenant, *sender, *list, *user, *client, *id;
  char **recipients;
  gint64 received; /* seconds since 1970; 0: not given */
  gboolean envelope, version;
};

struct filter {
  struct options options;
  struct conf *conf;
  struct clock *clock;
  struct log *log;
  struct engine engine;
  char *bytes;
  size_t length;
  bool more;      /* stdin has more than fits: pass it on as it is */
  bool muted;     /* complaints go to syslog */
  char *unusable; /* why the envelope is not known, if so */
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
      {"id", 'i', 0, G_OPTION_ARG_STRING, &o->id, "The mail server's id of the message; needs --received",
       "ID"},
      {"received", 0, 0, G_OPTION_ARG_INT64, &o->received, "When it was received, in seconds since 1970",
       "SECONDS"},
      {"envelope", 'e', 0, G_OPTION_ARG_NONE, &o->envelope,
       "Take the envelope from the field " ENVELOPE_FIELD, NULL},
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
  if (argc > 1)
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "'%s' is one word too many: see --help", argv[1]);
  else if (!o->id != !o->received)
    g_set_error_literal(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "--id and --received go together");
  else
    return true;
  return false;
}

static void complain(const struct filter *f, const char *what)
{
  if (f->muted)
    syslog(LOG_ERR, "%s%s%s", f->options.id ? f->options.id : "", f->options.id ? ": " : "", what);
  else
    fprintf(stderr, "tidings-filter: %s\n", what);
}

/* Errors that would go where the message goes, go to syslog. */
static void keep_errors_out(struct filter *f)
{
  struct stat out, errors;
  if (fstat(STDOUT_FILENO, &out) < 0 || fstat(STDERR_FILENO, &errors) < 0) return;
  if (out.st_dev != errors.st_dev || out.st_ino != errors.st_ino || isatty(STDOUT_FILENO)) return;
  openlog("tidings-filter", LOG_PID, LOG_MAIL);
  f->muted = true;
  int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (null < 0 || dup2(null, STDERR_FILENO) < 0) close(STDERR_FILENO);
  if (null >= 0) close(null);
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

/* ---- the envelope that the mail server put into the header ---- */

static void refuse_envelope(struct filter *f, const char *why)
{
  g_free(f->unusable);
  f->unusable = g_strdup(why);
}

static void set_once(struct filter *f, char **where, char *value)
{
  if (*where) refuse_envelope(f, "a word of " ENVELOPE_FIELD " is there twice");
  g_free(*where);
  *where = value;
}

/* One word, such as "sender=YUBleGFtcGxlLmNvbQ==". An empty value is not known, but
 * the sender's: that is the null sender. */
static void take_word(struct filter *f, const char *word)
{
  struct options *o = &f->options;
  const char *equals = strchr(word, '=');
  gsize length = 0;
  g_autofree char *value = equals ? (char *)g_base64_decode(equals + 1, &length) : NULL;
  g_autofree char *text = value ? g_strndup(value, length) : NULL;
  bool plain = text && strlen(text) == length && strlen(word) <= MAX_WORD && !strpbrk(text, "\r\n");
  size_t name = equals ? (size_t)(equals - word) : 0;
  char **where = strncmp(word, "tenant=", 7) == 0   ? &o->tenant
                 : strncmp(word, "sender=", 7) == 0 ? &o->sender
                 : strncmp(word, "user=", 5) == 0   ? &o->user
                 : strncmp(word, "client=", 7) == 0 ? &o->client
                                                    : NULL;
  if (!plain || (!where && strncmp(word, "recipient=", name + 1) != 0)) {
    refuse_envelope(f, "a word of " ENVELOPE_FIELD " cannot be read");
  } else if (!where) {
    set_once(f, &o->recipients[0], g_steal_pointer(&text));
  } else if (length > 0 || where == &o->sender) {
    set_once(f, where, g_steal_pointer(&text));
  }
}

static void take_words(struct filter *f, const struct mail_field *field)
{
  g_autofree char *value = g_strndup(f->bytes + field->value.start, field->value.end - field->value.start);
  g_auto(GStrv) words = g_strsplit_set(value, " \t\r\n", -1);
  for (char **word = words; *word; word++)
    if (**word) take_word(f, *word);
}

/* Reads the private field and takes it away, in one pass. Where there is not just
 * one, nobody can say which is the mail server's. */
static void take_envelope(struct filter *f)
{
  if (!f->options.envelope) return;
  g_strfreev(f->options.recipients);
  f->options.recipients = g_new0(char *, 2);
  size_t count = 0, kept = 0, from = 0;
  struct mail_header_iter iter;
  struct mail_field field;
  mail_header_init(&iter, f->bytes, (struct mail_range){0, rewrite_find_body(f->bytes, f->length)});
  while (mail_header_next(&iter, &field)) {
    if (!mail_field_is(f->bytes, &field, ENVELOPE_FIELD)) continue;
    if (count++ == 0) take_words(f, &field);
    memmove(f->bytes + kept, f->bytes + from, field.whole.start - from);
    kept += field.whole.start - from;
    from = field.whole.end;
  }
  if (count > 0) memmove(f->bytes + kept, f->bytes + from, f->length - from);
  f->length -= from - kept;
  if (count == 0) refuse_envelope(f, "there is no " ENVELOPE_FIELD);
  if (count > 1) refuse_envelope(f, "there is more than one " ENVELOPE_FIELD);
}

/* The same id at each attempt to deliver the message to these recipients; 0 if the
 * mail server gave none of its own. */
static int64_t derive_id(const struct filter *f)
{
  const struct options *o = &f->options;
  if (!o->id) return 0;
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  g_checksum_update(sum, (const guchar *)o->id, (gssize)strlen(o->id) + 1);
  for (char **r = o->recipients; r && *r; r++)
    g_checksum_update(sum, (const guchar *)*r, (gssize)strlen(*r) + 1);
  guint8 digest[32];
  gsize length = sizeof digest;
  uint64_t hash;
  g_checksum_get_digest(sum, digest, &length);
  memcpy(&hash, digest, sizeof hash);
  int64_t seconds = CLAMP(o->received, 0, INT64_C(1) << 40);
  return id_derive((uint8_t)f->conf->node, seconds * G_USEC_PER_SEC, GUINT64_FROM_LE(hash));
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
  bool visible = !f->muted || strcmp(f->conf->log, "stderr") != 0;
  f->log = log_open(visible ? f->conf->log : "syslog", "tidings-filter", f->clock, NULL);
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
  if (f->unusable) {
    g_set_error_literal(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, f->unusable);
    return false;
  }
  if (!prepare(f, error) || !find_tenant(f, &tenant, error)) return false;
  g_autoptr(GPtrArray) recipients = g_ptr_array_new();
  for (char **r = f->options.recipients; r && *r; r++)
    g_ptr_array_add(recipients, *r);
  struct engine_mail mail = {
      .sender = f->options.sender ? f->options.sender : "",
      .recipients = recipients,
      .user = f->options.user,
      .client = f->options.client,
      .queue_id = f->options.id,
      .id = derive_id(f),
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
  size_t limit = f->conf ? (size_t)f->conf->milter_max_size : NO_CONF_SIZE;
  if (!read_message(f, limit + 1)) {
    complain(f, "stdin broke off");
    return EX_TEMPFAIL;
  }
  take_envelope(f);
  if (!f->conf || f->more) {
    complain(f, error ? error->message : "the message is over milter.max_size and passes unchanged");
    return pass(f);
  }
  g_autofree char *out = NULL;
  size_t size;
  if (rewrite(f, &out, &size, &error)) return write_all(out, size) ? 0 : EX_TEMPFAIL;
  complain(f, error->message);
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
  g_free(f->options.client);
  g_free(f->options.id);
  g_free(f->unusable);
  g_strfreev(f->options.recipients);
}

int main(int argc, char **argv)
{
  struct filter f = {0};
  g_autoptr(GError) error = NULL;
  umask(007);
  keep_errors_out(&f);
  if (!read_options(&f.options, argc, argv, &error)) {
    complain(&f, error->message);
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
