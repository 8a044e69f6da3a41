/* The frame of the daemons: options, -n, signals, the identity. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "proc/identity.h"
#include "proc/proc.h"

static char dir[] = "/tmp/tidings-proc-XXXXXX";

static bool no(const struct proc *proc, GError **error)
{
  (void)proc;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "the program's own check");
  return false;
}

static const struct proc_program daemon_program = {
    .name = "test", .summary = "Tests.", PROC_SECTION(tracker)};
static const struct proc_program checking = {
    .name = "test", .summary = "Tests.", PROC_SECTION(tracker), .check = no};

/* Runs proc_start() over the configuration TEXT; the exit status, or -1 if it goes on. */
static int start_with(const struct proc_program *program, const char *text, const char *option,
                      struct proc **proc)
{
  g_autofree char *file = g_strconcat(dir, "/tidings.conf", NULL);
  assert_true(g_file_set_contents(file, text, -1, NULL));
  char *argv[] = {(char *)"test", (char *)"-c", file, (char *)option, NULL};
  int status;
  struct proc *p = proc_start(program, option ? 4 : 3, argv, &status);
  if (proc) *proc = p;
  return p ? -1 : status;
}

static void test_status(void **state)
{
  (void)state;
  static const struct {
    const char *text, *option;
    const struct proc_program *program;
    int status;
  } rows[] = {
      {"tracker { user = nobody }", "-n", &daemon_program, 0},
      {"tracker { user = nobody }", "-n", &checking, 78},
      {"tracker { user = 12345 group = 12345 }", "-n", &daemon_program, 0},
      {"tracker { user = 4000000000 }", "-n", &daemon_program, 78},
      {"tracker { user = no-such-user }", "-n", &daemon_program, 78},
      {"tracker { user = nobody group = no-such-group }", "-n", &daemon_program, 78},
      {"tracker { user = root }", "-n", &daemon_program, 78},
      {"tracker { ", "-n", &daemon_program, 78},
      {"tracker { user = nobody }", "--clock=/nonexistent/clock", &daemon_program, 78},
      {"log = /nonexistent/log  tracker { user = nobody }", NULL, &daemon_program, 78},
      {"", "--frobnicate", &daemon_program, 64},
      {"", "word", &daemon_program, 64},
      {"", "-V", &daemon_program, 0},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("%s %s\n", rows[i].text, rows[i].option ? rows[i].option : "");
    assert_int_equal(start_with(rows[i].program, rows[i].text, rows[i].option, NULL), rows[i].status);
  }
  assert_int_equal(start_with(&daemon_program, "", "-n", NULL), geteuid() == 0 ? 78 : 0);
}

static void test_secrets(void **state)
{
  (void)state;
  g_autofree char *keys = g_strconcat(dir, "/keys", NULL);
  assert_true(g_file_set_contents(keys, "secret", -1, NULL));
  g_autofree char *text = g_strdup_printf("keys = \"%s\" tracker { user = nobody }", keys);
  chmod(keys, 0640);
  assert_int_equal(start_with(&daemon_program, text, "-n", NULL), 0);
  chmod(keys, 0644);
  assert_int_equal(start_with(&daemon_program, text, "-n", NULL), 78);
  unlink(keys);
  assert_int_equal(start_with(&daemon_program, text, "-n", NULL), 0);
}

static void test_signals(void **state)
{
  (void)state;
  struct proc *proc;
  g_autofree char *text = g_strdup_printf("log = \"%s/log\" tracker { user = nobody }", dir);
  assert_int_equal(start_with(&daemon_program, text, NULL, &proc), -1);
  assert_int_equal(proc_signal(proc, 0), PROC_NONE);
  static const struct {
    int number;
    enum proc_signal signal;
  } rows[] = {{SIGUSR1, PROC_RELOAD}, {SIGHUP, PROC_RELOAD}, {SIGTERM, PROC_STOP}, {SIGINT, PROC_STOP}};
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    kill(getpid(), rows[i].number);
    assert_int_equal(proc_signal(proc, 1000), rows[i].signal);
  }
  assert_non_null(proc->conf->hostname);
  proc_ready(proc);
  GError *error = g_error_new(TIDINGS_ERROR, TIDINGS_ERROR_TEMP, "the lock is held");
  assert_int_equal(proc_fail(proc, error), 75);
  g_autofree char *log = g_strconcat(dir, "/log", NULL);
  g_autofree char *lines = NULL;
  assert_true(g_file_get_contents(log, &lines, NULL, NULL));
  assert_non_null(strstr(lines, ": started version="));
  assert_non_null(strstr(lines, ": failed kind=temp reason=\"the lock is held\"\n"));
}

static void test_identity(void **state)
{
  (void)state;
  char *const none[] = {NULL};
  char seven[] = "7", root[] = "root";
  char *const two[] = {seven, root, NULL};
  struct identity identity;
  assert_true(identity_find("nobody", NULL, none, &identity, NULL));
  assert_null(identity.groups);
  assert_string_equal(identity.name, "nobody");
  identity_clear(&identity);
  assert_true(identity_find("4711", "4712", two, &identity, NULL));
  assert_int_equal(identity.uid, 4711);
  assert_int_equal(identity.gid, 4712);
  assert_int_equal(g_array_index(identity.groups, gid_t, 0), 7);
  assert_int_equal(g_array_index(identity.groups, gid_t, 1), 0);
  identity_clear(&identity);
  assert_true(identity_find("4711", "4712", none, &identity, NULL));
  assert_int_equal(identity.groups->len, 0);
  identity_clear(&identity);
}

int main(void)
{
  assert_non_null(mkdtemp(dir));
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_status),
      cmocka_unit_test(test_secrets),
      cmocka_unit_test(test_identity),
      cmocka_unit_test(test_signals),
  };
  int failed = cmocka_run_group_tests_name("proc", tests, NULL, NULL);
  g_autofree char *remove = g_strdup_printf("rm -rf %s", dir);
  return system(remove) ? 1 : failed;
}
