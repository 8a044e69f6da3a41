#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

#include "mail/edit.h"
#include "mail/encoding.h"
#include "mail/walk.h"

/* Turns INNER, edits of the decoded text of part I (LEAF: its body, decoded), into
 * edits of the message, added to OUTER. Works through the transfer encoding:
 * 7bit, 8bit and binary are replaced in place, quoted-printable in its own lines,
 * base64 as a whole in lines of its own length. No inner edits, no outer ones.
 * Seals INNER.
 *
 * INPUT where the leaf must be left alone: it is ambiguous, embedded, empty or no leaf;
 * its encoding is broken; an edit overlaps another, parts CR from LF, or would
 * bring a NUL, a line end of another kind or a line that readers could take for
 * an open boundary. The rest is the caller's: replacements are ASCII in a 7bit
 * leaf, and lines stay within 998 bytes in one that is edited in place. LIMIT
 * where memory is refused. Where it fails nothing is added, but for LIMIT. */
bool mail_leaf_edit(const struct mail_tree *tree, size_t i, const struct mail_decoded *leaf,
                    struct mail_edits *inner, struct mail_edits *outer, GError **error);
