/* Any bytes as a message. What must hold:
 *   - parts lie in their containers, in order, without overlap;
 *   - the way from decoded to raw goes forward and tiles the raw text;
 *   - quoted-printable and base64 give back what they were given;
 *   - edits in leaf bodies say, decoded, what was asked, leave every byte of the
 *     message outside those bodies as it was, and the same tree. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <glib.h>

#include "mail/address.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/leaf.h"
#include "mail/line.h"
#include "mail/qp.h"
#include "mail/text.h"
#include "mail/walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t random_next(uint32_t *seed)
{
  *seed ^= *seed << 13;
  *seed ^= *seed >> 17;
  return *seed ^= *seed << 5;
}

static uint32_t seed_of(const uint8_t *data, size_t size)
{
  uint32_t seed = 2166136261u;
  for (size_t i = 0; i < size; i++)
    seed = (seed ^ data[i]) * 16777619u;
  return seed | 1;
}

static void check_tree(const struct mail_tree *tree, size_t size)
{
  g_assert(tree->count > 0 && tree->parts[0].body.end == size);
  g_autofree size_t *end = g_new0(size_t, tree->count); /* of the last part inside */
  for (size_t i = 0; i < tree->count; i++) {
    const struct mail_part *part = &tree->parts[i];
    g_assert(part->header.start <= part->header.end && part->header.end <= part->body.start);
    g_assert(part->body.start <= part->body.end && part->body.end <= size);
    g_assert((part->ambiguity == MAIL_CLEAR) == (mail_ambiguity_word(part->ambiguity)[0] == 'c'));
    end[i] = part->body.start;
    if (i == 0) continue;
    g_assert(part->parent >= 0 && part->parent < (int)i && part->message <= (int)i);
    const struct mail_part *parent = &tree->parts[part->parent];
    g_assert(part->header.start >= end[part->parent] && part->body.end <= parent->body.end);
    end[part->parent] = part->body.end;
  }
}

/* What a value says to people is UTF-8, and within the maximum. */
static void check_value(const char *bytes, size_t length)
{
  int64_t instant;
  int offset;
  g_autofree char *text = mail_text_decode(bytes, length), *unfolded = mail_text_unfold(bytes, length);
  g_assert(g_utf8_validate(text, -1, NULL) && g_utf8_validate(unfolded, -1, NULL));
  GPtrArray *list = mail_addresses_read(bytes, length, 5), *ids = mail_ids_read(bytes, length, 5);
  g_assert(list->len <= 5 && ids->len <= 5);
  for (guint i = 0; i < list->len; i++) {
    const struct mail_address *address = list->pdata[i];
    g_assert(g_utf8_validate(address->name, -1, NULL) && g_utf8_validate(address->address, -1, NULL));
  }
  g_ptr_array_unref(list);
  g_ptr_array_unref(ids);
  if (mail_date_read(bytes, length, &instant, &offset)) g_assert(ABS(offset) <= 100 * 3600);
}

static void check_header(const char *bytes, struct mail_range section)
{
  struct mail_header_iter iter;
  struct mail_field field;
  size_t at = section.start;
  mail_header_init(&iter, bytes, section);
  while (mail_header_next(&iter, &field)) {
    g_assert(field.whole.start == at && field.whole.end > at);
    g_assert(field.name.start == at && field.name.end <= field.value.start);
    g_assert(field.value.start <= field.value.end && field.value.end <= field.whole.end);
    check_value(bytes + field.value.start, field.value.end - field.value.start);
    at = field.whole.end;
  }
  g_assert(at == section.end);
}

/* Every decoded byte has its raw bytes, in order; what is skipped means nothing. */
static void check_cursor(const struct mail_decoded *decoded)
{
  struct mail_cursor cursor;
  size_t end = 0;
  mail_cursor_init(&cursor, decoded->raw, decoded->raw_length);
  for (size_t i = 0; i < decoded->length; i++) {
    struct mail_range gap = mail_cursor_span(&cursor, i, i), span = mail_cursor_span(&cursor, i, i + 1);
    g_assert(gap.start == end && gap.end == end);
    g_assert(span.start >= end && span.end > span.start && span.end <= decoded->raw_length);
    g_assert(span.end - span.start == 1 || decoded->raw[span.end - 3] == '=' ||
             decoded->raw[span.end - 1] == decoded->bytes[i]);
    end = span.end;
  }
}

