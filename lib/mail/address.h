#pragma once

#include <stddef.h>

#include <glib.h>

/* One mailbox of From, To, Cc, Reply-To, Sender. UTF-8, never NULL. */
struct mail_address {
  char *name;    /* decoded display name, or the comment that stands for it; or "" */
  char *address; /* local@domain as written (case kept, quotes only where needed); "" where there is none */
  char *group;   /* decoded name of the group it is in, or "" */
};

/* Reads an address list (RFC 5322 section 3.4 with the obsolete forms, RFC 6532).
 * Gives a new array of struct mail_address, to be released with
 * g_ptr_array_unref(): at most MAX, in order, groups opened, empty ones left
 * out. Never fails, linear: what is malformed is read as well as it goes. */
GPtrArray *mail_addresses_read(const char *value, size_t length, size_t max);

/* Reads message identifiers (RFC 5322 section 3.6.4: Message-ID, In-Reply-To,
 * References). Gives a new array of strings without the angle brackets, at most
 * MAX, in order; what is not in brackets is not one. */
GPtrArray *mail_ids_read(const char *value, size_t length, size_t max);
