#pragma once

#include <openssl/evp.h>

#include "dkim/keys.h"

/* Inside lib/dkim. */

/* The key itself, borrowed; any number of threads sign with it at once. */
EVP_PKEY *dkim_key_pkey(const struct dkim_key *key);
