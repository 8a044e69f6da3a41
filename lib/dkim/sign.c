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

/* Each LF ends a line and each CR stands before one; the last line may lack its
 * end. */
static bool check_lines(const char *bytes, size_t length, GError **error)
{
  const char *end = bytes + length;
  if (length > 0 && memchr(bytes, '\0', length)) return refuse(error, "it has NUL");
  for (const char *line = bytes; line < end;) {
    const char *lf = memchr(line, '\n', (size_t)(end - line)), *last = lf ? lf : end;
    if (last - line > MAX_LINE + 1) return refuse(error, "it has a line of more than 998 bytes");
    const char *cr = memchr(line, '\r', (size_t)(last - line));
    if (cr != (lf ? lf - 1 : NULL) || lf == line) return refuse(error, "it has bare CR or LF");
    line = lf ? lf + 1 : end;
  }
  return true;
}

static bool check_message(const char *header, size_t header_length, const char *body, size_t body_length,
                          GError **error)
{
  if (!check_lines(header, header_length, error) || !check_lines(body, body_length, error)) return false;
  /* Some take these for white space, RFC 6376 does not. */
  if (memchr(header, '\v', header_length) || memchr(header, '\f', header_length))
    return refuse(error, "its header has vertical tabs or form feeds");
  g_autofree char *domain = dkim_from_domain(header, header_length);
  return domain || refuse(error, "it has not one From field with one address");
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

static bool append_body_hash(GString *value, const char *body, size_t length)
{
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_MD_CTX *hash = EVP_MD_CTX_new();
  bool good = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
              dkim_canon_body(hash, body, length) && EVP_DigestFinal_ex(hash, digest, &size) == 1;
  EVP_MD_CTX_free(hash);
  if (!good) return false;
  g_autofree char *text = g_base64_encode(digest, size);
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

bool dkim_sign_message(const struct dkim_key *key, const char *header, size_t header_length, const char *body,
                       size_t body_length, int64_t now, GString *value, GError **error)
{
  struct header fields;
  g_autoptr(GString) data = g_string_sized_new(2048);
  if (!check_message(header, header_length, body, body_length, error) ||
      !header_read(&fields, header, header_length, error))
    return false;
  g_string_printf(value, "v=1; a=rsa-sha256; c=relaxed/relaxed; d=%s; s=%s;\r\n\tt=%" PRId64 "; bh=",
                  dkim_key_domain(key), dkim_key_selector(key), now / G_USEC_PER_SEC);
  if (!append_body_hash(value, body, body_length)) return crypto_error(error);
  g_string_append_c(value, ';');
  append_fields(&fields, value, data);
  g_string_append(value, ";\r\n\tb=");
  dkim_canon_field(data, SIGNATURE, strlen(SIGNATURE), value->str, value->len);
  return append_signature(value, key, data) || crypto_error(error);
}
