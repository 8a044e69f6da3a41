#pragma once

#include <glib.h>

#include "liquid/liquid.h"

/* Where in HTML a value stands, and what makes it harmless there. */

/* Gives each output of TEMPLATE, the HTML body of the file NAME, the escape of its context.
 * False if a value stands where none may: the INPUT error "NAME:LINE: …" says what to
 * write. */
bool message_set_contexts(struct liquid *template, const char *name, GError **error);

/* Text of HTML and of quoted attributes; a URL from its start; a part of a URL; a style; a
 * header field; a mailbox in one. */
void message_escape_html(GString *out, const char *value, size_t length);
void message_escape_url(GString *out, const char *value, size_t length);
void message_escape_url_part(GString *out, const char *value, size_t length);
void message_escape_style(GString *out, const char *value, size_t length);
void message_escape_header(GString *out, const char *value, size_t length);
void message_escape_mailbox(GString *out, const char *value, size_t length);
