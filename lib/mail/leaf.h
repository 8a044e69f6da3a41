#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

#include "mail/edit.h"
#include "mail/encoding.h"

/* Turns INNER, edits of a leaf's decoded text, into edits of the message, added
 * to OUTER; the leaf's raw body starts at OFFSET of the message. Works through
 * the transfer encoding: 7bit, 8bit and binary are replaced in place,
 * quoted-printable in its own lines, base64 as a whole in lines of its own
 * length. The replacements must be ASCII for 7bit. No inner edits, no outer
 * ones. Seals INNER. INPUT where the leaf must be left alone (facts, edge of the
 * text) or the edits are bad; LIMIT where memory is refused. */
bool mail_leaf_edit(const struct mail_decoded *leaf, size_t offset, struct mail_edits *inner,
                    struct mail_edits *outer, GError **error);
