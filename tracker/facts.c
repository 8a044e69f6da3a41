/* Hits as JSON, written by hand: this runs for every hit, and the shape is fixed. */

#include "tracker/facts.h"

#include <string.h>

/* Appends TEXT as a JSON string; what is no UTF-8 becomes U+FFFD. */
static void append_json(GString *out, const char *text, size_t length)
{
  g_string_append_c(out, '"');
  for (size_t i = 0; i < length;) {
    unsigned char c = (unsigned char)text[i];
    if (c == '"' || c == '\\') {
      g_string_append_c(out, '\\');
      g_string_append_c(out, (char)c);
      i++;
    } else if (c >= ' ' && c < 0x80) {
      g_string_append_c(out, (char)c);
      i++;
    } else if (c < ' ') {
      g_string_append_printf(out, "\\u%04x", c);
      i++;
    } else {
      gunichar wide = g_utf8_get_char_validated(text + i, (gssize)(length - i));
      bool good = wide != (gunichar)-1 && wide != (gunichar)-2 && wide != 0;
      size_t n = good ? (size_t)(g_utf8_next_char(text + i) - (text + i)) : 1;
      if (good)
        g_string_append_len(out, text + i, (gssize)n);
      else
        g_string_append(out, "\357\277\275");
      i += n;
    }
  }
  g_string_append_c(out, '"');
}

static void append_member(GString *out, const char *name, const char *text, size_t length)
{
  g_string_append(out, name);
  append_json(out, text, length);
}

/* The length of USER_AGENT, cut before a character that would cross the limit. */
static size_t cut(const char *text)
{
  size_t n = strnlen(text, FACTS_MAX_USER_AGENT);
  if (n < FACTS_MAX_USER_AGENT || !text[n]) return n;
  size_t start = n;
  while (start > n - 4 && (text[start] & 0xc0) == 0x80)
    start--;
  return start;
}

void facts_hit(const struct token *token, const char *method, const char *user_agent, GString *out)
{
  append_member(out, "{\"method\":", method, strlen(method));
  if (user_agent) append_member(out, ",\"ua\":", user_agent, cut(user_agent));
  if (token->kind == TOKEN_CLICK) {
    g_string_append_printf(out, ",\"link\":%u", token->link);
    append_member(out, ",\"url\":", token->destination, token->destination_length);
  }
  g_string_append_c(out, '}');
}

void facts_unsubscribe(const struct token *token, bool one_click, GString *out)
{
  const char *list = token->destination, *newline = memchr(list, '\n', token->destination_length);
  size_t length = newline ? (size_t)(newline - list) : token->destination_length;
  append_member(out, "{\"list\":", list, length);
  if (newline) append_member(out, ",\"address\":", newline + 1, token->destination_length - length - 1);
  g_string_append(out, one_click ? ",\"how\":\"one-click\"}" : ",\"how\":\"page\"}");
}
