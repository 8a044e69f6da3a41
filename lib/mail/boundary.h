#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

/* The boundaries of the multiparts that are open at one point of the walk, and
 * the question put to every line that begins with "--": is it one of them? */
struct mail_boundaries {
  GArray *open;  /* of struct mail_boundary, innermost last */
  GArray *order; /* of unsigned: indices into OPEN, sorted by their text */
};

struct mail_boundary {
  const char *text; /* borrowed */
  size_t length;
  int part;   /* the multipart */
  bool ended; /* the end boundary was seen */
};

enum mail_boundary_line {
  MAIL_BOUNDARY_NONE,
  MAIL_BOUNDARY_PREFIX, /* begins like one and goes on: some readers take it for one */
  MAIL_BOUNDARY_NEXT,
  MAIL_BOUNDARY_END,
};

void mail_boundaries_init(struct mail_boundaries *set);
void mail_boundaries_release(struct mail_boundaries *set);

/* Adds the boundary of a multipart inside all that are open; TEXT is borrowed
 * until it is popped. True where it is equal to another open one, or one of the
 * two is the beginning of the other. */
bool mail_boundaries_push(struct mail_boundaries *set, const char *text, size_t length, int part);

/* Takes the innermost one away. */
void mail_boundaries_pop(struct mail_boundaries *set);

/* The boundary of the innermost multipart, or NULL. */
struct mail_boundary *mail_boundaries_top(struct mail_boundaries *set);

/* What the line "--" TEXT is (line end and trailing white space removed), and
 * to which boundary it belongs, borrowed until the next push or pop. Of equal
 * ones the innermost that has not ended is meant. Compares with O(log open). */
enum mail_boundary_line mail_boundaries_match(const struct mail_boundaries *set, const char *text,
                                              size_t length, struct mail_boundary **found);
