/* A result applied to the bytes of its message: for a pipe, for tests, and for
 * whoever has no MTA that changes header fields by number. */

#include "rewrite/rewrite.h"

#include <string.h>

#include "mail/header.h"
#include "mail/line.h"

static bool is_trace(const char *bytes, const struct mail_field *field)
{
  return mail_field_is(bytes, field, "Return-Path") || mail_field_is(bytes, field, "Received") ||
         mail_field_is(bytes, field, "Delivered-To") || mail_field_is(bytes, field, "X-Original-To");
}

/* The header section: what is before the body and its empty line. */
static struct mail_range section_of(const char *bytes, size_t body)
{
  size_t at = 0;
  while (at < body) {
    size_t next = mail_line_next(bytes, at, body);
    if (mail_line_text_end(bytes, at, next) == at) break;
    at = next;
  }
  return (struct mail_range){0, at};
}

/* Where fields are inserted: K4, below the trace fields of the MTAs. */
static size_t insert_at(const char *bytes, struct mail_range section)
{
  struct mail_header_iter iter;
  struct mail_field field;
  mail_header_init(&iter, bytes, section);
  while (mail_header_next(&iter, &field))
    if (!is_trace(bytes, &field)) return field.whole.start;
  return section.end;
}

static bool apply_one(const struct rewrite_header *header, const char *bytes, struct mail_range section,
                      const char *line_end, struct mail_edits *edits, GError **error)
{
  struct mail_field field;
  if (header->op == REWRITE_HEADER_INSERT) {
    g_autofree char *text = g_strdup_printf("%s: %s%s", header->name, header->value, line_end);
    return mail_edits_add(edits, insert_at(bytes, section), 0, text, strlen(text), error);
  }
  if (!mail_header_find(bytes, section, header->name, header->index - 1, &field)) return true;
  if (header->op == REWRITE_HEADER_DELETE)
    return mail_edits_add(edits, field.whole.start, field.whole.end - field.whole.start, "", 0, error);
  g_autofree char *text = g_strdup_printf(" %s", header->value);
  return mail_edits_add(edits, field.value.start, field.value.end - field.value.start, text, strlen(text),
                        error);
}

bool rewrite_apply(struct rewrite_result *result, const char *message, size_t length, char **out,
                   size_t *size, GError **error)
{
  struct mail_range section = section_of(message, result->body);
  const char *line_end = mail_line_end(mail_line_facts(message, section.end));
  g_autoptr(mail_edits) all = mail_edits_new(result->headers->len + mail_edits_count(result->edits));
  for (guint i = 0; i < result->headers->len; i++)
    if (!apply_one(&g_array_index(result->headers, struct rewrite_header, i), message, section, line_end, all,
                   error))
      return false;
  for (size_t i = 0; i < mail_edits_count(result->edits); i++) {
    const struct mail_edit *edit = mail_edits_at(result->edits, i);
    if (!mail_edits_add(all, edit->offset, edit->length, edit->bytes, edit->size, error)) return false;
  }
  return mail_edits_apply(all, message, length, out, size, error);
}
