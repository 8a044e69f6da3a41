/* The spool's files: what is written is read, what is not whole is never taken for
 * whole, and a fault at any step leaves nothing behind. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "spool/spool.h"
#include "tests/unit/db/scratch.h"

static char *top;
static int number;

static char *fresh(void)
{
  char *dir = g_strdup_printf("%s/%d/spool", top, ++number);
  g_autofree char *above = g_path_get_dirname(dir);
  mkdir(above, 0755);
  return dir;
}

static struct spool_copy copy_of(const char *message)
{
  return (struct spool_copy){.tenant = 7,
                             .mail = INT64_C(0x123456789abcdef),
                             .sender = "a@shop.test",
                             .recipient = "\"b \\\"x\"@example.org",
                             .origin = "4ABC",
                             .message = message,
                             .length = strlen(message)};
}

/* -- faults: the nth call of a kind fails -------------------------------- */

enum call { NONE, WRITE, WRITE_SHORT, SYNC, RENAME, CLOSE };
static enum call failing;

static bool fails(enum call call)
{
  if (failing != call) return false;
  errno = ENOSPC;
  return true;
}

ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n)
{
  if (fails(WRITE)) return -1;
  if (failing == WRITE_SHORT && n > 1) return __real_write(fd, bytes, n / 2);
  return __real_write(fd, bytes, n);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
  return fails(SYNC) ? -1 : __real_fsync(fd);
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
  return fails(RENAME) ? -1 : __real_rename(from, to);
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
  int status = __real_close(fd);
  return fails(CLOSE) ? -1 : status;
}

/* ------------------------------------------------------------------------ */

static void test_round_trip(void **state)
{
  (void)state;
  static const char *const messages[] = {"", "A: b\r\n\r\n", "A: b\r\n\r\n{\"x\":1}\n\n\377\200binary\r\n"};
  for (size_t i = 0; i < G_N_ELEMENTS(messages); i++) {
    print_message("message %zu\n", i);
    g_autofree char *dir = fresh();
    struct spool_copy copy = copy_of(messages[i]);
    struct spool_file file;
    assert_true(spool_make(dir, NULL) && spool_make(dir, NULL));
    struct stat st;
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 02770);
    assert_true(spool_write(dir, &copy, NULL) && spool_sync(dir, NULL));
    assert_true(spool_read(dir, copy.tenant, copy.mail, &file, NULL));
    assert_string_equal(file.copy.sender, copy.sender);
    assert_string_equal(file.copy.recipient, copy.recipient);
    assert_string_equal(file.copy.origin, copy.origin);
    assert_int_equal(file.copy.length, copy.length);
    assert_memory_equal(file.copy.message, copy.message, copy.length);
    spool_file_clear(&file);
    assert_true(spool_remove(dir, copy.tenant, copy.mail, NULL));
    assert_true(spool_remove(dir, copy.tenant, copy.mail, NULL));
    g_autoptr(GError) error = NULL;
    assert_false(spool_read(dir, copy.tenant, copy.mail, &file, &error));
    assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND));
  }
}

/* Every byte of a file changed, and every length it can be cut to. */
static void test_damage(void **state)
{
  (void)state;
  g_autofree char *dir = fresh();
  struct spool_copy copy = copy_of("Subject: x\r\n\r\nbody\r\n");
  assert_true(spool_make(dir, NULL) && spool_write(dir, &copy, NULL));
  g_autofree char *path = g_strdup_printf("%s/7.0123456789abcdef", dir);
  g_autofree char *bytes = NULL;
  size_t size;
  struct spool_file file;
  assert_true(g_file_get_contents(path, &bytes, &size, NULL));
  for (size_t cut = 0; cut < size; cut++) {
    g_autoptr(GError) error = NULL;
    assert_true(g_file_set_contents(path, bytes, (gssize)cut, NULL));
    if (spool_read(dir, copy.tenant, copy.mail, &file, &error)) fail_msg("cut at %zu is taken", cut);
    assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
  }
  size_t body = (size_t)(strchr(bytes, '\n') + 1 - bytes);
  for (size_t at = body; at < size; at++) {
    bytes[at] ^= 1;
    assert_true(g_file_set_contents(path, bytes, (gssize)size, NULL));
    if (spool_read(dir, copy.tenant, copy.mail, &file, NULL)) fail_msg("byte %zu changed is taken", at);
    bytes[at] ^= 1;
  }
  /* Another mail's file under this name. */
  g_autofree char *other = g_strdup_printf("%s/7.0123456789abcdee", dir);
  assert_true(g_file_set_contents(other, bytes, (gssize)size, NULL));
  assert_false(spool_read(dir, 7, INT64_C(0x123456789abcdee), &file, NULL));
}

