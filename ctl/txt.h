#pragma once

#include <glib.h>

/* The text of the TXT record at NAME, by the system's resolver, which is given up
 * after about ten seconds; several strings are put together, of several records
 * the first that begins as PREFIX does is taken, else the first. Caller frees.
 * Errors: NOTFOUND (there is none), TEMP (no resolver answers). */
char *txt_find(const char *name, const char *prefix, GError **error);
