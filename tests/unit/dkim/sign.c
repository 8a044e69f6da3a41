/* Signatures: what they say, what is refused, and that threads share a signer.
 * That they verify is shown by tests/conformance/dkim_sign.py. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "dkim/sign.h"
#include "tests/unit/db/scratch.h"

#define HEADER                                                                                               \
  "Received: from a\r\nFrom: Anna <a@shop.test>\r\nTo: b@example.org\r\nSubject: Hi\r\nX-Own: 1\r\n"
#define BODY "Hello.\r\n"

static const int64_t noon = INT64_C(1795348800000000); /* 2026-11-22T12:00:00Z */

static struct dkim_signer *signer;
static struct dkim_key *key;

static bool sign(const char *header, const char *body, GString *value, GError **error)
{
  return dkim_signer_sign(signer, key, header, strlen(header), body, strlen(body), noon, value, error);
}

static char *tag(const char *header, const char *name)
{
  g_autoptr(GString) value = g_string_new("before");
  g_autoptr(GError) error = NULL;
  if (!sign(header, BODY, value, &error)) fail_msg("%s", error->message);
  assert_null(strstr(value->str, "before"));
  return dkim_signature_tag(value->str, value->len, name);
}

static void test_tags(void **state)
{
  (void)state;
  static const struct {
    const char *name, *want;
  } rows[] = {
      {"v", "1"},         {"a", "rsa-sha256"}, {"c", "relaxed/relaxed"},
      {"d", "shop.test"}, {"s", "s1"},         {"t", "1795348800"},
      {"l", NULL},        {"i", NULL},         {"z", NULL},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("%s\n", rows[i].name);
    g_autofree char *got = tag(HEADER, rows[i].name);
    if (rows[i].want)
      assert_string_equal(got, rows[i].want);
    else
      assert_null(got);
  }
}

static size_t count(char **names, const char *name)
{
  size_t n = 0;
  for (; *names; names++)
    n += g_ascii_strcasecmp(*names, name) == 0;
  return n;
}

/* How often each is named: once more than it is there, if it is oversigned. */
static void test_oversigned(void **state)
{
  (void)state;
  g_autofree char *text =
      tag(HEADER "Reply-To: c@shop.test\r\nList-Unsubscribe: <https://t.shop.test/u/1>\r\n", "h");
  g_auto(GStrv) names = g_strsplit(text, ":", -1);
  static const struct {
    const char *name;
    size_t want;
  } rows[] = {
      {"From", 2},
      {"To", 2},
      {"Subject", 2},
      {"Cc", 1},
      {"Date", 1},
      {"Message-ID", 1},
      {"MIME-Version", 1},
      {"Content-Type", 1},
      {"Content-Transfer-Encoding", 1},
      {"List-Unsubscribe", 2},
      {"List-Unsubscribe-Post", 1},
      {"Reply-To", 1},
      {"Sender", 0},
      {"Received", 0},
      {"X-Own", 0},
      {"Return-Path", 0},
      {"DKIM-Signature", 0},
  };
  size_t total = 0;
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("%s\n", rows[i].name);
    assert_int_equal(count(names, rows[i].name), rows[i].want);
    total += rows[i].want;
  }
  assert_int_equal(g_strv_length(names), total);
}

static void test_refused(void **state)
{
  (void)state;
  g_autofree char *long_line = g_strnfill(999, 'x');
  g_autofree char *long_body = g_strconcat(long_line, "\r\n", NULL);
  g_autofree char *long_field = g_strconcat(HEADER "Subject: ", long_line, "\r\n", NULL);
  const struct {
    const char *name, *header, *body;
    bool good;
  } rows[] = {
      {"plain", HEADER, BODY, true},
      {"empty body", HEADER, "", true},
      {"no line end", HEADER, "Hello", true},
      {"8 bits", HEADER "Cc: \303\274 <c@shop.test>\r\n", "\374\r\n", true},
      {"space before the colon", HEADER "Cc : c@shop.test\r\n", BODY, false},
      {"no From", "To: b@example.org\r\n", BODY, false},
      {"two From", HEADER "From: c@shop.test\r\n", BODY, false},
      {"bare LF in the body", HEADER, "a\nb\r\n", false},
      {"bare CR in the body", HEADER, "a\rb\r\n", false},
      {"bare LF in the header", HEADER "Cc: c@shop.test\n", BODY, false},
      {"vertical tab", HEADER "Cc: a\vb\r\n", BODY, false},
      {"long line", HEADER, long_body, false},
      {"long field", long_field, BODY, false},
      {"no field", HEADER "nothing\r\n", BODY, false},
      {"no header", "", BODY, false},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GString) value = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    print_message("%s\n", rows[i].name);
    assert_int_equal(sign(rows[i].header, rows[i].body, value, &error), rows[i].good);
    if (!rows[i].good) assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
  }
}

