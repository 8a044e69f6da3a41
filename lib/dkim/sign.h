#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

#include "dkim/keys.h"

/* DKIM signatures (RFC 6376): rsa-sha256, relaxed/relaxed, the whole body, the
 * fields of signed.def. */

struct dkim_signer; /* any number of threads */

struct dkim_signer *dkim_signer_new(void);
void dkim_signer_free(struct dkim_signer *signer);

/* Signs a message with KEY: HEADER is its fields as they will be on the wire, each
 * with its CR LF, without the empty line; BODY what follows that. NOW in
 * microseconds UTC. *VALUE is that of the DKIM-Signature field, without the space
 * before it, folded with CR LF and a tab. A final line end that BODY lacks is
 * added, as the MTA does. Errors: INPUT (not one From field with one address; bytes that not every
 * verifier or MTA would see alike: bare CR, LF or NUL, or a line of more than 998
 * bytes, which an MTA breaks), LIMIT, SYS. */
bool dkim_signer_sign(struct dkim_signer *signer, const struct dkim_key *key, const char *header,
                      size_t header_length, const char *body, size_t body_length, int64_t now, GString *value,
                      GError **error);

/* The domain of the one address in the one From field of HEADER, as dkim_domain()
 * gives it; NULL if there is no such one. Caller frees. */
char *dkim_from_domain(const char *header, size_t length);

/* The value of the tag NAME ("d") of a signature, without white space; NULL if it
 * has none. Caller frees. */
char *dkim_signature_tag(const char *value, size_t length, const char *name);
