/* The table of verdicts: what is known of user agents and times. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "verdict/verdict.h"

#define SECOND INT64_C(1000000)
#define CHROME                                                                                               \
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 "       \
  "Safari/537.36"
#define FIREFOX "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
#define IPHONE                                                                                               \
  "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "         \
  "Mobile/15E148"
#define GPROXY "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
#define GFETCH                                                                                               \
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 "   \
  "Safari/537.36 Edge/12.246 Mozilla/5.0"

static const struct {
  const char *name, *method, *agent;
  int64_t since;
  enum verdict verdict;
  const char *reason;
} rows[] = {
    {"chrome after an hour", "GET", CHROME, 3600 * SECOND, VERDICT_HUMAN, "none"},
    {"firefox after a minute", "GET", FIREFOX, 60 * SECOND, VERDICT_HUMAN, "none"},
    {"iphone mail", "GET", IPHONE, 60 * SECOND, VERDICT_HUMAN, "none"},
    {"thunderbird", "GET", "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.0",
     60 * SECOND, VERDICT_HUMAN, "none"},
    {"outlook", "GET", "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17328; Pro)",
     60 * SECOND, VERDICT_HUMAN, "none"},
    {"years later", "GET", CHROME, 86400 * 900 * SECOND, VERDICT_HUMAN, "none"},
    {"just at seven seconds", "GET", CHROME, 7 * SECOND, VERDICT_HUMAN, "none"},
    {"just before seven seconds", "GET", CHROME, 7 * SECOND - 1, VERDICT_MACHINE, "too-soon"},
    {"the same second", "GET", CHROME, 0, VERDICT_MACHINE, "too-soon"},
    {"before the sending (clocks differ a little)", "GET", CHROME, -5 * SECOND, VERDICT_MACHINE, "too-soon"},
    {"long before the sending (a clock stepped)", "GET", CHROME, -3600 * SECOND, VERDICT_HUMAN, "none"},
    {"head", "HEAD", CHROME, 3600 * SECOND, VERDICT_MACHINE, "head"},
    {"head at once", "HEAD", CHROME, 0, VERDICT_MACHINE, "head"},
    {"options", "OPTIONS", CHROME, 3600 * SECOND, VERDICT_MACHINE, "head"},
    {"gmail image proxy", "GET", GPROXY, 3600 * SECOND, VERDICT_HUMAN, "proxy"},
    {"gmail image proxy at once", "GET", GPROXY, SECOND, VERDICT_MACHINE, "too-soon"},
    {"gmail prefetch", "GET", GFETCH, 3600 * SECOND, VERDICT_MACHINE, "prefetch"},
    {"yahoo proxy", "GET", "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
     60 * SECOND, VERDICT_HUMAN, "proxy"},
    {"seznam proxy", "GET", "Mozilla/5.0 (compatible; SeznamEmailProxy/2.0)", 60 * SECOND, VERDICT_HUMAN,
     "proxy"},
    {"bare mozilla", "GET", "Mozilla/5.0", 60 * SECOND, VERDICT_UNKNOWN, "no-agent"},
    {"no agent", "GET", NULL, 60 * SECOND, VERDICT_UNKNOWN, "no-agent"},
    {"empty agent", "GET", "", 60 * SECOND, VERDICT_UNKNOWN, "no-agent"},
    {"no agent at once", "GET", NULL, SECOND, VERDICT_MACHINE, "too-soon"},
    {"barracuda", "GET", "Mozilla/5.0 (compatible; Barracuda Link Protect)", 60 * SECOND, VERDICT_MACHINE,
     "scanner"},
    {"trend micro", "GET", "TMES/1.0", 60 * SECOND, VERDICT_MACHINE, "scanner"},
    {"mimecast", "GET", "Mozilla/5.0 Mimecast", 60 * SECOND, VERDICT_MACHINE, "scanner"},
    {"googlebot", "GET", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
     60 * SECOND, VERDICT_MACHINE, "scanner"},
    {"bing preview", "GET", "Mozilla/5.0 BingPreview/1.0b", 60 * SECOND, VERDICT_MACHINE, "scanner"},
    {"curl", "GET", "curl/7.88.1", 60 * SECOND, VERDICT_MACHINE, "scanner"},
    {"wget", "GET", "Wget/1.21.3", 60 * SECOND, VERDICT_MACHINE, "scanner"},
    {"requests", "GET", "python-requests/2.31.0", 60 * SECOND, VERDICT_MACHINE, "scanner"},
    {"go", "GET", "Go-http-client/2.0", 60 * SECOND, VERDICT_MACHINE, "scanner"},
    {"headless chrome", "GET", "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/120.0", 60 * SECOND,
     VERDICT_MACHINE, "scanner"},
    {"some bot", "GET", "SomeBot/1.0", 60 * SECOND, VERDICT_MACHINE, "scanner"},
    {"a name with bot in it", "GET", "Mozilla/5.0 (Linux; Cubot X50) Chrome/142.0", 60 * SECOND,
     VERDICT_HUMAN, "none"},
};

static void test_table(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const char *reason = NULL;
    print_message("%s\n", rows[i].name);
    struct verdict_hit hit = {rows[i].method, rows[i].agent, rows[i].since};
    assert_int_equal(verdict_of(&hit, &reason), rows[i].verdict);
    assert_string_equal(reason, rows[i].reason);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_table)};
  return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
