/* The callbacks as thin adapters: they gather the message, and at its end hand it
 * to the engine and its decision to the MTA. For one connection libmilter calls:
 *
 *   negotiate connect helo (envfrom envrcpt… data header… eoh body… eom | abort)… close
 *
 * Until eom we say nothing (the no-reply flags), and what is kept of a message
 * is forgotten after eom or abort (K14). */

#include "milter/session.h"

#include <string.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include <libmilter/mfapi.h>

#include "milter/apply.h"

/* The steps for which we give no answer, where the MTA can do without. */
#define NO_REPLY                                                                                             \
  (SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_DATA | SMFIP_NR_UNKN |           \
   SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY)
#define NOT_WANTED (SMFIP_NOHELO | SMFIP_NOUNKNOWN | SMFIP_NODATA | SMFIP_NOEOH)
#define ACTIONS    (SMFIF_CHGBODY | SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_DELRCPT)

/* An idle connection keeps the buffer of its last message up to KEPT bytes. */
enum { MAX_RECIPIENTS = 100000, KEPT = 64 * 1024 };

struct session {
  /* of the connection */
  unsigned long protocol; /* SMFIP_* agreed on */
  char *listener, *client;
  /* of the message */
  char *sender, *user;
  GPtrArray *recipients; /* without brackets */
  GPtrArray *arguments;  /* as the MTA wrote them */
  char *message;
  size_t length, size; /* used and allocated */
  size_t body;         /* where it begins; 0: not yet */
  size_t total;        /* bytes of the message, kept or not */
  bool too_large;
  bool parameters; /* the envelope has some that copies would lose */
};

static struct engine *engine; /* libmilter hands no pointer of ours to negotiate */

static struct session *session_new(void)
{
  struct session *s = g_new0(struct session, 1);
  s->recipients = g_ptr_array_new_with_free_func(g_free);
  s->arguments = g_ptr_array_new_with_free_func(g_free);
  return s;
}

static void message_reset(struct session *s)
{
  g_clear_pointer(&s->sender, g_free);
  g_clear_pointer(&s->user, g_free);
  g_ptr_array_set_size(s->recipients, 0);
  g_ptr_array_set_size(s->arguments, 0);
  if (s->size > KEPT) {
    g_clear_pointer(&s->message, g_free);
    s->size = 0;
  }
  s->length = s->body = s->total = 0;
  s->too_large = s->parameters = false;
}

static void session_free(struct session *s)
{
  message_reset(s);
  g_free(s->message);
  g_ptr_array_unref(s->recipients);
  g_ptr_array_unref(s->arguments);
  g_free(s->listener);
  g_free(s->client);
  g_free(s);
}

