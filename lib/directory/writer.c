/* The directory's writer, policyd's alone.
 *
 * directory_writer_new(), everything added, directory_writer_publish(),
 * directory_writer_free(). The snapshot grows as `making.db` without a journal:
 * whoever dies on the way leaves a file that nobody reads. publish() makes, in
 * this order, the snapshot durable, its name, its empty delta, and only then
 * `current`; so what `current` points to is always whole. */

#include "directory/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "db/db.h"
#include "directory/files.h"

enum { MODE = 0640 };

struct directory_writer {
  char *dir;
  char *making;
  struct db *db;
};

static bool sys_error(const char *path, const char *what, GError **error)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: %s: %s", path, what, strerror(errno));
  return false;
}

static bool make_folder(const char *dir, GError **error)
{
  if (mkdir(dir, 0750) != 0)
    return errno == EEXIST || sys_error(dir, "cannot make the directory's folder", error);
  return chmod(dir, 02750) == 0 || sys_error(dir, "cannot set the folder's mode", error);
}

struct directory_writer *directory_writer_new(const char *dir, GError **error)
{
  if (!make_folder(dir, error)) return NULL;
  struct directory_writer *w = g_new0(struct directory_writer, 1);
  w->dir = g_strdup(dir);
  w->making = g_strconcat(dir, "/making.db", NULL);
  unlink(w->making);
  w->db = db_open(w->making, DB_CREATE, MODE, 0, NULL, error);
  if (w->db && db_script(w->db, "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF", error) &&
      db_begin(w->db, error) && db_script(w->db, DIRECTORY_SCHEMA, error) &&
      db_set_version(w->db, DIRECTORY_APPLICATION, DIRECTORY_VERSION, error))
    return w;
  directory_writer_free(w);
  return NULL;
}

void directory_writer_free(struct directory_writer *w)
{
  if (!w) return;
  db_close(w->db);
  unlink(w->making);
  g_free(w->making);
  g_free(w->dir);
  g_free(w);
}

/* -- adding -------------------------------------------------------------- */

bool directory_writer_tenant(struct directory_writer *w, const struct directory_tenant *tenant,
                             GError **error)
{
  struct db_stmt *insert = db_sql(
      w->db,
      "INSERT INTO tenant (id, name, title, track, url, split, text_links) VALUES (?, ?, ?, ?, ?, ?, ?)");
  return db_exec(db_bind(insert, "ittitii", tenant->id, tenant->name, tenant->title, (int64_t)tenant->track,
                         tenant->url, (int64_t)tenant->split, (int64_t)tenant->text_links),
                 error);
}

bool directory_writer_user(struct directory_writer *w, int64_t tenant, const char *user, GError **error)
{
  g_autofree char *lower = g_ascii_strdown(user, -1);
  return db_exec(db_bind(db_sql(w->db, "INSERT INTO user (name, tenant) VALUES (?, ?)"), "ti", lower, tenant),
                 error);
}

bool directory_writer_domain(struct directory_writer *w, int64_t tenant, const char *domain, GError **error)
{
  g_autofree char *lower = g_ascii_strdown(domain, -1);
  return db_exec(
      db_bind(db_sql(w->db, "INSERT INTO domain (name, tenant) VALUES (?, ?)"), "ti", lower, tenant), error);
}

bool directory_writer_list(struct directory_writer *w, const struct directory_list *list, GError **error)
{
  struct db_stmt *insert =
      db_sql(w->db, "INSERT INTO list (id, tenant, name, title, sender, unsubscribe, track, utm)"
                    " VALUES (?, ?, ?, ?, ?, ?, nullif(?, -1), ?)");
  return db_exec(db_bind(insert, "iitttiii", list->id, list->tenant, list->name, list->title, list->sender,
                         (int64_t)list->unsubscribe, list->limited ? (int64_t)list->track : (int64_t)-1,
                         (int64_t)list->utm),
                 error);
}

bool directory_writer_suppression(struct directory_writer *w, int64_t tenant, int64_t list,
                                  const uint8_t key[16], GError **error)
{
  struct db_stmt *insert =
      db_sql(w->db, "INSERT OR IGNORE INTO suppression (key, tenant, list) VALUES (?, ?, ?)");
  return db_exec(db_bind(insert, "bii", (const void *)key, (size_t)16, tenant, list), error);
}

