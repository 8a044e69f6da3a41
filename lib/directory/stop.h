#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

/* Links that are stopped: not tracked in new mail, and not followed where they
 * were sent already. */

struct directory_stop {
  int64_t tenant;  /* 0: of all tenants of the host */
  int64_t mail;    /* 0: of all mails */
  const char *url; /* plain, as directory_stop_plain() makes it */
  bool prefix;     /* and all that begins with it */
};

/* A web address of LENGTH bytes in the spelling in which they are compared: without
 * scheme, user, usual port, UTM tags and fragment, the host in small letters, "/"
 * for no path. The caller's; NULL: it is none. */
char *directory_stop_plain(const char *url, size_t length);

/* A set of them. */
struct directory_stops;
struct directory_stops *directory_stops_new(void);
void directory_stops_free(struct directory_stops *stops);
void directory_stops_add(struct directory_stops *stops, const struct directory_stop *stop);

/* Is URL stopped in MAIL of TENANT? Linear in the stops of its host. */
bool directory_stops_match(const struct directory_stops *stops, int64_t tenant, int64_t mail, const char *url,
                           size_t length);
