/* Signatures by libopendkim.
 *
 * The time of a signature is a setting of its library handle, so each signature
 * has a handle for itself: one of those that are free, or a new one. Only fields
 * that are to be signed are handed over; libopendkim then signs all it has. What
 * it would canonicalise in another way than other verifiers (bare CR, vertical
 * tabs) is refused before. */

#include "dkim/sign.h"

#include <string.h>

#include <opendkim/dkim.h>

#include "base/error.h"
#include "mail/header.h"
#include "mail/line.h"

enum { MAX_LINE = 998, MAX_FIELD = 64 << 10, MAX_FIELDS = 200 };

struct dkim_signer {
  GMutex lock;
  GPtrArray *idle; /* of DKIM_LIB * */
};

static const struct signed_field {
  const char *name;
  bool oversigned;
} fields[] = {
#define FIELD(name, oversigned) {name, oversigned},
#include "dkim/signed.def"
#undef FIELD
};

/* ---- handles ---- */

static void handle_close(void *handle)
{
  dkim_close(handle);
}

struct dkim_signer *dkim_signer_new(void)
{
  struct dkim_signer *signer = g_new0(struct dkim_signer, 1);
  g_mutex_init(&signer->lock);
  signer->idle = g_ptr_array_new_with_free_func(handle_close);
  return signer;
}

void dkim_signer_free(struct dkim_signer *signer)
{
  if (!signer) return;
  g_ptr_array_unref(signer->idle);
  g_mutex_clear(&signer->lock);
  g_free(signer);
}

static DKIM_LIB *handle_new(void)
{
  const char *oversigned[G_N_ELEMENTS(fields) + 1] = {0};
  size_t n = 0;
  unsigned bits = DKIM_MIN_BITS;
  for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
    if (fields[i].oversigned) oversigned[n++] = fields[i].name;
  const char **list = oversigned;
  DKIM_LIB *handle = dkim_init(NULL, NULL);
  if (!handle) return NULL;
  if (dkim_options(handle, DKIM_OP_SETOPT, DKIM_OPTS_OVERSIGNHDRS, (void *)list, sizeof list) ==
          DKIM_STAT_OK &&
      dkim_options(handle, DKIM_OP_SETOPT, DKIM_OPTS_MINKEYBITS, &bits, sizeof bits) == DKIM_STAT_OK)
    return handle;
  dkim_close(handle);
  return NULL;
}

static DKIM_LIB *handle_take(struct dkim_signer *signer)
{
  g_mutex_lock(&signer->lock);
  guint n = signer->idle->len;
  DKIM_LIB *handle = n > 0 ? g_ptr_array_steal_index(signer->idle, n - 1) : NULL;
  g_mutex_unlock(&signer->lock);
  return handle ? handle : handle_new();
}

static void handle_give_back(struct dkim_signer *signer, DKIM_LIB *handle)
{
  g_mutex_lock(&signer->lock);
  g_ptr_array_add(signer->idle, handle);
  g_mutex_unlock(&signer->lock);
}

/* ---- what may be signed ---- */

static bool refuse(GError **error, const char *what)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "%s", what);
  return false;
}

static bool check_lines(const char *bytes, size_t length, GError **error)
{
  unsigned facts = mail_line_facts(bytes, length);
  if (facts & (MAIL_LINE_LF | MAIL_LINE_BARE_CR | MAIL_LINE_NUL))
    return refuse(error, "it has bare CR or LF, or NUL");
  if (mail_line_longest(bytes, length) > MAX_LINE)
    return refuse(error, "it has a line of more than 998 bytes");
  return true;
}

static bool check_message(const char *header, size_t header_length, const char *body, size_t body_length,
                          GError **error)
{
  if (!check_lines(header, header_length, error) || !check_lines(body, body_length, error)) return false;
  /* libopendkim takes these for white space, RFC 6376 does not. */
  if (memchr(header, '\v', header_length) || memchr(header, '\f', header_length))
    return refuse(error, "its header has vertical tabs or form feeds");
  g_autofree char *domain = dkim_from_domain(header, header_length);
  return domain || refuse(error, "it has not one From field with one address");
}

static bool is_signed(const char *header, const struct mail_field *field)
{
  for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
    if (mail_field_is(header, field, fields[i].name)) return true;
  return false;
}

