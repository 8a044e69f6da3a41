#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

/* Sealed stateless tokens: what a tracked URL says, in one path segment.
 *
 *   base64url( 0x10 | key id | tenant | SIV (16) | sealed body )
 *   body = kind | mail id | link number | destination
 *
 * Numbers are varints (7 bits a byte, low first) and, like the base64url without
 * padding (RFC 4648 §5), have exactly one spelling.
 * AES-SIV (RFC 5297) under a key derived (HKDF) from the master key and the
 * tenant, the clear prefix as associated data: nothing can be read, changed or
 * moved to another tenant, and equal inputs give equal tokens. */

enum token_kind { TOKEN_OPEN = 'o', TOKEN_CLICK = 'c', TOKEN_UNSUBSCRIBE = 'u', TOKEN_SEND = 's' };

enum { TOKEN_MAX_DESTINATION = 1900, TOKEN_MAX_SEGMENT = 2800, TOKEN_SECRET_BYTES = 32 };

struct token {
  enum token_kind kind;
  int64_t tenant;
  int64_t mail;
  uint32_t link;           /* number of the link in its mail, from 1; 0: none */
  const char *destination; /* click: the URL, bytes as written; unsubscribe: "list\naddress"; send (the
                              marker of our own mail): "journey.step.visit" or "copy"; not NUL-terminated */
  size_t destination_length;
};

/* Master keys by id, and the keyed contexts derived from them. Any thread. */
struct token_keys;

struct token_keys *token_keys_new(void);
void token_keys_free(struct token_keys *keys);

/* Adds a master key; the one added last seals. SECRET is copied, and wiped at
 * token_keys_free(). Errors: INPUT if ID is there already. */
bool token_keys_add(struct token_keys *keys, uint8_t id, const uint8_t secret[TOKEN_SECRET_BYTES],
                    GError **error);

/* Appends the sealed segment to OUT. Any thread. Errors: LIMIT (destination too
 * long), INPUT (a negative id), SYS (no key yet, the library failed). */
bool token_seal(struct token_keys *keys, const struct token *token, GString *out, GError **error);

/* Opens SEGMENT. On success fills TOKEN, whose destination is borrowed from
 * SCRATCH (overwritten by the next use). Errors: INPUT for anything that we did
 * not seal: forged, truncated, foreign, unknown key (one message for all). Any
 * thread, with a SCRATCH of its own. */
bool token_open(struct token_keys *keys, const char *segment, size_t length, struct token *token,
                GByteArray *scratch, GError **error);

/* The id of the key that sealed SEGMENT, without a proof; -1 if it is no token. */
int token_key_id(const char *segment, size_t length);
