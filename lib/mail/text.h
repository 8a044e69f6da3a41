#pragma once

#include <stddef.h>

#include <glib.h>

/* What the value of a header field says to a person. Both give UTF-8 without
 * NUL, owned by the caller (g_free), and never fail: what cannot be read stays as
 * it is, what is no UTF-8 becomes U+FFFD. Linear. */

/* Unfolds an unstructured value (RFC 5322 section 2.2.3) and trims it. */
char *mail_text_unfold(const char *value, size_t length);

/* Unfolds and decodes its encoded words (RFC 2047, and the language of RFC 2231
 * section 5). Words of one charset are put together before they are converted,
 * so a character may be cut in two; white space between words goes. */
char *mail_text_decode(const char *value, size_t length);
