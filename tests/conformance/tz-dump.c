/* Answers questions about zones for zones.py. One question a line on stdin, one
 * answer a line on stdout:
 *   z NAME       opens a zone                        → "ok" or "no: why"
 *   u SECONDS    what do its clocks show then        → "SECONDS-OF-THE-WALL-CLOCK ABBREVIATION"
 *   w SECONDS    which instant is this wall clock    → "SECONDS"
 * Wall clock times go both ways through struct tz_civil. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tz/civil.h"
#include "zoneinfo/zoneinfo.h"

static const struct tz_zone *zone;

static void open_zone(struct zoneinfo *zones, char *name)
{
  g_autoptr(GError) error = NULL;
  name[strcspn(name, "\n")] = 0;
  zone = zoneinfo_get(zones, name, &error);
  if (zone)
    puts("ok");
  else
    printf("no: %s\n", error->message);
}

static void show(int64_t seconds)
{
  const char *abbreviation;
  struct tz_civil civil = tz_local(zone, seconds * 1000000);
  tz_zone_offset(zone, seconds * 1000000, NULL, NULL, &abbreviation);
  printf("%" G_GINT64_FORMAT " %s\n", tz_instant(tz_zone_utc(), &civil) / 1000000, abbreviation);
}

static void resolve(int64_t wall)
{
  struct tz_civil civil = tz_local(tz_zone_utc(), wall * 1000000);
  printf("%" G_GINT64_FORMAT "\n", tz_instant(zone, &civil) / 1000000);
}

int main(int argc, char **argv)
{
  char line[256];
  g_autoptr(GError) error = NULL;
  struct zoneinfo *zones = zoneinfo_open(argc > 1 ? argv[1] : NULL, &error);
  if (!zones) {
    fprintf(stderr, "%s\n", error->message);
    return 1;
  }
  while (fgets(line, sizeof line, stdin)) {
    if (line[0] == 'z')
      open_zone(zones, line + 2);
    else if (line[0] == 'u')
      show(strtoll(line + 2, NULL, 10));
    else
      resolve(strtoll(line + 2, NULL, 10));
  }
  zoneinfo_close(zones);
  return 0;
}
