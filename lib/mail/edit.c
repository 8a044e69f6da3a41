/* A list of replacements, and the text with them made.
 *
 * Called as new, add (any number, in any order), then seal and read, or apply.
 * Apply copies what lies between two edits from the original in one piece, so
 * bytes outside the edits cannot change. */

#include "mail/edit.h"

#include <stdint.h>
#include <string.h>

#include "base/error.h"

struct entry {
  struct mail_edit edit;
  size_t number; /* of its addition: keeps insertions at one place in order */
};

struct mail_edits {
  GArray *entries;
  size_t max;
  bool sorted;
};

static void entry_clear(void *data)
{
  g_free(((struct entry *)data)->edit.bytes);
}

struct mail_edits *mail_edits_new(size_t max)
{
  struct mail_edits *edits = g_new0(struct mail_edits, 1);
  edits->entries = g_array_new(FALSE, FALSE, sizeof(struct entry));
  g_array_set_clear_func(edits->entries, entry_clear);
  edits->max = max;
  edits->sorted = true;
  return edits;
}

void mail_edits_free(struct mail_edits *edits)
{
  if (!edits) return;
  g_array_unref(edits->entries);
  g_free(edits);
}

static int compare(const void *left, const void *right)
{
  const struct entry *a = left, *b = right;
  if (a->edit.offset != b->edit.offset) return a->edit.offset < b->edit.offset ? -1 : 1;
  if ((a->edit.length == 0) != (b->edit.length == 0)) return a->edit.length == 0 ? -1 : 1;
  return a->number < b->number ? -1 : a->number > b->number;
}

static struct entry *entry_at(const struct mail_edits *edits, size_t i)
{
  return &g_array_index(edits->entries, struct entry, i);
}

bool mail_edits_add(struct mail_edits *edits, size_t offset, size_t length, const char *bytes, size_t size,
                    GError **error)
{
  size_t count = edits->entries->len;
  char *copy = count < edits->max ? g_try_malloc(size + 1) : NULL;
  if (!copy) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "no more than %zu edits of a message", edits->max);
    return false;
  }
  if (size > 0) memcpy(copy, bytes, size);
  copy[size] = '\0';
  struct entry entry = {{offset, length, copy, size}, count};
  if (count > 0 && compare(entry_at(edits, count - 1), &entry) > 0) edits->sorted = false;
  g_array_append_val(edits->entries, entry);
  return true;
}

bool mail_edits_seal(struct mail_edits *edits, size_t total, GError **error)
{
  if (!edits->sorted) g_array_sort(edits->entries, compare);
  edits->sorted = true;
  size_t end = 0;
  for (size_t i = 0; i < edits->entries->len; i++) {
    const struct mail_edit *edit = &entry_at(edits, i)->edit;
    if (edit->offset < end || edit->offset > total || edit->length > total - edit->offset) {
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
                  "the edit of %zu bytes at offset %zu overlaps another or leaves the text", edit->length,
                  edit->offset);
      return false;
    }
    end = edit->offset + edit->length;
  }
  return true;
}

size_t mail_edits_count(const struct mail_edits *edits)
{
  return edits->entries->len;
}

const struct mail_edit *mail_edits_at(const struct mail_edits *edits, size_t i)
{
  return &entry_at(edits, i)->edit;
}

/* How long the text is after the edits; false where that does not fit a size. */
static bool edited_size(const struct mail_edits *edits, size_t length, size_t *size)
{
  *size = length;
  for (size_t i = 0; i < edits->entries->len; i++) {
    const struct mail_edit *edit = mail_edits_at(edits, i);
    *size -= edit->length;
    if (!g_size_checked_add(size, *size, edit->size)) return false;
  }
  return *size < SIZE_MAX;
}

bool mail_edits_give(const struct mail_edits *edits, const char *bytes, size_t from, size_t length,
                     mail_edits_take *take, void *data)
{
  for (size_t i = 0; i < edits->entries->len; i++) {
    const struct mail_edit *edit = mail_edits_at(edits, i);
    if (edit->offset > from && !take(data, bytes + from, edit->offset - from)) return false;
    if (edit->size > 0 && !take(data, edit->bytes, edit->size)) return false;
    from = edit->offset + edit->length;
  }
  return from == length || take(data, bytes + from, length - from);
}

static bool take_copy(void *data, const char *piece, size_t length)
{
  char **to = data;
  memcpy(*to, piece, length);
  *to += length;
  return true;
}

bool mail_edits_apply(struct mail_edits *edits, const char *bytes, size_t length, char **result, size_t *size,
                      GError **error)
{
  if (!mail_edits_seal(edits, length, error)) return false;
  char *to = edited_size(edits, length, size) ? g_try_malloc(*size + 1) : NULL;
  if (!to) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "no memory for the edited message");
    return false;
  }
  *result = to;
  mail_edits_give(edits, bytes, 0, length, take_copy, &to);
  *to = '\0';
  return true;
}
