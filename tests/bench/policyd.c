/* Events folded per second, and what a due step costs with few and with many
 * planned. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/id.h"
#include "directory/directory.h"
#include "journal/journal.h"
#include "policyd/fold.h"
#include "policyd/publish.h"
#include "policyd/timers.h"
#include "policyd/workflows.h"

enum { MAILS = 20000, HITS = 200000, JOURNAL_BATCH = 1000, POPS = 20000 };

static const int64_t noon = INT64_C(1795348800000000); /* 2026-11-22T12:00:00Z */

static char *folder;

static char *below(const char *name)
{
  return g_build_filename(folder, name, NULL);
}

static double seconds(void)
{
  return (double)g_get_monotonic_time() / 1e6;
}

static void must(bool done, GError *error)
{
  if (done) return;
  fprintf(stderr, "%s\n", error ? error->message : "failed");
  exit(1);
}

/* Writes N events of KIND about the mails. */
static void fill(const char *dir, enum id_producer producer, enum event_kind kind, int n,
                 const int64_t *mails, int64_t *made)
{
  GError *error = NULL;
  struct journal *journal = journal_open(dir, 1, producer, &error);
  must(journal != NULL, error);
  struct event events[JOURNAL_BATCH];
  for (int i = 0; i < n; i += JOURNAL_BATCH) {
    for (int j = 0; j < JOURNAL_BATCH; j++) {
      int64_t now = noon + (int64_t)(i + j) * 1000 + (kind == EVENT_MAIL ? 0 : CLOCK_HOUR);
      struct event *event = &events[j];
      *event = (struct event){.id = journal_next_id(journal, now), .at = now, .kind = kind, .tenant = 1};
      if (kind == EVENT_MAIL) {
        event->mail = made[i + j] = event->id;
        event->data = g_strdup_printf(
            "{\"from\":\"news@example.com\",\"to\":[\"user%d@example.net\"],\"list\":\"news\","
            "\"mid\":\"<%d@example.com>\",\"qid\":\"4X%dZ\",\"subject\":\"News of the week\","
            "\"size\":5120,\"action\":\"tracked\",\"links\":[{\"n\":1,\"url\":\"https://example.com/a\"}],"
            "\"pixel\":true,\"per\":\"recipient\"}",
            i + j, i + j, i + j);
      } else {
        event->mail = mails[(size_t)rand() % MAILS];
        event->data =
            g_strdup("{\"method\":\"GET\",\"ua\":\"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 "
                     "Firefox/145.0\",\"link\":1,\"url\":\"https://example.com/a\"}");
      }
    }
    must(journal_write(journal, events, JOURNAL_BATCH, &error), error);
    for (int j = 0; j < JOURNAL_BATCH; j++)
      event_clear(&events[j]);
  }
  journal_close(journal);
}

static void make_tenant(struct policyd *policyd)
{
  GError *error = NULL;
  struct store_tenant tenant = {.name = (char *)"bench",
                                .title = (char *)"Bench",
                                .url = (char *)"https://t.example.com",
                                .zone = (char *)"",
                                .track = 3};
  struct store_list list = {.tenant = 1, .name = (char *)"news", .title = (char *)"News"};
  must(store_begin(policyd->store, &error) && store_tenant_add(policyd->store, &tenant, noon, &error) &&
           store_list_add(policyd->store, &list, noon, &error),
       error);
  for (int i = 0; i < MAILS; i++) {
    char address[64];
    bool added;
    snprintf(address, sizeof address, "user%d@example.net", i);
    struct store_contact contact = {.tenant = 1, .address = address};
    must(store_contact_put(policyd->store, &contact, &added, noon, &error), error);
  }
  must(store_commit(policyd->store, &error), error);
}

