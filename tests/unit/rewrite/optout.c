/* The opt-out fields of other services: each lowers, none raises. */

#include "rewrite/optout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "rewrite/control.h"

static const struct {
  const char *fields;
  unsigned denied;
} rows[] = {
    {"Subject: X-PM-TrackOpens: false\r\n", REWRITE_DENY_NOTHING},
    {"X-PM-TrackOpens: true\r\n", REWRITE_DENY_NOTHING},
    {"X-PM-TrackOpens: False\r\n", REWRITE_DENY_OPENS},
    {"x-pm-trackopens:false\r\n", REWRITE_DENY_OPENS},
    {"X-PM-TrackOpens: perhaps\r\n", REWRITE_DENY_OPENS},
    {"X-PM-TrackOpens:\r\n", REWRITE_DENY_OPENS},
    {"X-PM-TrackLinks: None\r\n", REWRITE_DENY_CLICKS},
    {"X-PM-TrackLinks: HtmlOnly\r\n", REWRITE_DENY_TEXT_CLICKS},
    {"X-PM-TrackLinks: TextOnly\r\n", REWRITE_DENY_HTML_CLICKS},
    {"X-PM-TrackLinks: HtmlAndText\r\n", REWRITE_DENY_NOTHING},
    {"X-PM-TrackOpens: true\r\nX-PM-TrackOpens: false\r\n", REWRITE_DENY_OPENS},
    {"X-Mailgun-Track: yes\r\n", REWRITE_DENY_NOTHING},
    {"X-Mailgun-Track: no\r\n", REWRITE_DENY_ALL},
    {"X-Mailgun-Track: yes\r\nX-Mailgun-Track-Opens: no\r\n", REWRITE_DENY_OPENS},
    {"X-Mailgun-Track-Clicks: no\r\n", REWRITE_DENY_CLICKS},
    {"X-Mailgun-Track-Clicks: htmlonly\r\n", REWRITE_DENY_TEXT_CLICKS},
    {"X-MC-Track: opens,clicks\r\n", REWRITE_DENY_NOTHING},
    {"X-MC-Track: opens, clicks_htmlonly\r\n", REWRITE_DENY_TEXT_CLICKS},
    {"X-MC-Track: opens\r\n", REWRITE_DENY_CLICKS},
    {"X-MC-Track: clicks_all\r\n", REWRITE_DENY_OPENS},
    {"X-MC-Track: none\r\n", REWRITE_DENY_ALL},
    {"X-SMTPAPI: {\"to\":[\"a@example.com\"]}\r\n", REWRITE_DENY_NOTHING},
    {"X-SMTPAPI: {\"filters\":{\"clicktrack\":{\"settings\":{\"enable\":0}}}}\r\n", REWRITE_DENY_CLICKS},
    {"X-SMTPAPI: {\"filters\": {\"opentrack\":\r\n {\"settings\": {\"enable\":\r\n\t\"0\"}}}}\r\n",
     REWRITE_DENY_OPENS},
    {"X-SMTPAPI: {\"filters\":{\"opentrack\":{\"settings\":{\"enable\":false}},"
     "\"clicktrack\":{\"settings\":{\"enable\":1,\"enable_text\":0}}}}\r\n",
     REWRITE_DENY_OPENS | REWRITE_DENY_TEXT_CLICKS},
    {"X-SMTPAPI: {\"filters\":{\"clicktrack\":{\"settings\":{\"enable\":1}}}}\r\n", REWRITE_DENY_NOTHING},
    {"X-SMTPAPI: {\"filters\":[7]}\r\n", REWRITE_DENY_NOTHING},
    {"X-SMTPAPI: {\"filters\":\r\n", REWRITE_DENY_ALL},
    {"X-SMTPAPI: [1]\r\n", REWRITE_DENY_ALL},
};

static unsigned denied(const char *fields)
{
  g_auto(rewrite_control) control;
  rewrite_control_read(fields, (struct mail_range){0, strlen(fields)}, &control);
  return control.denied;
}

static void test_fields(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    unsigned got = denied(rows[i].fields);
    if (got != rows[i].denied) print_message("%s", rows[i].fields);
    assert_int_equal(got, rows[i].denied);
  }
}

static void test_long_value(void **state)
{
  (void)state;
  g_autoptr(GString) field = g_string_new("X-SMTPAPI: {\"to\":\"");
  while (field->len < 70 * 1024)
    g_string_append(field, "word ");
  g_string_append(field, "\"}\r\n");
  assert_int_equal(denied(field->str), REWRITE_DENY_ALL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_fields), cmocka_unit_test(test_long_value)};
  return cmocka_run_group_tests_name("opt-out fields", tests, NULL, NULL);
}