/* ---- signing ---- */

static bool library_error(DKIM *dkim, const char *step, DKIM_STAT status, GError **error)
{
  const char *detail = dkim ? dkim_geterror(dkim) : NULL;
  enum tidings_error kind = status == DKIM_STAT_SYNTAX ? TIDINGS_ERROR_INPUT : TIDINGS_ERROR_SYS;
  g_set_error(error, TIDINGS_ERROR, (int)kind, "libopendkim: %s: %s%s%s", step, dkim_getresultstr(status),
              detail ? ": " : "", detail ? detail : "");
  return false;
}

static bool feed_header(DKIM *dkim, const char *header, size_t length, GError **error)
{
  struct mail_header_iter iter;
  struct mail_field field;
  size_t n = 0;
  mail_header_init(&iter, header, (struct mail_range){0, length});
  while (mail_header_next(&iter, &field)) {
    if (field.faults) return refuse(error, "its header has a line that not every reader takes for a field");
    if (!is_signed(header, &field)) continue;
    size_t size = field.value.end - field.whole.start;
    if (size > MAX_FIELD || ++n > MAX_FIELDS) {
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "its header is too large to be signed");
      return false;
    }
    DKIM_STAT status = dkim_header(dkim, (u_char *)header + field.whole.start, size);
    if (status != DKIM_STAT_OK) return library_error(dkim, "header", status, error);
  }
  DKIM_STAT status = dkim_eoh(dkim);
  return status == DKIM_STAT_OK || library_error(dkim, "header", status, error);
}

static bool feed_body(DKIM *dkim, const char *body, size_t length, GError **error)
{
  DKIM_STAT status = length > 0 ? dkim_body(dkim, (u_char *)body, length) : DKIM_STAT_OK;
  bool ended = length == 0 || body[length - 1] == '\n';
  if (status == DKIM_STAT_OK && !ended) status = dkim_body(dkim, (u_char *)"\r\n", 2);
  if (status == DKIM_STAT_OK) status = dkim_eom(dkim, NULL);
  return status == DKIM_STAT_OK || library_error(dkim, "body", status, error);
}

static bool read_value(DKIM *dkim, GString *value, GError **error)
{
  u_char *text;
  size_t length;
  DKIM_STAT status = dkim_getsighdr_d(dkim, strlen(DKIM_SIGNHEADER ": "), &text, &length);
  if (status != DKIM_STAT_OK) return library_error(dkim, "signature", status, error);
  g_string_truncate(value, 0);
  g_string_append_len(value, (const char *)text, (gssize)length);
  return true;
}

static bool sign_with(DKIM_LIB *handle, const struct dkim_key *key, const char *header, size_t header_length,
                      const char *body, size_t body_length, int64_t now, GString *value, GError **error)
{
  uint64_t seconds = (uint64_t)(now / G_USEC_PER_SEC);
  DKIM_STAT status = dkim_options(handle, DKIM_OP_SETOPT, DKIM_OPTS_FIXEDTIME, &seconds, sizeof seconds);
  if (status != DKIM_STAT_OK) return library_error(NULL, "time", status, error);
  DKIM *dkim = dkim_sign(handle, (u_char *)"", NULL, (u_char *)dkim_key_pem(key),
                         (u_char *)dkim_key_selector(key), (u_char *)dkim_key_domain(key), DKIM_CANON_RELAXED,
                         DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA256, -1, &status);
  if (!dkim) return library_error(NULL, "start", status, error);
  bool good = feed_header(dkim, header, header_length, error) && feed_body(dkim, body, body_length, error) &&
              read_value(dkim, value, error);
  dkim_free(dkim);
  return good;
}

bool dkim_signer_sign(struct dkim_signer *signer, const struct dkim_key *key, const char *header,
                      size_t header_length, const char *body, size_t body_length, int64_t now, GString *value,
                      GError **error)
{
  if (!check_message(header, header_length, body, body_length, error)) return false;
  DKIM_LIB *handle = handle_take(signer);
  if (!handle) return library_error(NULL, "start", DKIM_STAT_NORESOURCE, error);
  bool good = sign_with(handle, key, header, header_length, body, body_length, now, value, error);
  handle_give_back(signer, handle);
  return good;
}
