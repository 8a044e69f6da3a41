#pragma once

#include <stdbool.h>

#include <glib.h>
#include <jansson.h>

/* Adds the WORD "key=text" or "key:=JSON" to OBJECT. OPTION is its name in errors (of
 * G_OPTION_ERROR). */
bool pair_add(json_t *object, const char *option, const char *word, GError **error);
