#pragma once

#include "rewrite/page.h"

/* Where the links of a decoded text/plain body are, and whether each may be
 * tracked. They have no quotes; their page has no place for a pixel. */

/* Reads LENGTH bytes of plain text; they are not kept. LIMIT over max_links. Linear
 * but for the length of a line. */
struct rewrite_page *rewrite_plain_read(const char *text, size_t length,
                                        const struct rewrite_page_options *options, GError **error);
