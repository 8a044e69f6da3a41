#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

#include "mail/content.h"

/* Transfer encodings (RFC 2045 section 6): a part's body decoded. The way back
 * is qp.h for quoted-printable, mail_base64_encode() for base64. */

/* What was met while decoding. */
enum mail_decode_fact {
  /* Readers decode it differently, or not at all: leave the part alone. */
  MAIL_DECODE_INVALID = 1,    /* "=" without two hex digits; base64 that stops or goes on wrongly */
  MAIL_DECODE_JUNK = 2,       /* base64: bytes of no meaning between the lines or in them */
  MAIL_DECODE_NO_PADDING = 4, /* base64: the last "=" are missing; some readers drop the last bytes */
  /* All readers agree; said for whoever wants to write it as it was. */
  MAIL_DECODE_UNEVEN = 8, /* base64: lines of different lengths, or empty ones */
};
#define MAIL_DECODE_LEAVE (MAIL_DECODE_INVALID | MAIL_DECODE_JUNK | MAIL_DECODE_NO_PADDING)

/* A decoded body. RAW and, for 7bit, 8bit and binary, BYTES are borrowed. */
struct mail_decoded {
  enum mail_encoding encoding;
  const char *raw;
  size_t raw_length;
  const char *bytes;
  size_t length;
  unsigned facts;       /* a set of enum mail_decode_fact */
  unsigned line_facts;  /* of RAW, mail/line.h */
  size_t lines;         /* base64: how many lines are not empty */
  size_t line_length;   /* base64: bytes of the longest one */
  size_t last_line_end; /* base64: bytes of line ends after the last one */
  char *owned;
};

/* Decodes RAW. Always gives what a tolerant reader would see; look at the facts
 * before writing. LIMIT where the decoded text is over LIMIT bytes or memory is
 * refused; INPUT for MAIL_ENCODING_UNKNOWN. Release with mail_decoded_clear(). */
bool mail_decode(enum mail_encoding encoding, const char *raw, size_t length, size_t limit,
                 struct mail_decoded *decoded, GError **error);
void mail_decoded_clear(struct mail_decoded *decoded);

/* Encodes as base64 in lines of LINE_LENGTH (0: one line, however long). LINE_END
 * comes between lines, not after the last. */
void mail_base64_encode(const char *bytes, size_t length, size_t line_length, const char *line_end,
                        GString *out);
