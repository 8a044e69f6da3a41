/* Signatures.
 *
 * First what is not to be signed is refused, for the signature would be broken by
 * the next hop or be seen otherwise by some verifier. Then the body is hashed, the
 * field written with an empty b=, and the header with that field at its end signed.
 *
 * This is done here and not by libopendkim, which reads the private key from its
 * text for every signature: that costs more than the RSA operation itself, with a
 * DER key too. libopendkim checks us instead: see prove.c. */

#include "dkim/sign.h"

#include <inttypes.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/error.h"
#include "dkim/canon.h"
#include "dkim/key.h"
#include "mail/header.h"

#define SIGNATURE "DKIM-Signature"

enum { MAX_LINE = 998, MAX_FIELDS = 256, MAX_COLUMN = 75, MAX_SIGNATURE = DKIM_MAX_BITS / 8 };

static const struct signed_field {
  const char *name;
  bool oversigned;
} table[] = {
#define FIELD(name, oversigned) {name, oversigned},
#include "dkim/signed.def"
#undef FIELD
};

/* ---- what may be signed ---- */

static bool refuse(GError **error, const char *what)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "%s", what);
  return false;
}

/* Looks at lines in pieces: each LF ends a line and each CR stands before one; the
 * last line may lack its end. */
struct lines {
  size_t column;
  bool cr; /* the piece before ended with one */
  const char *fault;
};

static void look_at_line(struct lines *lines, const char *at, const char *last, bool ended)
{
  const char *cr = memchr(at, '\r', (size_t)(last - at));
  lines->column += (size_t)(last - at);
  if (lines->column > MAX_LINE + 1)
    lines->fault = "it has a line of more than 998 bytes";
  else if ((lines->cr && (last > at || !ended)) || (cr && cr != last - 1) || (ended && !cr && !lines->cr))
    lines->fault = "it has bare CR or LF";
  lines->cr = cr && !ended;
  if (ended) lines->column = 0;
}

static void lines_feed(struct lines *lines, const char *bytes, size_t length)
{
  const char *end = bytes + length;
  if (length > 0 && memchr(bytes, '\0', length)) lines->fault = "it has NUL";
  for (const char *at = bytes; at < end && !lines->fault;) {
    const char *lf = memchr(at, '\n', (size_t)(end - at));
    look_at_line(lines, at, lf ? lf : end, lf);
    at = lf ? lf + 1 : end;
  }
}

static bool lines_good(const struct lines *lines, GError **error)
{
  if (lines->fault) return refuse(error, lines->fault);
  return !lines->cr || refuse(error, "it has bare CR or LF");
}

static bool check_header(const char *header, size_t length, GError **error)
{
  struct lines lines = {0};
  lines_feed(&lines, header, length);
  if (!lines_good(&lines, error)) return false;
  /* Some take these for white space, RFC 6376 does not. */
  if (memchr(header, '\v', length) || memchr(header, '\f', length))
    return refuse(error, "its header has vertical tabs or form feeds");
  g_autofree char *domain = dkim_from_domain(header, length);
  return domain || refuse(error, "it has not one From field with one address");
}

/* ---- the body ---- */

struct dkim_digest {
  struct lines lines;
  struct dkim_canon canon;
  bool failed; /* the library did */
};

struct dkim_digest *dkim_digest_new(void)
{
  struct dkim_digest *digest = g_new0(struct dkim_digest, 1);
  digest->canon.hash = EVP_MD_CTX_new();
  digest->canon.held = g_string_new(NULL);
  digest->failed = !digest->canon.hash || EVP_DigestInit_ex(digest->canon.hash, EVP_sha256(), NULL) != 1;
  return digest;
}

void dkim_digest_feed(struct dkim_digest *digest, const char *body, size_t length)
{
  lines_feed(&digest->lines, body, length);
  if (digest->lines.fault || digest->failed) return;
  digest->failed = !dkim_canon_feed(&digest->canon, body, length);
}

void dkim_digest_free(struct dkim_digest *digest)
{
  if (!digest) return;
  EVP_MD_CTX_free(digest->canon.hash);
  g_string_free(digest->canon.held, TRUE);
  g_free(digest);
}

/* ---- the header ---- */

/* The fields that are signed, by their row in the table, in the order of the
 * message. */
struct header {
  const char *bytes;
  struct mail_field fields[MAX_FIELDS];
  size_t rows[MAX_FIELDS];
  size_t count;
};

static size_t row_of(const char *bytes, const struct mail_field *field)
{
  size_t row = 0;
  while (row < G_N_ELEMENTS(table) && !mail_field_is(bytes, field, table[row].name))
    row++;
  return row;
}

