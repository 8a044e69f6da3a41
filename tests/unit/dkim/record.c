/* The text of a key in DNS. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "dkim/record.h"

#define WANT "v=DKIM1; k=rsa; p=MIIBabc+/="

static void test_fault(void **state)
{
  (void)state;
  static const struct {
    const char *name, *found, *fault; /* a part of it; NULL: none */
  } rows[] = {
      {"the same", WANT, NULL},
      {"blanks and order", "p=MIIB abc+\t/= ; v = DKIM1", NULL},
      {"without v and k", "p=MIIBabc+/=", NULL},
      {"test mode", WANT "; t=y:s", NULL},
      {"hashes", WANT "; h=sha1:sha256; s=*", NULL},
      {"another key", "v=DKIM1; p=MIIBabd+/=", "another key"},
      {"cut off", "v=DKIM1; k=rsa; p=MIIBabc", "another key"},
      {"revoked", "v=DKIM1; p=", "revoked"},
      {"Ed25519", "v=DKIM1; k=ed25519; p=MIIBabc+/=", "RSA"},
      {"sha1 alone", WANT "; h=sha1", "sha256"},
      {"not for mail", WANT "; s=tlsrpt", "not for mail"},
      {"SPF", "v=spf1 -all", "no DKIM record"},
      {"empty", "", "no DKIM record"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("%s\n", rows[i].name);
    const char *fault = dkim_record_fault(WANT, rows[i].found);
    if (rows[i].fault)
      assert_non_null(strstr(fault, rows[i].fault));
    else
      assert_null(fault);
  }
}

static void test_read(void **state)
{
  (void)state;
  static const struct {
    const char *name, *copied, *want;
  } rows[] = {
      {"plain", " v=DKIM1; p=A\n", "v=DKIM1; p=A"},
      {"one string", "\"v=DKIM1; p=A\"\n", "v=DKIM1; p=A"},
      {"two strings", "x IN TXT ( \"v=DKIM1; \"\n  \"p=A\" )", "v=DKIM1; p=A"},
      {"no end", "\"v=DKIM1\" \"p=", "v=DKIM1"},
      {"empty", "", ""},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("%s\n", rows[i].name);
    g_autofree char *got = dkim_record_read(rows[i].copied);
    assert_string_equal(got, rows[i].want);
  }
}

/* No string is longer than 255 bytes, and together they are the text. */
static void test_zone_line(void **state)
{
  (void)state;
  static const size_t lengths[] = {1, 254, 255, 256, 392, 510, 511};
  for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
    g_autofree char *text = g_strnfill(lengths[i], 'k');
    g_autofree char *line = dkim_record_zone_line("s._domainkey.shop.test", text);
    g_autofree char *back = dkim_record_read(line);
    assert_true(g_str_has_prefix(line, "s._domainkey.shop.test. IN TXT ("));
    assert_string_equal(back, text);
    g_auto(GStrv) strings = g_strsplit(line, "\"", -1);
    assert_int_equal(g_strv_length(strings) / 2, (lengths[i] + 254) / 255);
    for (size_t s = 1; strings[s - 1] && strings[s]; s += 2)
      assert_true(strlen(strings[s]) <= 255);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fault),
      cmocka_unit_test(test_read),
      cmocka_unit_test(test_zone_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
