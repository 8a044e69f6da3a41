#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

/* Character references of HTML (HTML Standard, 13.2.5.72 and following). */

/* Appends LENGTH bytes of RAW to OUT with their character references replaced
 * by UTF-8, all other bytes as they are. IN_ATTRIBUTE: by the rules for
 * attribute values, where "&copy=1" is no reference. Linear in LENGTH; what is
 * appended is at most 3/2 of it. The caller bounds LENGTH. */
void html_decode(const char *raw, size_t length, bool in_attribute, GString *out);

/* Appends LENGTH bytes of TEXT to OUT, written as the value of an attribute
 * within QUOTE ('"', '\'', or 0 for none, where TEXT must not be empty); the
 * quotes themselves are not written. '&', '<', '>', both quotes and CR become
 * references, without quotes also spaces, '=' and '`'; other bytes, those from
 * 0x80 too, stay. html_decode() gives TEXT again. At most six-fold. */
void html_encode_attribute(const char *text, size_t length, char quote, GString *out);
