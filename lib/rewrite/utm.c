/* UTM tags. The query is what stands between the first '?' and the first '#'
 * (RFC 3986 section 3); it is only ever appended to. */

#include "rewrite/utm.h"

#include <string.h>

/* Whether QUERY, without its '?', has one of the tags. */
static bool is_tagged(const char *query, size_t length)
{
  static const char *const names[] = {"utm_source", "utm_medium", "utm_campaign"};
  for (size_t at = 0; at < length;) {
    size_t n = at;
    while (n < length && query[n] != '&' && query[n] != ';')
      n++;
    const char *equals = memchr(query + at, '=', n - at);
    size_t name = equals ? (size_t)(equals - query) - at : n - at;
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
      if (name == strlen(names[i]) && g_ascii_strncasecmp(query + at, names[i], name) == 0) return true;
    at = n + 1;
  }
  return false;
}

static void add_tag(GString *out, const char *name, const char *value, const char **separator)
{
  if (!value || !*value) return;
  g_autofree char *escaped = g_uri_escape_string(value, NULL, FALSE);
  g_string_append_printf(out, "%s%s=%s", *separator, name, escaped);
  *separator = "&";
}

void rewrite_utm_add(const char *url, size_t length, const struct rewrite_utm *utm, GString *out)
{
  const char *fragment = memchr(url, '#', length);
  size_t end = fragment ? (size_t)(fragment - url) : length;
  const char *mark = memchr(url, '?', end);
  size_t query = mark ? (size_t)(mark - url) + 1 : end;
  g_string_append_len(out, url, (gssize)end);
  if (!is_tagged(url + query, end - query)) {
    const char *separator = !mark ? "?" : query == end || url[end - 1] == '&' ? "" : "&";
    add_tag(out, "utm_source", utm->source, &separator);
    add_tag(out, "utm_medium", utm->medium, &separator);
    add_tag(out, "utm_campaign", utm->campaign, &separator);
  }
  g_string_append_len(out, url + end, (gssize)(length - end));
}
