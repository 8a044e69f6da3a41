/* Edits of a leaf's decoded text become edits of the message. */

#include "mail/leaf.h"

#include <string.h>

#include "base/error.h"
#include "mail/line.h"
#include "mail/qp.h"

/* RFC 5322 section 2.1.1 allows 998, RFC 2045 section 6.8 wants 76. */
#define LINE_LIMIT  998
#define LINE_WANTED 76

static bool leave(GError **error, const char *why)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "the part must be left alone: %s", why);
  return false;
}

static bool edit_plain(size_t offset, const struct mail_edits *inner, struct mail_edits *outer,
                       GError **error)
{
  for (size_t i = 0; i < mail_edits_count(inner); i++) {
    const struct mail_edit *edit = mail_edits_at(inner, i);
    if (!mail_edits_add(outer, offset + edit->offset, edit->length, edit->bytes, edit->size, error))
      return false;
  }
  return true;
}

static bool edit_qp(const struct mail_decoded *leaf, size_t offset, const struct mail_edits *inner,
                    struct mail_edits *outer, GError **error)
{
  struct mail_cursor cursor;
  struct mail_qp_pen pen;
  g_autoptr(GString) code = g_string_new(NULL);
  mail_cursor_init(&cursor, leaf->raw, leaf->raw_length);
  mail_qp_pen_init(&pen, leaf->raw, leaf->raw_length, mail_line_end(leaf->line_facts));
  for (size_t i = 0; i < mail_edits_count(inner); i++) {
    const struct mail_edit *edit = mail_edits_at(inner, i);
    struct mail_range span = mail_cursor_span(&cursor, edit->offset, edit->offset + edit->length);
    g_string_truncate(code, 0);
    if (!mail_qp_pen_write(&pen, span, edit->bytes, edit->size, code))
      return leave(error, "what would be taken out holds a line together");
    if (!mail_edits_add(outer, offset + span.start, span.end - span.start, code->str, code->len, error))
      return false;
  }
  return true;
}

static bool edit_base64(const struct mail_decoded *leaf, size_t offset, struct mail_edits *inner,
                        struct mail_edits *outer, GError **error)
{
  g_autofree char *text = NULL;
  size_t size;
  if (!mail_edits_apply(inner, leaf->bytes, leaf->length, &text, &size, error)) return false;
  bool own = leaf->lines > 1 && leaf->line_length <= LINE_LIMIT;
  g_autoptr(GString) code = g_string_new(NULL);
  mail_base64_encode(text, size, own ? leaf->line_length : LINE_WANTED, mail_line_end(leaf->line_facts),
                     code);
  size_t length = leaf->raw_length - leaf->last_line_end;
  return mail_edits_add(outer, offset, length, code->str, code->len, error);
}

bool mail_leaf_edit(const struct mail_decoded *leaf, size_t offset, struct mail_edits *inner,
                    struct mail_edits *outer, GError **error)
{
  if (!mail_edits_seal(inner, leaf->length, error)) return false;
  if (mail_edits_count(inner) == 0) return true;
  if (leaf->facts & MAIL_DECODE_LEAVE) return leave(error, "its transfer encoding is broken");
  if (leaf->encoding == MAIL_ENCODING_QP) return edit_qp(leaf, offset, inner, outer, error);
  if (leaf->encoding == MAIL_ENCODING_BASE64) return edit_base64(leaf, offset, inner, outer, error);
  return edit_plain(offset, inner, outer, error);
}
