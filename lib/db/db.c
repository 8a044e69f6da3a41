/* The driver layer over SQLite.
 *
 * db_open(), then per use: db_sql(), db_bind(), db_step() to the end, or
 * db_reset(); db_close() last. What always holds: a statement outside of a call
 * is reset or stands on a row; a transaction is open exactly while in_transaction
 * says so; each failure left its kind in the fault.
 *
 * We never open() a database file ourselves once SQLite has: closing any
 * descriptor of it would drop the process's POSIX locks, SQLite's own among them. */

#include "db/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/error.h"

struct db {
  sqlite3 *handle;
  char *path;
  GHashTable *statements; /* literal's address → struct db_stmt */
  enum db_fault fault;
  bool in_transaction;
};

struct db_stmt {
  struct db *db;
  sqlite3_stmt *raw; /* NULL: preparing or binding failed, and `code` says how */
  int code;
  char *message;
  int parameters;
  bool bound; /* since the last reset: what was bound before is borrowed no more */
  bool dirty; /* stepped since the last reset */
};

/* What an engine's result code means to us: kind, fault, and what to do. */
struct meaning {
  int code;
  enum tidings_error kind;
  enum db_fault fault;
  const char *advice;
};

static const struct meaning meanings[] = {
    {SQLITE_BUSY, TIDINGS_ERROR_TEMP, DB_FAULT_BUSY, "another process holds it; try again"},
    {SQLITE_LOCKED, TIDINGS_ERROR_TEMP, DB_FAULT_BUSY, "another statement holds it; try again"},
    {SQLITE_NOMEM, TIDINGS_ERROR_TEMP, DB_FAULT_OTHER, "memory is out; try again"},
    {SQLITE_FULL, TIDINGS_ERROR_SYS, DB_FAULT_FULL, "the disk is full; make room on its file system"},
    {SQLITE_READONLY, TIDINGS_ERROR_SYS, DB_FAULT_READONLY,
     "it cannot be written; check the owner and mode of the file and of its folder"},
    {SQLITE_PERM, TIDINGS_ERROR_SYS, DB_FAULT_READONLY,
     "check the owner and mode of the file and of its folder"},
    {SQLITE_CANTOPEN, TIDINGS_ERROR_SYS, DB_FAULT_READONLY,
     "it cannot be opened; check that file and folder exist, their owner and mode"},
    {SQLITE_IOERR, TIDINGS_ERROR_SYS, DB_FAULT_IO,
     "reading or writing failed; check the disk and the kernel's log"},
    {SQLITE_CORRUPT, TIDINGS_ERROR_SYS, DB_FAULT_CORRUPT,
     "the file is damaged; move it away, and try `sqlite3 FILE .recover' on it"},
    {SQLITE_NOTADB, TIDINGS_ERROR_SYS, DB_FAULT_CORRUPT,
     "the file is no database, or damaged; move it away or restore it"},
    {SQLITE_CONSTRAINT, TIDINGS_ERROR_INPUT, DB_FAULT_CONSTRAINT, "the row breaks a rule of the table"},
    {SQLITE_MISMATCH, TIDINGS_ERROR_INPUT, DB_FAULT_CONSTRAINT, "a value is of the wrong type"},
    {SQLITE_TOOBIG, TIDINGS_ERROR_LIMIT, DB_FAULT_OTHER, "a value is too big"},
};

static struct meaning meaning_of(int code, int system_errno)
{
  /* An I/O error for want of space (the wal-index is extended by hand) is a full disk. */
  if ((code & 0xff) == SQLITE_IOERR && (system_errno == ENOSPC || system_errno == EDQUOT)) code = SQLITE_FULL;
  for (size_t i = 0; i < G_N_ELEMENTS(meanings); i++)
    if (meanings[i].code == (code & 0xff)) return meanings[i];
  return (struct meaning){code, TIDINGS_ERROR_SYS, DB_FAULT_OTHER, "this is a fault of the program"};
}

static void fail(struct db *db, int code, const char *message, GError **error)
{
  struct meaning meaning = meaning_of(code, sqlite3_system_errno(db->handle));
  db->fault = meaning.fault;
  g_set_error(error, TIDINGS_ERROR, (int)meaning.kind, "%s: %s (%s)", db->path, meaning.advice, message);
}

static bool fail_now(struct db *db, int code, GError **error)
{
  fail(db, code, sqlite3_errmsg(db->handle), error);
  return false;
}

/* -- opening ------------------------------------------------------------- */

static bool refuse(const char *path, const char *why, GError **error)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: refused: %s", path, why);
  return false;
}

