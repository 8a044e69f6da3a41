/* JSON text of an event (RFC 8259), without a tree. What always holds: OUT is a
 * valid beginning, and its last byte says whether a comma is due. */

#include "event/write.h"

#include <string.h>

static void write_key(GString *out, const char *key)
{
  char last = out->len > 0 ? out->str[out->len - 1] : '[';
  if (last != '{' && last != '[') g_string_append_c(out, ',');
  if (!key) return;
  g_string_append_c(out, '"');
  g_string_append(out, key);
  g_string_append_len(out, "\":", 2);
}

/* TEXT is UTF-8: only what section 7 forbids is written otherwise. */
static void write_escaped(GString *out, const char *text)
{
  const char *done = text, *at = text;
  for (; *at; at++) {
    if ((unsigned char)*at >= ' ' && *at != '"' && *at != '\\') continue;
    g_string_append_len(out, done, at - done);
    if (*at == '"' || *at == '\\')
      g_string_append_printf(out, "\\%c", *at);
    else
      g_string_append_printf(out, "\\u%04x", (unsigned)*at);
    done = at + 1;
  }
  g_string_append_len(out, done, at - done);
}

void event_write_text(GString *out, const char *key, const char *text)
{
  write_key(out, key);
  if (!text) {
    g_string_append_len(out, "null", 4);
    return;
  }
  g_autofree char *made = g_utf8_validate(text, -1, NULL) ? NULL : g_utf8_make_valid(text, -1);
  g_string_append_c(out, '"');
  write_escaped(out, made ? made : text);
  g_string_append_c(out, '"');
}

void event_write_number(GString *out, const char *key, int64_t number)
{
  char digits[24], *at = digits + sizeof digits;
  uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
  write_key(out, key);
  do
    *--at = (char)('0' + left % 10);
  while (left /= 10);
  if (number < 0) *--at = '-';
  g_string_append_len(out, at, digits + sizeof digits - at);
}

void event_write_bool(GString *out, const char *key, bool value)
{
  write_key(out, key);
  g_string_append(out, value ? "true" : "false");
}

void event_write_begin(GString *out, const char *key, char bracket)
{
  write_key(out, key);
  g_string_append_c(out, bracket);
}

void event_write_end(GString *out, char bracket)
{
  g_string_append_c(out, bracket);
}