bool directory_writer_stop(struct directory_writer *w, const struct directory_stop *stop, GError **error)
{
  struct db_stmt *insert =
      db_sql(w->db, "INSERT INTO link_stop (tenant, mail, url, prefix) VALUES (?, ?, ?, ?)");
  return db_exec(db_bind(insert, "iiti", stop->tenant, stop->mail, stop->url, (int64_t)stop->prefix), error);
}

/* -- publishing ---------------------------------------------------------- */

static bool sync_file(const char *path, GError **error)
{
  int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  bool good = fd >= 0 && fsync(fd) == 0;
  if (!good) sys_error(path, "cannot sync", error);
  if (fd >= 0) close(fd);
  return good;
}

static bool make_delta(const char *path, GError **error)
{
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, MODE);
  bool good = fd >= 0 && fchmod(fd, MODE) == 0 && fsync(fd) == 0;
  if (!good) sys_error(path, "cannot make the delta", error);
  if (fd >= 0) close(fd);
  return good;
}

static bool point_to(const char *dir, const char *snapshot, GError **error)
{
  g_autofree char *current = g_strconcat(dir, "/current", NULL);
  g_autofree char *aside = g_strconcat(dir, "/current.new", NULL);
  g_autofree char *name = g_path_get_basename(snapshot);
  unlink(aside);
  if (symlink(name, aside) != 0) return sys_error(aside, "cannot make the link", error);
  return rename(aside, current) == 0 || sys_error(current, "cannot replace the link", error);
}

/* All but the newest two; one that cannot be removed is tried again next time. */
static void remove_old(const char *dir)
{
  g_autoptr(GArray) generations = directory_generations(dir);
  for (guint i = 2; i < generations->len; i++) {
    int64_t generation = g_array_index(generations, int64_t, i);
    g_autofree char *snapshot = directory_snapshot_path(dir, generation);
    g_autofree char *delta = directory_delta_path(dir, generation);
    unlink(delta);
    unlink(snapshot);
  }
}

static bool name_it(struct directory_writer *w, GError **error)
{
  g_autoptr(GArray) generations = directory_generations(w->dir);
  int64_t generation = generations->len ? g_array_index(generations, int64_t, 0) + 1 : 1;
  g_autofree char *snapshot = directory_snapshot_path(w->dir, generation);
  g_autofree char *delta = directory_delta_path(w->dir, generation);
  if (!sync_file(w->making, error) || !make_delta(delta, error)) return false;
  if (rename(w->making, snapshot) != 0) return sys_error(snapshot, "cannot name the snapshot", error);
  /* The names are on disk before the link that needs them is. */
  return db_sync_folder(w->dir, error) && point_to(w->dir, snapshot, error) && db_sync_folder(w->dir, error);
}

bool directory_writer_publish(struct directory_writer *w, GError **error)
{
  if (!db_commit(w->db, error)) return false;
  g_clear_pointer(&w->db, db_close);
  if (!name_it(w, error)) return false;
  remove_old(w->dir);
  return true;
}

/* -- the delta ----------------------------------------------------------- */

/* Appends behind the last whole record: a torn one is cut off. */
static bool append(int fd, const uint8_t record[DIRECTORY_RECORD], size_t *records)
{
  struct stat st;
  if (fstat(fd, &st) != 0) return false;
  off_t end = st.st_size - st.st_size % DIRECTORY_RECORD;
  if (end != st.st_size && ftruncate(fd, end) != 0) return false;
  ssize_t n = pwrite(fd, record, DIRECTORY_RECORD, end);
  if (n == DIRECTORY_RECORD && fdatasync(fd) == 0) {
    *records = (size_t)(end / DIRECTORY_RECORD) + 1;
    return true;
  }
  int because = n >= 0 && n < DIRECTORY_RECORD ? ENOSPC : errno;
  if (ftruncate(fd, end) == 0) errno = because;
  return false;
}

bool directory_delta(const char *dir, int64_t tenant, int64_t list, const uint8_t key[16], bool suppressed,
                     size_t *size, GError **error)
{
  int64_t generation = directory_current(dir);
  if (generation <= 0) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND, "%s: nothing was published yet", dir);
    return false;
  }
  struct directory_change change = {.tenant = tenant, .list = list, .suppressed = suppressed};
  memcpy(change.key, key, sizeof change.key);
  uint8_t record[DIRECTORY_RECORD];
  directory_record_make(&change, record);

  g_autofree char *path = directory_delta_path(dir, generation);
  size_t records = 0;
  int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  bool good = fd >= 0 && append(fd, record, &records);
  if (!good) sys_error(path, "cannot append to the delta", error);
  if (fd >= 0) close(fd);
  if (good && size) *size = records;
  return good;
}
