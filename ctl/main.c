/* tidings(1): asks policyd, or does itself what needs no policyd. The sub-commands
 * are in commands.def, one file each. */

#include <locale.h>

#include "ctl/app.h"
#include "ctl/commands.h"

int main(int argc, char **argv)
{
  setlocale(LC_CTYPE, "");
  struct app app = {0};
  GError *error = NULL;
  bool good = commands_run(&app, argc, argv, &error);
  return app_end(&app, good, error);
}
