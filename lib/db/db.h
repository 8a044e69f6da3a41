#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <glib.h>

/* The driver layer: SQL by prepared statements, and errors in our own kinds.
 * Everything above speaks SQL through this face and never sees the engine.
 *
 *   struct db_stmt *q = db_bind(db_sql(db, "SELECT id FROM contact WHERE tenant = ?"), "i", tenant);
 *   while ((step = db_step(q, error)) == DB_ROW)
 *     use(db_int64(q, 0));
 *   return step == DB_DONE;
 *
 * A struct db is used by one thread at a time. */

struct db;
struct db_stmt;

enum db_flags {
  DB_CREATE = 1,    /* make the file if it is missing */
  DB_WAL = 2,       /* write-ahead log: readers and the one writer do not wait for each other */
  DB_READONLY = 4,  /* never write, not even a lock */
  DB_IMMUTABLE = 8, /* READONLY, and nobody else writes either: no locks, no look for a journal */
  DB_QUERY = 16,    /* a reader of a WAL database: it may touch the locks, but no statement may write */
};

/* What went wrong, finer than the kind of the error. */
enum db_fault {
  DB_FAULT_NONE,
  DB_FAULT_BUSY,       /* TEMP: another connection holds the lock */
  DB_FAULT_FULL,       /* SYS: no space */
  DB_FAULT_READONLY,   /* SYS: file or folder cannot be written or opened */
  DB_FAULT_IO,         /* SYS: the disk failed */
  DB_FAULT_CORRUPT,    /* SYS: not a database, or a damaged one */
  DB_FAULT_CONSTRAINT, /* INPUT: the row breaks a rule of the schema */
  DB_FAULT_OTHER,
};

/* Opens the database file PATH. MODE is the exact mode of a new file, whatever
 * the umask; the engine gives its side files the same. A statement that finds
 * the database locked waits up to BUSY_MS. Commits are durable (synchronous=FULL),
 * the schema is not trusted, nothing is memory-mapped. Refused with SYS: a
 * symbolic link or anything but a regular file, a file system of the network
 * (locks there do not hold), a foreign or damaged file. *FAULT (may be NULL)
 * says which. Caller closes. */
struct db *db_open(const char *path, unsigned flags, mode_t mode, int busy_ms, enum db_fault *fault,
                   GError **error);

/* Rolls back what is open, and closes; the last one out moves the log into the
 * file and removes it. NULL is allowed. */
void db_close(struct db *db);

/* Checks that the file is APPLICATION's, and gives the version of its schema: 0
 * for a fresh, empty file. Errors: SYS. */
bool db_version(struct db *db, int32_t application, int32_t *version, GError **error);

/* Stamps the file; inside the transaction that makes or changes the schema. */
bool db_set_version(struct db *db, int32_t application, int32_t version, GError **error);

/* Runs the statements of SCRIPT, which bind nothing: schemas and settings. */
bool db_script(struct db *db, const char *script, GError **error);

/* The statement of this literal, prepared once a connection, reset and ready to
 * bind; it lives as long as DB and must not be used twice at a time. Never NULL:
 * a failure waits for db_step(). */
#define db_sql(db, literal) db_statement((db), "" literal "")
struct db_stmt *db_statement(struct db *db, const char *literal);

/* A statement of its own, for SQL made at run time. Caller frees. Never NULL. */
struct db_stmt *db_prepare(struct db *db, const char *sql);
void db_stmt_free(struct db_stmt *stmt);

/* Binds the parameters in order by TYPES: i int64_t, d double, t const char *
 * (NULL: null), b const void * and size_t, n null (no argument). Text and blobs
 * are borrowed until the statement is reset. Returns STMT. */
struct db_stmt *db_bind(struct db_stmt *stmt, const char *types, ...);

enum db_result { DB_ERROR = -1, DB_DONE = 0, DB_ROW = 1 };

/* The next row. After DONE and ERROR the statement is reset; who leaves earlier
 * calls db_reset(), or the read transaction stays open. Errors: TEMP (locked),
 * INPUT (constraint), LIMIT (too big), SYS. */
enum db_result db_step(struct db_stmt *stmt, GError **error);
void db_reset(struct db_stmt *stmt);

/* Steps to the end, for statements without rows. */
bool db_exec(struct db_stmt *stmt, GError **error);

/* The first column of the first row; *VALUE stays as it is if there is no row. */
bool db_value(struct db_stmt *stmt, int64_t *value, GError **error);

/* Columns of the present row, from 0. Text and blobs are borrowed until the next
 * step; text is NULL for null. */
int64_t db_int64(struct db_stmt *stmt, int column);
double db_double(struct db_stmt *stmt, int column);
const char *db_text(struct db_stmt *stmt, int column);
const void *db_blob(struct db_stmt *stmt, int column, size_t *length);
bool db_is_null(struct db_stmt *stmt, int column);

/* A transaction that takes the writer's lock at once. They do not nest: a begin
 * within one is SYS. A failed commit has rolled back. db_rollback() outside of
 * one does nothing. */
bool db_begin(struct db *db, GError **error);
bool db_commit(struct db *db, GError **error);
void db_rollback(struct db *db);

/* Rows changed by the last statement, and the key of the last row inserted. */
int64_t db_changes(struct db *db);
int64_t db_last_id(struct db *db);

/* What the last failed call on DB was, NONE after none. */
enum db_fault db_last_fault(const struct db *db);

/* Steps of the engine's machine that STMT has taken in its life: what tests
 * count, since times drift. */
int64_t db_work(struct db_stmt *stmt);

/* Makes the entries of folder DIR durable: after a create, rename or unlink. */
bool db_sync_folder(const char *dir, GError **error);
