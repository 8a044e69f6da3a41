#pragma once

#include <stdbool.h>

#include <glib.h>

#include "tz/zone.h"

/* The system's time zones: a cache of the zones in a folder of compiled zone files.
 * Any thread may use one. */
struct zoneinfo;

/* Where Debian's tzdata package puts them. */
#define ZONEINFO_FOLDER "/usr/share/zoneinfo"

/* Opens FOLDER, NULL for ZONEINFO_FOLDER. Zones are read when they are first asked
 * for. Caller frees with zoneinfo_close(), which ends the life of every zone that
 * came out of it. Errors: SYS if there is no such folder. */
struct zoneinfo *zoneinfo_open(const char *folder, GError **error);
void zoneinfo_close(struct zoneinfo *zones);

/* The zone called NAME, such as "Europe/Berlin". Names that tzdata keeps as links
 * ("Europe/Kiev") work as their files do; "UTC" is always there. The zone is valid
 * until zoneinfo_close(), even across a refresh. Errors: NOTFOUND if there is no such
 * zone, or NAME cannot be one (it may hold letters, digits, + - _ and single slashes
 * between them, 64 bytes at most): fall back to the default zone and warn, never drop
 * a mail for it. SYS if the file is broken or cannot be read. */
const struct tz_zone *zoneinfo_get(struct zoneinfo *zones, const char *name, GError **error);

/* Looks for zone files that have changed since they were read, and returns how many
 * of the zones in use have new rules: what is planned in wall clock time must then be
 * resolved again. A file that is gone or broken keeps the rules it had. */
unsigned zoneinfo_refresh(struct zoneinfo *zones);

/* The tzdata release of the folder, such as "2026f", or "unknown"; read at opening and
 * by a refresh. Caller frees. */
char *zoneinfo_version(struct zoneinfo *zones);

typedef struct zoneinfo zoneinfo_auto; /* for g_autoptr */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(zoneinfo_auto, zoneinfo_close)
