/* Lists of milters, as Postfix writes them. Pure. */

#include "ctl/setup.h"

#include <string.h>

static bool is_separator(char c)
{
  return c == ',' || g_ascii_isspace(c);
}

GPtrArray *setup_list_split(const char *value)
{
  GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
  for (const char *c = value; *c;) {
    const char *start = c;
    int depth = 0;
    for (; *c && (depth > 0 || !is_separator(*c)); c++)
      depth += *c == '{' ? 1 : *c == '}' ? -1 : 0;
    if (c > start) g_ptr_array_add(list, g_strndup(start, (size_t)(c - start)));
    if (*c) c++;
  }
  return list;
}

/* "{ inet:x, default_action = accept }" without white space. */
static char *tighten(const char *element)
{
  GString *out = g_string_new(NULL);
  bool held = false;
  for (const char *c = element; *c; c++) {
    if (is_separator(*c)) {
      held = true;
      continue;
    }
    char last = out->len ? out->str[out->len - 1] : '{';
    if (held && !strchr("{=", last) && !strchr("}=", *c)) g_string_append_c(out, ',');
    held = false;
    g_string_append_c(out, *c);
  }
  return g_string_free(out, FALSE);
}

char *setup_list_join(const GPtrArray *list, bool tight)
{
  GString *out = g_string_new(NULL);
  for (guint i = 0; i < list->len; i++) {
    g_autofree char *element = tight ? tighten(list->pdata[i]) : g_strdup(list->pdata[i]);
    if (i > 0) g_string_append(out, tight ? "," : ", ");
    g_string_append(out, element);
  }
  return g_string_free(out, FALSE);
}

/* The socket of an element alone, unix: ones from the root. */
static char *socket_of(const char *element, const char *queue)
{
  const char *start = element + strspn(element, "{ \t");
  g_autofree char *name = g_strndup(start, strcspn(start, ", \t}"));
  if (!g_str_has_prefix(name, "unix:") || name[strlen("unix:")] == '/') return g_steal_pointer(&name);
  return g_strdup_printf("unix:%s/%s", queue, name + strlen("unix:"));
}

int setup_list_find(const GPtrArray *list, const char *socket, const char *queue)
{
  g_autofree char *ours = socket_of(socket, queue);
  for (guint i = 0; i < list->len; i++) {
    g_autofree char *other = socket_of(list->pdata[i], queue);
    if (strcmp(ours, other) == 0) return (int)i;
  }
  return -1;
}

bool setup_list_signs(const char *element)
{
  /* By their sockets' names, and by the ports of opendkim's and rspamd's manuals. */
  static const char *const signs[] = {"dkim",    "rspamd", "rmilter", "amavis",
                                      "openarc", ":8891",  ":12301",  ":11332"};
  g_autofree char *lower = g_ascii_strdown(element, -1);
  for (size_t i = 0; i < G_N_ELEMENTS(signs); i++)
    if (strstr(lower, signs[i])) return true;
  return false;
}

char *setup_list_socket(const char *socket, const char *queue)
{
  if (g_str_has_prefix(socket, "unix:")) {
    const char *path = socket + strlen("unix:");
    size_t length = strlen(queue);
    bool below = strncmp(path, queue, length) == 0 && path[length] == '/';
    return g_strconcat("unix:", below ? path + length + 1 : path, NULL);
  }
  const char *rest = strchr(socket, ':') + 1, *at = strchr(rest, '@');
  if (!at) return g_strconcat("inet:localhost:", rest, NULL);
  bool bare6 = strchr(at, ':') && at[1] != '[';
  g_autofree char *port = g_strndup(rest, (size_t)(at - rest));
  return g_strdup_printf(bare6 ? "inet:[%s]:%s" : "inet:%s:%s", at + 1, port);
}
