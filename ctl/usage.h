#pragma once

#include <stdbool.h>

#include <glib.h>

#include "ctl/app.h"

/* The words of one sub-command: its options, its arguments, its --help. */

struct usage {
  const char *name;      /* "tenant add" */
  const char *arguments; /* "TENANT ADDRESS [LIST]…", as shown */
  int min, max;          /* how many; max -1: any number */
  const char *summary;   /* sentences */
  const char *example;   /* a command line, or more, each on its line */
};

/* Reads the words of a sub-command: its own OPTIONS, ending with an empty row, and
 * those that all have. Option texts must be G_OPTION_ARG_FILENAME: the bytes as they
 * are, whatever the locale. Prints the page and exits at --help. The arguments are a
 * borrowed array that ends with NULL, valid as long as APP. NULL: an error (of
 * G_OPTION_ERROR). */
char **usage_read(struct app *app, const struct usage *usage, const GOptionEntry *options, int argc,
                  char **argv, GError **error);

/* Reads the options before the sub-command's name, and moves *ARGC and *ARGV (the
 * array itself is not changed) so that (*argv)[1] is that name. */
bool usage_global(struct app *app, int *argc, char ***argv, GError **error);

/* Prints the page of several commands; BODY is its text. */
void usage_print_overview(struct app *app, const char *name, const char *body);

/* Says what is wrong with the words: an error of G_OPTION_ERROR. Always false. */
bool usage_error(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Reads "yes" or "no". */
bool usage_yes_no(const char *option, const char *text, bool *value, GError **error);
