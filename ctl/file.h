#pragma once

#include <stddef.h>

#include <glib.h>

#include "ctl/app.h"

/* The first MAX bytes of the file PATH, "-" being the standard input; a NUL stands
 * behind them. Caller frees. Errors: SYS, with the exit status for a file that cannot
 * be read. */
char *file_read(struct app *app, const char *path, size_t max, size_t *length, GError **error);
