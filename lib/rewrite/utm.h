#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

/* UTM tags: what the web's own statistics read from an address. */

struct rewrite_utm {
  const char *source, *medium, *campaign; /* plain text; NULL: without this tag */
};

/* Appends URL, of LENGTH bytes, with the tags of UTM before its fragment; without,
 * if it has utm_source, utm_medium or utm_campaign already. Nothing else of it
 * changes. */
void rewrite_utm_add(const char *url, size_t length, const struct rewrite_utm *utm, GString *out);
