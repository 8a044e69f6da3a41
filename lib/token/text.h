#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

/* base64url without padding (RFC 4648 §5), one spelling for each value. */

/* Appends the text of LENGTH bytes to OUT. */
void token_text_encode(const uint8_t *bytes, size_t length, GString *out);

/* Sets OUT to the bytes of TEXT. False for anything that token_text_encode()
 * would not write: other letters, padding, an impossible length, bits left over. */
bool token_text_decode(const char *text, size_t length, GByteArray *out);