static bool is_network_file_system(const char *path)
{
  /* NFS, SMB, CIFS, SMB2, AFS, Coda, Ceph, 9p: linux/magic.h has only some. */
  static const unsigned long network[] = {0x6969,     0x517B,     0xFF534D42, 0xFE534D42,
                                          0x5346414F, 0x73757245, 0x00C36400, 0x01021997};
  struct statfs fs;
  if (statfs(path, &fs) != 0) return false;
  for (size_t i = 0; i < G_N_ELEMENTS(network); i++)
    if (((unsigned long)fs.f_type & 0xffffffffUL) == network[i]) return true;
  return false;
}

/* The engine would follow a link and lock over NFS; we would rather not. */
static bool check_place(const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname(path);
  struct stat st;
  if (is_network_file_system(folder))
    return refuse(path, "its file system is one of the network, where locks do not hold; use a local disk",
                  error);
  if (lstat(path, &st) != 0) return true;
  if (S_ISLNK(st.st_mode)) return refuse(path, "it is a symbolic link; name the file itself", error);
  if (!S_ISREG(st.st_mode)) return refuse(path, "it is not a regular file", error);
  return true;
}

/* The engine would apply the umask, which belongs to the whole process. */
static void make_file(const char *path, mode_t mode)
{
  int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0) return; /* it is there; or the engine will say what is wrong */
  (void)fchmod(fd, mode);
  close(fd);
}

static int engine_flags(unsigned flags)
{
  int common = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_URI;
  if (flags & (DB_READONLY | DB_IMMUTABLE)) return common | SQLITE_OPEN_READONLY;
  return common | SQLITE_OPEN_READWRITE;
}

static char *uri_of(const char *path, unsigned flags)
{
  g_autofree char *absolute = g_canonicalize_filename(path, NULL);
  g_autofree char *escaped = g_uri_escape_string(absolute, "/", false);
  return g_strconcat("file://", escaped, flags & DB_IMMUTABLE ? "?immutable=1" : "", NULL);
}

/* A disk that refuses leaves the mode as it was, and says nothing. */
static bool use_wal(struct db *db, GError **error)
{
  struct db_stmt *stmt = db_sql(db, "PRAGMA journal_mode=WAL");
  enum db_result result = db_step(stmt, error);
  if (result != DB_ROW) return false;
  bool good = g_str_equal(db_text(stmt, 0), "wal");
  db_reset(stmt);
  return good || refuse(db->path, "it cannot have a write-ahead log here", error);
}

/* The engine silently opens for reading what it may not write. */
static bool check_writable(struct db *db, unsigned flags, GError **error)
{
  if ((flags & (DB_READONLY | DB_IMMUTABLE)) || sqlite3_db_readonly(db->handle, "main") != 1) return true;
  fail(db, SQLITE_READONLY, "opened for reading only", error);
  return false;
}

static bool harden(struct db *db, unsigned flags, GError **error)
{
  static const struct {
    int option;
    int value;
  } switches[] = {{SQLITE_DBCONFIG_DEFENSIVE, 1},
                  {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                  {SQLITE_DBCONFIG_DQS_DML, 0},
                  {SQLITE_DBCONFIG_DQS_DDL, 0},
                  {SQLITE_DBCONFIG_ENABLE_FKEY, 1}};
  for (size_t i = 0; i < G_N_ELEMENTS(switches); i++) {
    int code = sqlite3_db_config(db->handle, switches[i].option, switches[i].value, NULL);
    if (code != SQLITE_OK) return fail_now(db, code, error);
  }
  /* A reader that closes last must not move the writer's log. */
  if (flags & DB_QUERY) sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  if (!db_script(db, "PRAGMA mmap_size=0; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY", error))
    return false;
  if (!check_writable(db, flags, error)) return false;
  if ((flags & DB_WAL) && !use_wal(db, error)) return false;
  if ((flags & DB_QUERY) && !db_script(db, "PRAGMA query_only=1", error)) return false;
  /* Pragmas are lazy; this reads the file, so that a damaged one fails here. */
  return db_script(db, "SELECT count(*) FROM sqlite_schema", error);
}

static void stmt_free(void *stmt)
{
  db_stmt_free(stmt);
}

struct db *db_open(const char *path, unsigned flags, mode_t mode, int busy_ms, enum db_fault *fault,
                   GError **error)
{
  if (fault) *fault = DB_FAULT_READONLY;
  if (!check_place(path, error)) return NULL;
  if (flags & DB_CREATE) make_file(path, mode);

  struct db *db = g_new0(struct db, 1);
  g_autofree char *uri = uri_of(path, flags);
  db->path = g_strdup(path);
  db->statements = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, stmt_free);
  int code = sqlite3_open_v2(uri, &db->handle, engine_flags(flags), NULL);
  if (code != SQLITE_OK) {
    fail_now(db, code, error);
  } else {
    sqlite3_busy_timeout(db->handle, busy_ms);
    if (harden(db, flags, error)) {
      if (fault) *fault = DB_FAULT_NONE;
      return db;
    }
  }
  if (fault) *fault = db->fault;
  db_close(db);
  return NULL;
}

