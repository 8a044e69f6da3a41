/* Folding the journals of an MTA's filter: what is tried again counts once. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include <glib/gstdio.h>

#include "base/id.h"
#include "journal/journal.h"
#include "policyd/fold.h"
#include "policyd/publish.h"
#include "policyd/timers.h"
#include "policyd/workflows.h"

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

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_repeated, set_up, tear_down),
  };
  return cmocka_run_group_tests_name("fold", tests, NULL, NULL);
}
