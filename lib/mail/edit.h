#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

/* Replacements on a text: the bytes [offset, offset + length) become others. */
struct mail_edit {
  size_t offset, length;
  char *bytes; /* owned by the list */
  size_t size;
};

typedef struct mail_edits mail_edits; /* for g_autoptr */

/* A new, empty list. At most MAX edits are taken. */
struct mail_edits *mail_edits_new(size_t max);
void mail_edits_free(struct mail_edits *edits);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mail_edits, mail_edits_free)

/* Adds one: LENGTH bytes at OFFSET become SIZE bytes, which are copied. Several
 * insertions at one place keep the order in which they were added, and come
 * before a replacement that starts there. LIMIT over the maximum or where
 * memory is refused. An overlap is found by mail_edits_seal(). */
bool mail_edits_add(struct mail_edits *edits, size_t offset, size_t length, const char *bytes, size_t size,
                    GError **error);

/* Puts the edits in order; INPUT if two overlap or one leaves a text of TOTAL
 * bytes. O(n log n), and O(n) where they were added in order. */
bool mail_edits_seal(struct mail_edits *edits, size_t total, GError **error);

/* How many there are; the I-th, borrowed (in order after sealing). */
size_t mail_edits_count(const struct mail_edits *edits);
const struct mail_edit *mail_edits_at(const struct mail_edits *edits, size_t i);

/* Seals EDITS and gives BYTES with them made: *RESULT is owned by the caller
 * (g_free), *SIZE long, and ends in a NUL that is not counted. Every byte
 * outside the edits is copied as it is. INPUT as above; LIMIT where memory is
 * refused. */
bool mail_edits_apply(struct mail_edits *edits, const char *bytes, size_t length, char **result, size_t *size,
                      GError **error);

/* Gives TAKE what mail_edits_apply() gives for the bytes from FROM on, piece by
 * piece and without a copy: runs of the original and replacements, none of them
 * empty. EDITS are sealed and begin at FROM or later. False as soon as TAKE says
 * so. */
typedef bool mail_edits_take(void *data, const char *piece, size_t length);
bool mail_edits_give(const struct mail_edits *edits, const char *bytes, size_t from, size_t length,
                     mail_edits_take *take, void *data);
