#pragma once

#include <stddef.h>
#include <stdint.h>

#include <glib.h>
#include <jansson.h>

#include "tz/zone.h"

/* Text for a terminal: no foreign byte can move its cursor or turn its writing
 * around, and what stands in columns is measured as it is shown. */

/* TEXT (NULL: "") with control characters, bytes that are not UTF-8, and characters
 * that reverse the direction of writing shown as \x1b or \u202e. Caller frees. */
char *text_safe(const char *text);

/* The same, but line feeds stay. */
char *text_safe_lines(const char *text);

/* How many columns a terminal uses for TEXT, which is UTF-8. */
size_t text_width(const char *text);

/* "2026-10-25 09:00:00 CET (08:00:00Z)": the time in ZONE and in UTC, whose date is
 * added where it is another. Caller frees. */
char *text_time(int64_t instant, const struct tz_zone *zone);

/* VALUE in a few words: a text as it is, a number in digits, yes or no; NULL if there is none.
 * Caller frees. */
char *text_value(const json_t *value);

/* An object as "key=value key=value", the keys sorted; texts with spaces in quotes.
 * Caller frees; "" for anything else. */
char *text_pairs(const json_t *object);

/* Who an event was by, as "machine (prefetch)"; NULL if nobody judged. Caller frees. */
char *text_verdict(const json_t *event);

/* What an event is about: the subject of its mail, and what of its data says something to a
 * person that stands in no other column; --json has it all. Caller frees. */
char *text_about(const json_t *event);

/* Text and number of a member; NULL, 0. Borrowed. */
const char *text_of(const json_t *object, const char *key);
int64_t text_int(const json_t *object, const char *key);
