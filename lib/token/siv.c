/* AES-SIV through OpenSSL.
 *
 * A context of the library is good for one message; keying one costs 3 µs,
 * initialising it anew without a key fails, and copying a keyed one costs half a
 * µs, as much as the message. What makes it good for many is the switch that
 * `openssl speed' uses; it is sound for messages of a block and more, which leave
 * the context's state as it was. So each key has one context that is keyed, has
 * taken in its associated data and is only ever copied from, and idle copies that
 * threads borrow. Shorter messages, and a library without the switch, take a copy
 * each: slower, and the same bytes (the unit test compares). */

#include "token/siv.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include <glib.h>

struct token_siv_library {
  EVP_CIPHER *cipher;
  EVP_KDF *kdf;
};

enum { IDLE = 16, BLOCK = 16 };

struct token_siv {
  EVP_CIPHER_CTX *keyed; /* never used, only copied from */
  GMutex lock;           /* over what follows */
  EVP_CIPHER_CTX *idle[IDLE];
  int n;
};

struct token_siv_library *token_siv_library_new(void)
{
  struct token_siv_library *library = g_new0(struct token_siv_library, 1);
  library->cipher = EVP_CIPHER_fetch(NULL, "AES-128-SIV", NULL);
  library->kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
  return library;
}

void token_siv_library_free(struct token_siv_library *library)
{
  EVP_CIPHER_free(library->cipher);
  EVP_KDF_free(library->kdf);
  g_free(library);
}

bool token_siv_derive(struct token_siv_library *library, const uint8_t *secret, size_t length,
                      const uint8_t *info, size_t info_length, uint8_t key[TOKEN_SIV_KEY])
{
  EVP_KDF_CTX *context = library->kdf ? EVP_KDF_CTX_new(library->kdf) : NULL;
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, length),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, info_length),
      OSSL_PARAM_construct_end(),
  };
  bool good = context && EVP_KDF_derive(context, key, TOKEN_SIV_KEY, parameters) == 1;
  EVP_KDF_CTX_free(context);
  return good;
}

struct token_siv *token_siv_new(struct token_siv_library *library, bool seals,
                                const uint8_t key[TOKEN_SIV_KEY], const uint8_t *aad, size_t aad_length)
{
  EVP_CIPHER_CTX *keyed = library->cipher ? EVP_CIPHER_CTX_new() : NULL;
  int taken = 0;
  if (keyed && EVP_CipherInit_ex2(keyed, library->cipher, key, NULL, seals, NULL) == 1 &&
      EVP_CipherUpdate(keyed, NULL, &taken, aad, (int)aad_length) == 1) {
    struct token_siv *siv = g_new0(struct token_siv, 1);
    siv->keyed = keyed;
    g_mutex_init(&siv->lock);
    return siv;
  }
  EVP_CIPHER_CTX_free(keyed);
  return NULL;
}

void token_siv_free(struct token_siv *siv)
{
  if (!siv) return;
  while (siv->n > 0)
    EVP_CIPHER_CTX_free(siv->idle[--siv->n]);
  EVP_CIPHER_CTX_free(siv->keyed);
  g_mutex_clear(&siv->lock);
  g_free(siv);
}

/* A context for a message of LENGTH bytes, *AGAIN if it can be given back. */
static EVP_CIPHER_CTX *borrow(struct token_siv *siv, size_t length, bool *again)
{
  EVP_CIPHER_CTX *context = NULL;
  *again = length >= BLOCK;
  if (*again) {
    g_mutex_lock(&siv->lock);
    if (siv->n > 0) context = siv->idle[--siv->n];
    g_mutex_unlock(&siv->lock);
    if (context) return context;
  }
  context = EVP_CIPHER_CTX_new();
  if (context && EVP_CIPHER_CTX_copy(context, siv->keyed) == 1) {
    *again = *again && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_SET_SPEED, 1, NULL) == 1;
    return context;
  }
  EVP_CIPHER_CTX_free(context);
  return NULL;
}

static void give_back(struct token_siv *siv, EVP_CIPHER_CTX *context, bool again)
{
  g_mutex_lock(&siv->lock);
  again = again && siv->n < IDLE;
  if (again) siv->idle[siv->n++] = context;
  g_mutex_unlock(&siv->lock);
  if (!again) EVP_CIPHER_CTX_free(context);
}

bool token_siv_seal(struct token_siv *siv, const uint8_t *plain, size_t length, uint8_t *sealed,
                    uint8_t tag[TOKEN_SIV_TAG])
{
  bool again;
  EVP_CIPHER_CTX *context = borrow(siv, length, &again);
  if (!context) return false;
  int done = 0;
  bool good = EVP_EncryptUpdate(context, sealed, &done, plain, (int)length) == 1 && (size_t)done == length &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TOKEN_SIV_TAG, tag) == 1;
  give_back(siv, context, again && good);
  return good;
}

bool token_siv_open(struct token_siv *siv, const uint8_t tag[TOKEN_SIV_TAG], const uint8_t *sealed,
                    size_t length, uint8_t *plain)
{
  bool again;
  EVP_CIPHER_CTX *context = borrow(siv, length, &again);
  if (!context) return false;
  int done = 0;
  bool good = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TOKEN_SIV_TAG, (void *)tag) == 1 &&
              EVP_DecryptUpdate(context, plain, &done, sealed, (int)length) == 1 && (size_t)done == length;
  /* A forged message has left this one in a state of which we will not think. */
  give_back(siv, context, again && good);
  if (!good) OPENSSL_cleanse(plain, length);
  return good;
}