static void check_round_trips(const char *bytes, size_t size)
{
  for (int lf = 0; lf < 2; lf++) {
    g_autoptr(GString) code = g_string_new(NULL);
    struct mail_decoded decoded;
    mail_qp_encode(bytes, size, lf ? "\n" : "\r\n", code);
    g_assert(mail_line_longest(code->str, code->len) <= 76);
    g_assert((mail_line_facts(code->str, code->len) & ~(unsigned)(lf ? MAIL_LINE_LF : MAIL_LINE_CRLF)) == 0);
    g_assert(mail_decode(MAIL_ENCODING_QP, code->str, code->len, SIZE_MAX, &decoded, NULL));
    g_assert(decoded.facts == 0 && decoded.length == size && memcmp(decoded.bytes, bytes, size) == 0);
    mail_decoded_clear(&decoded);

    g_string_truncate(code, 0);
    mail_base64_encode(bytes, size, lf ? 5 : 76, lf ? "\n" : "\r\n", code);
    g_assert(mail_decode(MAIL_ENCODING_BASE64, code->str, code->len, SIZE_MAX, &decoded, NULL));
    g_assert(decoded.facts == 0 && decoded.length == size && memcmp(decoded.bytes, bytes, size) == 0);
    mail_decoded_clear(&decoded);
  }
}

/* A base64 body without peculiarities is written as it was. */
static void check_base64_layout(const struct mail_decoded *d)
{
  g_autoptr(GString) code = g_string_new(NULL);
  if (d->facts != 0 || mail_line_mixed(d->line_facts)) return;
  mail_base64_encode(d->bytes, d->length, d->line_length, mail_line_end(d->line_facts), code);
  size_t length = d->raw_length - d->last_line_end;
  g_assert(code->len == length);
  /* The last digit may carry bits that mean nothing. */
  for (size_t i = 0; i < length; i++)
    g_assert(code->str[i] == d->raw[i] || (i + 4 >= length && g_ascii_isalnum(code->str[i])) ||
             code->str[i] == '+' || code->str[i] == '/');
}

static bool add_random_edits(const struct mail_decoded *leaf, struct mail_edits *inner, uint32_t *seed)
{
  static const char *const texts[] = {
      "",
      "x",
      "https://t.example/a?b=1&c=2",
      " ",
      "--b",
      ".",
      "a\r\nb",
      "0123456789012345678901234567890123456789012345678901234567890123456789"
      "0123456789012345678901234567890123456789012345678901234567890123456789"};
  size_t at = 0;
  for (int i = 0; i < 6 && at <= leaf->length; i++) {
    const char *text = texts[random_next(seed) % G_N_ELEMENTS(texts)];
    size_t from = at + random_next(seed) % MIN(leaf->length - at + 1, 40);
    size_t to = from + random_next(seed) % MIN(leaf->length - from + 1, 20);
    g_assert(mail_edits_add(inner, from, to - from, text, strlen(text), NULL));
    at = to;
  }
  return true;
}

static void check_decodes_to(const struct mail_part *part, const struct mail_decoded *leaf,
                             struct mail_edits *outer, struct mail_edits *inner)
{
  g_autofree char *raw = NULL, *expected = NULL;
  size_t raw_size, size;
  struct mail_decoded decoded;
  g_assert(mail_edits_apply(outer, leaf->raw, leaf->raw_length, &raw, &raw_size, NULL));
  g_assert(mail_edits_apply(inner, leaf->bytes, leaf->length, &expected, &size, NULL));
  g_assert(mail_decode(part->encoding, raw, raw_size, SIZE_MAX, &decoded, NULL));
  g_assert((decoded.facts & MAIL_DECODE_LEAVE) == 0);
  g_assert(decoded.length == size && memcmp(decoded.bytes, expected, size) == 0);
  mail_decoded_clear(&decoded);
}

