/* Relaxed canonicalisation: the body's hash is that of what a plain reading of RFC
 * 6376 section 3.4.4 gives, line by line, however it is cut; and a canonical field stays as it is. */

#include <stdint.h>
#include <string.h>

#include <glib.h>
#include <openssl/evp.h>

#include "dkim/canon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input with each LF as a line end, and no other CR. */
static GString *with_crlf(const uint8_t *data, size_t size)
{
  GString *out = g_string_new(NULL);
  for (size_t i = 0; i < size; i++) {
    if (data[i] == '\n') g_string_append(out, "\r\n");
    if (data[i] != '\n' && data[i] != '\r' && data[i] != '\0') g_string_append_c(out, (char)data[i]);
  }
  return out;
}

static void append_line(GString *out, const char *line)
{
  bool blank = false;
  for (; *line; line++) {
    if (*line == ' ' || *line == '\t') {
      blank = true;
      continue;
    }
    if (blank) g_string_append_c(out, ' ');
    blank = false;
    g_string_append_c(out, *line);
  }
  g_string_append(out, "\r\n");
}

static GString *plain_body(const char *body)
{
  GString *out = g_string_new(NULL);
  g_auto(GStrv) lines = g_strsplit(body, "\r\n", -1);
  guint n = g_strv_length(lines);
  while (n > 0 && lines[n - 1][strspn(lines[n - 1], " \t")] == '\0')
    n--;
  for (guint i = 0; i < n; i++)
    append_line(out, lines[i]);
  return out;
}

/* Fed PIECE bytes at a time. */
static void check_body(const GString *body, size_t piece)
{
  unsigned char got[EVP_MAX_MD_SIZE], want[EVP_MAX_MD_SIZE];
  unsigned size;
  g_autoptr(GString) plain = plain_body(body->str);
  EVP_MD_CTX *hash = EVP_MD_CTX_new();
  g_assert(EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1);
  struct dkim_canon canon = {.hash = hash, .held = g_string_new(NULL)};
  for (size_t at = 0, n; at < body->len; at += n) {
    n = MIN(piece, body->len - at);
    g_assert(dkim_canon_feed(&canon, body->str + at, n));
  }
  g_assert(dkim_canon_finish(&canon));
  g_string_free(canon.held, TRUE);
  g_assert(EVP_DigestFinal_ex(hash, got, &size) == 1);
  g_assert(EVP_Digest(plain->str, plain->len, want, &size, EVP_sha256(), NULL) == 1);
  g_assert(memcmp(got, want, size) == 0);
  EVP_MD_CTX_free(hash);
}

static void check_field(const GString *value)
{
  g_autoptr(GString) once = g_string_new(NULL), twice = g_string_new(NULL);
  dkim_canon_field(once, "Name", 4, value->str, value->len);
  g_assert(g_str_has_prefix(once->str, "name:") && !strpbrk(once->str, "\r\n\t") && !strstr(once->str, "  "));
  dkim_canon_field(twice, "NAME", 4, once->str + 5, once->len - 5);
  g_assert(g_string_equal(once, twice));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  g_autoptr(GString) text = with_crlf(data, size);
  check_body(text, SIZE_MAX);
  for (size_t piece = 1; piece < 8; piece++)
    check_body(text, piece);
  check_field(text);
  return 0;
}
