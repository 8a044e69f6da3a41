#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* AES-128-SIV (RFC 5297) with one key, one associated data and many uses. */

enum { TOKEN_SIV_KEY = 32, TOKEN_SIV_TAG = 16 };

/* The library's part that all contexts share; fetched once. */
struct token_siv_library;
struct token_siv_library *token_siv_library_new(void);
void token_siv_library_free(struct token_siv_library *library);

/* Derives KEY from a master SECRET of LENGTH bytes and INFO: HKDF-SHA256 (RFC
 * 5869) without salt. */
bool token_siv_derive(struct token_siv_library *library, const uint8_t *secret, size_t length,
                      const uint8_t *info, size_t info_length, uint8_t key[TOKEN_SIV_KEY]);

/* A context that only seals or only opens, keyed, with the associated data AAD
 * taken in. Any thread may use it. NULL: the library failed. */
struct token_siv;
struct token_siv *token_siv_new(struct token_siv_library *library, bool seals,
                                const uint8_t key[TOKEN_SIV_KEY], const uint8_t *aad, size_t aad_length);
void token_siv_free(struct token_siv *siv);

/* Seals LENGTH (> 0) bytes of PLAIN into SEALED, of the same length, and TAG. */
bool token_siv_seal(struct token_siv *siv, const uint8_t *plain, size_t length, uint8_t *sealed,
                    uint8_t tag[TOKEN_SIV_TAG]);

/* Opens SEALED into PLAIN, which may be the same. False, and PLAIN wiped, unless
 * this key sealed exactly this. */
bool token_siv_open(struct token_siv *siv, const uint8_t tag[TOKEN_SIV_TAG], const uint8_t *sealed,
                    size_t length, uint8_t *plain);
