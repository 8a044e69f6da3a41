#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>
#include <jansson.h>

/* A message file: an RFC 5322 file (UTF-8) whose header fields and body are Liquid
 * templates; compiled once, rendered for each contact into a complete message.
 *
 *   From: Anna <anna@example.com>
 *   Subject: Welcome, {{ contact.first_name | default: "friend" }}
 *   Content-Type: text/html
 *
 *   <p>Good to have you. <a href="{{ unsubscribe_url }}">Leave</a></p>
 *
 * The body is text/plain (also when no Content-Type says so) or text/html. Own
 * header fields are kept; those that we set ourselves (Date, Message-ID, To,
 * MIME-Version, …) are an error in the file. */

/* A compiled message; immutable, any number of threads may render it. */
struct message;

/* Caps: of a file, of a field, and of what is rendered from it. */
#define MESSAGE_FILE_MAX   (1024 * 1024)
#define MESSAGE_FIELDS_MAX 100
#define MESSAGE_OUTPUT_MAX (8 * 1024 * 1024)

/* Compiles LENGTH bytes of the file NAME. Caller frees with message_free().
 * Errors: INPUT, LIMIT, with "NAME:LINE: …". */
struct message *message_compile(const uint8_t *bytes, size_t length, const char *name, GError **error);

/* Frees MESSAGE, which may be NULL. */
void message_free(struct message *message);
typedef struct message message_auto;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(message_auto, message_free)

/* Whether the file has a From of its own, and whether any template in it names
 * PATH ("unsubscribe_url", "event"). */
bool message_has_from(const struct message *message);
bool message_uses(const struct message *message, const char *path);

/* What one send of it needs. Borrowed; UTF-8. */
struct message_facts {
  const json_t *data;     /* object: {"contact":{…}, "event":{…}, …} */
  const char *to;         /* address of the contact */
  const char *to_name;    /* or NULL */
  const char *from;       /* "Anna <anna@example.com>", of a message without From; else ignored; or NULL */
  int64_t date;           /* microseconds UTC */
  const char *message_id; /* "<…@…>" */
  const char *list;       /* name of the list, for X-Tidings-List; or NULL */
  const char *list_id;    /* "news.example.com", for List-Id; or NULL */
  const char *send;       /* the marker, for X-Tidings-Send; or NULL */
  const char *unsubscribe_url; /* for {{ unsubscribe_url }}; or NULL */
};

/* Appends to OUT the complete RFC 5322 message: CRLF, 7-bit, no line over 998
 * bytes; HTML with a text part made from it. A value can break out neither of a
 * header field nor of the HTML. No address here may hold more than an address.
 * Errors: INPUT (a fact that the message needs is missing or unusable), LIMIT. */
bool message_render(const struct message *message, const struct message_facts *facts, GByteArray *out,
                    GError **error);