static sfsistat go_on(const struct session *s, unsigned long flag)
{
  return s->protocol & flag ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

/* ---- the message, as far as it fits ---- */

/* Keeps LENGTH bytes; a message that is over the limit, or for which there is no
 * memory, keeps what it has and passes unchanged. */
static void keep(struct session *s, const char *bytes, size_t length)
{
  s->total += length;
  if (s->too_large) return;
  if (length >
      (size_t)engine->conf->milter_max_size - MIN(s->length, (size_t)engine->conf->milter_max_size)) {
    s->too_large = true;
    return;
  }
  if (s->length + length > s->size) {
    size_t size = MAX(s->size * 2, MAX(s->length + length, (size_t)16384));
    char *more = g_try_realloc(s->message, size);
    if (!more) {
      s->too_large = true;
      return;
    }
    s->message = more;
    s->size = size;
  }
  memcpy(s->message + s->length, bytes, length);
  s->length += length;
}

/* The value of a field; the MTA folds with LF alone. */
static void keep_value(struct session *s, const char *value)
{
  while (*value) {
    size_t n = strcspn(value, "\r\n");
    keep(s, value, n);
    value += n;
    if (*value == '\0') return;
    keep(s, "\r\n", 2);
    value += value[0] == '\r' && value[1] == '\n' ? 2 : 1;
  }
}

/* "<anna@example.com>" without its brackets; the caller's. */
static char *bare(const char *argument)
{
  size_t length = strlen(argument);
  if (length >= 2 && argument[0] == '<' && argument[length - 1] == '>')
    return g_strndup(argument + 1, length - 2);
  return g_strdup(argument);
}

/* ---- callbacks ---- */

/* What we want to be told of. Postfix sends the names' values before each step,
 * and those of the end of the header before each field: where we want none, one
 * that nobody has is shorter than the default. */
static void ask_for_macros(SMFICTX *context)
{
  static const struct {
    int step;
    const char *names;
  } wanted[] = {
      {SMFIM_CONNECT, "{daemon_name}"},
      {SMFIM_HELO, "{none}"},
      {SMFIM_ENVFROM, "{auth_authen}"},
      {SMFIM_ENVRCPT, "{none}"},
      {SMFIM_DATA, "{none}"},
      {SMFIM_EOH, "{none}"},
      {SMFIM_EOM, "i"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++)
    smfi_setsymlist(context, wanted[i].step, (char *)wanted[i].names);
}

static sfsistat on_negotiate(SMFICTX *context, unsigned long actions, unsigned long protocol,
                             unsigned long unused2, unsigned long unused3, unsigned long *actions_out,
                             unsigned long *protocol_out, unsigned long *out2, unsigned long *out3)
{
  (void)unused2;
  (void)unused3;
  if ((actions & ACTIONS) != ACTIONS) return SMFIS_REJECT;
  struct session *s = session_new();
  s->protocol = protocol & (NO_REPLY | NOT_WANTED | SMFIP_HDR_LEADSPC);
  if (actions & SMFIF_SETSYMLIST) ask_for_macros(context);
  *actions_out = ACTIONS | (actions & SMFIF_SETSYMLIST);
  *protocol_out = s->protocol;
  *out2 = *out3 = 0;
  if (smfi_setpriv(context, s) != MI_SUCCESS) {
    session_free(s);
    return SMFIS_REJECT;
  }
  return SMFIS_CONTINUE;
}

static char *address_text(const _SOCK_ADDR *address)
{
  char text[INET6_ADDRSTRLEN];
  const void *at = NULL;
  if (!address) return NULL;
  if (address->sa_family == AF_INET) at = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
  if (address->sa_family == AF_INET6) at = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
  return at && inet_ntop(address->sa_family, at, text, sizeof text) ? g_strdup(text) : NULL;
}

static sfsistat on_connect(SMFICTX *context, char *name, _SOCK_ADDR *address)
{
  (void)name;
  struct session *s = smfi_getpriv(context);
  g_free(s->listener);
  g_free(s->client);
  s->listener = g_strdup(smfi_getsymval(context, (char *)"{daemon_name}"));
  s->client = address_text(address);
  return go_on(s, SMFIP_NR_CONN);
}

/* Those of MAIL that say nothing to a later hop, or that a later hop finds out. */
static bool is_plain_parameter(const char *parameter)
{
  static const char *const plain[] = {"SIZE=", "BODY=", "AUTH="};
  for (size_t i = 0; i < G_N_ELEMENTS(plain); i++)
    if (g_ascii_strncasecmp(parameter, plain[i], strlen(plain[i])) == 0) return true;
  return false;
}

static sfsistat on_envfrom(SMFICTX *context, char **arguments)
{
  struct session *s = smfi_getpriv(context);
  message_reset(s);
  s->sender = bare(arguments[0]);
  s->user = g_strdup(smfi_getsymval(context, (char *)"{auth_authen}"));
  for (char **argument = arguments + 1; *argument; argument++)
    if (!is_plain_parameter(*argument)) s->parameters = true;
  return go_on(s, SMFIP_NR_MAIL);
}

static sfsistat on_envrcpt(SMFICTX *context, char **arguments)
{
  struct session *s = smfi_getpriv(context);
  if (s->recipients->len >= MAX_RECIPIENTS) return SMFIS_TEMPFAIL;
  g_ptr_array_add(s->recipients, bare(arguments[0]));
  g_ptr_array_add(s->arguments, g_strdup(arguments[0]));
  if (arguments[1]) s->parameters = true;
  return go_on(s, SMFIP_NR_RCPT);
}

static sfsistat on_header(SMFICTX *context, char *name, char *value)
{
  struct session *s = smfi_getpriv(context);
  keep(s, name, strlen(name));
  keep(s, ": ", s->protocol & SMFIP_HDR_LEADSPC ? 1 : 2);
  keep_value(s, value);
  keep(s, "\r\n", 2);
  return go_on(s, SMFIP_NR_HDR);
}

static void end_header(struct session *s)
{
  if (s->body > 0) return;
  keep(s, "\r\n", 2);
  s->body = s->length;
}

static sfsistat on_eoh(SMFICTX *context)
{
  struct session *s = smfi_getpriv(context);
  end_header(s);
  return go_on(s, SMFIP_NR_EOH);
}

static sfsistat on_body(SMFICTX *context, unsigned char *bytes, size_t length)
{
  struct session *s = smfi_getpriv(context);
  end_header(s);
  keep(s, (const char *)bytes, length);
  return go_on(s, SMFIP_NR_BODY);
}

static sfsistat on_eom(SMFICTX *context)
{
  struct session *s = smfi_getpriv(context);
  end_header(s);
  const char *queue_id = smfi_getsymval(context, (char *)"i");
  struct engine_mail mail = {
      .queue_id = queue_id,
      .sender = s->sender,
      .recipients = s->recipients,
      .user = s->user,
      .listener = s->listener,
      .client = s->client,
      .message = s->message ? s->message : "",
      .length = s->length,
      .body = s->body,
      .total = s->total,
      .too_large = s->too_large,
      .parameters = s->parameters,
  };
  struct engine_verdict verdict;
  engine_decide(engine, &mail, &verdict);
  sfsistat status =
      apply_verdict(context, engine, &mail, s->arguments, s->protocol & SMFIP_HDR_LEADSPC, &verdict);
  engine_verdict_clear(&verdict);
  message_reset(s);
  return status;
}

static sfsistat on_abort(SMFICTX *context)
{
  struct session *s = smfi_getpriv(context);
  if (s) message_reset(s);
  return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *context)
{
  struct session *s = smfi_getpriv(context);
  if (s) session_free(s);
  smfi_setpriv(context, NULL);
  return SMFIS_CONTINUE;
}

bool session_register(struct engine *shared)
{
  engine = shared;
  struct smfiDesc description = {
      .xxfi_name = (char *)"tidings-milter",
      .xxfi_version = SMFI_VERSION,
      .xxfi_flags = ACTIONS | SMFIF_SETSYMLIST,
      .xxfi_negotiate = on_negotiate,
      .xxfi_connect = on_connect,
      .xxfi_envfrom = on_envfrom,
      .xxfi_envrcpt = on_envrcpt,
      .xxfi_header = on_header,
      .xxfi_eoh = on_eoh,
      .xxfi_body = on_body,
      .xxfi_eom = on_eom,
      .xxfi_abort = on_abort,
      .xxfi_close = on_close,
  };
  return smfi_register(description) == MI_SUCCESS;
}
