#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

#include "mail/encoding.h"
#include "mail/range.h"

/* Quoted-printable (RFC 2045 section 6.7): taken apart, and written into. */

/* A stretch of raw bytes that decodes in one manner. */
struct mail_qp_piece {
  size_t raw, raw_length;
  enum mail_qp_kind {
    MAIL_QP_LITERAL, /* stands for itself, line ends included */
    MAIL_QP_BYTE,    /* =XX: stands for BYTE */
    MAIL_QP_SOFT,    /* soft line break: nothing */
    MAIL_QP_PADDING, /* white space at the end of a line: nothing */
  } kind;
  char byte;
  bool invalid; /* another reader may see something else */
};

/* Gives the pieces of a raw text in order, without gap; linear. */
struct mail_qp_iter {
  const char *raw;
  size_t length, at;
  size_t content, next; /* of the line at AT: where its content ends, where it ends */
};
void mail_qp_init(struct mail_qp_iter *iter, const char *raw, size_t length);
bool mail_qp_next(struct mail_qp_iter *iter, struct mail_qp_piece *piece);

/* Finds raw bytes for decoded ones, in one direction: all questions to one
 * cursor together cost one pass. */
struct mail_cursor {
  struct mail_qp_iter iter;
  struct mail_qp_piece piece; /* the current one */
  size_t at;                  /* decoded offset of its first byte */
  size_t after;               /* raw offset after the last byte before it */
  bool padded;                /* padding lies between the two */
};
void mail_cursor_init(struct mail_cursor *cursor, const char *raw, size_t length);

/* The raw bytes that stand for decoded [FROM, TO): from the first byte of FROM's
 * code to the last of TO-1's, soft line breaks in between included, those around
 * it not; padding before FROM is included, for it must not come to count. An
 * empty range lies after the code of FROM-1. FROM must not be less than the last
 * TO; what is past the text is taken as its end. */
struct mail_range mail_cursor_span(struct mail_cursor *cursor, size_t from, size_t to);

/* Writes replacements into a raw body, in order. */
struct mail_qp_pen {
  const char *raw; /* borrowed */
  size_t length;
  const char *line_end; /* "\r\n" or "\n", borrowed */
  size_t end;           /* raw offset after the last replacement */
  size_t column;        /* where that ended on its line, as it is now */
  bool blank;           /* the byte before that is now a literal blank */
};
void mail_qp_pen_init(struct mail_qp_pen *pen, const char *raw, size_t length, const char *line_end);

/* Appends to OUT what the raw bytes SPAN must become to say TEXT. Every byte
 * outside SPAN stays; soft line breaks keep lines within 76, and where that cannot
 * be had without touching more, a line is up to 3 bytes longer. LINE_END in the
 * text is written as a line end, any other control and what is not ASCII as its
 * code. Spans must come in order. */
void mail_qp_pen_write(struct mail_qp_pen *pen, struct mail_range span, const char *text, size_t length,
                       GString *out);

/* Encodes a whole text: lines that end in LINE_END stay lines. */
void mail_qp_encode(const char *text, size_t length, const char *line_end, GString *out);