static double cpu_seconds(void)
{
  struct timespec ts;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
  return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Events per second, and *CPU in microseconds of it. */
static double fold_until_empty(struct policyd *policyd, uint64_t expect, double *cpu)
{
  GError *error = NULL;
  double began = seconds(), cpu_began = cpu_seconds();
  uint64_t before = fold_count(policyd->fold);
  while (fold_count(policyd->fold) - before < expect) {
    bool more;
    must(fold_round(policyd->fold, &more, &error), error);
  }
  *cpu = (cpu_seconds() - cpu_began) / (double)expect * 1e6;
  return (double)expect / (seconds() - began);
}

static void bench_fold(struct policyd *policyd)
{
  GError *error = NULL;
  g_autofree int64_t *mails = g_new(int64_t, MAILS);
  make_tenant(policyd);
  policyd->workflows = workflows_new(policyd);
  policyd->publish = publish_new(policyd);
  policyd->timers = timers_new(policyd->store);
  policyd->fold = fold_new(policyd, &error);
  must(policyd->fold != NULL, error);
  fill(policyd->conf->milter_journal, ID_MILTER, EVENT_MAIL, MAILS, NULL, mails);
  double cpu, rate = fold_until_empty(policyd, MAILS, &cpu);
  printf("fold: mails   %8.0f events/s, %5.1f us CPU each\n", rate, cpu);
  fill(policyd->conf->tracker_journal, ID_TRACKER, EVENT_CLICK, HITS, mails, NULL);
  rate = fold_until_empty(policyd, HITS, &cpu);
  printf(
      "fold: clicks  %8.0f events/s, %5.1f us CPU each, on %d mails and contacts (aim 50000: ratio %.2f)\n",
      rate, cpu, MAILS, rate / 50000);
}

/* Pops and plans anew, as a journey does that goes from wait to wait. */
static double bench_due(int planned)
{
  GError *error = NULL;
  g_autofree char *name = g_strdup_printf("due-%d.db", planned), *path = below(name);
  struct store *store = store_open(path, 1, &error);
  must(store != NULL, error);
  struct timers *timers = timers_new(store);
  must(store_begin(store, &error), error);
  int64_t span = 30 * CLOCK_DAY;
  for (int i = 0; i < planned; i++) {
    struct store_due due = {
        .at = noon + (int64_t)((double)rand() / RAND_MAX * (double)span), .tenant = 1, .journey = i + 1};
    must(timers_add(timers, &due, &error), error);
  }
  must(store_commit(store, &error), error);
  /* Batches of the same size, so that the commit weighs the same. */
  int64_t now = noon, window = span / planned * 500;
  int popped = 0;
  double spent = 0;
  while (popped < POPS) {
    int64_t next = timers_next(timers, &error);
    now = MAX(now, next);
    double began = seconds();
    must(store_begin(store, &error), error);
    bool found = true;
    for (int n = 0; found && n < 500; n++) {
      struct store_due due;
      must(timers_pop(timers, now + window, &due, &found, &error), error);
      if (!found) break;
      must(timers_remove(timers, &due, &error), error);
      due.at += span;
      must(timers_add(timers, &due, &error), error);
      popped++;
    }
    must(store_commit(store, &error), error);
    spent += seconds() - began;
  }
  timers_free(timers);
  store_close(store);
  return spent / popped * 1e6;
}

int main(void)
{
  GError *error = NULL;
  folder = g_dir_make_tmp("tidings-bench-XXXXXX", NULL);
  g_autofree char *text = g_strdup_printf("state = \"%s\"\nrun = \"%s\"\n", folder, folder);
  g_autofree char *state = below("tidings.db"), *clock_file = below("clock");
  g_autofree char *journal = below("journal");
  g_mkdir_with_parents(journal, 0700);
  int64_t words[2] = {noon + CLOCK_DAY, 0};
  must(g_file_set_contents(clock_file, (const char *)words, sizeof words, &error), error);
  struct policyd policyd = {0};
  must((policyd.conf = conf_parse("bench", text, strlen(text), &error)) != NULL, error);
  must((policyd.clock = clock_open(clock_file, &error)) != NULL, error);
  must((policyd.store = store_open(state, 1, &error)) != NULL, error);
  must((policyd.zones = zoneinfo_open(NULL, &error)) != NULL, error);
  bench_fold(&policyd);
  double few = bench_due(10000), many = bench_due(1000000);
  printf("due:  10^4 planned %6.2f us a pop, 10^6 planned %6.2f us: ratio %.2f (aim <= 2)\n", few, many,
         many / few);
  g_autofree char *clean = g_strdup_printf("rm -rf '%s'", folder);
  return g_spawn_command_line_sync(clean, NULL, NULL, NULL, NULL) ? 0 : 1;
}
