/* Folding the journals of an MTA's filter: what is tried again counts once. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include <glib/gstdio.h>

#include "base/id.h"
#include "journal/journal.h"
#include "policyd/copies.h"
#include "policyd/fold.h"
#include "policyd/publish.h"
#include "policyd/timers.h"
#include "policyd/workflows.h"
#include "spool/spool.h"

static const int64_t noon = INT64_C(1795348800000000); /* 2026-11-22T12:00:00Z */

struct scene {
  char *folder;
  struct policyd policyd;
};

static int set_up(void **state)
{
  struct scene *s = g_new0(struct scene, 1);
  s->folder = g_dir_make_tmp("tidings-fold-XXXXXX", NULL);
  g_autofree char *text = g_strdup_printf("state = \"%s\"\nrun = \"%s\"\n", s->folder, s->folder);
  g_autofree char *path = g_build_filename(s->folder, "tidings.db", NULL);
  g_autofree char *clock = g_build_filename(s->folder, "clock", NULL);
  g_autofree char *journal = g_build_filename(s->folder, "journal", NULL);
  int64_t words[2] = {noon, 0};
  assert_int_equal(g_mkdir(journal, 0700), 0);
  assert_true(g_file_set_contents(clock, (const char *)words, sizeof words, NULL));
  struct policyd *p = &s->policyd;
  assert_non_null(p->conf = conf_parse("test", text, strlen(text), NULL));
  assert_non_null(p->clock = clock_open(clock, NULL));
  assert_non_null(p->log = log_open("/dev/null", "fold", p->clock, NULL));
  assert_non_null(p->store = store_open(path, 1, NULL));
  assert_non_null(p->zones = zoneinfo_open(NULL, NULL));
  p->workflows = workflows_new(p);
  p->publish = publish_new(p);
  p->timers = timers_new(p->store);
  struct store_tenant tenant = {
      .name = (char *)"shop", .title = (char *)"", .url = (char *)"", .zone = (char *)""};
  assert_true(store_begin(p->store, NULL) && store_tenant_add(p->store, &tenant, noon, NULL) &&
              store_commit(p->store, NULL));
  assert_non_null(p->fold = fold_new(p, NULL));
  *state = s;
  return 0;
}

static int tear_down(void **state)
{
  struct scene *s = *state;
  fold_free(s->policyd.fold);
  timers_free(s->policyd.timers);
  publish_free(s->policyd.publish);
  workflows_free(s->policyd.workflows);
  zoneinfo_close(s->policyd.zones);
  store_close(s->policyd.store);
  log_close(s->policyd.log);
  clock_close((struct clock *)(uintptr_t)s->policyd.clock);
  conf_free((struct conf *)(uintptr_t)s->policyd.conf);
  const char *argv[] = {"rm", "-rf", s->folder, NULL};
  assert_true(g_spawn_sync(NULL, (char **)(uintptr_t)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                           NULL, NULL));
  g_free(s->folder);
  g_free(s);
  return 0;
}

static bool mail_known(struct policyd *p, int64_t id)
{
  struct store_mail mail = {0};
  bool known = store_mail_hits(p->store, 1, id, &mail, NULL);
  store_mail_clear(&mail);
  return known;
}

static bool take_mails(void *data, const char *scope, const char *metric, int64_t n, GError **error)
{
  (void)error;
  if (strcmp(scope, "tenant") == 0 && strcmp(metric, "mails") == 0) *(int64_t *)data = n;
  return true;
}

/* Each row is one event of the filter; MAILS is how many there are after it. */
static void test_repeated(void **state)
{
  struct scene *s = *state;
  struct policyd *p = &s->policyd;
  const int64_t first = id_derive(0, noon, 1), second = id_derive(0, noon, 2);
  const struct {
    const char *name;
    int64_t mail; /* 0: the event's own id */
    int mails;
  } rows[] = {
      {"the first try", first, 1},
      {"the second try", first, 1},
      {"to another recipient", second, 2},
      {"the first again", first, 2},
      {"one that has no id of the MTA", 0, 3},
      {"the other again", second, 3},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("%s\n", rows[i].name);
    struct journal *journal = journal_open(p->conf->filter_journal, 0, ID_FILTER, NULL);
    assert_non_null(journal);
    struct event event = {.id = journal_next_id(journal, noon + (int64_t)i),
                          .at = noon + (int64_t)i,
                          .kind = EVENT_MAIL,
                          .tenant = 1};
    event.mail = rows[i].mail ? rows[i].mail : event.id;
    event.data =
        (char *)"{\"from\":\"a@shop.test\",\"to\":[\"b@example.org\"],\"action\":\"tracked\",\"links\":[]}";
    assert_true(journal_append(journal, &event, NULL));
    journal_close(journal);
    bool more;
    g_autoptr(GError) error = NULL;
    assert_true(fold_round(p->fold, &more, &error));
    assert_true(mail_known(p, event.mail));
    int64_t mails = 0;
    assert_true(store_report(p->store, 1, 0, noon + CLOCK_DAY, take_mails, &mails, NULL));
    assert_int_equal(mails, rows[i].mails);
    g_autoptr(GArray) events = store_events(p->store, 1, 0, 0, 100, NULL);
    assert_int_equal(events->len, rows[i].mails);
  }
}

/* ---- copies of split mails */

static void fold_event_of(struct policyd *p, enum event_kind kind, int64_t mail, const char *data)
{
  struct journal *journal = journal_open(p->conf->milter_journal, 0, ID_MILTER, NULL);
  assert_non_null(journal);
  struct event event = {.id = journal_next_id(journal, noon),
                        .at = noon,
                        .kind = kind,
                        .tenant = 1,
                        .mail = mail,
                        .data = (char *)(uintptr_t)data};
  assert_true(journal_append(journal, &event, NULL));
  journal_close(journal);
  bool more;
  assert_true(fold_round(p->fold, &more, NULL));
}

