#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

#include "rewrite/reason.h"

/* One HTML body, decoded: where its links are, whether each may be tracked, and
 * where a pixel would go. Nothing is changed here. */

struct rewrite_page_options {
  bool utf8;                   /* the page is in UTF-8 */
  bool visible_urls;           /* also track links whose visible text is an address */
  const char *const *own_urls; /* bases of our own trackers */
  size_t n_own_urls;
  GPtrArray *unsubscribe_urls; /* of the List-Unsubscribe fields (char *) */
  size_t max_links;
};

struct rewrite_page_link {
  size_t start, end; /* of the attribute's value as written, without quotes */
  char quote;        /* '"', '\'' or 0 */
  char *url;         /* decoded, trimmed, resolved against <base href> */
  size_t length;     /* of URL, which may hold NUL */
  bool hidden;       /* within a conditional comment: only one kind of reader sees it */
  enum rewrite_reason reason;
};

typedef struct rewrite_page {
  GArray *links; /* of struct rewrite_page_link, in the order of their start */
  size_t pixel_at;
  enum rewrite_reason pixel; /* TRACKED: it may go to pixel_at; or why not */
} rewrite_page;

/* Reads LENGTH bytes of HTML; they are not kept. LIMIT over max_links. Linear. */
struct rewrite_page *rewrite_page_read(const char *html, size_t length,
                                       const struct rewrite_page_options *options, GError **error);
/* An empty one. */
struct rewrite_page *rewrite_page_new(void);
void rewrite_page_free(struct rewrite_page *page);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(rewrite_page, rewrite_page_free)

/* Leaves both of a pair alone where one is: a link that only Outlook sees (VML
 * or HTML in a conditional comment) and its twin, the nearest link with the same
 * address that the other readers see. To be called again when the caller has
 * left more links alone. Linear. */
void rewrite_page_pair(struct rewrite_page *page);
