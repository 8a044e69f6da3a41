/* Tokens: nothing opens but what was sealed.
 *
 * The input is taken twice: as a segment off the street, which may open only if
 * sealing what it says gives the very same segment; and as the parts of a token,
 * which must come back as they were, while no truncation and no flipped bit of
 * its segment opens. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "token/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct token_keys *make_keys(void)
{
  static const uint8_t secret[TOKEN_SECRET_BYTES] = "only for the fuzzer: no secret!!";
  struct token_keys *keys = token_keys_new();
  if (!token_keys_add(keys, 7, secret, NULL)) abort();
  return keys;
}

static void must_fail(struct token_keys *keys, const char *segment, size_t length)
{
  g_autoptr(GByteArray) scratch = g_byte_array_new();
  g_autofree char *exact = g_memdup2(segment, length); /* lets the sanitizer see a read past the end */
  struct token token;
  if (token_open(keys, exact, length, &token, scratch, NULL)) abort();
}

static void off_the_street(struct token_keys *keys, const char *segment, size_t length)
{
  g_autoptr(GByteArray) scratch = g_byte_array_new();
  g_autoptr(GString) again = g_string_new(NULL);
  struct token token;
  (void)token_key_id(segment, length);
  if (!token_open(keys, segment, length, &token, scratch, NULL)) return;
  if (!token_seal(keys, &token, again, NULL)) abort();
  if (again->len != length || memcmp(again->str, segment, length) != 0) abort();
}

static void check_neighbours(struct token_keys *keys, GString *segment)
{
  for (size_t length = 0; length < segment->len; length++)
    must_fail(keys, segment->str, length);
  for (size_t i = 0; i < segment->len * 8; i++) {
    char *letter = &segment->str[i / 8];
    char before = *letter;
    *letter = (char)(before ^ 1 << i % 8);
    must_fail(keys, segment->str, segment->len);
    *letter = before;
  }
}

static void made_of_parts(struct token_keys *keys, const uint8_t *data, size_t size)
{
  static const enum token_kind kinds[] = {TOKEN_OPEN, TOKEN_CLICK, TOKEN_UNSUBSCRIBE, TOKEN_SEND};
  struct token token = {.kind = kinds[data[0] % G_N_ELEMENTS(kinds)]}, opened;
  memcpy(&token.tenant, data + 1, 8);
  memcpy(&token.mail, data + 9, 8);
  memcpy(&token.link, data + 17, 4);
  token.tenant &= INT64_MAX >> data[0] % 60;
  token.mail &= INT64_MAX;
  token.destination = (const char *)data + 21;
  token.destination_length = size - 21;
  g_autoptr(GString) segment = g_string_new(NULL);
  g_autoptr(GByteArray) scratch = g_byte_array_new();
  if (!token_seal(keys, &token, segment, NULL)) {
    if (token.destination_length <= TOKEN_MAX_DESTINATION) abort();
    return;
  }
  if (!token_open(keys, segment->str, segment->len, &opened, scratch, NULL)) abort();
  if (opened.kind != token.kind || opened.tenant != token.tenant || opened.mail != token.mail ||
      opened.link != token.link || opened.destination_length != token.destination_length ||
      memcmp(opened.destination, token.destination, token.destination_length) != 0)
    abort();
  if (segment->len <= 200) check_neighbours(keys, segment);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct token_keys *keys; /* fetching the ciphers anew would be nearly all of the work */
  if (!keys) keys = make_keys();
  off_the_street(keys, (const char *)data, size);
  if (size >= 21) made_of_parts(keys, data, size);
  return 0;
}
