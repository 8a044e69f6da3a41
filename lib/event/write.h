#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

/* Writing an event's data, member by member, where it is made for each message:
 * a tree of it would cost more than all the rest of the event.
 *
 *   g_autoptr(GString) out = g_string_new("{");
 *   event_write_text(out, "from", "a@example.com");
 *   event_write_begin(out, "to", '[');
 *   event_write_text(out, NULL, "b@example.org");
 *   event_write_end(out, ']');
 *   event_write_end(out, '}');
 *
 * A KEY is plain ASCII, of our choice; NULL within an array. */

/* TEXT may be any bytes: what is no UTF-8 becomes U+FFFD. NULL is written as null. */
void event_write_text(GString *out, const char *key, const char *text);
void event_write_number(GString *out, const char *key, int64_t number);
void event_write_bool(GString *out, const char *key, bool value);

/* Opens an array or object ('[', '{'), and ends it (']', '}'). */
void event_write_begin(GString *out, const char *key, char bracket);
void event_write_end(GString *out, char bracket);
