#pragma once

#include <stddef.h>

#include <glib.h>
#include <jansson.h>

/* A document that people or programs write (a workflow, a segment), as a tree of
 * values that remembers its lines, so that whoever finds a fault in it can say where.
 *
 * YAML is read as YAML 1.2 with the core schema: null, true, false and numbers are
 * what they look like (null ~ Null NULL or nothing; true True TRUE; 12, 0o17, 0x1f,
 * 1.5e3); everything else plain is a string, such as no, on, 12:30 and 2026-01-01, and
 * so is whatever stands in quotes or in a block. A document is plain data: anchors,
 * aliases, merge keys (<<), tags and a second document are refused, with a sentence
 * that says what to write. Keys are strings. Nothing may hold a NUL. */
struct doc;

/* What a document may be at most: bytes, values, values inside values. */
enum { DOC_BYTES_MAX = 1024 * 1024, DOC_VALUES_MAX = 100000, DOC_DEPTH_MAX = 64 };

/* Read LENGTH BYTES as YAML or JSON. NAME is what errors call the document, such as
 * its file name. Caller frees with doc_free(). Errors: INPUT and LIMIT, all as
 * "NAME:LINE: message". */
struct doc *doc_parse_yaml(const char *bytes, size_t length, const char *name, GError **error);
struct doc *doc_parse_json(const char *bytes, size_t length, const char *name, GError **error);
void doc_free(struct doc *doc);

/* The tree. Borrowed: it lives as long as DOC, and must not be changed. */
json_t *doc_root(const struct doc *doc);

/* The name it was given. Borrowed. */
const char *doc_name(const struct doc *doc);

/* The line, from 1, at which the value at POINTER (RFC 6901, "" is the root) begins;
 * if there is none, that of the nearest value around it. */
unsigned doc_line(const struct doc *doc, const char *pointer);

/* Sets ERROR to an INPUT error "NAME:LINE: message" about the value at POINTER. */
void doc_error(const struct doc *doc, GError **error, const char *pointer, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

typedef struct doc doc_auto; /* for g_autoptr */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(doc_auto, doc_free)
