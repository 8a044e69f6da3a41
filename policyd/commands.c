/* The list of commands, and what they check alike. */

#include "policyd/commands.h"

#include <string.h>

#include "base/error.h"

const struct command *const commands[] = {tenant_commands, contact_commands, workflow_commands,
                                          report_commands, NULL};

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
