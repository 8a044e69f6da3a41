/* Appends eight events to the journal DIR and prints which were acknowledged, then
 * what a reader finds: for journal-io.py, which makes system calls fail. */

#include <stdio.h>

#include "journal/journal.h"

static void append(struct journal *journal)
{
  for (int i = 1; i <= 8; i++) {
    g_autoptr(GError) error = NULL;
    struct event event = {.id = i, .kind = EVENT_OPEN};
    bool good = journal_append(journal, &event, &error);
    printf("append %d: %s\n", i, good ? "ok" : error->message);
  }
}

static void print_all(const char *dir)
{
  struct journal_reader *reader = journal_reader_open(dir, NULL);
  struct journal_position position = {0};
  g_autoptr(GArray) events = g_array_new(FALSE, FALSE, sizeof(struct event));
  for (int i = 0; i < 8; i++) {
    g_autoptr(GError) error = NULL;
    if (!journal_read(reader, &position, 100, events, &error)) printf("read error: %s\n", error->message);
  }
  journal_reader_close(reader);
  printf("read:");
  for (guint i = 0; i < events->len; i++)
    printf(" %d", (int)g_array_index(events, struct event, i).id);
  printf("\n");
}

int main(int argc, char **argv)
{
  if (argc != 2) return 2;
  g_autoptr(GError) error = NULL;
  struct journal *journal = journal_open(argv[1], 1, ID_TRACKER, &error);
  if (!journal) {
    printf("open: %s\n", error->message);
    return 0;
  }
  append(journal);
  journal_close(journal);
  print_all(argv[1]);
  return 0;
}
