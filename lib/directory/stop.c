/* Stopped links, by host. Two addresses of the same place must not differ by their
 * spelling, or a stop would be dodged by "HTTP://" or a port; what is after the host
 * is compared as it is written. */

#include "directory/stop.h"

#include <string.h>

struct directory_stops {
  GHashTable *hosts; /* host → GArray of struct directory_stop, whose url is owned */
};

/* "http://" or "https://": the length, 0 for neither. */
static size_t scheme_of(const char *url, size_t length)
{
  if (length > 7 && g_ascii_strncasecmp(url, "http://", 7) == 0) return 7;
  return length > 8 && g_ascii_strncasecmp(url, "https://", 8) == 0 ? 8 : 0;
}

static bool is_utm(const char *parameter)
{
  return g_str_has_prefix(parameter, "utm_source=") || g_str_has_prefix(parameter, "utm_medium=") ||
         g_str_has_prefix(parameter, "utm_campaign=");
}

static void append_query(GString *out, const char *query)
{
  g_auto(GStrv) parameters = g_strsplit(query, "&", -1);
  char separator = '?';
  for (char **parameter = parameters; *parameter; parameter++) {
    if (is_utm(*parameter)) continue;
    g_string_append_c(out, separator);
    g_string_append(out, *parameter);
    separator = '&';
  }
}

char *directory_stop_plain(const char *url, size_t length)
{
  size_t scheme = scheme_of(url, length);
  if (scheme == 0 || memchr(url, '\0', length)) return NULL;
  g_autofree char *rest = g_strndup(url + scheme, length - scheme);
  rest[strcspn(rest, "#")] = '\0';
  size_t authority = strcspn(rest, "/?\\");
  g_autofree char *host = g_ascii_strdown(rest, (gssize)authority);
  char *at = strrchr(host, '@'), *start = at ? at + 1 : host;
  if (g_str_has_suffix(start, ":80") || g_str_has_suffix(start, ":443")) *strrchr(start, ':') = '\0';
  size_t end = strlen(start);
  if (end > 0 && start[end - 1] == '.') start[end - 1] = '\0';
  if (!*start) return NULL;
  GString *out = g_string_new(start);
  const char *path = rest + authority;
  size_t query = strcspn(path, "?");
  if (*path != '/') g_string_append_c(out, '/');
  g_string_append_len(out, path + (*path == '\\' ? 1 : 0), (gssize)(query - (*path == '\\' ? 1 : 0)));
  if (path[query] == '?') append_query(out, path + query + 1);
  return g_string_free(out, FALSE);
}

static void stop_clear(struct directory_stop *stop)
{
  g_free((char *)(uintptr_t)stop->url);
}

struct directory_stops *directory_stops_new(void)
{
  struct directory_stops *stops = g_new0(struct directory_stops, 1);
  stops->hosts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
  return stops;
}

void directory_stops_free(struct directory_stops *stops)
{
  if (!stops) return;
  g_hash_table_destroy(stops->hosts);
  g_free(stops);
}

void directory_stops_add(struct directory_stops *stops, const struct directory_stop *stop)
{
  g_autofree char *host = g_strndup(stop->url, strcspn(stop->url, "/"));
  GArray *rows = g_hash_table_lookup(stops->hosts, host);
  if (!rows) {
    rows = g_array_new(FALSE, FALSE, sizeof(struct directory_stop));
    g_array_set_clear_func(rows, (GDestroyNotify)stop_clear);
    g_hash_table_insert(stops->hosts, g_steal_pointer(&host), rows);
  }
  struct directory_stop copy = *stop;
  copy.url = g_strdup(stop->url);
  g_array_append_val(rows, copy);
}

bool directory_stops_match(const struct directory_stops *stops, int64_t tenant, int64_t mail, const char *url,
                           size_t length)
{
  if (g_hash_table_size(stops->hosts) == 0) return false;
  g_autofree char *plain = directory_stop_plain(url, length);
  if (!plain) return false;
  g_autofree char *host = g_strndup(plain, strcspn(plain, "/"));
  const GArray *rows = g_hash_table_lookup(stops->hosts, host);
  for (guint i = 0; rows && i < rows->len; i++) {
    const struct directory_stop *stop = &g_array_index(rows, struct directory_stop, i);
    if (stop->tenant != 0 && stop->tenant != tenant) continue;
    if (stop->mail != 0 && stop->mail != mail) continue;
    if (stop->prefix ? g_str_has_prefix(plain, stop->url) : strcmp(plain, stop->url) == 0) return true;
  }
  return false;
}