void db_close(struct db *db)
{
  if (!db) return;
  db_rollback(db);
  g_hash_table_destroy(db->statements);
  sqlite3_close_v2(db->handle);
  g_free(db->path);
  g_free(db);
}

bool db_version(struct db *db, int32_t application, int32_t *version, GError **error)
{
  int64_t found = 0, number = 0, tables = 0;
  if (!db_value(db_sql(db, "PRAGMA application_id"), &found, error) ||
      !db_value(db_sql(db, "PRAGMA user_version"), &number, error) ||
      !db_value(db_sql(db, "SELECT count(*) FROM sqlite_schema"), &tables, error))
    return false;
  bool fresh = found == 0 && number == 0 && tables == 0;
  if (!fresh && found != application) return refuse(db->path, "it is a database of another program", error);
  *version = (int32_t)number;
  return true;
}

bool db_set_version(struct db *db, int32_t application, int32_t version, GError **error)
{
  g_autofree char *script =
      g_strdup_printf("PRAGMA application_id=%d; PRAGMA user_version=%d", application, version);
  return db_script(db, script, error);
}

bool db_script(struct db *db, const char *script, GError **error)
{
  int code = sqlite3_exec(db->handle, script, NULL, NULL, NULL);
  return code == SQLITE_OK || fail_now(db, code, error);
}

/* -- statements ---------------------------------------------------------- */

static void spoil(struct db_stmt *stmt, int code)
{
  if (stmt->code != SQLITE_OK) return;
  stmt->code = code;
  stmt->message = g_strdup(sqlite3_errmsg(stmt->db->handle));
}

static struct db_stmt *prepare(struct db *db, const char *sql, unsigned flags)
{
  struct db_stmt *stmt = g_new0(struct db_stmt, 1);
  stmt->db = db;
  int code = sqlite3_prepare_v3(db->handle, sql, -1, flags, &stmt->raw, NULL);
  if (code != SQLITE_OK) spoil(stmt, code);
  stmt->parameters = stmt->raw ? sqlite3_bind_parameter_count(stmt->raw) : 0;
  return stmt;
}

struct db_stmt *db_prepare(struct db *db, const char *sql)
{
  return prepare(db, sql, 0);
}

struct db_stmt *db_statement(struct db *db, const char *literal)
{
  struct db_stmt *stmt = g_hash_table_lookup(db->statements, literal);
  if (stmt && stmt->raw) {
    db_reset(stmt);
    return stmt;
  }
  /* One that could not be prepared (locked, say) is tried anew. */
  stmt = prepare(db, literal, SQLITE_PREPARE_PERSISTENT);
  g_hash_table_replace(db->statements, (void *)literal, stmt);
  return stmt;
}

void db_stmt_free(struct db_stmt *stmt)
{
  if (!stmt) return;
  sqlite3_finalize(stmt->raw);
  g_free(stmt->message);
  g_free(stmt);
}

/* An empty blob is not null, but a NULL pointer would bind as one. */
static int bind_blob(sqlite3_stmt *raw, int at, const void *bytes, size_t length)
{
  return sqlite3_bind_blob64(raw, at, length ? bytes : "", length, SQLITE_STATIC);
}

struct db_stmt *db_bind(struct db_stmt *stmt, const char *types, ...)
{
  if (!stmt->raw) return stmt;
  g_assert(!stmt->dirty && (size_t)stmt->parameters == strlen(types));
  stmt->bound = true;
  va_list values;
  va_start(values, types);
  for (int i = 0; types[i]; i++) {
    int code = SQLITE_OK;
    switch (types[i]) {
    case 'i':
      code = sqlite3_bind_int64(stmt->raw, i + 1, va_arg(values, int64_t));
      break;
    case 'd':
      code = sqlite3_bind_double(stmt->raw, i + 1, va_arg(values, double));
      break;
    case 't':
      code = sqlite3_bind_text(stmt->raw, i + 1, va_arg(values, const char *), -1, SQLITE_STATIC);
      break;
    case 'b': {
      const void *bytes = va_arg(values, const void *);
      code = bind_blob(stmt->raw, i + 1, bytes, va_arg(values, size_t));
      break;
    }
    case 'n':
      code = sqlite3_bind_null(stmt->raw, i + 1);
      break;
    default:
      g_assert_not_reached();
    }
    if (code != SQLITE_OK) spoil(stmt, code);
  }
  va_end(values);
  return stmt;
}

