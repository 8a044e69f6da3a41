/* Edits of a leaf's decoded text become edits of the message.
 *
 * Three steps: the edits are made edits of the raw body, each encoding in its
 * own way; the raw body with them is looked at as a walker would, so that no
 * edit can change where a part ends; then they are moved to their place. */

#include "mail/leaf.h"

#include <string.h>

#include "base/error.h"
#include "mail/boundary.h"
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

/* ---- edits of the raw body ---- */

static bool edit_plain(const struct mail_tree *tree, const struct mail_edits *inner, struct mail_edits *raw,
                       GError **error)
{
  for (size_t i = 0; i < mail_edits_count(inner); i++) {
    const struct mail_edit *edit = mail_edits_at(inner, i);
    unsigned facts = mail_line_facts(edit->bytes, edit->size);
    if ((facts & MAIL_LINE_NUL) || mail_line_mixed(facts | tree->line_facts))
      return leave(error, "a NUL or a line end of another kind would come in");
    if (!mail_edits_add(raw, edit->offset, edit->length, edit->bytes, edit->size, error)) return false;
  }
  return true;
}

static bool edit_qp(const struct mail_tree *tree, const struct mail_decoded *leaf,
                    const struct mail_edits *inner, struct mail_edits *raw, GError **error)
{
  struct mail_cursor cursor;
  struct mail_qp_pen pen;
  g_autoptr(GString) code = g_string_new(NULL);
  mail_cursor_init(&cursor, leaf->raw, leaf->raw_length);
  mail_qp_pen_init(&pen, leaf->raw, leaf->raw_length, mail_line_end(tree->line_facts));
  for (size_t i = 0; i < mail_edits_count(inner); i++) {
    const struct mail_edit *edit = mail_edits_at(inner, i);
    struct mail_range span = mail_cursor_span(&cursor, edit->offset, edit->offset + edit->length);
    g_string_truncate(code, 0);
    mail_qp_pen_write(&pen, span, edit->bytes, edit->size, code);
    if (!mail_edits_add(raw, span.start, span.end - span.start, code->str, code->len, error)) return false;
  }
  return true;
}

static bool edit_base64(const struct mail_tree *tree, const struct mail_decoded *leaf,
                        struct mail_edits *inner, struct mail_edits *raw, GError **error)
{
  g_autofree char *text = NULL;
  size_t size;
  if (!mail_edits_apply(inner, leaf->bytes, leaf->length, &text, &size, error)) return false;
  bool own = leaf->lines > 1 && leaf->line_length <= LINE_LIMIT;
  g_autoptr(GString) code = g_string_new(NULL);
  mail_base64_encode(text, size, own ? leaf->line_length : LINE_WANTED, mail_line_end(tree->line_facts),
                     code);
  return mail_edits_add(raw, 0, leaf->raw_length - leaf->last_line_end, code->str, code->len, error);
}

static bool edit_raw(const struct mail_tree *tree, const struct mail_decoded *leaf, struct mail_edits *inner,
                     struct mail_edits *raw, GError **error)
{
  switch (leaf->encoding) {
  case MAIL_ENCODING_QP:
    return edit_qp(tree, leaf, inner, raw, error);
  case MAIL_ENCODING_BASE64:
    return edit_base64(tree, leaf, inner, raw, error);
  default:
    return edit_plain(tree, inner, raw, error);
  }
}

/* ---- what must hold before and after ---- */

/* Whether an edit begins or ends between CR and LF. */
static bool parts_line_end(const struct mail_decoded *leaf, const struct mail_edits *inner)
{
  for (size_t i = 0; i < mail_edits_count(inner); i++) {
    const struct mail_edit *edit = mail_edits_at(inner, i);
    const size_t edges[] = {edit->offset, edit->offset + edit->length};
    for (int k = 0; k < 2; k++)
      if (edges[k] > 0 && edges[k] < leaf->length && leaf->bytes[edges[k]] == '\n' &&
          leaf->bytes[edges[k] - 1] == '\r')
        return true;
  }
  return false;
}

/* Whether a line of the text would end the part, or look so to some readers. */
static bool has_boundary(const struct mail_tree *tree, size_t i, const char *text, size_t length)
{
  struct mail_boundaries open;
  struct mail_boundary *found;
  bool has = false;
  mail_boundaries_init(&open);
  for (int up = tree->parts[i].parent; up >= 0; up = tree->parts[up].parent)
    if (tree->parts[up].multipart)
      mail_boundaries_push(&open, tree->parts[up].boundary, strlen(tree->parts[up].boundary), up);
  for (size_t at = 0, next; at < length && !has; at = next) {
    next = mail_line_next(text, at, length);
    if (next - at < 2 || text[at] != '-' || text[at + 1] != '-') continue;
    size_t end = mail_line_text_end(text, at, next);
    has = mail_boundaries_match(&open, text + at + 2, end - at - 2, &found) != MAIL_BOUNDARY_NONE;
  }
  mail_boundaries_release(&open);
  return has;
}

static bool is_in_multipart(const struct mail_tree *tree, size_t i)
{
  int up = tree->parts[i].parent;
  while (up >= 0 && !tree->parts[up].multipart)
    up = tree->parts[up].parent;
  return up >= 0;
}

static bool check_result(const struct mail_tree *tree, size_t i, const struct mail_decoded *leaf,
                         struct mail_edits *raw, GError **error)
{
  g_autofree char *result = NULL;
  size_t size;
  if (!is_in_multipart(tree, i)) return true;
  if (!mail_edits_apply(raw, leaf->raw, leaf->raw_length, &result, &size, error)) return false;
  if (!has_boundary(tree, i, result, size)) return true;
  return leave(error, "a line would come to look like a boundary");
}

static bool may_edit(const struct mail_part *part, const struct mail_decoded *leaf, GError **error)
{
  if (part->ambiguity != MAIL_CLEAR) return leave(error, mail_ambiguity_text(part->ambiguity));
  if (part->embedded || part->multipart || part->children > 0)
    return leave(error, "it is no leaf of its own");
  if (part->encoding != leaf->encoding || part->body.end - part->body.start != leaf->raw_length)
    return leave(error, "the decoded text is of another part");
  /* What is before it may not be an empty line, what follows not a line end. */
  if (leaf->raw_length == 0) return leave(error, "its body is empty");
  if (leaf->facts & MAIL_DECODE_LEAVE) return leave(error, "its transfer encoding is broken");
  return true;
}

bool mail_leaf_edit(const struct mail_tree *tree, size_t i, const struct mail_decoded *leaf,
                    struct mail_edits *inner, struct mail_edits *outer, GError **error)
{
  const struct mail_part *part = &tree->parts[i];
  if (!mail_edits_seal(inner, leaf->length, error)) return false;
  size_t count = mail_edits_count(inner);
  if (count == 0) return true;
  if (!may_edit(part, leaf, error)) return false;
  if (parts_line_end(leaf, inner)) return leave(error, "an edit would part CR from LF");
  g_autoptr(mail_edits) raw = mail_edits_new(count);
  if (!edit_raw(tree, leaf, inner, raw, error) || !check_result(tree, i, leaf, raw, error)) return false;
  for (size_t k = 0; k < mail_edits_count(raw); k++) {
    const struct mail_edit *edit = mail_edits_at(raw, k);
    if (!mail_edits_add(outer, part->body.start + edit->offset, edit->length, edit->bytes, edit->size, error))
      return false;
  }
  return true;
}