static void test_faults(void **state)
{
  (void)state;
  static const struct {
    const char *name;
    enum call call;
    bool written;
  } rows[] = {{"write", WRITE, false},
              {"fsync", SYNC, false},
              {"rename", RENAME, false},
              {"close", CLOSE, false},
              {"short writes", WRITE_SHORT, true},
              {"none", NONE, true}};
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("%s\n", rows[i].name);
    g_autofree char *dir = fresh();
    g_autoptr(GError) error = NULL;
    struct spool_copy copy = copy_of("Subject: x\r\n\r\nbody\r\n");
    assert_true(spool_make(dir, NULL));
    failing = rows[i].call;
    bool written = spool_write(dir, &copy, &error);
    failing = NONE;
    assert_int_equal(written, rows[i].written);
    if (!written) assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS));
    g_autoptr(GArray) entries = spool_list(dir, 10, NULL);
    assert_int_equal(entries->len, rows[i].written ? 1 : 0);
    struct spool_file file;
    assert_int_equal(spool_read(dir, copy.tenant, copy.mail, &file, NULL), rows[i].written);
    if (written) spool_file_clear(&file);
  }
  g_autofree char *dir = fresh();
  assert_true(spool_make(dir, NULL));
  failing = SYNC;
  assert_false(spool_sync(dir, NULL));
  failing = NONE;
}

static void test_bad_address(void **state)
{
  (void)state;
  g_autofree char *dir = fresh();
  g_autoptr(GError) error = NULL;
  struct spool_copy copy = copy_of("x");
  copy.recipient = "b\377@example.org";
  assert_true(spool_make(dir, NULL));
  assert_false(spool_write(dir, &copy, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
}

static void test_list(void **state)
{
  (void)state;
  static const struct {
    const char *name;
    int64_t tenant, mail; /* tenant 0: not ours */
    bool whole;
  } rows[] = {{"7.0123456789abcdef", 7, INT64_C(0x123456789abcdef), true},
              {"12.00000000000000ff.new", 12, 255, false},
              {"7.0123456789abcdef.old", 0, 0, false},
              {"7.123", 0, 0, false},
              {"x.0123456789abcdef", 0, 0, false},
              {"filler", 0, 0, false}};
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("%s\n", rows[i].name);
    g_autofree char *dir = fresh();
    assert_true(spool_make(dir, NULL));
    g_autofree char *path = g_build_filename(dir, rows[i].name, NULL);
    assert_true(g_file_set_contents(path, "x", 1, NULL));
    g_autoptr(GArray) entries = spool_list(dir, 10, NULL);
    assert_int_equal(entries->len, rows[i].tenant ? 1 : 0);
    if (!rows[i].tenant) continue;
    const struct spool_entry *entry = &g_array_index(entries, struct spool_entry, 0);
    assert_int_equal(entry->tenant, rows[i].tenant);
    assert_int_equal(entry->mail, rows[i].mail);
    assert_int_equal(entry->whole, rows[i].whole);
    if (!entry->whole) {
      spool_remove_part(dir, entry);
      assert_int_equal(access(path, F_OK), -1);
    }
  }
  g_autofree char *missing = fresh();
  g_autoptr(GArray) none = spool_list(missing, 10, NULL);
  assert_int_equal(none->len, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_damage),
                                     cmocka_unit_test(test_faults), cmocka_unit_test(test_bad_address),
                                     cmocka_unit_test(test_list)};
  top = scratch_new();
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  scratch_free(top);
  return failed;
}
