#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "token/token.h"

/* The file of token master keys: one line a key, `ID HEX CREATED`, oldest first;
 * the last one seals; blank lines and lines with # are skipped. A file that others
 * can read, or its group can write, is refused. */

/* Reads PATH into new keys. Caller frees with token_keys_free(). Errors: SYS
 * (missing, unsafe mode) and INPUT (PATH:LINE: what is wrong). */
struct token_keys *keyfile_load(const char *path, GError **error);

/* Makes PATH (mode 0640, the folder's group) with one fresh key; refuses to
 * overwrite. NOW in microseconds UTC. Errors: INPUT (it is there), SYS. */
bool keyfile_new(const char *path, int64_t now, GError **error);

/* Appends a fresh key, which seals from the next reload on; the old ones still
 * open. Written aside and renamed. *ID is the new key's. Errors: as loading; LIMIT
 * (256 keys), TEMP (rotated by somebody else at the same time). */
bool keyfile_rotate(const char *path, int64_t now, uint8_t *id, GError **error);
