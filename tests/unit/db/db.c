/* The driver layer: values come back as they went in, and each failure is of
 * the right kind and says what to do. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/mount.h>
#include <string.h>

#include "base/error.h"
#include "db/db.h"
#include "tests/unit/db/scratch.h"

static char *dir;

static char *in(const char *name)
{
  return g_strdup_printf("%s/%s", dir, name);
}

static struct db *make(const char *name)
{
  g_autofree char *path = in(name);
  g_autoptr(GError) error = NULL;
  struct db *db = db_open(path, DB_CREATE | DB_WAL, 0660, 0, NULL, &error);
  if (!db) print_error("%s\n", error->message);
  assert_non_null(db);
  assert_true(db_script(db, "CREATE TABLE t (k INTEGER PRIMARY KEY, v, u TEXT UNIQUE)", &error));
  return db;
}

static void test_values(void **state)
{
  (void)state;
  struct db *db = make("values.db");
  g_autoptr(GError) error = NULL;
  assert_true(
      db_exec(db_bind(db_sql(db, "INSERT INTO t (v, u) VALUES (?, ?)"), "it", INT64_MIN, "a"), &error));
  assert_int_equal(db_last_id(db), 1);
  assert_int_equal(db_changes(db), 1);
  assert_true(db_exec(
      db_bind(db_sql(db, "INSERT INTO t (v, u) VALUES (?, ?)"), "bt", "x\0y", (size_t)3, NULL), &error));
  assert_true(db_exec(db_bind(db_sql(db, "INSERT INTO t (v, u) VALUES (?, ?)"), "dn", 0.5), &error));
  assert_true(
      db_exec(db_bind(db_sql(db, "INSERT INTO t (v, u) VALUES (?, ?)"), "bn", NULL, (size_t)0), &error));

  struct db_stmt *q = db_sql(db, "SELECT v, u FROM t ORDER BY k");
  size_t length;
  assert_int_equal(db_step(q, &error), DB_ROW);
  assert_int_equal(db_int64(q, 0), INT64_MIN);
  assert_string_equal(db_text(q, 1), "a");
  assert_int_equal(db_step(q, &error), DB_ROW);
  assert_memory_equal(db_blob(q, 0, &length), "x\0y", 3);
  assert_int_equal(length, 3);
  assert_null(db_text(q, 1));
  assert_true(db_is_null(q, 1));
  assert_int_equal(db_step(q, &error), DB_ROW);
  assert_true(db_double(q, 0) > 0.49 && db_double(q, 0) < 0.51);
  assert_int_equal(db_step(q, &error), DB_ROW);
  assert_false(db_is_null(q, 0));
  assert_int_equal(db_step(q, &error), DB_DONE);
  assert_ptr_equal(db_sql(db, "SELECT v, u FROM t ORDER BY k"), q);

  int64_t value = -7;
  assert_true(db_value(db_bind(db_sql(db, "SELECT k FROM t WHERE u = ?"), "t", "none"), &value, &error));
  assert_int_equal(value, -7);
  assert_true(db_value(db_bind(db_sql(db, "SELECT k FROM t WHERE u = ?"), "t", "a"), &value, &error));
  assert_int_equal(value, 1);
  assert_null(error);

  struct db_stmt *own = db_prepare(db, "SELECT 1 FROM nothing");
  assert_int_equal(db_step(own, &error), DB_ERROR);
  assert_non_null(strstr(error->message, "nothing"));
  db_stmt_free(own);
  db_close(db);
}

static void test_transactions(void **state)
{
  (void)state;
  struct db *db = make("transactions.db");
  g_autoptr(GError) error = NULL;
  int64_t n = -1;
  assert_true(db_begin(db, &error));
  assert_false(db_begin(db, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS));
  g_clear_error(&error);
  assert_true(db_exec(db_sql(db, "INSERT INTO t (u) VALUES ('rolled back')"), &error));
  db_rollback(db);
  db_rollback(db);
  assert_true(db_begin(db, &error));
  assert_true(db_exec(db_sql(db, "INSERT INTO t (u) VALUES ('kept')"), &error));
  assert_true(db_commit(db, &error));
  assert_true(db_value(db_sql(db, "SELECT count(*) FROM t"), &n, &error));
  assert_int_equal(n, 1);

  /* A broken rule is INPUT, and the transaction goes on without the row. */
  assert_true(db_begin(db, &error));
  assert_false(db_exec(db_sql(db, "INSERT INTO t (u) VALUES ('kept')"), &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
  assert_int_equal(db_last_fault(db), DB_FAULT_CONSTRAINT);
  g_clear_error(&error);
  assert_true(db_commit(db, &error));
  db_close(db);
}

static void test_settings(void **state)
{
  (void)state;
  struct db *db = make("settings.db");
  static const struct {
    const char *pragma;
    int64_t expected;
  } rows[] = {{"PRAGMA synchronous", 2},
              {"PRAGMA trusted_schema", 0},
              {"PRAGMA mmap_size", 0},
              {"PRAGMA foreign_keys", 1}};
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    int64_t value = -1;
    struct db_stmt *q = db_prepare(db, rows[i].pragma);
    assert_true(db_value(q, &value, NULL));
    if (value != rows[i].expected) print_error("%s\n", rows[i].pragma);
    assert_int_equal(value, rows[i].expected);
    db_stmt_free(q);
  }
  /* defensive: the schema cannot be edited by hand */
  (void)db_script(db, "PRAGMA writable_schema=1", NULL);
  assert_false(db_script(db, "DELETE FROM sqlite_schema", NULL));
  db_close(db);
}

