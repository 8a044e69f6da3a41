#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

/* Writing header fields (RFC 5322, RFC 2047): ASCII, lines within 78 where words allow it
 * and never over 998. */

/* Longer texts of a field are cut. */
#define MESSAGE_TEXT_MAX 2000

/* TEXT as it may stand in a header: white space and controls become one blank, what is
 * not UTF-8 becomes U+FFFD, ends are trimmed, MESSAGE_TEXT_MAX bytes. Caller frees. */
char *message_clean(const char *text);

/* Appends "NAME: TEXT" with its line end; TEXT (cleaned) is unstructured. What is not ASCII, or
 * could be taken for an encoded word, is encoded. */
void message_put_text(GString *out, const char *name, const char *text);

/* Appends "NAME: VALUE" as it is; VALUE is printable ASCII without blanks, at most 900 bytes. */
void message_put_raw(GString *out, const char *name, const char *value);
bool message_is_raw(const char *value);

/* A mailbox. */
struct message_address {
  char *name;    /* cleaned, not encoded; or NULL */
  char *address; /* ASCII: local part, '@', domain as A-labels */
};
void message_address_free(void *address);

/* Reads a list of mailboxes: `Anna <anna@example.com>, "B, C" <b@example.com>, c@example.com`.
 * Array of struct message_address that frees them, or NULL with an INPUT error. */
GPtrArray *message_addresses_read(const char *text, GError **error);

/* The address of a mailbox: TEXT if it is one, with the domain as A-labels; or NULL with an
 * INPUT error. Caller frees. */
char *message_address_read(const char *text, GError **error);

/* Appends "NAME: mailboxes" with its line end. */
void message_put_addresses(GString *out, const char *name, const GPtrArray *addresses);
