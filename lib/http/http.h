#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

#include "http/address.h"

/* An HTTP server in one thread that works in rounds, made for answers that must
 * be durable first.
 *
 * In a round every request that has arrived whole is shown to handle(), which
 * answers it, or puts its facts aside and does not. After every round settle() is
 * called once and makes durable what was put aside, in one go. In the next round
 * handle() sees the requests again that it has not answered. So one commit
 * serves all hits that came while the last one ran, and a hit costs no more
 * than a second call. */

enum { HTTP_MAX_BODY = 8 * 1024 };

/* A request. Borrowed texts live until it is answered. */
struct http_request {
  const char *method;
  const char *path; /* as written, without the query: nothing is decoded or resolved */
  const char *body;
  size_t body_length;
  struct address peer; /* who is at the other end of the connection */
  void *note;          /* the program's own; NULL at first */
};

/* The value of the first header NAME, or NULL. */
const char *http_header(const struct http_request *request, const char *name);

/* Who sent it: the peer, or whom a trusted proxy names. */
struct address http_client(const struct http_request *request);

/* An answer, used once or a million times. BODY is copied. The server adds
 * Content-Length, Date and Connection, and leaves the body out for HEAD. Free
 * with http_reply_free() at any time: requests that are being answered keep it. */
struct http_reply;
struct http_reply *http_reply_new(unsigned status, const void *body, size_t length);
void http_reply_free(struct http_reply *reply);

/* Adds a header; false if VALUE may not stand in one (control bytes). */
bool http_reply_header(struct http_reply *reply, const char *name, const char *value);

/* Answers REQUEST; at most once. */
void http_answer(struct http_request *request, const struct http_reply *reply);

struct http_handler {
  void (*handle)(void *user, struct http_request *request);
  void (*settle)(void *user);
  /* A request is over: answered, or its client is gone. Gives NOTE back. */
  void (*forget)(void *user, struct http_request *request);
  /* Replies to what HTTP itself forbids: 400, 413. Borrowed. */
  const struct http_reply *bad, *too_large;
};

struct http_options {
  const char *listen;   /* "address:port" */
  unsigned connections; /* at once */
  unsigned per_address; /* of them from one address; 0: any */
  unsigned timeout;     /* seconds in which a connection must get a request through */
  char *const *trusted; /* addresses of proxies; ends with NULL */
};

struct http;

/* Binds and listens; nothing is served yet. Errors: SYS, INPUT. */
struct http *http_open(const struct http_options *options, const struct http_handler *handler, void *user,
                       GError **error);

/* Begins to serve; after fork and after privileges are dropped. Errors: SYS. */
bool http_start(struct http *http, GError **error);

/* Runs one round. Waits until there is something to do. True if the descriptor
 * OTHER (the caller's: signals) is readable. */
bool http_round(struct http *http, int other);

/* Stops accepting, answers what has arrived, closes. */
void http_close(struct http *http);
