/* Signing keys: made for one pair of eyes, refused when others can read them. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "dkim/keys.h"
#include "tests/unit/db/scratch.h"

#define ED25519                                                                                              \
  "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"          \
  "-----END PRIVATE KEY-----\n"

static char *dir;

static void make(const char *domain, const char *selector)
{
  g_autoptr(GError) error = NULL;
  if (!dkim_key_make(dir, domain, selector, 2048, (uid_t)-1, &error)) fail_msg("%s", error->message);
}

static char *in(const char *name)
{
  return g_build_filename(dir, name, NULL);
}

static void test_domain(void **state)
{
  (void)state;
  static const struct {
    const char *name, *domain, *want;
  } rows[] = {
      {"plain", "shop.test", "shop.test"},
      {"capitals", "Shop.TEST", "shop.test"},
      {"final dot", "shop.test.", "shop.test"},
      {"umlaut", "b\303\274cher.test", "xn--bcher-kva.test"},
      {"empty", "", NULL},
      {"dot", ".", NULL},
      {"a way out", "../etc", NULL},
      {"a slash", "a/b", NULL},
      {"two dots", "a..b", NULL},
      {"leading dot", ".shop.test", NULL},
      {"a space", "a b.test", NULL},
      {"no UTF-8", "\377.test", NULL},
      {"an address literal", "[192.0.2.1]", NULL},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("%s\n", rows[i].name);
    g_autofree char *got = dkim_domain(rows[i].domain);
    if (rows[i].want)
      assert_string_equal(got, rows[i].want);
    else
      assert_null(got);
  }
}

static void test_make_and_load(void **state)
{
  (void)state;
  g_autoptr(GError) error = NULL;
  make("shop.test", "s1");
  struct stat st;
  g_autofree char *file = in("shop.test/s1.pem"), *folder = in("shop.test");
  assert_int_equal(stat(file, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0600);
  assert_int_equal(stat(folder, &st), 0);
  assert_int_equal(st.st_mode & 0077, 0);
  /* Never over another. */
  assert_false(dkim_key_make(dir, "shop.test", "s1", 2048, (uid_t)-1, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
  struct dkim_keys *keys = dkim_keys_load(dir, NULL);
  assert_non_null(keys);
  assert_int_equal(dkim_keys_count(keys), 1);
  assert_null(dkim_keys_find(keys, "other.test"));
  struct dkim_key *key = dkim_keys_find(keys, "shop.test");
  assert_string_equal(dkim_key_selector(key), "s1");
  g_autofree char *record = dkim_key_record(key, NULL);
  assert_true(g_str_has_prefix(record, "v=DKIM1; k=rsa; p=MIIB"));
  dkim_keys_free(keys);
  assert_string_equal(dkim_key_domain(key), "shop.test"); /* lives on */
  dkim_key_unref(key);
}

static void test_rotation(void **state)
{
  (void)state;
  make("many.test", "t20260101");
  make("many.test", "t20261122");
  g_autofree char *junk = in("many.test/z.pem.Ab12Cd");
  assert_true(g_file_set_contents(junk, "left over", -1, NULL));
  struct dkim_key *key = dkim_key_load(dir, "many.test", NULL, NULL);
  assert_string_equal(dkim_key_selector(key), "t20261122");
  dkim_key_unref(key);
  key = dkim_key_load(dir, "many.test", "t20260101", NULL);
  assert_string_equal(dkim_key_selector(key), "t20260101");
  dkim_key_unref(key);
}

static void test_no_folder(void **state)
{
  (void)state;
  g_autofree char *nowhere = in("nowhere");
  struct dkim_keys *keys = dkim_keys_load(nowhere, NULL);
  assert_int_equal(dkim_keys_count(keys), 0);
  dkim_keys_free(keys);
  g_autoptr(GError) error = NULL;
  assert_null(dkim_key_load(nowhere, "shop.test", NULL, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND));
}

/* One faulty key and all are refused, with its name. */
static void expect_refusal(const char *name, enum tidings_error kind)
{
  g_autoptr(GError) error = NULL;
  print_message("%s\n", name);
  assert_null(dkim_keys_load(dir, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, (int)kind));
  assert_non_null(strstr(error->message, "bad.test/s.pem"));
}

static void test_refused(void **state)
{
  (void)state;
  make("bad.test", "s");
  g_autofree char *file = in("bad.test/s.pem"), *aside = in("aside");
  static const mode_t modes[] = {0640, 0604, 0660, 0601};
  for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
    assert_int_equal(chmod(file, modes[i]), 0);
    expect_refusal("mode", TIDINGS_ERROR_SYS);
  }
  assert_int_equal(chmod(file, 0600), 0);
  assert_int_equal(rename(file, aside), 0);
  assert_int_equal(symlink(aside, file), 0);
  expect_refusal("symbolic link", TIDINGS_ERROR_SYS);
  assert_int_equal(unlink(file), 0);
  static const char *const texts[] = {"", "nonsense\n", ED25519};
  for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
    assert_true(g_file_set_contents_full(file, texts[i], -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    expect_refusal("no RSA key", TIDINGS_ERROR_INPUT);
  }
  assert_int_equal(unlink(file), 0);
}

static void test_bits(void **state)
{
  (void)state;
  g_autoptr(GError) error = NULL;
  assert_false(dkim_key_make(dir, "small.test", "s", 1024, (uid_t)-1, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
  g_autofree char *folder = in("small.test");
  assert_int_not_equal(access(folder, F_OK), 0);
  g_clear_error(&error);
  assert_false(dkim_key_make(dir, "a.test", "../s", 2048, (uid_t)-1, &error));
}

static int load_as_other(void *data)
{
  struct dkim_keys *keys = dkim_keys_load(data, NULL);
  return keys ? 1 : 0;
}

/* T27: another user cannot read them. */
static void test_other_user(void **state)
{
  (void)state;
  if (geteuid() != 0) return;
  assert_int_equal(chmod(dir, 0755), 0);
  assert_int_equal(scratch_as_nobody(load_as_other, dir), 0);
}

static int set_up(void **state)
{
  (void)state;
  dir = scratch_new();
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  scratch_free(dir);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_domain),   cmocka_unit_test(test_make_and_load),
      cmocka_unit_test(test_rotation), cmocka_unit_test(test_no_folder),
      cmocka_unit_test(test_bits),     cmocka_unit_test(test_other_user),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
