/* A milter that lets the MTA accept before the disk has the mail: the mistake
 * that test_order.py must be able to see. Linked with --wrap=journal_append into
 * tests/e2e/milter-ack-early, which is never installed. */

#include <unistd.h>

#include "journal/journal.h"

bool __real_journal_append(struct journal *journal, const struct event *event, GError **error);
bool __wrap_journal_append(struct journal *journal, const struct event *event, GError **error);

struct later {
  struct journal *journal;
  struct event event;
};

static gpointer write_later(gpointer data)
{
  struct later *later = data;
  usleep(50000);
  __real_journal_append(later->journal, &later->event, NULL);
  event_clear(&later->event);
  g_free(later);
  return NULL;
}

bool __wrap_journal_append(struct journal *journal, const struct event *event, GError **error)
{
  (void)error;
  struct later *later = g_new0(struct later, 1);
  later->journal = journal;
  later->event = *event;
  later->event.data = g_strdup(event->data);
  g_thread_unref(g_thread_new("later", write_later, later));
  return true;
}
