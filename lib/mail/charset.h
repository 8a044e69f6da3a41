#pragma once

#include <stddef.h>

#include <glib.h>

/* Appends BYTES, said to be in CHARSET, to TEXT as UTF-8. Never fails: where the
 * charset is unknown or the bytes are not of it they are taken as UTF-8, and
 * what is not UTF-8 either becomes U+FFFD. For display and comparison, never
 * for what goes back into a message. */
void mail_charset_decode(const char *charset, const char *bytes, size_t length, GString *text);
