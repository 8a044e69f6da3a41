/* The producer's end of the journal.
 *
 * journal_open(), then journal_append() from any thread or journal_write(), and
 * journal_close(). What always holds: this process has the folder's lock; `db`
 * is the newest segment, or NULL when the next write has to open or make one;
 * the writer's lock is held around everything that touches it. An event that was
 * acknowledged is on disk, and its id is not above the `last` of a row on disk. */

#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "db/db.h"
#include "journal/segment.h"

/* The log is moved into the file often: to write over its pages again costs the
 * file system less than to make it longer. */
enum { SEGMENT_BYTES = 32 << 20, ROW_OVERHEAD = 48, CHECKPOINT_PAGES = 200 };

/* Events of threads that wait together; the thread that began it writes it. */
struct batch {
  GPtrArray *events; /* of const struct event, on their threads' stacks */
  GCond done;
  bool finished;
  GError *error;
  int users;
};

struct journal {
  char *dir;
  int lock;

  GMutex ids;
  struct id_source source;

  GMutex gate; /* over `gathering`, every batch, and `counts` */
  struct batch *gathering;
  struct journal_counts counts;

  GMutex writer; /* over all that follows; taken before `gate` and `ids` */
  struct db *db;
  int64_t segment;
  int64_t rows;  /* in the segment */
  int64_t bytes; /* the same, about */
  int64_t segment_bytes;
  bool distrust; /* the disk failed under `segment`: go on in another one */
};

/* -- ids ----------------------------------------------------------------- */

int64_t journal_next_id(struct journal *journal, int64_t now)
{
  g_mutex_lock(&journal->ids);
  int64_t id = id_next(&journal->source, now);
  g_mutex_unlock(&journal->ids);
  return id;
}

static int64_t last_id(struct journal *journal)
{
  g_mutex_lock(&journal->ids);
  int64_t last = journal->source.last;
  g_mutex_unlock(&journal->ids);
  return last;
}

static void raise_last_id(struct journal *journal, int64_t last)
{
  g_mutex_lock(&journal->ids);
  journal->source.last = MAX(journal->source.last, last);
  g_mutex_unlock(&journal->ids);
}

/* -- segments ------------------------------------------------------------ */

static bool read_end(struct journal *journal, struct db *db, GError **error)
{
  int64_t start = 0, last = 0, rows = 0, pages = 0;
  if (!db_value(db_sql(db, "SELECT last FROM start"), &start, error) ||
      !db_value(db_sql(db, "SELECT last FROM event ORDER BY seq DESC LIMIT 1"), &last, error) ||
      !db_value(db_sql(db, "SELECT max(seq) FROM event"), &rows, error) ||
      !db_value(db_sql(db, "PRAGMA page_count"), &pages, error))
    return false;
  raise_last_id(journal, MAX(start, last));
  journal->rows = rows;
  journal->bytes = pages * 4096;
  return true;
}

static struct db *open_newest(struct journal *journal, int64_t number, enum db_fault *fault, GError **error)
{
  struct db *db = journal_segment_open(journal->dir, number, 0, fault, error);
  if (!db) return NULL;
  g_autofree char *settings = g_strdup_printf("PRAGMA wal_autocheckpoint=%d", CHECKPOINT_PAGES);
  if (db_script(db, settings, error) && read_end(journal, db, error)) return db;
  *fault = db_last_fault(db);
  db_close(db);
  return NULL;
}

/* The ids of a segment that cannot be read go on from the one before it; that
 * they are not given again is then up to the clock, which has gone on. */
static void learn_from_older(struct journal *journal, const struct journal_segments *segments)
{
  for (guint i = segments->good->len; i-- > 0;) {
    enum db_fault fault;
    struct db *db = open_newest(journal, g_array_index(segments->good, int64_t, i), &fault, NULL);
    if (!db) continue;
    db_close(db);
    return;
  }
}

/* Once the new segment is there the reader takes the old one for complete, so
 * whatever happens then, nothing more is written to it. */
static bool begin_segment(struct journal *journal, int64_t number, GError **error)
{
  g_autofree char *path = journal_segment_path(journal->dir, number, "");
  bool made = journal_segment_create(journal->dir, number, last_id(journal), error);
  if (!made && access(path, F_OK) != 0) return false;
  g_clear_pointer(&journal->db, db_close);
  if (!made) return false;
  enum db_fault fault;
  journal->db = open_newest(journal, number, &fault, error);
  journal->segment = number;
  journal->distrust = false;
  return journal->db != NULL;
}

