#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

/* What libconfuse does not check. Inside lib/conf. */

/* One `name = value` of the file. */
struct scan_key {
  char *section; /* NULL: top level */
  char *name;
  int line;
};

/* Walks TEXT and appends its keys to KEYS (of struct scan_key, freed with
 * scan_key_clear()). The first thing that libconfuse would take in silence or
 * report without a remedy fills ERROR (INPUT, "FILE:LINE: …"): an unclosed
 * brace or string, `${`, a second value for a key, a section opened twice. */
bool scan_text(const char *file, const char *text, size_t length, GArray *keys, GError **error);

/* Clear function for KEYS. */
void scan_key_clear(void *key);
