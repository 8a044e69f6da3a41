#pragma once

#include <stdbool.h>

#include <glib.h>
#include <jansson.h>

#include "ctl/app.h"

/* A workflow file with the message files beside it, checked as policyd will. */
struct check {
  GPtrArray *problems; /* texts "FILE:LINE: sentence"; a warning has "warning: " before the sentence */
  unsigned errors;
  char *source;     /* the workflow file's text */
  json_t *messages; /* the text of each message file, by the name that the workflow has for it */
  char *name;       /* the workflow's; NULL if it cannot be read so far */
  int steps;
};

/* Checks FILE. Problems are no error, but are counted; an error is a file that cannot be read. Release
 * with check_clear() in any case. */
bool check_workflow(struct app *app, const char *file, struct check *check, GError **error);
void check_clear(struct check *check);

/* Is the problem TEXT a warning? */
bool check_is_warning(const char *text);
