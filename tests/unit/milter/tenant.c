/* Whose mail may be ours: what the MTA says, never what the message says. */

#include "milter/tenant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char settings[] = "milter { originating = {ORIGINATING, outbound} trusted = {\"192.0.2.1\", "
                               "\"10.1.0.0/15\", \"2001:db8:1::/47\", \"0.0.0.0/x\"} }\n";

static const struct {
  const char *name, *user, *listener, *client;
  bool trusted;
} rows[] = {
    {"nothing known", NULL, NULL, NULL, false},
    {"authenticated", "anna", NULL, "198.51.100.1", true},
    {"empty user", "", "mx", "198.51.100.1", false},
    {"listener", NULL, "ORIGINATING", "198.51.100.1", true},
    {"second listener", NULL, "outbound", NULL, true},
    {"listener in lower case", NULL, "originating", NULL, false},
    {"client", NULL, "mx", "192.0.2.1", true},
    {"client beside", NULL, "mx", "192.0.2.10", false},
    {"network, first", NULL, "mx", "10.0.255.255", true},
    {"network, odd bits", NULL, "mx", "10.1.2.3", true},
    {"network, after", NULL, "mx", "10.2.0.0", false},
    {"IPv6", NULL, "mx", "2001:db8:1::5", true},
    {"IPv6, odd bits", NULL, "mx", "2001:db8:0:1::5", true},
    {"IPv6, after", NULL, "mx", "2001:db8:2::", false},
    {"IPv6 as Postfix writes it", NULL, "mx", "IPv6:2001:db8:1::5", true},
    {"junk", NULL, "mx", "localhost", false},
    {"empty client", NULL, "mx", "", false},
};

static void test_trusted(void **state)
{
  (void)state;
  g_autoptr(GError) error = NULL;
  struct conf *conf = conf_parse("test", settings, strlen(settings), &error);
  if (!conf) print_message("%s\n", error->message);
  assert_non_null(conf);
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    struct engine_mail mail = {.user = rows[i].user, .listener = rows[i].listener, .client = rows[i].client};
    bool trusted = tenant_is_trusted(conf, &mail);
    if (trusted != rows[i].trusted) print_message("%s\n", rows[i].name);
    assert_int_equal(trusted, rows[i].trusted);
  }
  conf_free(conf);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_trusted)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
