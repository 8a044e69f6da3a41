#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "base/id.h"
#include "event/event.h"

/* The journal: where a producer's events wait, durably, for policyd.
 *
 * A folder a producer, of numbered segments (SQLite, WAL, synchronous=FULL).
 * The producer alone writes, and alone makes segments; it holds `lock` while it
 * does. policyd only reads, and unlinks a segment that it has folded whole once
 * a newer one exists. So neither ever waits for the other. */

struct journal;

/* Opens the producer's end of folder DIR, makes it if missing (mode 2770), takes
 * its lock, and goes on from the last id written. Errors: SYS (with the path);
 * TEMP if another process holds the lock. */
struct journal *journal_open(const char *dir, uint8_t node, enum id_producer producer, GError **error);
void journal_close(struct journal *journal);

/* A fresh id from this journal's source. Any thread. */
int64_t journal_next_id(struct journal *journal, int64_t now);

/* The longest `data` of an event. */
enum { JOURNAL_MAX_DATA = 4 << 20 };

/* Writes EVENTS in one transaction and returns when they are on disk
 * (fdatasync). All or none. Any thread; one waits for the other. Errors: LIMIT
 * (data too long), TEMP (locked by a stranger), SYS (disk full, read-only,
 * corrupt: a corrupt segment is put aside as NAME.corrupt, and the next call
 * begins a new one). */
bool journal_write(struct journal *journal, const struct event *events, size_t n, GError **error);

/* Writes one event, sharing its transaction with the other threads that wait at
 * the same time (group commit). Returns when it is on disk. Any thread. */
bool journal_append(struct journal *journal, const struct event *event, GError **error);

/* How much was written since the start: transactions <= events shows how well
 * commits are shared. Any thread. */
struct journal_counts {
  uint64_t events;
  uint64_t transactions;
};
void journal_count(struct journal *journal, struct journal_counts *counts);

/* Begins a new segment once one has grown to BYTES (default 32 MB). Before the
 * first write; for tests. */
void journal_set_segment_size(struct journal *journal, int64_t bytes);

/* The reader's end. A position is (segment, seq), seq from 1. */
struct journal_position {
  int64_t segment;
  int64_t seq;
};

struct journal_reader;

/* Opens the reader's end; a folder that is not there yet is empty. */
struct journal_reader *journal_reader_open(const char *dir, GError **error);
void journal_reader_close(struct journal_reader *reader);

/* Appends to EVENTS (of struct event, cleared by its own clear function) up to
 * MAX events after *POSITION, in order, and moves *POSITION. None new: true and
 * nothing appended; what is appended is of one segment, so fewer than MAX does
 * not mean that no more are there. Errors: TEMP, SYS. A segment that cannot be
 * read is an error each time until it is mended or moved away. One that the
 * producer put aside is an error once, and then passed over; a damaged one with a
 * newer one beside it is put aside here, with such an error. */
bool journal_read(struct journal_reader *reader, struct journal_position *position, size_t max,
                  GArray *events, GError **error);

/* Did the last read fail since the newest segment is damaged? What is behind the
 * damage will not come. */
bool journal_reader_is_damaged(const struct journal_reader *reader);

/* Unlinks the segments below POSITION's, never the newest. Called after the fold
 * is committed. */
bool journal_discard(struct journal_reader *reader, const struct journal_position *position, GError **error);
