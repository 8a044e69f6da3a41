/* The error domain that all modules share. */

#include "base/error.h"

G_DEFINE_QUARK(tidings - error - quark, tidings_error)

const char *tidings_error_kind(const GError *error)
{
  static const char *const kinds[] = {
      [TIDINGS_ERROR_INPUT] = "input",       [TIDINGS_ERROR_LIMIT] = "limit",
      [TIDINGS_ERROR_TEMP] = "temp",         [TIDINGS_ERROR_SYS] = "sys",
      [TIDINGS_ERROR_NOTFOUND] = "notfound", [TIDINGS_ERROR_DENIED] = "denied",
  };
  if (error->domain != TIDINGS_ERROR || (unsigned)error->code >= G_N_ELEMENTS(kinds)) return "sys";
  return kinds[error->code];
}
