#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

#include "rewrite/reason.h"

/* May a link be tracked? What its address and its words say about it, apart
 * from where it stands. When in doubt: no. */

/* Takes white space as the WHATWG URL Standard does (4.4): C0 controls and
 * spaces at both ends, tabs and line ends anywhere go. In place. */
void rewrite_link_trim(GString *url);

/* Whether URL leads below one of the N BASES ("https://t.example.com", no slash
 * at the end); scheme and host are compared without case. */
bool rewrite_link_is_own(const char *url, const char *const *bases, size_t n);

/* Judges a trimmed, decoded URL: TRACKED, or why not. UTF8: its page is in
 * UTF-8, so that bytes from 0x80 have one meaning. */
enum rewrite_reason rewrite_link_judge_url(const GString *url, bool utf8);

/* Judges the visible, decoded text of a link: TRACKED, VISIBLE_URL or
 * UNSUBSCRIBE. White space is folded in place. */
enum rewrite_reason rewrite_link_judge_text(GString *text);

/* Resolves REFERENCE (relative, trimmed) against the absolute BASE (RFC 3986
 * section 5.2) and appends the result to OUT. False where BASE is no web address. */
bool rewrite_link_resolve(const char *base, const char *reference, GString *out);