static void test_mode_and_version(void **state)
{
  (void)state;
  g_autofree char *path = in("mode.db");
  g_autoptr(GError) error = NULL;
  mode_t before = umask(077);
  struct db *db = db_open(path, DB_CREATE | DB_WAL, 0660, 0, NULL, &error);
  assert_non_null(db);
  int32_t version = -1;
  assert_true(db_version(db, 0x54646773, &version, &error));
  assert_int_equal(version, 0);
  assert_true(db_begin(db, &error));
  assert_true(db_script(db, "CREATE TABLE x (y)", &error));
  assert_true(db_set_version(db, 0x54646773, 3, &error));
  assert_true(db_commit(db, &error));
  umask(before);
  static const char *const names[] = {"mode.db", "mode.db-wal", "mode.db-shm"};
  for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *file = in(names[i]);
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    if ((st.st_mode & 0777) != 0660) print_error("%s: mode %o\n", names[i], st.st_mode & 0777);
    assert_int_equal(st.st_mode & 0777, 0660);
  }
  assert_true(db_version(db, 0x54646773, &version, &error));
  assert_int_equal(version, 3);
  assert_false(db_version(db, 0x11111111, &version, &error));
  assert_non_null(strstr(error->message, "another program"));
  db_close(db);
}

/* Each way of opening that must be refused, with its kind and a word of its remedy. */
static void test_refused(void **state)
{
  (void)state;
  db_close(make("good.db"));
  g_autofree char *good = in("good.db"), *link = in("link.db"), *garbage = in("garbage.db");
  g_autofree char *torn = in("torn.db"), *folder = in("folder.db");
  assert_int_equal(symlink(good, link), 0);
  assert_int_equal(mkdir(folder, 0700), 0);
  assert_true(g_file_set_contents(garbage,
                                  "This is not a database, not at all. It only looks long enough for one to "
                                  "be mistaken for one by somebody who is in a hurry.",
                                  -1, NULL));
  g_autofree char *bytes = NULL;
  size_t length;
  assert_true(g_file_get_contents(good, &bytes, &length, NULL));
  assert_true(g_file_set_contents(torn, bytes, (gssize)(length / 2), NULL));

  static const struct {
    const char *name;
    unsigned flags;
    enum db_fault fault;
    const char *says;
  } rows[] = {
      {"link.db", DB_CREATE | DB_WAL, DB_FAULT_READONLY, "symbolic link"},
      {"folder.db", DB_CREATE, DB_FAULT_READONLY, "regular file"},
      {"missing.db", DB_WAL, DB_FAULT_READONLY, "cannot be opened"},
      {"missing.db", DB_READONLY, DB_FAULT_READONLY, "cannot be opened"},
      {"no/such/folder.db", DB_CREATE, DB_FAULT_READONLY, "cannot be opened"},
      {"garbage.db", DB_WAL, DB_FAULT_CORRUPT, "no database"},
      {"garbage.db", DB_IMMUTABLE, DB_FAULT_CORRUPT, "no database"},
      {"torn.db", DB_READONLY, DB_FAULT_CORRUPT, "damaged"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *path = in(rows[i].name);
    g_autoptr(GError) error = NULL;
    enum db_fault fault = DB_FAULT_NONE;
    struct db *db = db_open(path, rows[i].flags, 0600, 0, &fault, &error);
    if (db || !strstr(error->message, rows[i].says) || fault != rows[i].fault)
      print_error("%s: %s (fault %d)\n", rows[i].name, db ? "opened" : error->message, fault);
    assert_null(db);
    assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS));
    assert_non_null(strstr(error->message, path));
    assert_non_null(strstr(error->message, rows[i].says));
    assert_int_equal(fault, rows[i].fault);
  }
}

