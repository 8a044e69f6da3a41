#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

/* Signing keys: files FOLDER/DOMAIN/SELECTOR.pem, each an RSA private key that
 * nobody but its owner can read. Where a domain has several, the one whose
 * selector comes last in the order of bytes signs. */

struct dkim_key;  /* never changes; counted */
struct dkim_keys; /* one key a domain */

enum { DKIM_MIN_BITS = 2048, DKIM_MAX_BITS = 4096 };

/* Reads all of FOLDER; one that is not there has no keys. Errors, with the file's
 * name: SYS (it cannot be read, others can read it), INPUT (it is no RSA key, or
 * one of too few bits), LIMIT. Caller frees with dkim_keys_free(). */
struct dkim_keys *dkim_keys_load(const char *folder, GError **error);
void dkim_keys_free(struct dkim_keys *keys);
size_t dkim_keys_count(const struct dkim_keys *keys);

/* The key of DOMAIN (in lower case, A-labels), to be given back with
 * dkim_key_unref(); NULL if there is none. Any thread. */
struct dkim_key *dkim_keys_find(const struct dkim_keys *keys, const char *domain);
void dkim_key_unref(struct dkim_key *key);

/* Borrowed. The PEM text is a secret. */
const char *dkim_key_domain(const struct dkim_key *key);
const char *dkim_key_selector(const struct dkim_key *key);
const char *dkim_key_pem(const struct dkim_key *key);

/* Reads one file; as dkim_keys_load(), but a key that is missing is NOTFOUND.
 * SELECTOR NULL: the one that signs. */
struct dkim_key *dkim_key_load(const char *folder, const char *domain, const char *selector, GError **error);

/* Makes FOLDER/DOMAIN/SELECTOR.pem (mode 0600) with a fresh key of BITS; folders
 * that are missing are made (0700). All that is made belongs to OWNER; (uid_t)-1:
 * to the caller. On disk on return. Errors: INPUT (the file is there, the names
 * are no names, BITS), SYS. */
bool dkim_key_make(const char *folder, const char *domain, const char *selector, int bits, uid_t owner,
                   GError **error);

/* "v=DKIM1; k=rsa; p=…": what DNS is to say at SELECTOR._domainkey.DOMAIN (RFC
 * 6376 section 3.6.1). Caller frees. */
char *dkim_key_record(const struct dkim_key *key, GError **error);

/* DOMAIN in lower case and A-labels (IDNA), without a final dot; NULL if it is no
 * domain name. Caller frees. */
char *dkim_domain(const char *domain);
