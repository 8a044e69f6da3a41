/* tidings event: what a program wants to say. */

#include "ctl/commands.h"

#include "ctl/pair.h"
#include "ctl/usage.h"

bool event_send(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "event send",
      "TENANT ADDRESS NAME [KEY=VALUE | KEY:=JSON]…",
      3,
      -1,
      "Sends a custom event of a contact, which is added if it is new. Workflows may start from it or "
      "wait for it.",
      "tidings event send shop anna@example.com order number=4711 total:=129.50"};
  char **words = usage_read(app, &usage, NULL, argc, argv, error);
  if (!words) return false;
  json_t *properties = json_object();
  for (size_t i = 3; words[i]; i++)
    if (!pair_add(properties, "event send:", words[i], error)) {
      json_decref(properties);
      return false;
    }
  json_t *args = json_pack("{s:s, s:s, s:s, s:o}", "tenant", words[0], "address", words[1], "name", words[2],
                           "properties", properties);
  return app_change(app, "event.send", args, error, "event %s of %s: taken", words[2], words[1]);
}
