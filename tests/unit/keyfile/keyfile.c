/* The key file: made once, rotated whole, and refused when others can read it. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "keyfile/keyfile.h"
#include "tests/unit/db/scratch.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const int64_t noon = INT64_C(1795348800000000); /* 2026-11-22T12:00:00Z */

static char *dir;

static char *in(const char *name)
{
  return g_strdup_printf("%s/%s", dir, name);
}

static char *seal(struct token_keys *keys)
{
  struct token token = {.kind = TOKEN_OPEN, .tenant = 1, .mail = 2};
  GString *out = g_string_new(NULL);
  assert_true(token_seal(keys, &token, out, NULL));
  return g_string_free(out, false);
}

static bool opens(struct token_keys *keys, const char *segment)
{
  g_autoptr(GByteArray) scratch = g_byte_array_new();
  struct token token;
  return token_open(keys, segment, strlen(segment), &token, scratch, NULL);
}

static int files_in_folder(void)
{
  GDir *folder = g_dir_open(dir, 0, NULL);
  int n = 0;
  while (g_dir_read_name(folder))
    n++;
  g_dir_close(folder);
  return n;
}

static void test_new_and_rotate(void **state)
{
  (void)state;
  g_autofree char *path = in("keys");
  g_autoptr(GError) error = NULL;
  assert_true(keyfile_new(path, noon, &error));
  struct stat st, folder;
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(stat(dir, &folder), 0);
  assert_int_equal(st.st_mode & 07777, 0640);
  assert_int_equal(st.st_gid, folder.st_gid);
  assert_int_equal(st.st_nlink, 1);
  assert_false(keyfile_new(path, noon, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
  g_clear_error(&error);

  struct token_keys *before = keyfile_load(path, &error);
  assert_non_null(before);
  g_autofree char *old = seal(before);
  assert_int_equal(token_key_id(old, strlen(old)), 1);

  uint8_t id = 0;
  assert_int_equal(chmod(path, 0600), 0);
  assert_true(keyfile_rotate(path, noon + 86400000000, &id, &error));
  assert_int_equal(id, 2);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0600); /* what the administrator chose stays */
  struct token_keys *after = keyfile_load(path, &error);
  assert_non_null(after);
  g_autofree char *new = seal(after);
  assert_int_equal(token_key_id(new, strlen(new)), 2);
  assert_true(opens(after, old));
  assert_true(opens(after, new));
  assert_false(opens(before, new));
  token_keys_free(before);
  token_keys_free(after);

  g_autofree char *text = NULL;
  assert_true(g_file_get_contents(path, &text, NULL, NULL));
  assert_non_null(strstr(text, " 2026-11-22T12:00:00Z\n2 "));
  assert_non_null(strstr(text, " 2026-11-23T12:00:00Z\n"));
  assert_int_equal(files_in_folder(), 1);
  unlink(path);
}

static void test_rotate_to_the_limit(void **state)
{
  (void)state;
  g_autofree char *path = in("many");
  g_autoptr(GError) error = NULL;
  assert_true(keyfile_new(path, noon, NULL));
  uint8_t id = 1;
  for (int i = 2; i <= 256; i++) {
    assert_true(keyfile_rotate(path, noon, &id, &error));
    assert_int_equal(id, i % 256);
  }
  assert_false(keyfile_rotate(path, noon, &id, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT));
  unlink(path);
}

static void test_contents(void **state)
{
  (void)state;
  g_autofree char *path = in("contents");
  static const struct {
    const char *name;
    const char *text;
    const char *error; /* NULL: good */
  } rows[] = {
      {"one", "1 " HEX " 2026-01-01T00:00:00Z\n", NULL},
      {"comments, CRLF and no end", "# x\n\n  0 " HEX " x\r\n255 " HEX " y", NULL},
      {"empty", "", ":1: there is no key"},
      {"only comments", "# x\n#\n", ":1: there is no key"},
      {"two fields", "# x\n1 " HEX "\n", ":2: a line is"},
      {"four fields", "1 " HEX " x y\n", ":1: a line is"},
      {"two blanks", "1  " HEX "\n", ":1: the key must be"},
      {"id too big", "256 " HEX " x\n", ":1: the id"},
      {"id negative", "-1 " HEX " x\n", ":1: the id"},
      {"id no number", "a " HEX " x\n", ":1: the id"},
      {"short key", "1 00 x\n", ":1: the key must be"},
      {"key no hex", "1 g" HEX " x\n", ":1: the key must be"},
      {"id twice", "1 " HEX " x\n2 " HEX " x\n1 " HEX " x\n", ":3: this id was used"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GError) error = NULL;
    assert_true(g_file_set_contents(path, rows[i].text, -1, NULL));
    assert_int_equal(chmod(path, 0600), 0);
    struct token_keys *keys = keyfile_load(path, &error);
    if ((keys != NULL) != (rows[i].error == NULL) || (error && !strstr(error->message, rows[i].error)))
      print_error("row %s: %s\n", rows[i].name, error ? error->message : "loaded");
    assert_int_equal(keys != NULL, rows[i].error == NULL);
    if (error) {
      assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
      assert_non_null(strstr(error->message, rows[i].error));
      assert_null(strstr(error->message, "00112233")); /* secrets are not for the log */
      uint8_t id;
      assert_false(keyfile_rotate(path, noon, &id, NULL));
    }
    token_keys_free(keys);
  }
  unlink(path);
}

static void test_unsafe(void **state)
{
  (void)state;
  g_autofree char *path = in("unsafe"), *link = in("link"), *missing = in("missing"),
                  *deep = in("no/such/folder");
  g_autofree char *zeros = in("zeros");
  assert_true(g_file_set_contents(path, "1 " HEX " x\n", -1, NULL));
  assert_int_equal(symlink(path, link), 0);
  assert_true(g_file_set_contents(zeros, "1 " HEX " x\n\0\0", 72, NULL));
  assert_int_equal(chmod(zeros, 0600), 0);
  const struct {
    const char *path;
    mode_t mode;
    const char *says; /* NULL: good */
  } rows[] = {
      {path, 0600, NULL},       {path, 0640, NULL},       {path, 0440, NULL},
      {path, 0644, "chmod o="}, {path, 0602, "chmod o="}, {path, 0660, "chmod g-w"},
      {link, 0600, "symbolic"}, {missing, 0, "key new"},  {dir, 0700, "regular file"},
      {zeros, 0600, "NUL"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GError) error = NULL;
    if (rows[i].mode) assert_int_equal(chmod(rows[i].path, rows[i].mode), 0);
    struct token_keys *keys = keyfile_load(rows[i].path, &error);
    print_message("row %zu: %s\n", i, error ? error->message : "loaded");
    assert_int_equal(keys != NULL, rows[i].says == NULL);
    if (error) assert_non_null(strstr(error->message, rows[i].says));
    token_keys_free(keys);
  }
  g_autoptr(GError) error = NULL;
  assert_false(keyfile_new(deep, noon, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS));
  unlink(path);
  unlink(link);
  unlink(zeros);
}

static int rotate_as_nobody(void *path)
{
  g_autoptr(GError) error = NULL;
  uint8_t id;
  g_autofree char *other = g_strconcat(path, "-new", NULL);
  if (keyfile_rotate(path, noon, &id, &error) || !g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS))
    return 1;
  return keyfile_new(other, noon, NULL) ? 2 : 0;
}

static void test_readonly_folder(void **state)
{
  (void)state;
  g_autofree char *path = in("readonly");
  assert_true(keyfile_new(path, noon, NULL));
  assert_int_equal(chmod(dir, 0755), 0);
  assert_int_equal(scratch_as_nobody(rotate_as_nobody, path), 0);
  struct token_keys *keys = keyfile_load(path, NULL);
  assert_non_null(keys);
  token_keys_free(keys);
  unlink(path);
}

int main(void)
{
  dir = scratch_new();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_new_and_rotate),  cmocka_unit_test(test_rotate_to_the_limit),
      cmocka_unit_test(test_contents),        cmocka_unit_test(test_unsafe),
      cmocka_unit_test(test_readonly_folder),
  };
  int failed = cmocka_run_group_tests_name("keyfile", tests, NULL, NULL);
  scratch_free(dir);
  return failed;
}