static void test_from(void **state)
{
  (void)state;
  static const struct {
    const char *name, *header, *want;
  } rows[] = {
      {"plain", "From: a@shop.test\r\n", "shop.test"},
      {"name", "Subject: x\r\nfrom: Anna <a@Shop.Test>\r\n", "shop.test"},
      {"folded", "From: Anna\r\n <a@shop.test>\r\n", "shop.test"},
      {"comment", "From: a@shop.test (Anna <x@evil.test>)\r\n", "shop.test"},
      {"quoted name", "From: \"x@evil.test\" <a@shop.test>\r\n", "shop.test"},
      {"quoted local part", "From: \"a@b\"@shop.test\r\n", "shop.test"},
      {"umlaut domain", "From: a@b\303\274cher.test\r\n", "xn--bcher-kva.test"},
      {"two addresses", "From: a@shop.test, b@shop.test\r\n", NULL},
      {"two fields", "From: a@shop.test\r\nFrom: a@shop.test\r\n", NULL},
      {"group", "From: us: a@shop.test;\r\n", NULL},
      {"none", "To: a@shop.test\r\n", NULL},
      {"empty", "From: \r\n", NULL},
      {"no domain", "From: anna\r\n", NULL},
      {"literal", "From: a@[192.0.2.1]\r\n", NULL},
      {"two brackets: the first counts", "From: <v@bank.test> <a@shop.test>\r\n", "bank.test"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("%s\n", rows[i].name);
    g_autofree char *got = dkim_from_domain(rows[i].header, strlen(rows[i].header));
    if (rows[i].want)
      assert_string_equal(got, rows[i].want);
    else
      assert_null(got);
  }
}

static void test_signature_tag(void **state)
{
  (void)state;
  static const char value[] = " v=1; a=rsa-sha256; d = Shop\r\n .test ;\r\n\ts=x;dd=y; b=AB=";
  static const struct {
    const char *name, *want;
  } rows[] = {{"d", "Shop.test"}, {"s", "x"}, {"b", "AB="}, {"x", NULL}, {"dd", "y"}};
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("%s\n", rows[i].name);
    g_autofree char *got = dkim_signature_tag(value, strlen(value), rows[i].name);
    if (rows[i].want)
      assert_string_equal(got, rows[i].want);
    else
      assert_null(got);
  }
}

/* Each thread signs with a time of its own, and gets what it would get alone. */
static void *sign_many(void *argument)
{
  int64_t now = noon + GPOINTER_TO_INT(argument) * INT64_C(1000000);
  g_autoptr(GString) first = g_string_new(NULL), value = g_string_new(NULL);
  for (int i = 0; i < 20; i++) {
    if (!dkim_signer_sign(signer, key, HEADER, strlen(HEADER), BODY, strlen(BODY), now, value, NULL))
      return (void *)(uintptr_t) "refused";
    g_autofree char *time = dkim_signature_tag(value->str, value->len, "t");
    if (g_ascii_strtoll(time, NULL, 10) != now / 1000000) return (void *)(uintptr_t) "another's time";
    if (i == 0) g_string_assign(first, value->str);
    if (!g_string_equal(first, value)) return (void *)(uintptr_t) "another signature";
  }
  return NULL;
}

static void test_threads(void **state)
{
  (void)state;
  GThread *threads[8];
  for (int i = 0; i < 8; i++)
    threads[i] = g_thread_new("sign", sign_many, GINT_TO_POINTER(i));
  for (int i = 0; i < 8; i++) {
    const char *fault = g_thread_join(threads[i]);
    if (fault) fail_msg("%s", fault);
  }
}

static int set_up(void **state)
{
  (void)state;
  char *dir = scratch_new();
  if (!dkim_key_make(dir, "shop.test", "s1", 2048, (uid_t)-1, NULL)) return -1;
  key = dkim_key_load(dir, "shop.test", NULL, NULL);
  scratch_free(dir);
  signer = dkim_signer_new();
  return key ? 0 : -1;
}

static int tear_down(void **state)
{
  (void)state;
  dkim_key_unref(key);
  dkim_signer_free(signer);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tags), cmocka_unit_test(test_oversigned),    cmocka_unit_test(test_refused),
      cmocka_unit_test(test_from), cmocka_unit_test(test_signature_tag), cmocka_unit_test(test_threads),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
