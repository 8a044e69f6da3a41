/* The numbered files of a journal's folder.
 *
 * A segment is made under another name and renamed when it is whole and synced,
 * so neither end ever meets half of one. Numbers only grow and are never used
 * twice, also not that of a segment that was put aside. */

#include "journal/segment.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

/* BUSY_MS: nobody but a stranger ever holds the lock for long (WAL), and a
 * producer's client waits meanwhile. */
enum { APPLICATION = 0x54644a6c /* TdJl */, VERSION = 1, BUSY_MS = 500 };

static const char *const sides[] = {"-wal", "-shm"};

static const char schema[] =
    /* `last`, in the last row of each transaction, is the highest id that was given out by then. */
    "CREATE TABLE event (seq INTEGER PRIMARY KEY, id INTEGER NOT NULL, at INTEGER NOT NULL, kind INTEGER NOT "
    "NULL,"
    " tenant INTEGER NOT NULL, mail INTEGER NOT NULL, data TEXT, last INTEGER);"
    "CREATE TABLE start (last INTEGER NOT NULL);";

static bool sys_error(const char *path, const char *what, GError **error)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: %s: %s", path, what, strerror(errno));
  return false;
}

char *journal_segment_path(const char *dir, int64_t number, const char *suffix)
{
  return g_strdup_printf("%s/%012" PRId64 ".db%s", dir, number, suffix);
}

/* -- listing ------------------------------------------------------------- */

/* The number of a name that is twelve digits and then exactly SUFFIX; 0: it is not. */
static int64_t number_of(const char *name, const char *suffix)
{
  if (strspn(name, "0123456789") != 12 || strcmp(name + 12, suffix) != 0) return 0;
  return g_ascii_strtoll(name, NULL, 10);
}

static int ascending(const void *a, const void *b)
{
  int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
  return (left > right) - (left < right);
}

bool journal_segments_list(const char *dir, struct journal_segments *segments, GError **error)
{
  segments->good = g_array_new(false, false, sizeof(int64_t));
  segments->aside = g_array_new(false, false, sizeof(int64_t));
  DIR *folder = opendir(dir);
  if (!folder && errno == ENOENT) return true;
  if (!folder) {
    journal_segments_release(segments);
    return sys_error(dir, "cannot list the journal", error);
  }
  for (struct dirent *entry; (entry = readdir(folder));) {
    int64_t good = number_of(entry->d_name, ".db"), aside = number_of(entry->d_name, ".db.corrupt");
    if (good) g_array_append_val(segments->good, good);
    if (aside) g_array_append_val(segments->aside, aside);
  }
  closedir(folder);
  g_array_sort(segments->good, ascending);
  g_array_sort(segments->aside, ascending);
  return true;
}

void journal_segments_release(struct journal_segments *segments)
{
  g_clear_pointer(&segments->good, g_array_unref);
  g_clear_pointer(&segments->aside, g_array_unref);
}

static int64_t last_of(const GArray *numbers)
{
  return numbers->len ? g_array_index(numbers, int64_t, numbers->len - 1) : 0;
}

int64_t journal_segments_last(const struct journal_segments *segments)
{
  return MAX(last_of(segments->good), last_of(segments->aside));
}

/* -- one segment --------------------------------------------------------- */

static bool make(const char *path, int64_t last, GError **error)
{
  struct db *db = db_open(path, DB_CREATE | DB_WAL, 0660, BUSY_MS, NULL, error);
  if (!db) return false;
  bool good = db_begin(db, error) && db_script(db, schema, error) &&
              db_set_version(db, APPLICATION, VERSION, error) &&
              db_exec(db_bind(db_sql(db, "INSERT INTO start (last) VALUES (?)"), "i", last), error) &&
              db_commit(db, error) && db_script(db, "PRAGMA wal_checkpoint(TRUNCATE)", error);
  db_close(db);
  return good;
}

bool journal_segment_create(const char *dir, int64_t number, int64_t last, GError **error)
{
  g_autofree char *path = journal_segment_path(dir, number, "");
  g_autofree char *making = g_strconcat(dir, "/making", NULL);
  g_autofree char *making_wal = g_strconcat(making, "-wal", NULL);
  g_autofree char *making_shm = g_strconcat(making, "-shm", NULL);
  /* What a killed predecessor left; the lock says that nobody else is at it. */
  unlink(making_wal);
  unlink(making_shm);
  unlink(making);
  bool good = make(making, last, error);
  if (good && rename(making, path) != 0) good = sys_error(path, "cannot name the new segment", error);
  if (!good) {
    unlink(making_wal);
    unlink(making_shm);
    unlink(making);
    return false;
  }
  return db_sync_folder(dir, error);
}

struct db *journal_segment_open(const char *dir, int64_t number, unsigned flags, enum db_fault *fault,
                                GError **error)
{
  g_autofree char *path = journal_segment_path(dir, number, "");
  struct db *db = db_open(path, flags, 0660, BUSY_MS, fault, error);
  if (!db) return NULL;
  int32_t version = 0;
  if (db_version(db, APPLICATION, &version, error)) {
    if (version == VERSION) return db;
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS,
                "%s: this segment is of version %d, and this program knows version %d; %s", path, version,
                VERSION, version > VERSION ? "upgrade the program" : "it is empty or damaged; move it away");
  }
  if (fault) *fault = version > VERSION ? DB_FAULT_OTHER : DB_FAULT_CORRUPT;
  db_close(db);
  return NULL;
}

bool journal_segment_put_aside(const char *dir, int64_t number, GError **error)
{
  g_autofree char *from = journal_segment_path(dir, number, "");
  g_autofree char *to = journal_segment_path(dir, number, ".corrupt");
  for (size_t i = 0; i < G_N_ELEMENTS(sides); i++) {
    g_autofree char *side = g_strconcat(from, sides[i], NULL);
    g_autofree char *side_to = g_strconcat(to, sides[i], NULL);
    (void)rename(side, side_to);
  }
  if (rename(from, to) != 0) return sys_error(from, "cannot put the corrupt segment aside", error);
  return true;
}

bool journal_segment_unlink(const char *dir, int64_t number, GError **error)
{
  g_autofree char *path = journal_segment_path(dir, number, "");
  for (size_t i = 0; i < G_N_ELEMENTS(sides); i++) {
    g_autofree char *side = g_strconcat(path, sides[i], NULL);
    (void)unlink(side);
  }
  if (unlink(path) != 0 && errno != ENOENT) return sys_error(path, "cannot remove the folded segment", error);
  return true;
}
