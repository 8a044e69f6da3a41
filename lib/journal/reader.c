/* The reader's end of the journal.
 *
 * journal_read() again and again, journal_discard() after each committed fold.
 * What always holds: `db` is segment `open`, or NULL. The folder is listed
 * before a segment is read: when a newer one was there by then, the segment was
 * complete, and having read it to its end we may leave it for good. */

#include "journal/journal.h"

#include "base/error.h"
#include "db/db.h"
#include "journal/segment.h"

struct journal_reader {
  char *dir;
  struct db *db;
  int64_t open;
  int64_t told; /* the highest segment put aside that was reported */
  bool damaged; /* the last read failed on a damaged segment that is still in use */
};

struct journal_reader *journal_reader_open(const char *dir, GError **error)
{
  (void)error;
  struct journal_reader *reader = g_new0(struct journal_reader, 1);
  reader->dir = g_strdup(dir);
  return reader;
}

static void leave(struct journal_reader *reader)
{
  g_clear_pointer(&reader->db, db_close);
  reader->open = 0;
}

void journal_reader_close(struct journal_reader *reader)
{
  if (!reader) return;
  leave(reader);
  g_free(reader->dir);
  g_free(reader);
}

static bool stand_on(struct journal_reader *reader, int64_t segment, GError **error)
{
  if (reader->db && reader->open == segment) return true;
  leave(reader);
  enum db_fault fault = DB_FAULT_NONE;
  reader->db = journal_segment_open(reader->dir, segment, DB_QUERY, &fault, error);
  reader->open = segment;
  reader->damaged = fault == DB_FAULT_CORRUPT;
  return reader->db != NULL;
}

static bool read_rows(struct journal_reader *reader, struct journal_position *position, size_t max,
                      GArray *events, GError **error)
{
  guint before = events->len;
  struct db_stmt *q = db_bind(db_sql(reader->db, "SELECT seq, id, at, kind, tenant, mail, data FROM event"
                                                 " WHERE seq > ? ORDER BY seq LIMIT ?"),
                              "ii", position->seq, (int64_t)max);
  enum db_result result;
  while ((result = db_step(q, error)) == DB_ROW) {
    struct event event = {.id = db_int64(q, 1),
                          .at = db_int64(q, 2),
                          .kind = (enum event_kind)db_int64(q, 3),
                          .tenant = db_int64(q, 4),
                          .mail = db_int64(q, 5),
                          .data = g_strdup(db_text(q, 6))};
    position->seq = db_int64(q, 0);
    g_array_append_val(events, event);
  }
  if (result == DB_DONE) return true;
  reader->damaged = db_last_fault(reader->db) == DB_FAULT_CORRUPT;
  leave(reader);
  /* What came before the damage counts; the damage is met again next time. */
  if (events->len == before) return false;
  g_clear_error(error);
  return true;
}

/* The lowest number of NUMBERS that is at least FLOOR; 0: none. */
static int64_t first_from(const GArray *numbers, int64_t floor)
{
  for (guint i = 0; i < numbers->len; i++)
    if (g_array_index(numbers, int64_t, i) >= floor) return g_array_index(numbers, int64_t, i);
  return 0;
}

/* Is a segment put aside on the way, up to and not including NEXT? */
static bool report_aside(struct journal_reader *reader, const struct journal_segments *segments, int64_t from,
                         int64_t next, GError **error)
{
  int64_t aside = first_from(segments->aside, MAX(from, reader->told + 1));
  if (!aside || (next && aside > next)) return true;
  reader->told = aside;
  g_autofree char *path = journal_segment_path(reader->dir, aside, ".corrupt");
  g_set_error(
      error, TIDINGS_ERROR, TIDINGS_ERROR_SYS,
      "%s: the producer put this damaged segment aside; its events that were not folded yet are left out; "
      "try `sqlite3 FILE .recover' on it",
      path);
  return false;
}

/* Somebody emptied the folder: its numbers began anew, and what is in it would
 * never be read. */
static bool check_position(struct journal_reader *reader, const struct journal_segments *segments,
                           int64_t segment, GError **error)
{
  int64_t last = journal_segments_last(segments);
  if (segment <= last || last == 0) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS,
              "%s: the newest segment is %lld, but %lld was read before; put the journal's files back",
              reader->dir, (long long)last, (long long)segment);
  return false;
}

/* Nobody writes to a segment with a newer one beside it, so a damaged one is ours
 * to put aside; the newest is left to its producer. Returns false, as the read does. */
static bool give_up(struct journal_reader *reader, int64_t segment, bool complete, GError **error)
{
  if (!reader->damaged || !complete) return false;
  if (!journal_segment_put_aside(reader->dir, segment, NULL)) return false;
  reader->damaged = false;
  reader->told = segment;
  g_prefix_error(error, "put aside as %012lld.db.corrupt, its events that were not folded yet are left out: ",
                 (long long)segment);
  return false;
}

/* Reads on from *POSITION. *MORE: the segment is done with, and the position has
 * moved to the next one. */
static bool read_segment(struct journal_reader *reader, const struct journal_segments *segments,
                         struct journal_position *position, size_t max, GArray *events, bool *more,
                         GError **error)
{
  guint before = events->len;
  *more = false;
  if (!check_position(reader, segments, position->segment, error)) return false;
  int64_t here = first_from(segments->good, MAX(position->segment, 1));
  if (here != position->segment && !report_aside(reader, segments, position->segment, here, error))
    return false;
  if (!here) return true;
  if (here != position->segment) *position = (struct journal_position){.segment = here};
  int64_t next = first_from(segments->good, here + 1);
  if (!stand_on(reader, here, error) || !read_rows(reader, position, max, events, error))
    return give_up(reader, here, next != 0, error);
  if (!next || events->len > before) return true;
  if (!report_aside(reader, segments, here, next, error)) return false;
  leave(reader);
  *position = (struct journal_position){.segment = next};
  *more = true;
  return true;
}

bool journal_read(struct journal_reader *reader, struct journal_position *position, size_t max,
                  GArray *events, GError **error)
{
  bool good = true, more = true;
  reader->damaged = false;
  while (good && more) {
    struct journal_segments segments;
    if (!journal_segments_list(reader->dir, &segments, error)) return false;
    good = read_segment(reader, &segments, position, max, events, &more, error);
    journal_segments_release(&segments);
  }
  return good;
}

bool journal_reader_is_damaged(const struct journal_reader *reader)
{
  return reader->damaged;
}

bool journal_discard(struct journal_reader *reader, const struct journal_position *position, GError **error)
{
  struct journal_segments segments;
  if (!journal_segments_list(reader->dir, &segments, error)) return false;
  bool good = true;
  for (guint i = 0; good && i + 1 < segments.good->len; i++) {
    int64_t number = g_array_index(segments.good, int64_t, i);
    if (number >= position->segment) break;
    if (reader->open == number) leave(reader);
    good = journal_segment_unlink(reader->dir, number, error);
  }
  journal_segments_release(&segments);
  return good;
}
