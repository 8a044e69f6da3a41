/* Which path is what, and which method may do what. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tracker/route.h"

static const struct {
  const char *path;
  enum route_kind kind;
  char token_kind;
  const char *token;
} paths[] = {
    {"/o/Ab-_9", ROUTE_TOKEN, 'o', "Ab-_9"},
    {"/o/Ab-_9.gif", ROUTE_TOKEN, 'o', "Ab-_9"},
    {"/c/Ab", ROUTE_TOKEN, 'c', "Ab"},
    {"/u/Ab", ROUTE_TOKEN, 'u', "Ab"},
    {"http://t.example.com/o/Ab", ROUTE_TOKEN, 'o', "Ab"},
    {"HTTPS://t.example.com:8443/c/Ab", ROUTE_TOKEN, 'c', "Ab"},
    {"http:///c/Ab", ROUTE_TOKEN, 'c', "Ab"},
    {"/health", ROUTE_HEALTH, 0, NULL},
    {"/metrics", ROUTE_METRICS, 0, NULL},

    {"", ROUTE_NONE, 0, NULL},
    {"*", ROUTE_NONE, 0, NULL},
    {"/", ROUTE_NONE, 0, NULL},
    {"/o", ROUTE_NONE, 0, NULL},
    {"/o/", ROUTE_NONE, 0, NULL},
    {"//o/Ab", ROUTE_NONE, 0, NULL},
    {"/o//Ab", ROUTE_NONE, 0, NULL},
    {"/./o/Ab", ROUTE_NONE, 0, NULL},
    {"/o/../c/Ab", ROUTE_NONE, 0, NULL},
    {"/c/Ab.gif", ROUTE_NONE, 0, NULL},
    {"/o/Ab.gif.gif", ROUTE_NONE, 0, NULL},
    {"/o/Ab.png", ROUTE_NONE, 0, NULL},
    {"/o/.gif", ROUTE_NONE, 0, NULL},
    {"/o/Ab/", ROUTE_NONE, 0, NULL},
    {"/o/Ab%00", ROUTE_NONE, 0, NULL},
    {"/o/Ab%2e", ROUTE_NONE, 0, NULL},
    {"/o/Ab=", ROUTE_NONE, 0, NULL},
    {"/o/A+b", ROUTE_NONE, 0, NULL},
    {"/o/A\xc3\xa4", ROUTE_NONE, 0, NULL},
    {"/o/A\xc0\xae", ROUTE_NONE, 0, NULL},
    {"/x/Ab", ROUTE_NONE, 0, NULL},
    {"/O/Ab", ROUTE_NONE, 0, NULL},
    {"o/Ab", ROUTE_NONE, 0, NULL},
    {"/healthy", ROUTE_NONE, 0, NULL},
    {"/health/", ROUTE_NONE, 0, NULL},
    {"http://", ROUTE_NONE, 0, NULL},
    {"http://t.example.com", ROUTE_NONE, 0, NULL},
    {"ftp://t.example.com/o/Ab", ROUTE_NONE, 0, NULL},
};

static void test_paths(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
    struct route route = route_of(paths[i].path);
    if (route.kind != paths[i].kind) fail_msg("%s: kind %d", paths[i].path, route.kind);
    if (route.kind != ROUTE_TOKEN) continue;
    g_autofree char *token = g_strndup(route.token, route.length);
    if (route.token_kind != (enum token_kind)paths[i].token_kind || strcmp(token, paths[i].token) != 0)
      fail_msg("%s: %c %s", paths[i].path, route.token_kind, token);
  }
  printf("count: paths routed: %zu\n", G_N_ELEMENTS(paths));
}

static void test_longest(void **state)
{
  (void)state;
  g_autofree char *token = g_strnfill(TOKEN_MAX_SEGMENT + 1, 'A');
  g_autofree char *path = g_strconcat("/c/", token, NULL);
  assert_int_equal(route_of(path).kind, ROUTE_NONE);
  path[strlen(path) - 1] = '\0';
  assert_int_equal(route_of(path).kind, ROUTE_TOKEN);
  assert_int_equal(route_of(path).length, TOKEN_MAX_SEGMENT);
}

static void test_methods(void **state)
{
  (void)state;
  static const struct {
    const char *path, *method;
    enum route_method meaning;
  } rows[] = {
      {"/o/A", "GET", ROUTE_GET},       {"/o/A", "HEAD", ROUTE_GET},      {"/o/A", "POST", ROUTE_OTHER},
      {"/c/A", "POST", ROUTE_OTHER},    {"/c/A", "PUT", ROUTE_OTHER},     {"/u/A", "GET", ROUTE_GET},
      {"/u/A", "HEAD", ROUTE_GET},      {"/u/A", "POST", ROUTE_POST},     {"/u/A", "DELETE", ROUTE_OTHER},
      {"/u/A", "OPTIONS", ROUTE_OTHER}, {"/u/A", "PURGE", ROUTE_OTHER},   {"/u/A", "post", ROUTE_OTHER},
      {"/u/A", "", ROUTE_OTHER},        {"/health", "POST", ROUTE_OTHER}, {"/metrics", "GET", ROUTE_GET},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    struct route route = route_of(rows[i].path);
    print_message("%s %s\n", rows[i].method, rows[i].path);
    assert_int_equal(route_method(&route, rows[i].method), rows[i].meaning);
  }
}

static const struct {
  const char *url, *location; /* NULL: refused */
} locations[] = {
    {"https://x.example/a?b=1&c=%20+#f", "https://x.example/a?b=1&c=%20+#f"},
    {"HTTP://u:p@[::1]:80/?", "HTTP://u:p@[::1]:80/?"},
    {"https://x.example/a b\"<>\\^`{|}", "https://x.example/a b\"<>\\^`{|}"},
    {"https://x.example/gr\xc3\xbcn", "https://x.example/gr%C3%BCn"},
    {"https://x.example/\xff", "https://x.example/%FF"},
    {"https://x.example/\r\nSet-Cookie: a=b", NULL},
    {"https://x.example/\n", NULL},
    {"https://x.example/\t", NULL},
    {"https://x.example/\x7f", NULL},
    {"javascript:alert(1)", NULL},
    {"//x.example/", NULL},
    {"/x", NULL},
    {"https:x.example", NULL},
    {" https://x.example", NULL},
    {"", NULL},
};

static void test_locations(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(locations); i++) {
    g_autofree char *location = route_location(locations[i].url, strlen(locations[i].url));
    if (g_strcmp0(location, locations[i].location) != 0) fail_msg("<%s>: %s", locations[i].url, location);
  }
  assert_null(route_location("https://x\0y", 11));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_paths),
      cmocka_unit_test(test_longest),
      cmocka_unit_test(test_methods),
      cmocka_unit_test(test_locations),
  };
  return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
