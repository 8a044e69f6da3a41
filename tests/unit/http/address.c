/* Addresses, and whom a forwarded request comes from. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "http/address.h"

static const struct {
  const char *text, *shown; /* NULL: no address */
} addresses[] = {
    {"127.0.0.1", "127.0.0.1"},
    {"::1", "::1"},
    {"[2001:db8::1]", "2001:db8::1"},
    {"::ffff:192.0.2.7", "192.0.2.7"},
    {"", NULL},
    {"[]", NULL},
    {"127.0.0.1:80", NULL},
    {"1.2.3", NULL},
    {"1.2.3.04x", NULL},
    {"unknown", NULL},
    {"_hidden", NULL},
    {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", NULL},
};

static void test_parse(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(addresses); i++) {
    struct address address;
    char text[ADDRESS_TEXT];
    bool good = address_parse(addresses[i].text, strlen(addresses[i].text), &address);
    print_message("<%s>\n", addresses[i].text);
    assert_int_equal(good, addresses[i].shown != NULL);
    if (good) assert_string_equal(address_text(&address, text), addresses[i].shown);
  }
}

static const struct {
  const char *peer, *forwarded, *client;
} rows[] = {
    {"198.51.100.1", NULL, "198.51.100.1"},
    {"198.51.100.1", "203.0.113.9", "198.51.100.1"}, /* not a proxy of ours: not believed */
    {"127.0.0.1", NULL, "127.0.0.1"},
    {"127.0.0.1", "203.0.113.9", "203.0.113.9"},
    {"127.0.0.1", "  203.0.113.9\t", "203.0.113.9"},
    {"127.0.0.1", "10.0.0.1, 203.0.113.9", "203.0.113.9"},  /* the client made up 10.0.0.1 */
    {"127.0.0.1", "203.0.113.9, 192.0.2.5", "203.0.113.9"}, /* two proxies of ours */
    {"127.0.0.1", "127.0.0.1, 203.0.113.9, 192.0.2.5", "203.0.113.9"},
    {"127.0.0.1", "192.0.2.5", "192.0.2.5"},
    {"127.0.0.1", "unknown", "127.0.0.1"},
    {"127.0.0.1", "203.0.113.9,", "127.0.0.1"},
    {"127.0.0.1", ",,,", "127.0.0.1"},
    {"127.0.0.1", "", "127.0.0.1"},
    {"127.0.0.1", "[2001:db8::7]", "2001:db8::7"},
    {"::1", "2001:db8::7", "2001:db8::7"},
    {"127.0.0.1", "\"><script>", "127.0.0.1"},
};

static void test_client(void **state)
{
  (void)state;
  char one[] = "127.0.0.1", two[] = "::1", three[] = "192.0.2.5";
  char *const texts[] = {one, two, three, NULL};
  g_autoptr(GArray) trusted = address_list(texts, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    struct address peer;
    char text[ADDRESS_TEXT];
    assert_true(address_parse(rows[i].peer, strlen(rows[i].peer), &peer));
    struct address client = address_client(&peer, rows[i].forwarded, trusted);
    if (strcmp(address_text(&client, text), rows[i].client) != 0)
      fail_msg("%s with %s: %s", rows[i].peer, rows[i].forwarded, text);
  }
  printf("count: forwarded clients judged: %zu\n", G_N_ELEMENTS(rows));
}

static void test_list(void **state)
{
  (void)state;
  char good[] = "::1", bad[] = "localhost";
  char *const texts[] = {good, bad, NULL};
  g_autoptr(GError) error = NULL;
  assert_null(address_list(texts, &error));
  assert_non_null(strstr(error->message, "'localhost' is not an address"));
}

static void test_listen(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    bool good;
  } listens[] = {{"127.0.0.1:8025", true},   {"[::1]:8025", true}, {"0.0.0.0:1", true},
                 {"localhost:80", false},    {"127.0.0.1", false}, {"127.0.0.1:0", false},
                 {"127.0.0.1:65536", false}, {":80", false}};
  for (size_t i = 0; i < G_N_ELEMENTS(listens); i++) {
    struct sockaddr_storage address;
    socklen_t length;
    print_message("%s\n", listens[i].text);
    assert_int_equal(address_listen(listens[i].text, &address, &length, NULL), listens[i].good);
  }
}

static void test_loopback(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    bool loopback;
  } hosts[] = {{"127.0.0.1", true},  {"127.9.9.9", true}, {"::1", true}, {"::ffff:127.0.0.1", true},
               {"128.0.0.1", false}, {"::2", false},      {"::", false}};
  for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++) {
    struct address address;
    print_message("%s\n", hosts[i].text);
    assert_true(address_parse(hosts[i].text, strlen(hosts[i].text), &address));
    assert_int_equal(address_is_loopback(&address), hosts[i].loopback);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parse),  cmocka_unit_test(test_client),   cmocka_unit_test(test_list),
      cmocka_unit_test(test_listen), cmocka_unit_test(test_loopback),
  };
  return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
