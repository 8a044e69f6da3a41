#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <netinet/in.h>

#include <glib.h>

/* Addresses of clients, and which proxies are believed. */

enum { ADDRESS_TEXT = INET6_ADDRSTRLEN };

/* ADDRESS as 16 bytes; IPv4 is mapped (::ffff:a.b.c.d), so that each address has
 * one form. */
struct address {
  uint8_t bytes[16];
};

/* Reads "192.0.2.1", "2001:db8::1", "[2001:db8::1]"; false if it is no address. */
bool address_parse(const char *text, size_t length, struct address *address);

/* Takes it from a socket address; false for another family. */
bool address_of_socket(const struct sockaddr *socket, struct address *address);

bool address_is_equal(const struct address *a, const struct address *b);
bool address_is_loopback(const struct address *address);

/* Writes ADDRESS as text, IPv4 in its own form. Returns BUFFER. */
const char *address_text(const struct address *address, char buffer[ADDRESS_TEXT]);

/* The addresses of TEXTS (ends with NULL) as an array of struct address. Errors:
 * INPUT names the one that is none. */
GArray *address_list(char *const *texts, GError **error);

/* Who sent a request that came from PEER with this X-Forwarded-For (NULL:
 * none): walks the list from its end as long as the one before is in TRUSTED. An
 * element that is no address ends the walk at its sender. */
struct address address_client(const struct address *peer, const char *forwarded, const GArray *trusted);

/* Reads "address:port" or "[address]:port" for listening; no names. Errors: INPUT. */
bool address_listen(const char *text, struct sockaddr_storage *socket, socklen_t *length, GError **error);
