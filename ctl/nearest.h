#pragma once

#include <glib.h>

/* The one of CHOICES (char *) that WORD was probably meant to be: at most a third of
 * its letters, and two at least, are wrong, missing, added or swapped; or WORD is its
 * beginning. NULL if none is near. Borrowed. */
const char *nearest_word(const char *word, const GPtrArray *choices);
