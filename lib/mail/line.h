#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What the line ends of a text are made of. */
enum mail_line_fact {
  MAIL_LINE_CRLF = 1,    /* at least one CR LF */
  MAIL_LINE_LF = 2,      /* at least one LF without CR */
  MAIL_LINE_BARE_CR = 4, /* at least one CR without LF */
  MAIL_LINE_NUL = 8,     /* at least one NUL */
};

/* The facts about BYTES, a set of enum mail_line_fact. One pass. */
unsigned mail_line_facts(const char *bytes, size_t length);

/* Whether FACTS hold something a reader may see otherwise than another one: a
 * bare CR, or LF and CR LF side by side. */
bool mail_line_mixed(unsigned facts);

/* The line end that FACTS call for in new lines: "\r\n", or "\n" where the text
 * has LF alone. Static. */
const char *mail_line_end(unsigned facts);

/* Length of the longest line, its end (CR LF or LF) not counted: RFC 5322
 * section 2.1.1 allows 998. */
size_t mail_line_longest(const char *bytes, size_t length);

/* Offset just after the line that starts at AT: past its LF, or END. */
size_t mail_line_next(const char *bytes, size_t at, size_t end);

/* Offset where the text of the line [START, NEXT) ends: NEXT without LF, CR LF. */
size_t mail_line_text_end(const char *bytes, size_t start, size_t next);
