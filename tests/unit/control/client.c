/* The asking end, against a socket that plays policyd with written answers. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "control/client.h"

static char folder[] = "/tmp/tidings-control-XXXXXX";
static char path[64];

static const struct {
  const char *name, *answer; /* what the other end writes, then it closes */
  const char *rows;          /* the rows' n, each closed by | */
  const char *ok;            /* its n, or NULL */
  int kind;                  /* of the error, if ok is NULL */
} rows[] = {
    {"only ok", "{\"ok\":{\"n\":\"x\"}}\n", "", "x", 0},
    {"rows",
     "{\"row\":{\"n\":\"1\"}}\n{\"progress\":{\"done\":1,\"of\":2}}\n{\"row\":{\"n\":\"2\"}}\n{\"ok\":{\"n\":"
     "\"x\"}}\n",
     "1|2|", "x", 0},
    {"error", "{\"row\":{\"n\":\"1\"}}\n{\"error\":{\"kind\":\"notfound\",\"message\":\"no\"}}\n", "1|", NULL,
     TIDINGS_ERROR_NOTFOUND},
    {"unknown kind", "{\"error\":{\"kind\":\"odd\"}}\n", "", NULL, TIDINGS_ERROR_SYS},
    {"cut off", "{\"row\":{\"n\":\"1\"}}\n{\"ok\":{", "1|", NULL, TIDINGS_ERROR_TEMP},
    {"nothing", "", "", NULL, TIDINGS_ERROR_TEMP},
    {"no JSON", "hello\n", "", NULL, TIDINGS_ERROR_INPUT},
    {"too much", "{\"ok\":{\"n\":\"x\"}}\n{\"ok\":{}}\n", "", NULL, TIDINGS_ERROR_INPUT},
};

static int listener;

static int start(void **state)
{
  (void)state;
  if (!g_mkdtemp(folder)) return -1;
  g_snprintf(path, sizeof path, "%s/socket", folder);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  g_strlcpy(address.sun_path, path, sizeof address.sun_path);
  listener = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) return -1;
  return listen(listener, 4);
}

static int end(void **state)
{
  (void)state;
  unlink(path);
  return rmdir(folder);
}

/* Reads one request and writes the answer. */
static void *serve(void *answer)
{
  static char request[4096];
  int fd = accept(listener, NULL, NULL);
  ssize_t n = read(fd, request, sizeof request - 1);
  request[n > 0 ? n : 0] = '\0';
  size_t length = strlen(answer);
  if (length && write(fd, answer, length) != (ssize_t)length) abort();
  close(fd);
  return request;
}

static bool collect(void *data, const json_t *row, GError **error)
{
  (void)error;
  g_string_append_printf(data, "%s|", json_string_value(json_object_get(row, "n")));
  return true;
}

static void check_row(size_t i)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GString) got = g_string_new(NULL);
  GThread *server = g_thread_new("server", serve, (void *)(uintptr_t)rows[i].answer);
  g_autoptr(control_client) client = control_connect(path, &error);
  assert_non_null(client);
  json_t *ok = NULL;
  bool good = control_call(client, "a.b", json_pack("{s:i}", "k", 1), collect, got, &ok, &error);
  const char *request = g_thread_join(server);
  assert_string_equal(request, "{\"do\":\"a.b\",\"args\":{\"k\":1}}\n");
  const char *n = json_string_value(json_object_get(ok, "n"));
  if (good != (rows[i].ok != NULL) || g_strcmp0(n, rows[i].ok) != 0 || strcmp(got->str, rows[i].rows) != 0)
    fail_msg("%s: rows <%s>, ok <%s>, %s", rows[i].name, got->str, n, error ? error->message : "");
  if (!good && !g_error_matches(error, TIDINGS_ERROR, rows[i].kind))
    fail_msg("%s: %s", rows[i].name, error->message);
  json_decref(ok);
}

static void test_answers(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
    check_row(i);
}

static void test_broken(void **state)
{
  (void)state;
  g_autoptr(GError) error = NULL;
  GThread *server = g_thread_new("server", serve, (void *)(uintptr_t) "{");
  g_autoptr(control_client) client = control_connect(path, NULL);
  assert_false(control_call(client, "a", NULL, NULL, NULL, NULL, NULL));
  g_thread_join(server);
  assert_false(control_call(client, "a", NULL, NULL, NULL, NULL, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_TEMP));
}

static void test_unreachable(void **state)
{
  (void)state;
  g_autoptr(GError) none = NULL, longer = NULL;
  assert_null(control_connect("/nonexistent/tidings.sock", &none));
  assert_true(g_error_matches(none, TIDINGS_ERROR, TIDINGS_ERROR_TEMP));
  assert_non_null(strstr(none->message, "is tidings-policyd running"));
  g_autofree char *deep = g_strnfill(200, 'x');
  assert_null(control_connect(deep, &longer));
  assert_true(g_error_matches(longer, TIDINGS_ERROR, TIDINGS_ERROR_SYS));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_answers),
      cmocka_unit_test(test_broken),
      cmocka_unit_test(test_unreachable),
  };
  return cmocka_run_group_tests(tests, start, end);
}
