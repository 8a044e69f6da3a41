#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

/* The three fields that say what a part is: Content-Type and
 * Content-Disposition (one grammar: RFC 2045 section 5.1, RFC 2183, RFC 2231)
 * and Content-Transfer-Encoding (RFC 2045 section 6.1). */

/* What two readers may take differently. */
enum mail_content_fault {
  MAIL_CONTENT_BAD = 1,       /* no type, or a Content-Type without subtype */
  MAIL_CONTENT_JUNK = 2,      /* bytes that fit no grammar: a lost semicolon, an open quote, … */
  MAIL_CONTENT_COMMENT = 4,   /* holds a comment */
  MAIL_CONTENT_TWICE = 8,     /* of a parameter: given more than once */
  MAIL_CONTENT_EXTENDED = 16, /* of a parameter: written as RFC 2231 says */
  MAIL_CONTENT_ESCAPED = 32,  /* of a parameter: a backslash, a fold or an encoded word in it */
  MAIL_CONTENT_LOOSE = 64,    /* of a parameter: without the quotes it needs ("=" alone is forgiven) */
};

struct mail_param {
  char *name;      /* lower case */
  char *value;     /* unquoted, joined; converted to UTF-8 where it names a charset */
  size_t length;   /* of VALUE, which ends in a NUL that is not counted */
  unsigned faults; /* TWICE, EXTENDED, ESCAPED, LOOSE */
};

struct mail_content {
  char *type;        /* lower case, never NULL: "" where BAD. For a disposition, its kind */
  char *subtype;     /* lower case, never NULL */
  GPtrArray *params; /* of struct mail_param, each name once, the first value wins */
  unsigned faults;   /* BAD, JUNK, COMMENT */
};

enum mail_encoding {
  MAIL_ENCODING_7BIT,
  MAIL_ENCODING_8BIT,
  MAIL_ENCODING_BINARY,
  MAIL_ENCODING_QP,
  MAIL_ENCODING_BASE64,
  MAIL_ENCODING_UNKNOWN,
};

/* Reads the value of a Content-Type field. Never fails, linear; more than 100
 * parameters are JUNK. Release with mail_content_clear(). */
void mail_content_type_read(const char *value, size_t length, struct mail_content *content);

/* The same for Content-Disposition: TYPE is its kind, SUBTYPE is empty. */
void mail_content_disposition_read(const char *value, size_t length, struct mail_content *content);

/* Releases what a reader put into CONTENT. */
void mail_content_clear(struct mail_content *content);

/* The parameter NAME (lower case), borrowed; NULL where there is none. */
const struct mail_param *mail_content_param(const struct mail_content *content, const char *name);

/* Reads the value of a Content-Transfer-Encoding field. *ODD is set where there
 * is more than blanks and the one word: a comment, a quote, a semicolon, and a
 * fold or white space behind, which some readers take for a part of the word. */
enum mail_encoding mail_encoding_read(const char *value, size_t length, bool *odd);

/* Its name as RFC 2045 writes it, "unknown" for UNKNOWN. Static. */
const char *mail_encoding_name(enum mail_encoding encoding);
