#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "db/db.h"

/* The numbered files of a journal's folder, for the two ends. */

/* What is in the folder: `NUMBER.db` and what was put aside, `NUMBER.db.corrupt`;
 * both ascending. A missing folder is an empty one. */
struct journal_segments {
  GArray *good; /* of int64_t */
  GArray *aside;
};

/* Lists folder DIR. Caller releases. Errors: SYS. */
bool journal_segments_list(const char *dir, struct journal_segments *segments, GError **error);
void journal_segments_release(struct journal_segments *segments);

/* The highest number that was ever used; 0: none. */
int64_t journal_segments_last(const struct journal_segments *segments);

/* The path of segment NUMBER, with SUFFIX ("", "-wal", ".corrupt" …). */
char *journal_segment_path(const char *dir, int64_t number, const char *suffix);

/* Makes an empty segment that goes on from id LAST; it appears whole, and its
 * name is durable on return. */
bool journal_segment_create(const char *dir, int64_t number, int64_t last, GError **error);

/* Opens segment NUMBER with DB_* FLAGS. */
struct db *journal_segment_open(const char *dir, int64_t number, unsigned flags, enum db_fault *fault,
                                GError **error);

/* Renames a segment that cannot be used to NUMBER.db.corrupt, side files too. */
bool journal_segment_put_aside(const char *dir, int64_t number, GError **error);

/* Unlinks a segment, side files first: what is left after a crash is a segment. */
bool journal_segment_unlink(const char *dir, int64_t number, GError **error);
