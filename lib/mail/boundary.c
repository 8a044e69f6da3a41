/* The open boundaries of a walk.
 *
 * They are kept sorted: in a set where none is the beginning of another, the
 * one that a line begins with is the greatest that is not greater than the
 * line. So a line costs a binary search, whatever the nesting; where one is the
 * beginning of another (push has said so) exact matches are still found. */

#include "mail/boundary.h"

#include <string.h>

void mail_boundaries_init(struct mail_boundaries *set)
{
  set->open = g_array_new(FALSE, FALSE, sizeof(struct mail_boundary));
  set->order = g_array_new(FALSE, FALSE, sizeof(unsigned));
}

void mail_boundaries_release(struct mail_boundaries *set)
{
  g_array_unref(set->open);
  g_array_unref(set->order);
}

static struct mail_boundary *sorted(const struct mail_boundaries *set, unsigned i)
{
  return &g_array_index(set->open, struct mail_boundary, g_array_index(set->order, unsigned, i));
}

static int compare(const struct mail_boundary *boundary, const char *text, size_t length)
{
  int order = memcmp(boundary->text, text, MIN(boundary->length, length));
  if (order != 0) return order;
  return boundary->length < length ? -1 : boundary->length > length;
}

/* How many boundaries are not greater than the text. */
static unsigned rank(const struct mail_boundaries *set, const char *text, size_t length)
{
  unsigned low = 0, high = set->order->len;
  while (low < high) {
    unsigned middle = low + (high - low) / 2;
    if (compare(sorted(set, middle), text, length) <= 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static bool is_prefix(const struct mail_boundary *boundary, const char *text, size_t length)
{
  return boundary->length <= length && memcmp(boundary->text, text, boundary->length) == 0;
}

/* Whether the text clashes with the boundary before or after its place. Where
 * the others do not clash among themselves these two are enough; where they do
 * it has been said already. */
static bool clashes(const struct mail_boundaries *set, unsigned place, const char *text, size_t length)
{
  if (place > 0 && is_prefix(sorted(set, place - 1), text, length)) return true;
  if (place == set->order->len) return false;
  const struct mail_boundary *after = sorted(set, place);
  return after->length >= length && memcmp(after->text, text, length) == 0;
}

bool mail_boundaries_push(struct mail_boundaries *set, const char *text, size_t length, int part)
{
  struct mail_boundary boundary = {.text = text, .length = length, .part = part};
  unsigned place = rank(set, text, length), index = set->open->len;
  bool clash = clashes(set, place, text, length);
  g_array_append_val(set->open, boundary);
  g_array_insert_val(set->order, place, index);
  return clash;
}

void mail_boundaries_pop(struct mail_boundaries *set)
{
  unsigned last = set->open->len - 1;
  for (unsigned i = 0; i < set->order->len; i++)
    if (g_array_index(set->order, unsigned, i) == last) {
      g_array_remove_index(set->order, i);
      break;
    }
  g_array_set_size(set->open, last);
}

struct mail_boundary *mail_boundaries_top(struct mail_boundaries *set)
{
  return set->open->len > 0 ? &g_array_index(set->open, struct mail_boundary, set->open->len - 1) : NULL;
}

/* The innermost boundary that is exactly the text and has not ended, else the
 * innermost that is. PLACE is the text's rank. */
static struct mail_boundary *exact(const struct mail_boundaries *set, unsigned place, const char *text,
                                   size_t length)
{
  struct mail_boundary *found = NULL;
  while (place-- > 0) {
    struct mail_boundary *boundary = sorted(set, place);
    if (compare(boundary, text, length) != 0) break;
    if (!boundary->ended) return boundary;
    if (!found) found = boundary;
  }
  return found;
}

enum mail_boundary_line mail_boundaries_match(const struct mail_boundaries *set, const char *text,
                                              size_t length, struct mail_boundary **found)
{
  unsigned place = rank(set, text, length);
  if ((*found = exact(set, place, text, length))) return MAIL_BOUNDARY_NEXT;
  bool dashes = length >= 2 && memcmp(text + length - 2, "--", 2) == 0;
  if (dashes && (*found = exact(set, rank(set, text, length - 2), text, length - 2)))
    return MAIL_BOUNDARY_END;
  if (place == 0 || !is_prefix(sorted(set, place - 1), text, length)) return MAIL_BOUNDARY_NONE;
  *found = sorted(set, place - 1);
  return MAIL_BOUNDARY_PREFIX;
}