static bool open_or_begin(struct journal *journal, struct journal_segments *segments, GError **error)
{
  int64_t last = journal_segments_last(segments);
  guint n = segments->good->len;
  int64_t newest = n ? g_array_index(segments->good, int64_t, n - 1) : 0;
  if (newest == last && newest && !journal->distrust) {
    enum db_fault fault;
    g_autoptr(GError) reason = NULL;
    journal->db = open_newest(journal, newest, &fault, &reason);
    journal->segment = newest;
    if (journal->db) return true;
    if (fault != DB_FAULT_CORRUPT) {
      g_propagate_error(error, g_steal_pointer(&reason));
      return false;
    }
    if (!journal_segment_put_aside(journal->dir, newest, error)) return false;
    g_array_set_size(segments->good, n - 1);
  }
  learn_from_older(journal, segments);
  return begin_segment(journal, last + 1, error);
}

/* Makes `db` usable. A new segment that cannot be begun (the disk is full) is no
 * reason to stop: the old one may grow a little first. */
static bool have_segment(struct journal *journal, GError **error)
{
  if (journal->db && journal->bytes < journal->segment_bytes) return true;
  if (journal->db) {
    g_autoptr(GError) reason = NULL;
    if (begin_segment(journal, journal->segment + 1, &reason)) return true;
    journal->bytes -= journal->segment_bytes / 8;
    if (!journal->db) g_propagate_error(error, g_steal_pointer(&reason));
    return journal->db != NULL;
  }
  struct journal_segments segments;
  if (!journal_segments_list(journal->dir, &segments, error)) return false;
  bool good = open_or_begin(journal, &segments, error);
  journal_segments_release(&segments);
  return good;
}

/* After a failed write: what becomes of the segment. */
static void leave_segment(struct journal *journal, GError **error)
{
  enum db_fault fault = db_last_fault(journal->db);
  if (fault != DB_FAULT_CORRUPT && fault != DB_FAULT_IO && fault != DB_FAULT_READONLY) return;
  g_clear_pointer(&journal->db, db_close);
  /* Whether pages that failed to sync once reach the disk later, nobody knows;
   * but a segment without an acknowledged event has nothing to lose. */
  journal->distrust = fault == DB_FAULT_IO && journal->rows > 0;
  if (fault != DB_FAULT_CORRUPT || !journal_segment_put_aside(journal->dir, journal->segment, NULL)) return;
  g_prefix_error(error, "put aside as %012lld.db.corrupt: ", (long long)journal->segment);
  (void)begin_segment(journal, journal->segment + 1, NULL);
}

/* -- writing ------------------------------------------------------------- */

static bool insert(struct journal *journal, const struct event *event, bool is_last, int64_t last,
                   GError **error)
{
  struct db_stmt *stmt = db_sql(
      journal->db, "INSERT INTO event (id, at, kind, tenant, mail, data, last) VALUES (?, ?, ?, ?, ?, ?, ?)");
  if (is_last)
    db_bind(stmt, "iiiiiti", event->id, event->at, (int64_t)event->kind, event->tenant, event->mail,
            event->data, last);
  else
    db_bind(stmt, "iiiiitn", event->id, event->at, (int64_t)event->kind, event->tenant, event->mail,
            event->data);
  return db_exec(stmt, error);
}

static bool transact(struct journal *journal, const struct event *const *events, size_t n, GError **error)
{
  if (!db_begin(journal->db, error)) return false;
  int64_t last = last_id(journal), bytes = 0;
  for (size_t i = 0; i < n; i++) {
    last = MAX(last, events[i]->id);
    bytes += ROW_OVERHEAD + (events[i]->data ? (int64_t)strlen(events[i]->data) : 0);
    if (insert(journal, events[i], i + 1 == n, last, error)) continue;
    db_rollback(journal->db);
    return false;
  }
  if (!db_commit(journal->db, error)) return false;
  raise_last_id(journal, last);
  journal->rows += (int64_t)n;
  journal->bytes += bytes;
  return true;
}

/* The writer's lock is held. */
static bool write_all(struct journal *journal, const struct event *const *events, size_t n, GError **error)
{
  g_autoptr(GError) reason = NULL;
  if (!have_segment(journal, error)) return false;
  if (!transact(journal, events, n, &reason)) {
    leave_segment(journal, &reason);
    g_propagate_error(error, g_steal_pointer(&reason));
    return false;
  }
  g_mutex_lock(&journal->gate);
  journal->counts.events += n;
  journal->counts.transactions++;
  g_mutex_unlock(&journal->gate);
  return true;
}