/* Random edits of part I, added to ALL; nothing where the leaf refuses them. */
static void edit_leaf(const char *bytes, const struct mail_tree *tree, size_t i, struct mail_edits *all,
                      uint32_t *seed)
{
  struct mail_decoded leaf;
  const struct mail_part *part = &tree->parts[i];
  size_t length = part->body.end - part->body.start;
  if (!mail_decode(part->encoding, bytes + part->body.start, length, SIZE_MAX, &leaf, NULL)) return;
  if (part->encoding == MAIL_ENCODING_QP) check_cursor(&leaf);
  if (part->encoding == MAIL_ENCODING_BASE64) check_base64_layout(&leaf);
  g_autoptr(mail_edits) inner = mail_edits_new(100), outer = mail_edits_new(100), alone = mail_edits_new(100);
  add_random_edits(&leaf, inner, seed);
  if (mail_leaf_edit(tree, i, &leaf, inner, outer, NULL)) {
    g_assert(part->ambiguity == MAIL_CLEAR && !part->embedded && part->children == 0);
    for (size_t k = 0; k < mail_edits_count(outer); k++) {
      const struct mail_edit *edit = mail_edits_at(outer, k);
      g_assert(edit->offset >= part->body.start && edit->offset + edit->length <= part->body.end);
      g_assert(mail_edits_add(all, edit->offset, edit->length, edit->bytes, edit->size, NULL));
      g_assert(mail_edits_add(alone, edit->offset - part->body.start, edit->length, edit->bytes, edit->size,
                              NULL));
    }
    check_decodes_to(part, &leaf, alone, inner);
  }
  mail_decoded_clear(&leaf);
}

static bool same_bytes(const char *a, struct mail_range x, const char *b, struct mail_range y)
{
  return x.end - x.start == y.end - y.start && memcmp(a + x.start, b + y.start, x.end - x.start) == 0;
}

static void check_same_tree(const char *before, const struct mail_tree *old, const char *after,
                            const struct mail_tree *new)
{
  g_assert(old->count == new->count);
  for (size_t i = 0; i < old->count; i++) {
    const struct mail_part *a = &old->parts[i], *b = &new->parts[i];
    g_assert(a->parent == b->parent && a->ambiguity == b->ambiguity && a->encoding == b->encoding);
    g_assert(same_bytes(before, a->header, after, b->header));
    if (a->embedded || a->ambiguity != MAIL_CLEAR) g_assert(same_bytes(before, a->body, after, b->body));
  }
}

static void check_edits(const char *bytes, size_t size, const struct mail_tree *tree, uint32_t seed)
{
  struct mail_limits limits = MAIL_LIMITS_DEFAULT;
  g_autoptr(mail_edits) all = mail_edits_new(100000);
  for (size_t i = 0; i < tree->count; i++)
    edit_leaf(bytes, tree, i, all, &seed);
  g_autofree char *edited = NULL;
  size_t edited_size;
  g_assert(mail_edits_apply(all, bytes, size, &edited, &edited_size, NULL));
  if (mail_edits_count(all) == 0) g_assert(edited_size == size && memcmp(edited, bytes, size) == 0);
  if (tree->parts[0].ambiguity != MAIL_CLEAR) return;
  g_autoptr(mail_tree) again = mail_walk(edited, edited_size, &limits, NULL);
  g_assert(again);
  check_same_tree(bytes, tree, edited, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const char *bytes = (const char *)data;
  struct mail_limits limits = {20, 200, 2000, 4000};
  g_autoptr(mail_tree) tree = mail_walk(bytes, size, &limits, NULL);
  check_round_trips(bytes, size);
  check_value(bytes, size);
  check_header(bytes, (struct mail_range){0, size});
  if (!tree) return 0;
  check_tree(tree, size);
  for (size_t i = 0; i < tree->count; i++)
    check_header(bytes, tree->parts[i].header);
  check_edits(bytes, size, tree, seed_of(data, size));
  return 0;
}