static void spool_one(struct policyd *p, int64_t mail, const char *sender)
{
  static const char message[] = "Subject: Hi\r\nFrom: a@shop.test\r\n\r\nbody\r\n";
  const struct spool_copy copy = {.tenant = 1,
                                  .mail = mail,
                                  .sender = sender,
                                  .recipient = "b@example.org",
                                  .message = message,
                                  .length = strlen(message)};
  assert_true(spool_make(p->conf->milter_spool, NULL) && spool_write(p->conf->milter_spool, &copy, NULL));
}

static struct store_send planned(struct policyd *p, guint n)
{
  g_autoptr(GArray) sends = store_sends(p->store, SEND_PLANNED, noon + 1, 10, NULL);
  assert_int_equal(sends->len, n);
  struct store_send send = {0};
  if (n == 0) return send;
  send = g_array_index(sends, struct store_send, n - 1);
  g_array_index(sends, struct store_send, n - 1) = (struct store_send){0};
  return send;
}

/* Planned once; each time it is offered its last queue id is known, and it is one mail. */
static void test_copy(void **state)
{
  struct scene *s = *state;
  struct policyd *p = &s->policyd;
  const int64_t mail = id_floor(noon) + 5;
  static const char passed[] = "{\"from\":\"a@shop.test\",\"to\":[\"b@example.org\"],\"action\":\"tracked\","
                               "\"links\":[],\"copy\":true,\"qid\":\"%s\"}";
  fold_event_of(p, EVENT_SPOOLED, mail, "{\"from\":\"a@shop.test\",\"to\":\"b@example.org\"}");
  struct store_send send = planned(p, 1);
  assert_true(copies_is(&send));
  assert_int_equal(send.journey, mail);
  assert_int_equal(send.offered, 0);
  store_send_clear(&send);
  static const char *const queue_ids[] = {"4ONE", "4TWO"};
  for (size_t i = 0; i < G_N_ELEMENTS(queue_ids); i++) {
    g_auto(GStrv) halves = g_strsplit(passed, "%s", 2);
    g_autofree char *data = g_strconcat(halves[0], queue_ids[i], halves[1], NULL);
    fold_event_of(p, EVENT_MAIL, mail, data);
    send = planned(p, 1);
    assert_int_equal(send.offered, mail);
    assert_string_equal(send.queue_id, queue_ids[i]);
    store_send_clear(&send);
  }
  int64_t mails = 0;
  assert_true(store_report(p->store, 1, 0, noon + CLOCK_DAY, take_mails, &mails, NULL));
  assert_int_equal(mails, 1);
}

/* The report of a refused copy goes to its sender from nobody; one from nobody has none. */
static void test_copy_refused(void **state)
{
  struct scene *s = *state;
  struct policyd *p = &s->policyd;
  p->hostname = "mx.test";
  const struct store_send send = {.tenant = 1, .journey = id_floor(noon), .step = (char *)""},
                          silent = {.tenant = 1, .journey = id_floor(noon) + 1, .step = (char *)""},
                          gone = {.tenant = 1, .journey = id_floor(noon) + 2, .step = (char *)""};
  spool_one(p, send.journey, "a@shop.test");
  spool_one(p, silent.journey, "");
  assert_true(store_begin(p->store, NULL) && copies_report(p, &silent, "550 5.1.1 no", NULL) &&
              copies_report(p, &gone, "550 5.1.1 no", NULL) && store_commit(p->store, NULL));
  planned(p, 0);
  assert_true(store_begin(p->store, NULL) && copies_report(p, &send, "550 5.1.1 no\rsuch", NULL) &&
              store_commit(p->store, NULL));
  struct store_send report = planned(p, 1);
  struct spool_file file;
  assert_true(spool_read(p->conf->milter_spool, 1, report.journey, &file, NULL));
  store_send_clear(&report);
  assert_string_equal(file.copy.sender, "");
  assert_string_equal(file.copy.recipient, "a@shop.test");
  assert_non_null(
      strstr(file.copy.message, "\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no?such\r\n"));
  assert_non_null(strstr(file.copy.message, "Final-Recipient: rfc822; b@example.org\r\n"));
  assert_null(strstr(file.copy.message, "body\r\n"));
  spool_file_clear(&file);
}

/* A file without a send: young, old, and old where a journal was damaged. */
static void test_sweep(void **state)
{
  struct scene *s = *state;
  struct policyd *p = &s->policyd;
  const int64_t young = id_floor(noon - CLOCK_MINUTE), old = id_floor(noon - 2 * CLOCK_HOUR);
  struct spool_file file;
  spool_one(p, young, "a@shop.test");
  spool_one(p, old, "a@shop.test");
  assert_true(copies_sweep(p, NULL));
  planned(p, 0);
  assert_true(spool_read(p->conf->milter_spool, 1, young, &file, NULL));
  spool_file_clear(&file);
  assert_false(spool_read(p->conf->milter_spool, 1, old, &file, NULL));
  g_autofree char *damaged = g_build_filename(p->conf->milter_journal, "000000000001.db.corrupt", NULL);
  g_mkdir_with_parents(p->conf->milter_journal, 0700);
  assert_true(g_file_set_contents(damaged, "x", 1, NULL));
  spool_one(p, old, "a@shop.test");
  p->sweep_at = 0;
  assert_true(copies_sweep(p, NULL));
  struct store_send send = planned(p, 1);
  assert_int_equal(send.journey, old);
  store_send_clear(&send);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_repeated, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_copy, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_copy_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sweep, set_up, tear_down),
  };
  return cmocka_run_group_tests_name("fold", tests, NULL, NULL);
}
