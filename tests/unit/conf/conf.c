/* The configuration: what is accepted, and the sentence for what is not. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "conf/conf.h"
#include "conf/value.h"

static const struct {
  const char *text;
  const char *error; /* the whole message; NULL: good */
} files[] = {
    {"", NULL},
    {"# nothing\n// at all\n/* really\n */\n", NULL},
    {"state = /srv/tidings\nmilter { max_size = 20M }\n", NULL},
    {"milter {\n  max_size = '20M'\n  originating = {a, \"b c\"}\n}\ntracker { timeout = \"3 s\" }", NULL},
    {"milter { originating = one }", NULL},
    {"milter { originating = {} }", NULL},
    {"node = 63\nlog = syslog\n", NULL},
    {"policyd { mta_log = \"\" }", NULL},
    {"state = /a\r\nrun = /b\r\n", NULL},

    {"milter {\n max_size = 10Q\n}",
     "f:2: milter.max_size: '10Q' is not a size: write a number with K, M or G"},
    {"milter { max_size = 1 }", "f:1: milter.max_size: '1' is out of range: write a value of 1K..1G"},
    {"milter { max_size = 99999999999999G }",
     "f:1: milter.max_size: '99999999999999G' is not a size: write a number with K, M or G"},
    {"milter { max_time = 2 }",
     "f:1: milter.max_time: '2' is not a duration: write a number with ms, s, min, h or d"},
    {"milter { socket_mode = 888 }",
     "f:1: milter.socket_mode: '888' is not a mode: write three or four octal digits, such as 0660"},
    {"milter { socket = local }",
     "f:1: milter.socket: 'local' is not a socket: write unix:/PATH or inet:PORT@ADDRESS"},
    {"tracker { listen = 80 }", "f:1: tracker.listen: '80' is not an address with a port: write "
                                "ADDRESS:PORT, or [ADDRESS]:PORT for IPv6"},
    {"\nnode = 64", "f:2: node: '64' is out of range: write a value of 0..63"},
    {"node = -1", "f:1: node: '-1' is not a number: write digits alone"},
    {"state = var", "f:1: state: 'var' is not an absolute path: begin it with /"},
    {"state = {/a, /b}", "f:1: state takes one value, not a list: write state = VALUE"},
    {"node = 64\nstate = x", "f:2: state: 'x' is not an absolute path: begin it with /\nf:1: node: '64' is "
                             "out of range: write a value of 0..63"},

    {"stat = /x", "f:1: there is no key stat: did you mean state?"},
    {"milter { listen = /x }", "f:1: there is no key milter.listen: did you mean tracker.listen?"},
    {"milter {\n sokcet = /x }", "f:2: there is no key milter.sokcet: did you mean milter.socket?"},
    {"tracker { frobnicate = 1 }", "f:1: there is no key tracker.frobnicate: tidings.conf(5) lists them all"},
    {"mitler {\n socket = /x\n}", "f:2: there is no section mitler (found mitler.socket)"},
    {"keys { a = 1 }", "f:1: there is no section keys (found keys.a)"},

    {"milter {\n\n", "f:1: section milter is not closed: write } at its end"},
    {"milter {\ntracker {\n}\n}",
     "f:2: section tracker stands inside section milter: close that one with } first"},
    {"milter { }\n}", "f:2: this } closes nothing: take it away"},
    {"milter { }\nmilter { }", "f:2: section milter is opened a second time: put its keys together"},
    {"node = 1\nlog = stderr\nnode = 1", "f:3: node is set a second time, first on line 1: keep one of them"},
    {"milter { max_size = 1M\nmax_size = 2M }",
     "f:2: milter.max_size is set a second time, first on line 1: keep one of them"},
    {"hostname = \"${HOME}\"", "f:1: ${…} is not replaced by the environment: write the value itself"},
    {"hostname = '${HOME}'", "f:1: ${…} is not replaced by the environment: write the value itself"},
    {"hostname = \"abc\nnode = 1", "f:1: this text is not closed: write \" at its end, on the same line"},
    {"/* abc\nnode = 1", "f:1: this comment is not closed: write */ at its end"},
    {"node =\nlog = stderr", "f:1: node has no value: write node = VALUE on one line"},
    {"node 1", "f:1: after 'node' stands a word: write node = VALUE, or node { … }"},
    {"node = }", "f:1: node has no value: write node = VALUE on one line"},
    {"node", "f:1: after 'node' stands the end of the file: write node = VALUE, or node { … }"},
    {"node = 1;", "f:1: a line does not end with a semicolon here: take it away"},
    {"node += 1", "f:1: '+' has no meaning here: write `name = value', or put the value in quotes"},
    {"log = http://x", "f:1: 'http://x' could be read as a comment: put it in quotes"},
    {"milter { trusted = {a b} }",
     "f:1: trusted: this list is not closed: separate its values by commas and write } at its end"},
    {"milter { trusted = {a,} }", "f:1: trusted: after a comma stands a value, not '}'"},
    {"= 1", "f:1: '=' stands where a key is expected: write `name = value'"},
    {"node = 1\377", "f:1: this is not a text file in UTF-8"},
    {"hostname = \"\\999\"",
     "f:1: libconfuse cannot read this file: look for a strange escape (\\) in a text"},
};

