/* Signs and verifies messages, for the tests.
 *
 *   dkim-run sign FOLDER DOMAIN TIME   with the key of DOMAIN in FOLDER
 *   dkim-run verify FILE               by libopendkim; FILE has the record of DNS
 *
 * From stdin, over and over: a line with the length, then the message. To stdout:
 * sign: a line with the length, then the signed message; or "- REASON". verify: a
 * line "good" or "bad: REASON". */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <opendkim/dkim.h>

#include "dkim/sign.h"
#include "mail/header.h"

static char *record;

/* ---- both ---- */

static char *read_message(size_t *length)
{
  if (scanf("%zu", length) != 1 || getchar() != '\n') return NULL;
  char *message = g_malloc(*length + 1);
  if (fread(message, 1, *length, stdin) != *length) abort();
  message[*length] = '\0';
  return message;
}

/* Where the header ends, and where the body begins. */
static size_t end_of_header(const char *message, size_t length, size_t *body)
{
  const char *empty =
      g_str_has_prefix(message, "\r\n") ? message : g_strstr_len(message, (gssize)length, "\r\n\r\n");
  if (!empty) return *body = length;
  size_t end = empty == message ? 0 : (size_t)(empty - message) + 2;
  *body = end + 2;
  return end;
}

/* ---- signing ---- */

static void sign(struct dkim_signer *signer, const struct dkim_key *key, int64_t now, const char *message,
                 size_t length)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GString) value = g_string_new(NULL);
  size_t body, end = end_of_header(message, length, &body);
  if (!dkim_signer_sign(signer, key, message, end, message + body, length - body, now, value, &error)) {
    printf("- %s\n", error->message);
    return;
  }
  printf("%zu\nDKIM-Signature: %s\r\n", strlen("DKIM-Signature: \r\n") + value->len + length, value->str);
  fwrite(message, 1, length, stdout);
}

static int sign_all(const char *folder, const char *domain, const char *now)
{
  g_autoptr(GError) error = NULL;
  struct dkim_key *key = dkim_key_load(folder, domain, NULL, &error);
  if (!key) {
    fprintf(stderr, "%s\n", error->message);
    return 1;
  }
  struct dkim_signer *signer = dkim_signer_new();
  size_t length;
  for (char *message; (message = read_message(&length)); g_free(message)) {
    sign(signer, key, g_ascii_strtoll(now, NULL, 10), message, length);
    fflush(stdout);
  }
  dkim_signer_free(signer);
  dkim_key_unref(key);
  return 0;
}

/* ---- verifying ---- */

static DKIM_CBSTAT give_key(DKIM *dkim, DKIM_SIGINFO *sig, unsigned char *buffer, size_t size)
{
  (void)dkim, (void)sig;
  g_strlcpy((char *)buffer, record, size);
  return DKIM_CBSTAT_CONTINUE;
}

static DKIM_STAT feed(DKIM *dkim, const char *message, size_t length)
{
  size_t body, end = end_of_header(message, length, &body);
  struct mail_header_iter iter;
  struct mail_field field;
  mail_header_init(&iter, message, (struct mail_range){0, end});
  while (mail_header_next(&iter, &field)) {
    DKIM_STAT status =
        dkim_header(dkim, (u_char *)message + field.whole.start, field.value.end - field.whole.start);
    if (status != DKIM_STAT_OK) return status;
  }
  DKIM_STAT status = dkim_eoh(dkim);
  if (status == DKIM_STAT_OK && body < length)
    status = dkim_body(dkim, (u_char *)message + body, length - body);
  return status == DKIM_STAT_OK ? dkim_eom(dkim, NULL) : status;
}

static void verify(DKIM_LIB *handle, const char *message, size_t length)
{
  DKIM_STAT status;
  DKIM *dkim = dkim_verify(handle, (u_char *)"", NULL, &status);
  if (dkim) status = feed(dkim, message, length);
  DKIM_SIGINFO *sig = dkim ? dkim_getsignature(dkim) : NULL;
  if (status == DKIM_STAT_OK && sig && DKIM_SIG_CHECK(sig))
    printf("good\n");
  else
    printf("bad: %s: %s\n", dkim_getresultstr(status),
           sig ? dkim_sig_geterrorstr(dkim_sig_geterror(sig)) : "-");
  if (dkim) dkim_free(dkim);
}

static int verify_all(const char *file)
{
  if (!g_file_get_contents(file, &record, NULL, NULL)) return 1;
  g_strchomp(record);
  DKIM_LIB *handle = dkim_init(NULL, NULL);
  dkim_set_key_lookup(handle, give_key);
  size_t length;
  for (char *message; (message = read_message(&length)); g_free(message)) {
    verify(handle, message, length);
    fflush(stdout);
  }
  dkim_close(handle);
  g_free(record);
  return 0;
}

int main(int argc, char **argv)
{
  if (argc == 5 && strcmp(argv[1], "sign") == 0) return sign_all(argv[2], argv[3], argv[4]);
  if (argc == 3 && strcmp(argv[1], "verify") == 0) return verify_all(argv[2]);
  fprintf(stderr, "usage: dkim-run sign FOLDER DOMAIN TIME | verify FILE\n");
  return 64;
}
