#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

/* Appends to OUT what the HTML says, as plain text with LF line ends: paragraphs, lists with
 * "- ", links as "text (URL)", images as their alt text. Linear; what is appended is at most
 * three times LENGTH. */
void message_text_from_html(const char *html, size_t length, GString *out);