static bool check_size(const struct event *event, GError **error)
{
  if (!event->data || strlen(event->data) <= JOURNAL_MAX_DATA) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "an event's data is %zu bytes, and %d is the most",
              strlen(event->data), JOURNAL_MAX_DATA);
  return false;
}

bool journal_write(struct journal *journal, const struct event *events, size_t n, GError **error)
{
  if (n == 0) return true;
  g_autofree const struct event **pointers = g_new(const struct event *, n);
  for (size_t i = 0; i < n; i++) {
    if (!check_size(&events[i], error)) return false;
    pointers[i] = &events[i];
  }
  g_mutex_lock(&journal->writer);
  bool good = write_all(journal, pointers, n, error);
  g_mutex_unlock(&journal->writer);
  return good;
}

/* -- group commit -------------------------------------------------------- */

static struct batch *batch_new(void)
{
  struct batch *batch = g_new0(struct batch, 1);
  batch->events = g_ptr_array_new();
  g_cond_init(&batch->done);
  return batch;
}

/* The gate is held. */
static void batch_leave(struct batch *batch)
{
  if (--batch->users > 0) return;
  g_ptr_array_free(batch->events, true);
  g_cond_clear(&batch->done);
  g_clear_error(&batch->error);
  g_free(batch);
}

/* While this thread waits for the writer's lock, the batch goes on gathering. */
static void lead(struct journal *journal, struct batch *batch)
{
  g_mutex_unlock(&journal->gate);
  g_mutex_lock(&journal->writer);

  g_mutex_lock(&journal->gate);
  journal->gathering = NULL;
  g_mutex_unlock(&journal->gate);

  GError *error = NULL;
  write_all(journal, (const struct event *const *)batch->events->pdata, batch->events->len, &error);
  g_mutex_unlock(&journal->writer);

  g_mutex_lock(&journal->gate);
  batch->error = error;
  batch->finished = true;
  g_cond_broadcast(&batch->done);
}

bool journal_append(struct journal *journal, const struct event *event, GError **error)
{
  if (!check_size(event, error)) return false;
  g_mutex_lock(&journal->gate);
  bool leader = !journal->gathering;
  if (leader) journal->gathering = batch_new();
  struct batch *batch = journal->gathering;
  g_ptr_array_add(batch->events, (void *)event);
  batch->users++;
  if (leader) lead(journal, batch);
  while (!batch->finished)
    g_cond_wait(&batch->done, &journal->gate);
  bool good = !batch->error;
  if (!good && error) *error = g_error_copy(batch->error);
  batch_leave(batch);
  g_mutex_unlock(&journal->gate);
  return good;
}

/* -- opening ------------------------------------------------------------- */

static bool make_folder(const char *dir, GError **error)
{
  if (mkdir(dir, 0770) == 0) {
    if (chmod(dir, 02770) == 0) return true;
  } else if (errno == EEXIST) {
    return true;
  }
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: cannot make the journal's folder: %s", dir,
              strerror(errno));
  return false;
}

static int take_lock(const char *dir, GError **error)
{
  g_autofree char *path = g_strconcat(dir, "/lock", NULL);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
  if (fd < 0) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS,
                "%s: cannot open: %s; check that this user may write in the folder", path, strerror(errno));
    return -1;
  }
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_TEMP,
              "%s: another process writes this journal; stop it first", path);
  close(fd);
  return -1;
}

struct journal *journal_open(const char *dir, uint8_t node, enum id_producer producer, GError **error)
{
  if (!make_folder(dir, error)) return NULL;
  int lock = take_lock(dir, error);
  if (lock < 0) return NULL;
  struct journal *journal = g_new0(struct journal, 1);
  journal->dir = g_strdup(dir);
  journal->lock = lock;
  journal->source = (struct id_source){.node = node, .producer = (uint8_t)producer};
  journal->segment_bytes = SEGMENT_BYTES;
  g_mutex_init(&journal->ids);
  g_mutex_init(&journal->gate);
  g_mutex_init(&journal->writer);
  if (have_segment(journal, error)) return journal;
  journal_close(journal);
  return NULL;
}

void journal_close(struct journal *journal)
{
  if (!journal) return;
  db_close(journal->db);
  close(journal->lock);
  g_mutex_clear(&journal->ids);
  g_mutex_clear(&journal->gate);
  g_mutex_clear(&journal->writer);
  g_free(journal->dir);
  g_free(journal);
}

void journal_count(struct journal *journal, struct journal_counts *counts)
{
  g_mutex_lock(&journal->gate);
  *counts = journal->counts;
  g_mutex_unlock(&journal->gate);
}

void journal_set_segment_size(struct journal *journal, int64_t bytes)
{
  journal->segment_bytes = bytes;
}