void db_reset(struct db_stmt *stmt)
{
  if (stmt->dirty) sqlite3_reset(stmt->raw);
  stmt->dirty = stmt->bound = false;
  if (stmt->raw && stmt->code != SQLITE_OK) {
    stmt->code = SQLITE_OK;
    g_clear_pointer(&stmt->message, g_free);
  }
}

enum db_result db_step(struct db_stmt *stmt, GError **error)
{
  if (stmt->code != SQLITE_OK) {
    fail(stmt->db, stmt->code, stmt->message, error);
    db_reset(stmt);
    return DB_ERROR;
  }
  g_assert(stmt->bound || stmt->parameters == 0);
  stmt->dirty = true;
  int code = sqlite3_step(stmt->raw);
  if (code == SQLITE_ROW) return DB_ROW;
  if (code != SQLITE_DONE) fail_now(stmt->db, code, error);
  db_reset(stmt);
  return code == SQLITE_DONE ? DB_DONE : DB_ERROR;
}

bool db_exec(struct db_stmt *stmt, GError **error)
{
  enum db_result result;
  do
    result = db_step(stmt, error);
  while (result == DB_ROW);
  return result == DB_DONE;
}

bool db_value(struct db_stmt *stmt, int64_t *value, GError **error)
{
  enum db_result result = db_step(stmt, error);
  if (result == DB_ROW) {
    *value = db_int64(stmt, 0);
    db_reset(stmt);
  }
  return result != DB_ERROR;
}

int64_t db_int64(struct db_stmt *stmt, int column)
{
  return sqlite3_column_int64(stmt->raw, column);
}

double db_double(struct db_stmt *stmt, int column)
{
  return sqlite3_column_double(stmt->raw, column);
}

const char *db_text(struct db_stmt *stmt, int column)
{
  return (const char *)sqlite3_column_text(stmt->raw, column);
}

const void *db_blob(struct db_stmt *stmt, int column, size_t *length)
{
  const void *bytes = sqlite3_column_blob(stmt->raw, column);
  *length = (size_t)sqlite3_column_bytes(stmt->raw, column);
  return bytes;
}

bool db_is_null(struct db_stmt *stmt, int column)
{
  return sqlite3_column_type(stmt->raw, column) == SQLITE_NULL;
}

/* -- transactions -------------------------------------------------------- */

bool db_begin(struct db *db, GError **error)
{
  if (db->in_transaction) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: a transaction within a transaction", db->path);
    return false;
  }
  db->in_transaction = db_exec(db_sql(db, "BEGIN IMMEDIATE"), error);
  return db->in_transaction;
}

bool db_commit(struct db *db, GError **error)
{
  g_assert(db->in_transaction);
  if (!db_exec(db_sql(db, "COMMIT"), error)) {
    db_rollback(db);
    return false;
  }
  db->in_transaction = false;
  return true;
}

void db_rollback(struct db *db)
{
  /* A full disk or an I/O error may have rolled back by itself. */
  if (db->in_transaction && !sqlite3_get_autocommit(db->handle)) {
    enum db_fault first = db->fault;
    (void)db_exec(db_sql(db, "ROLLBACK"), NULL);
    db->fault = first;
  }
  db->in_transaction = false;
}

int64_t db_changes(struct db *db)
{
  return sqlite3_changes64(db->handle);
}

int64_t db_last_id(struct db *db)
{
  return sqlite3_last_insert_rowid(db->handle);
}

enum db_fault db_last_fault(const struct db *db)
{
  return db->fault;
}

int64_t db_work(struct db_stmt *stmt)
{
  return stmt->raw ? sqlite3_stmt_status(stmt->raw, SQLITE_STMTSTATUS_VM_STEP, 0) : 0;
}

bool db_sync_folder(const char *dir, GError **error)
{
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool good = fd >= 0 && fsync(fd) == 0;
  if (!good)
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: cannot sync the folder: %s", dir,
                strerror(errno));
  if (fd >= 0) close(fd);
  return good;
}
