#pragma once

#include <stdbool.h>

#include <glib.h>

#include "ctl/app.h"

/* The table of sub-commands, and the way to them. */

/* One sub-command: reads its own words, of which argv[0] is its last name, and does
 * what they say. */
typedef bool command_fn(struct app *app, int argc, char **argv, GError **error);

#define COMMAND(function, group, verb, text) command_fn function;
#include "ctl/commands.def"
#undef COMMAND

/* Reads the command line and runs the sub-command that it names. */
bool commands_run(struct app *app, int argc, char **argv, GError **error);
