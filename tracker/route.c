/* Routes: a path is compared letter by letter. Nothing is decoded and no dot
 * segment is resolved: what we did not write ourselves is no path of ours. */

#include "tracker/route.h"

#include <stdbool.h>
#include <string.h>

static bool is_base64url(char c)
{
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* The path of an absolute-form target; other targets as they are. */
static const char *without_authority(const char *target)
{
  const char *authority;
  if (g_ascii_strncasecmp(target, "http://", 7) == 0)
    authority = target + 7;
  else if (g_ascii_strncasecmp(target, "https://", 8) == 0)
    authority = target + 8;
  else
    return target;
  return authority + strcspn(authority, "/");
}

static struct route token_route(const char *path)
{
  const struct route none = {.kind = ROUTE_NONE};
  enum token_kind kind = (enum token_kind)path[1];
  const char *token = path + 3;
  size_t length = 0;
  while (length <= TOKEN_MAX_SEGMENT && is_base64url(token[length]))
    length++;
  const char *rest = token + length;
  if (kind == TOKEN_OPEN && strcmp(rest, ".gif") == 0) rest += 4;
  if (*rest || length == 0 || length > TOKEN_MAX_SEGMENT) return none;
  return (struct route){ROUTE_TOKEN, kind, token, length};
}

struct route route_of(const char *path)
{
  path = without_authority(path);
  if (path[0] == '/' && path[1] && strchr("ocu", path[1]) && path[2] == '/') return token_route(path);
  if (strcmp(path, "/health") == 0) return (struct route){.kind = ROUTE_HEALTH};
  if (strcmp(path, "/metrics") == 0) return (struct route){.kind = ROUTE_METRICS};
  return (struct route){.kind = ROUTE_NONE};
}

enum route_method route_method(const struct route *route, const char *method)
{
  bool takes_post = route->kind == ROUTE_TOKEN && route->token_kind == TOKEN_UNSUBSCRIBE;
  if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) return ROUTE_GET;
  if (takes_post && strcmp(method, "POST") == 0) return ROUTE_POST;
  return ROUTE_OTHER;
}

char *route_location(const char *url, size_t length)
{
  static const char hex[] = "0123456789ABCDEF";
  g_autofree char *out = g_malloc(3 * length + 1);
  size_t n = 0;
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)url[i];
    if (c < ' ' || c == 0x7f) return NULL;
    if (c < 0x80) {
      out[n++] = (char)c;
      continue;
    }
    out[n++] = '%';
    out[n++] = hex[c >> 4];
    out[n++] = hex[c & 15];
  }
  out[n] = '\0';
  bool http = g_ascii_strncasecmp(out, "http://", 7) == 0 || g_ascii_strncasecmp(out, "https://", 8) == 0;
  return http ? g_steal_pointer(&out) : NULL;
}
