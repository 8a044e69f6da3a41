/* Foreign charsets, for display. The conversion is the C library's. */

#include "mail/charset.h"

#include <stdbool.h>
#include <string.h>

static void append_valid(const char *bytes, size_t length, GString *text)
{
  if (length > 0 && g_utf8_validate(bytes, (gssize)length, NULL)) {
    g_string_append_len(text, bytes, (gssize)length);
    return;
  }
  g_autofree char *valid = g_utf8_make_valid(bytes, (gssize)length);
  g_string_append(text, valid);
}

static bool is_name(const char *charset)
{
  size_t length = strlen(charset);
  if (length == 0 || length > 40) return false;
  for (size_t i = 0; i < length; i++)
    if (!g_ascii_isalnum(charset[i]) && !strchr("-_.:+", charset[i])) return false;
  return true;
}

void mail_charset_decode(const char *charset, const char *bytes, size_t length, GString *text)
{
  bool own = !is_name(charset) || g_ascii_strcasecmp(charset, "utf-8") == 0 ||
             g_ascii_strcasecmp(charset, "us-ascii") == 0;
  gsize size = 0;
  g_autofree char *converted =
      own ? NULL : g_convert(bytes, (gssize)length, "UTF-8", charset, NULL, &size, NULL);
  if (converted)
    append_valid(converted, size, text);
  else
    append_valid(bytes, length, text);
}
