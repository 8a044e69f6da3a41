/* The fields of a header section, one after another.
 *
 * Called as init, then next until it says false. The ranges that are given are
 * in order, do not overlap, and together cover the section, whatever is in it. */

#include "mail/header.h"

#include <string.h>

#include <glib.h>

#include "mail/line.h"

static bool is_space(char c)
{
  return c == ' ' || c == '\t';
}

static size_t name_length(const char *text, size_t length)
{
  size_t n = 0;
  while (n < length && text[n] > ' ' && text[n] < 127 && text[n] != ':')
    n++;
  return n;
}

/* Length of the name if the line is a field; 0 otherwise. COLON is where its colon is. */
static size_t field_name(const char *text, size_t length, size_t *colon)
{
  size_t name = name_length(text, length), at = name;
  while (at < length && is_space(text[at]))
    at++;
  *colon = at;
  return at < length && text[at] == ':' ? name : 0;
}

static bool is_blank(const char *text, size_t length)
{
  for (size_t i = 0; i < length; i++)
    if (!is_space(text[i]) && text[i] != '\r') return false;
  return true;
}

enum mail_header_line mail_header_line(const char *text, size_t length)
{
  size_t colon;
  if (length == 0) return MAIL_HEADER_EMPTY;
  if (is_space(text[0])) return MAIL_HEADER_FOLD;
  if (field_name(text, length, &colon) > 0) return MAIL_HEADER_FIELD;
  return length >= 5 && memcmp(text, "From ", 5) == 0 ? MAIL_HEADER_ENVELOPE : MAIL_HEADER_OTHER;
}

void mail_header_init(struct mail_header_iter *iter, const char *bytes, struct mail_range section)
{
  *iter = (struct mail_header_iter){.bytes = bytes, .at = section.start, .end = section.end};
}

/* Takes the continuation lines that follow AT; says where they end. */
static size_t take_folds(struct mail_header_iter *iter, size_t at, struct mail_field *field)
{
  while (at < iter->end && is_space(iter->bytes[at])) {
    size_t next = mail_line_next(iter->bytes, at, iter->end);
    if (is_blank(iter->bytes + at, mail_line_text_end(iter->bytes, at, next) - at))
      field->faults |= MAIL_FIELD_BLANK;
    at = next;
  }
  return at;
}

bool mail_header_next(struct mail_header_iter *iter, struct mail_field *field)
{
  size_t start = iter->at, colon;
  if (start >= iter->end) return false;
  size_t next = mail_line_next(iter->bytes, start, iter->end);
  size_t length = mail_line_text_end(iter->bytes, start, next) - start;
  size_t name = field_name(iter->bytes + start, length, &colon);

  *field = (struct mail_field){.name = {start, start + name}, .value = {start, start + length}};
  if (name == 0)
    field->faults = MAIL_FIELD_JUNK;
  else {
    field->value.start = start + colon + 1;
    if (colon > name) field->faults = MAIL_FIELD_SPACE;
  }
  iter->at = take_folds(iter, next, field);
  field->whole = (struct mail_range){start, iter->at};
  field->value.end = mail_line_text_end(iter->bytes, field->value.start, iter->at);
  return true;
}

bool mail_field_is(const char *bytes, const struct mail_field *field, const char *name)
{
  size_t length = strlen(name);
  return field->name.end - field->name.start == length &&
         g_ascii_strncasecmp(bytes + field->name.start, name, length) == 0;
}

bool mail_header_find(const char *bytes, struct mail_range section, const char *name, size_t n,
                      struct mail_field *field)
{
  struct mail_header_iter iter;
  mail_header_init(&iter, bytes, section);
  while (mail_header_next(&iter, field))
    if (mail_field_is(bytes, field, name) && n-- == 0) return true;
  return false;
}

size_t mail_header_count(const char *bytes, struct mail_range section, const char *name)
{
  struct mail_header_iter iter;
  struct mail_field field;
  size_t count = 0;
  mail_header_init(&iter, bytes, section);
  while (mail_header_next(&iter, &field))
    count += mail_field_is(bytes, &field, name);
  return count;
}
