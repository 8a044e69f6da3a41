#pragma once

#include <stddef.h>

#include "token/token.h"

/* Which path is what. Pure. */

enum route_kind { ROUTE_NONE, ROUTE_TOKEN, ROUTE_HEALTH, ROUTE_METRICS };

struct route {
  enum route_kind kind;
  enum token_kind token_kind; /* of ROUTE_TOKEN */
  const char *token;          /* borrowed from the path */
  size_t length;
};

enum route_method { ROUTE_GET, ROUTE_POST, ROUTE_OTHER /* answered with 405 */ };

/* The route of PATH, as it was written: "/o/TOKEN" or "/o/TOKEN.gif",
 * "/c/TOKEN", "/u/TOKEN", "/health", "/metrics"; also behind "http://host"
 * (RFC 9112 section 3.2.2). A TOKEN is base64url and no longer than
 * TOKEN_MAX_SEGMENT; anything else is ROUTE_NONE. */
struct route route_of(const char *path);

/* What METHOD means for ROUTE; HEAD is as GET. */
enum route_method route_method(const struct route *route, const char *method);

/* URL as the value of a Location header: byte for byte, but for bytes outside
 * ASCII, which are percent-encoded. NULL if it is no http or https URL or has a
 * control byte. Caller frees. */
char *route_location(const char *url, size_t length);
