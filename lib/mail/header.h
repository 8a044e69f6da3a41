#pragma once

#include "mail/range.h"

/* What is wrong with a field. */
enum mail_field_fault {
  MAIL_FIELD_SPACE = 1, /* white space between name and colon (obsolete, RFC 5322 section 4.5) */
  MAIL_FIELD_BLANK = 2, /* a continuation line of white space alone: some readers end the header there */
  MAIL_FIELD_JUNK = 4,  /* not a field: no colon, or no name before it; NAME is empty */
};

/* One field of a header section. */
struct mail_field {
  struct mail_range name;  /* without colon and the space before it */
  struct mail_range value; /* after the colon; folds included, final line end not */
  struct mail_range whole; /* everything, final line end included */
  unsigned faults;         /* a set of enum mail_field_fault */
};

/* Walks the fields of a header section; borrowed bytes. */
struct mail_header_iter {
  const char *bytes;
  size_t at, end;
};

/* What a line of a header section is. */
enum mail_header_line {
  MAIL_HEADER_FIELD,
  MAIL_HEADER_FOLD,     /* starts with white space: continues the field above */
  MAIL_HEADER_EMPTY,    /* ends the section */
  MAIL_HEADER_ENVELOPE, /* "From ": an mbox envelope line */
  MAIL_HEADER_OTHER,
};

/* The kind of the line TEXT, given without its line end. */
enum mail_header_line mail_header_line(const char *text, size_t length);

/* Prepares ITER for the fields of bytes [start, end), an empty line not included. */
void mail_header_init(struct mail_header_iter *iter, const char *bytes, struct mail_range section);

/* Gives the next field; false at the end. Never fails: what is no field is
 * given as one with MAIL_FIELD_JUNK. Linear over the section. */
bool mail_header_next(struct mail_header_iter *iter, struct mail_field *field);

/* Whether FIELD is called NAME (ASCII letters compare without case). */
bool mail_field_is(const char *bytes, const struct mail_field *field, const char *name);

/* The N-th field called NAME, from 0; false where there are not so many. */
bool mail_header_find(const char *bytes, struct mail_range section, const char *name, size_t n,
                      struct mail_field *field);

/* How many fields are called NAME. */
size_t mail_header_count(const char *bytes, struct mail_range section, const char *name);