static void test_files(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
    g_autoptr(GError) error = NULL;
    struct conf *conf = conf_parse("f", files[i].text, strlen(files[i].text), &error);
    const char *message = error ? error->message : NULL;
    if (g_strcmp0(message, files[i].error) != 0 || !conf != !!error)
      fail_msg("<%s>\n  gives    %s\n  expected %s", files[i].text, message, files[i].error);
    if (error) assert_int_equal(error->code, TIDINGS_ERROR_INPUT);
    conf_free(conf);
  }
  printf("count: configuration texts judged: %zu\n", G_N_ELEMENTS(files));
}

/* Any prefix of a good file is good or refused, never anything else. */
static void test_truncated(void **state)
{
  (void)state;
  const char *text =
      "state = \"/srv/t\" # x\nmilter { originating = {a, 'b'} max_size = 1M }\n/* c */ node = 7\n";
  int good = 0;
  for (size_t n = 0; n <= strlen(text); n++) {
    g_autofree char *copy = g_memdup2(text, n + 1);
    g_autoptr(GError) error = NULL;
    struct conf *conf = conf_parse("f", copy, n, &error);
    assert_true(!conf == !!error);
    good += conf != NULL;
    conf_free(conf);
  }
  assert_true(good > 5);
}

static void test_values(void **state)
{
  (void)state;
  const char *text = "state = /srv/t\n"
                     "milter { max_size = 20M  originating = {a, \"b c\"} }\n"
                     "policyd { fold_interval = \"50 s\" }\n";
  struct conf *conf = conf_parse("f", text, strlen(text), NULL);
  assert_non_null(conf);
  assert_string_equal(conf->state, "/srv/t");
  assert_string_equal(conf->milter_journal, "/srv/t/journal/milter");
  assert_string_equal(conf->milter_socket, "unix:" TIDINGS_RUNDIR "/milter.sock");
  assert_int_equal(conf->milter_max_size, 20 * 1024 * 1024);
  assert_int_equal(conf->milter_socket_mode, 0660);
  assert_int_equal(conf->policyd_fold_interval, 50 * INT64_C(1000000));
  assert_string_equal(conf->milter_originating[1], "b c");
  assert_null(conf->milter_originating[2]);
  assert_null(conf->milter_trusted[0]);
  assert_null(conf->hostname);
  assert_int_equal(conf_line(conf, "milter.max_size"), 2);
  assert_int_equal(conf_line(conf, "state"), 1);
  assert_int_equal(conf_line(conf, "run"), 0);
  assert_int_equal(conf_line(conf, "milter.no"), -1);
  conf_free(conf);
}

/* What the dump prints is a configuration with the same effect. */
static void test_dump(void **state)
{
  (void)state;
  const char *text = "hostname = 'a\\'b\"c'\nmilter { max_time = \"1500 ms\" trusted = {x, \"y z\"} }\n";
  struct conf *conf = conf_parse("f", text, strlen(text), NULL);
  g_autoptr(GString) first = g_string_new(NULL), second = g_string_new(NULL);
  conf_dump(conf, first);
  assert_non_null(strstr(first->str, "# f:2\n"));
  assert_non_null(strstr(first->str, "# default\n"));
  g_autoptr(GError) error = NULL;
  struct conf *again = conf_parse("g", first->str, first->len, &error);
  if (!again) fail_msg("%s\n%s", error->message, first->str);
  conf_dump(again, second);
  /* The same but for where each comes from. */
  g_auto(GStrv) a = g_strsplit(first->str, "\n", -1), b = g_strsplit(second->str, "\n", -1);
  assert_int_equal(g_strv_length(a), g_strv_length(b));
  for (size_t i = 0; a[i]; i++) {
    g_strchomp(strstr(a[i], " # ") ? (*strstr(a[i], " # ") = '\0', a[i]) : a[i]);
    g_strchomp(strstr(b[i], " # ") ? (*strstr(b[i], " # ") = '\0', b[i]) : b[i]);
    assert_string_equal(a[i], b[i]);
  }
  conf_free(conf);
  conf_free(again);
}

static const struct {
  const char *text;
  int64_t value;
  const char *back;
} durations[] = {{"1us", 1, "1 us"},          {"200 ms", 200000, "200 ms"},
                 {"2s", 2000000, "2 s"},      {"90 s", 90000000, "90 s"},
                 {"60 s", 60000000, "1 min"}, {"1 d", INT64_C(86400000000), "1 d"}};

static void test_durations(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(durations); i++) {
    int64_t value = -1;
    print_message("%s\n", durations[i].text);
    assert_true(value_duration(durations[i].text, &value));
    assert_int_equal(value, durations[i].value);
    g_autofree char *back = value_duration_text(value);
    assert_string_equal(back, durations[i].back);
  }
}

static void test_missing_file(void **state)
{
  (void)state;
  g_autoptr(GError) error = NULL;
  assert_null(conf_load("/nonexistent/tidings.conf", &error));
  assert_int_equal(error->code, TIDINGS_ERROR_SYS);
  assert_non_null(strstr(error->message, "/nonexistent/tidings.conf"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_files), cmocka_unit_test(test_truncated), cmocka_unit_test(test_values),
      cmocka_unit_test(test_dump),  cmocka_unit_test(test_durations), cmocka_unit_test(test_missing_file),
  };
  return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