static void test_locked(void **state)
{
  (void)state;
  struct db *one = make("locked.db");
  g_autofree char *path = in("locked.db");
  g_autoptr(GError) error = NULL;
  struct db *two = db_open(path, DB_WAL, 0, 10, NULL, &error);
  assert_non_null(two);
  assert_true(db_begin(one, &error));
  assert_false(db_begin(two, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_TEMP));
  assert_int_equal(db_last_fault(two), DB_FAULT_BUSY);
  g_clear_error(&error);
  assert_true(db_commit(one, &error));
  assert_true(db_begin(two, &error));
  db_rollback(two);
  db_close(two);

  struct db *reader = db_open(path, DB_QUERY, 0, 10, NULL, &error);
  assert_non_null(reader);
  assert_false(db_script(reader, "INSERT INTO t (u) VALUES ('no')", &error));
  assert_int_equal(db_last_fault(reader), DB_FAULT_READONLY);
  db_close(reader);
  db_close(one);
}

static int open_both_ways(void *data)
{
  const char *folder = data;
  g_autofree char *there = g_strdup_printf("%s/there.db", folder),
                  *fresh = g_strdup_printf("%s/fresh.db", folder);
  g_autoptr(GError) error = NULL;
  enum db_fault fault;
  if (db_open(there, DB_WAL, 0, 0, &fault, &error) || fault != DB_FAULT_READONLY ||
      !strstr(error->message, "owner"))
    return 1;
  g_clear_error(&error);
  if (db_open(fresh, DB_CREATE | DB_WAL, 0600, 0, &fault, &error) || fault != DB_FAULT_READONLY) return 2;
  struct db *db = db_open(there, DB_IMMUTABLE, 0, 0, &fault, NULL);
  if (!db) return 3;
  db_close(db);
  return 0;
}

static void test_readonly_folder(void **state)
{
  (void)state;
  g_autofree char *folder = in("ro"), *path = in("ro/there.db");
  assert_int_equal(mkdir(folder, 0755), 0);
  db_close(make("ro/there.db"));
  assert_int_equal(chmod(path, 0444), 0);
  assert_int_equal(chmod(folder, 0555), 0);
  assert_int_equal(chmod(dir, 0755), 0);
  assert_int_equal(scratch_as_nobody(open_both_ways, folder), 0);
  assert_int_equal(chmod(folder, 0755), 0);
}

static void test_full(void **state)
{
  (void)state;
  g_autofree char *disk = in("disk");
  assert_int_equal(mkdir(disk, 0755), 0);
  if (mount("tmpfs", disk, "tmpfs", 0, "size=1m") != 0) {
    print_message("SKIP: a small tmpfs cannot be mounted here\n");
    skip();
  }
  struct db *db = make("disk/full.db");
  g_autoptr(GError) error = NULL;
  int64_t rows = 0, stored = 0;
  while (db_exec(db_sql(db, "INSERT INTO t (v) VALUES (randomblob(3000))"), &error))
    assert_true(++rows < 10000);
  assert_int_equal(db_last_fault(db), DB_FAULT_FULL);
  assert_non_null(strstr(error->message, "make room"));
  g_clear_error(&error);
  assert_true(db_value(db_sql(db, "SELECT count(*) FROM t"), &stored, &error));
  assert_int_equal(stored, rows);
  assert_true(rows > 10);
  db_close(db);
  umount2(disk, MNT_DETACH);
  print_message("count: a disk of 1 MB took %d rows of 3 kB, then said so\n", (int)rows);
}

int main(void)
{
  dir = scratch_new();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values),          cmocka_unit_test(test_transactions),
      cmocka_unit_test(test_settings),        cmocka_unit_test(test_mode_and_version),
      cmocka_unit_test(test_refused),         cmocka_unit_test(test_locked),
      cmocka_unit_test(test_readonly_folder), cmocka_unit_test(test_full),
  };
  int failed = cmocka_run_group_tests_name("db", tests, NULL, NULL);
  scratch_free(dir);
  return failed;
}
