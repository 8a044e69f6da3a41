/* The list of commands, and what they check alike. */

#include "policyd/commands.h"

#include <string.h>

#include "base/error.h"

const struct command *const commands[] = {tenant_commands,   contact_commands, link_commands,
                                          workflow_commands, report_commands,  NULL};

/* ---- arguments */

/* The letter of NAME's type in SPEC; 0: it is not there. */
static char type_of(const char *spec, const char *name)
{
  size_t length = strlen(name);
  for (const char *p = spec; *p; p += strcspn(p, " "), p += strspn(p, " "))
    if (strncmp(p, name, length) == 0 && p[length] == '=') return p[length + 1];
  return 0;
}

static bool is_texts(json_t *list)
{
  size_t i;
  json_t *item;
  json_array_foreach(list, i, item)
  {
    if (!json_is_string(item)) return false;
  }
  return json_is_array(list);
}

/* What VALUE should have been, NULL: it is of the type. */
static const char *mistaken(char type, json_t *value)
{
  switch (type) {
  case 's':
    return json_is_string(value) ? NULL : "a text";
  case 'i':
    return json_is_integer(value) ? NULL : "a whole number";
  case 'b':
    return json_is_boolean(value) ? NULL : "true or false";
  case 'o':
    return json_is_object(value) ? NULL : "an object";
  case 'a':
    return is_texts(value) ? NULL : "a list of texts";
  case 'l':
    return json_is_array(value) ? NULL : "a list";
  default:
    g_assert_not_reached();
  }
}

bool command_args(const char *spec, json_t *args, GError **error)
{
  const char *name;
  json_t *value;
  json_object_foreach(args, name, value)
  {
    char type = type_of(spec, name);
    const char *wanted = type && !json_is_null(value) ? mistaken(type, value) : NULL;
    if (type && !wanted) continue;
    if (type)
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "'%s' must be %s", name, wanted);
    else
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "'%.60s' is no argument of this request", name);
    return false;
  }
  return true;
}

/* ---- values */

bool command_name(const char *what, const char *text, GError **error)
{
  size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
  if (length > 0 && length <= 64 && text[length] == '\0' && text[0] != '-') return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
              "%s '%s': a name has 1 to 64 small letters, digits and hyphens", what, text);
  return false;
}

bool command_address(const char *text, GError **error)
{
  const char *at = strrchr(text, '@');
  size_t length = strlen(text);
  bool fine = at && at != text && at[1] && length <= 254 && g_utf8_validate(text, (gssize)length, NULL) &&
              !strpbrk(text, " \t\r\n<>,;\"\\()") && at[1] != '.' && text[length - 1] != '.';
  for (const char *p = text; fine && *p; p++)
    fine = (unsigned char)*p > 32 && *p != 127;
  if (fine) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "'%s' is not an e-mail address", text);
  return false;
}

bool command_zone(const struct policyd *policyd, const char *text, GError **error)
{
  g_autoptr(GError) unknown = NULL;
  if (!text || zoneinfo_get(policyd->zones, text, &unknown)) return true;
  g_set_error_literal(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, unknown->message);
  return false;
}
