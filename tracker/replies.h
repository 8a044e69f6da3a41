#pragma once

#include <stddef.h>

#include "http/http.h"

/* What the tracker answers. The fixed answers are made once. */

struct replies {
  struct http_reply *pixel;
  struct http_reply *not_found;    /* for all that is not ours: says nothing */
  struct http_reply *stopped;      /* 410: the link leads nowhere any more */
  struct http_reply *bad;          /* 400 */
  struct http_reply *too_large;    /* 413 */
  struct http_reply *only_get;     /* 405 */
  struct http_reply *only_post;    /* 405 where POST is allowed too */
  struct http_reply *unsubscribed; /* 200 after POST */
  struct http_reply *sorry;        /* 503: could not be recorded */
  struct http_reply *healthy;
  char *policy; /* the Content-Security-Policy of our pages */
};

void replies_init(struct replies *replies);
void replies_release(struct replies *replies);

/* A redirect to URL as route_location() writes it; NULL if that refuses it. Free
 * with http_reply_free(), as all that follow. */
struct http_reply *reply_redirect(const char *url, size_t length);

/* The page with the button. TITLE: who sends the mail; LIST: which list of theirs;
 * either may be NULL. ADDRESS is shown with most of its local part left out. */
struct http_reply *reply_unsubscribe(const struct replies *replies, const char *title, const char *list,
                                     const char *address);

/* Plain text. */
struct http_reply *reply_text(unsigned status, const char *text);
