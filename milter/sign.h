#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

#include "directory/directory.h"
#include "dkim/sign.h"
#include "milter/engine.h"

/* Signing what we send (DKIM): which key, and the signature of the message as it
 * will be on the wire. Any number of threads. */

#define SIGN_FIELD "DKIM-Signature"

struct sign;

/* Reads the keys; to be called as the user that the milter becomes. If the
 * configuration says not to sign there are none. Errors: those of
 * dkim_keys_load(). */
struct sign *sign_open(const struct conf *conf, GError **error);
void sign_close(struct sign *sign);

/* Reads the keys anew; the old ones stay on an error. */
bool sign_reload(struct sign *sign, GError **error);

/* The key for a mail of TENANT, to be given back with dkim_key_unref(): that of
 * the domain in From:, or of one above it, as long as all of them are the
 * tenant's. NULL: there is none, or the mail is signed already. *BEFORE: the
 * tenant's domain has signed it, and it was not us. */
struct dkim_key *sign_key(struct sign *sign, struct directory_view *view, int64_t tenant,
                          const struct engine_mail *mail, bool *before);

/* The value of the signature of MAIL with the changes of RESULT made, for
 * libmilter (folds are LF and a tab); BODY is as it will be. Caller frees. NULL:
 * an error, and the mail goes out unsigned. */
char *sign_value(struct sign *sign, const struct dkim_key *key, const struct engine_mail *mail,
                 const struct rewrite_result *result, const char *body, size_t length, int64_t now,
                 GError **error);
