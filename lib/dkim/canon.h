#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>
#include <openssl/evp.h>

/* The relaxed canonicalisations of RFC 6376. Inside lib/dkim. */

/* Appends the field NAME with VALUE (all after its colon, without the last line
 * end) as in section 3.4.2, without CR LF. */
void dkim_canon_field(GString *out, const char *name, size_t name_length, const char *value, size_t length);

/* The body as in section 3.4.4, handed to a hash. Fed in pieces, cut anywhere. */
struct dkim_canon {
  EVP_MD_CTX *hash; /* borrowed */
  GString *held;    /* white space, of which the next piece tells what it is */
  bool begun;       /* something else than white space was there */
};

/* Every CR and LF must be one of CR LF. False if the library fails. */
bool dkim_canon_feed(struct dkim_canon *canon, const char *body, size_t length);
bool dkim_canon_finish(struct dkim_canon *canon);
