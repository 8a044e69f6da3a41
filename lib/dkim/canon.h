#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>
#include <openssl/evp.h>

/* The relaxed canonicalisations of RFC 6376. Inside lib/dkim. */

/* Appends the field NAME with VALUE (all after its colon, without the last line
 * end) as in section 3.4.2, without CR LF. */
void dkim_canon_field(GString *out, const char *name, size_t name_length, const char *value, size_t length);

/* Hands the body as in section 3.4.4 to HASH. Every CR and LF in it must be one of
 * CR LF. False if the library fails. */
bool dkim_canon_body(EVP_MD_CTX *hash, const char *body, size_t length);
