/* The journal's price: events one by one, and 1,000 a transaction. */

#include <stdio.h>
#include <time.h>

#include "journal/journal.h"
#include "tests/unit/db/scratch.h"

static double cpu(void)
{
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(struct journal *journal, const char *name, size_t batch, size_t events)
{
  g_autofree struct event *many = g_new0(struct event, batch);
  for (size_t i = 0; i < batch; i++)
    many[i] =
        (struct event){.id = (int64_t)(i + 1) << 22,
                       .at = INT64_C(1795348800000000),
                       .kind = EVENT_OPEN,
                       .tenant = 1,
                       .mail = (int64_t)(i + 7) << 22,
                       .data = (char *)"{\"method\":\"GET\",\"ua\":\"Mozilla/5.0 (X11; Linux x86_64)\"}"};
  gint64 wall = g_get_monotonic_time();
  double used = cpu();
  for (size_t done = 0; done < events; done += batch) {
    g_autoptr(GError) error = NULL;
    if (journal_write(journal, many, batch, &error)) continue;
    fprintf(stderr, "%s\n", error->message);
    exit(1);
  }
  double seconds = (double)(g_get_monotonic_time() - wall) / 1e6;
  used = cpu() - used;
  printf("journal %-22s %9.0f events/s, %6.2f us CPU an event\n", name, (double)events / seconds,
         used * 1e6 / (double)events);
}

int main(void)
{
  char *dir = scratch_new();
  struct journal *journal = journal_open(dir, 1, ID_TRACKER, NULL);
  if (!journal) return 1;
  run(journal, "one by one:", 1, 5000);
  run(journal, "32 a transaction:", 32, 100000);
  run(journal, "1,000 a transaction:", 1000, 1000000);
  journal_close(journal);
  scratch_free(dir);
  return 0;
}
