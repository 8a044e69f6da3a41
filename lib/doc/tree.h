#pragma once

/* The inside of a document, shared by the files that fill it (yaml.c, json.c) and
 * doc.c. Not for other modules. */

#include <stdbool.h>

#include "base/error.h"
#include "doc/doc.h"

struct doc {
  char *name;
  json_t *root;
  GHashTable *places; /* struct place, as a set */
  GStringChunk *keys; /* of the places */
};

/* A new document without a root; frees with doc_free(). */
struct doc *doc_new(const char *name);

/* Notes that the member KEY (or the item INDEX, if KEY is NULL) of PARENT begins on
 * LINE; PARENT NULL is the root. KEY is copied. False, with an error, if the document
 * has more values than it may. */
bool doc_place(struct doc *doc, const json_t *parent, const char *key, size_t index, unsigned line,
               GError **error);

/* The line noted for it, 0 for none. */
unsigned doc_place_line(const struct doc *doc, const json_t *parent, const char *key, size_t index);

/* Sets ERROR to CODE and "NAME:LINE: message". Always false. */
bool doc_fail(const struct doc *doc, GError **error, int code, unsigned line, const char *format, ...)
    G_GNUC_PRINTF(5, 6);

/* The line of the byte at OFFSET. */
unsigned doc_line_of_byte(const char *bytes, size_t offset);

/* What must hold of the bytes whatever the language: size, UTF-8, no NUL. */
bool doc_check_bytes(const struct doc *doc, const char *bytes, size_t length, GError **error);
