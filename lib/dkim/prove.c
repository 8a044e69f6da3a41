/* Another implementation's word for our signatures: before a key is used, what it
 * signs is verified by libopendkim with the record that DNS should have. */

#include <string.h>

#include <opendkim/dkim.h>

#include "base/error.h"
#include "dkim/sign.h"

/* Long ago, so that no clock finds it in the future; and not 0, about which
 * libopendkim miscounts. Microseconds. */
#define WHEN (INT64_C(86400) * 1000000)

#define BODY "Blanks  at the end \t\r\n\r\n and  a fold.\r\n\r\n"

static DKIM_CBSTAT give_record(DKIM *dkim, DKIM_SIGINFO *sig, unsigned char *buffer, size_t size)
{
  (void)sig;
  g_strlcpy((char *)buffer, dkim_get_user_context(dkim), size);
  return DKIM_CBSTAT_CONTINUE;
}

static bool feed(DKIM *dkim, char **fields)
{
  for (; *fields; fields++)
    if (dkim_header(dkim, (u_char *)*fields, strlen(*fields)) != DKIM_STAT_OK) return false;
  return dkim_eoh(dkim) == DKIM_STAT_OK && dkim_body(dkim, (u_char *)BODY, strlen(BODY)) == DKIM_STAT_OK &&
         dkim_eom(dkim, NULL) == DKIM_STAT_OK;
}

static bool verify(DKIM_LIB *handle, char **fields, char *record)
{
  DKIM_STAT status;
  DKIM *dkim = dkim_verify(handle, (u_char *)"", NULL, &status);
  if (!dkim) return false;
  dkim_set_user_context(dkim, record);
  bool good = feed(dkim, fields);
  DKIM_SIGINFO *sig = dkim_getsignature(dkim);
  good = good && sig && DKIM_SIG_CHECK(sig);
  dkim_free(dkim);
  return good;
}

static bool prove(DKIM_LIB *handle, const struct dkim_key *key, GError **error)
{
  g_autoptr(GString) value = g_string_new(NULL);
  g_autofree char *from = g_strdup_printf("From: Proof\r\n <proof@%s>", dkim_key_domain(key));
  g_autofree char *header = g_strconcat(from, "\r\nSubject:  a \t proof\r\n", NULL);
  g_autofree char *record = dkim_key_record(key, error);

  if (!record || !dkim_sign_message(key, header, strlen(header), BODY, strlen(BODY), WHEN, value, error))
    return false;
  g_autofree char *signature = g_strconcat("DKIM-Signature: ", value->str, NULL);
  char *fields[] = {signature, from, (char *)"Subject:  a \t proof", NULL};
  if (verify(handle, fields, record)) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS,
              "libopendkim does not accept what the key %s of %s signs", dkim_key_selector(key),
              dkim_key_domain(key));
  return false;
}

struct proof {
  DKIM_LIB *handle;
  GError **error;
};

static bool prove_one(const struct dkim_key *key, void *data)
{
  const struct proof *proof = data;
  return prove(proof->handle, key, proof->error);
}

bool dkim_keys_prove(const struct dkim_keys *keys, GError **error)
{
  DKIM_LIB *handle = dkim_init(NULL, NULL);
  if (!handle) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "libopendkim does not start");
    return false;
  }
  dkim_set_key_lookup(handle, give_record);
  struct proof proof = {handle, error};
  bool good = dkim_keys_each(keys, prove_one, &proof);
  dkim_close(handle);
  return good;
}