static bool header_read(struct header *header, const char *bytes, size_t length, GError **error)
{
  struct mail_header_iter iter;
  struct mail_field field;
  header->bytes = bytes;
  header->count = 0;
  mail_header_init(&iter, bytes, (struct mail_range){0, length});
  while (mail_header_next(&iter, &field)) {
    if (field.faults) return refuse(error, "its header has a line that not every reader takes for a field");
    size_t row = row_of(bytes, &field);
    if (row == G_N_ELEMENTS(table)) continue;
    if (header->count == MAX_FIELDS) {
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "its header has too many fields to be signed");
      return false;
    }
    header->fields[header->count] = field;
    header->rows[header->count++] = row;
  }
  return true;
}

/* Appends NAME to the list h=, which is folded before it grows too wide. */
static void append_name(GString *value, const char *name, size_t *column, bool first)
{
  size_t length = strlen(name);
  if (!first) g_string_append_c(value, ':');
  if (*column + length + 1 > MAX_COLUMN) {
    g_string_append(value, "\r\n\t ");
    *column = 9;
  }
  g_string_append(value, name);
  *column += length + 1;
}

/* Appends h= to VALUE and the fields that it names to DATA: of several of one name
 * the last one first (section 5.4.2). */
static void append_fields(const struct header *header, GString *value, GString *data)
{
  size_t column = 10;
  bool first = true;
  g_string_append(value, "\r\n\th=");
  for (size_t row = 0; row < G_N_ELEMENTS(table); row++) {
    for (size_t i = header->count; i-- > 0;) {
      const struct mail_field *field = &header->fields[i];
      if (header->rows[i] != row) continue;
      append_name(value, table[row].name, &column, first);
      first = false;
      dkim_canon_field(data, header->bytes + field->name.start, field->name.end - field->name.start,
                       header->bytes + field->value.start, field->value.end - field->value.start);
      g_string_append(data, "\r\n");
    }
    if (!table[row].oversigned) continue;
    append_name(value, table[row].name, &column, first);
    first = false;
  }
}

/* ---- signing ---- */

static bool crypto_error(GError **error)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "the crypto library does not sign");
  return false;
}

static bool append_body_hash(GString *value, struct dkim_digest *digest)
{
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (digest->failed || !dkim_canon_finish(&digest->canon) ||
      EVP_DigestFinal_ex(digest->canon.hash, bytes, &size) != 1)
    return false;
  g_autofree char *text = g_base64_encode(bytes, size);
  g_string_append(value, text);
  return true;
}

/* Appends the signature of DATA in base64, folded. */
static bool append_signature(GString *value, const struct dkim_key *key, const GString *data)
{
  unsigned char bytes[MAX_SIGNATURE];
  size_t size = sizeof bytes;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  bool good = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, dkim_key_pkey(key)) == 1 &&
              EVP_DigestSign(context, bytes, &size, (const unsigned char *)data->str, data->len) == 1;
  EVP_MD_CTX_free(context);
  if (!good) return false;
  g_autofree char *text = g_base64_encode(bytes, size);
  size_t length = strlen(text), width = 64;
  for (size_t at = 0; at < length; at += width)
    g_string_append_printf(value, "%s%.*s", at > 0 ? "\r\n\t " : "", (int)MIN(width, length - at), text + at);
  return true;
}

bool dkim_sign_digest(const struct dkim_key *key, const char *header, size_t header_length,
                      struct dkim_digest *digest, int64_t now, GString *value, GError **error)
{
  struct header fields;
  g_autoptr(GString) data = g_string_sized_new(2048);
  if (!check_header(header, header_length, error) || !lines_good(&digest->lines, error) ||
      !header_read(&fields, header, header_length, error))
    return false;
  g_string_printf(value, "v=1; a=rsa-sha256; c=relaxed/relaxed; d=%s; s=%s;\r\n\tt=%" PRId64 "; bh=",
                  dkim_key_domain(key), dkim_key_selector(key), now / G_USEC_PER_SEC);
  if (!append_body_hash(value, digest)) return crypto_error(error);
  g_string_append_c(value, ';');
  append_fields(&fields, value, data);
  g_string_append(value, ";\r\n\tb=");
  dkim_canon_field(data, SIGNATURE, strlen(SIGNATURE), value->str, value->len);
  return append_signature(value, key, data) || crypto_error(error);
}

bool dkim_sign_message(const struct dkim_key *key, const char *header, size_t header_length, const char *body,
                       size_t body_length, int64_t now, GString *value, GError **error)
{
  struct dkim_digest *digest = dkim_digest_new();
  dkim_digest_feed(digest, body, body_length);
  bool good = dkim_sign_digest(key, header, header_length, digest, now, value, error);
  dkim_digest_free(digest);
  return good;
}
