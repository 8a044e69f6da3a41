/* From hits to events: hits_add() while the requests of a round come in,
 * hits_settle() after it.
 *
 * The `data` of the events of a batch stand one after the other in one text, so
 * that a hit allocates nothing; while that text grows, an event has its offset
 * in place of the pointer. Ids are given when the batch is written. */

#include "tracker/hits.h"

#include "base/error.h"
#include "journal/journal.h"
#include "tracker/facts.h"

/* How often lost hits are logged, and how long after one we call ourselves sick. */
static const int64_t log_interval = 10 * CLOCK_SECOND, sick_time = 10 * CLOCK_SECOND;

struct batch {
  unsigned users;
  enum batch_state state;
};

struct hits {
  const struct conf *conf;
  const struct clock *clock;
  struct log *log;
  struct metrics *metrics;
  struct journal *journal; /* NULL: could not be opened */
  struct batch *batch;     /* the open one; NULL: no hit yet */
  GArray *events;
  GString *data;
  int64_t now; /* of the open batch */
  size_t unsubscribes;
  char *trouble; /* why the last batch was lost; NULL: it was not */
  int64_t since; /* of the trouble */
  struct log_limit limit;
};

/* --- batches --- */

enum batch_state batch_state(const struct batch *batch)
{
  return batch->state;
}

void batch_unref(struct batch *batch)
{
  if (batch && --batch->users == 0) g_free(batch);
}

static struct batch *join(struct hits *hits)
{
  if (!hits->batch) {
    hits->batch = g_new0(struct batch, 1);
    hits->batch->users = 1;
    hits->now = clock_now(hits->clock);
  }
  hits->batch->users++;
  return hits->batch;
}

/* --- adding --- */

static void add_event(struct hits *hits, enum event_kind kind, const struct token *token, size_t offset)
{
  struct event event = {
      .at = hits->now,
      .kind = kind,
      .tenant = token->tenant,
      .mail = token->mail,
      .data = (char *)(uintptr_t)offset,
  };
  g_string_append_c(hits->data, '\0');
  g_array_append_val(hits->events, event);
}

struct batch *hits_add(struct hits *hits, const struct hit *hit)
{
  struct batch *batch = join(hits);
  size_t offset = hits->data->len;
  bool click = hit->token->kind == TOKEN_CLICK;
  facts_hit(hit->token, hit->method, hit->user_agent, hits->data);
  add_event(hits, click ? EVENT_CLICK : EVENT_OPEN, hit->token, offset);
  metrics_add(hits->metrics, click ? METRIC_TRACKER_CLICKS : METRIC_TRACKER_OPENS, 1);
  return batch;
}

struct batch *hits_add_unsubscribe(struct hits *hits, const struct token *token, bool one_click)
{
  struct batch *batch = join(hits);
  size_t offset = hits->data->len;
  facts_unsubscribe(token, one_click, hits->data);
  add_event(hits, EVENT_UNSUBSCRIBED, token, offset);
  hits->unsubscribes++;
  metrics_add(hits->metrics, METRIC_TRACKER_UNSUBSCRIBES, 1);
  return batch;
}

/* --- writing --- */

static bool open_journal(struct hits *hits, GError **error)
{
  hits->journal = journal_open(hits->conf->tracker_journal, (uint8_t)hits->conf->node, ID_TRACKER, error);
  return hits->journal != NULL;
}

static bool write_events(struct hits *hits, GError **error)
{
  struct event *events = (struct event *)(void *)hits->events->data;
  if (!hits->journal && !open_journal(hits, error)) return false;
  for (guint i = 0; i < hits->events->len; i++) {
    events[i].id = journal_next_id(hits->journal, hits->now);
    events[i].data = hits->data->str + (uintptr_t)events[i].data;
  }
  return journal_write(hits->journal, events, hits->events->len, error);
}

static void note_success(struct hits *hits)
{
  hits->batch->state = BATCH_DURABLE;
  metrics_add(hits->metrics, METRIC_TRACKER_COMMITS, 1);
  if (!hits->trouble) return;
  log_event(hits->log, LOG_EVENT_JOURNAL_MENDED, NULL, "journal=%s", LOG_VALUE(hits->conf->tracker_journal));
  g_clear_pointer(&hits->trouble, g_free);
}

static void note_loss(struct hits *hits, const GError *error)
{
  uint64_t held;
  size_t n = hits->events->len;
  hits->batch->state = BATCH_LOST;
  hits->since = hits->now;
  metrics_add(hits->metrics, METRIC_TRACKER_LOST, n - hits->unsubscribes);
  metrics_add(hits->metrics, METRIC_TRACKER_UNRECORDED, hits->unsubscribes);
  g_free(hits->trouble);
  hits->trouble = g_strdup(error->message);
  if (log_due(&hits->limit, hits->now, log_interval, &held))
    log_event(hits->log, LOG_EVENT_HITS_LOST, NULL,
              "hits=%zu unsubscribes=%zu reason=%s batches-before=%" G_GUINT64_FORMAT, n - hits->unsubscribes,
              hits->unsubscribes, LOG_VALUE(error->message), held);
}

void hits_settle(struct hits *hits)
{
  g_autoptr(GError) error = NULL;
  if (!hits->batch) return;
  if (write_events(hits, &error))
    note_success(hits);
  else
    note_loss(hits, error);
  batch_unref(g_steal_pointer(&hits->batch));
  g_array_set_size(hits->events, 0);
  g_string_truncate(hits->data, 0);
  hits->unsubscribes = 0;
}

const char *hits_trouble(const struct hits *hits)
{
  if (!hits->trouble || ABS(clock_now(hits->clock) - hits->since) > sick_time) return NULL;
  return hits->trouble;
}

struct hits *hits_open(const struct conf *conf, const struct clock *clock, struct log *log,
                       struct metrics *metrics, GError **error)
{
  g_autoptr(GError) reason = NULL;
  struct hits *hits = g_new0(struct hits, 1);
  hits->conf = conf;
  hits->clock = clock;
  hits->log = log;
  hits->metrics = metrics;
  hits->events = g_array_new(FALSE, FALSE, sizeof(struct event));
  hits->data = g_string_sized_new(64 * 1024);
  if (open_journal(hits, &reason)) return hits;
  if (!g_error_matches(reason, TIDINGS_ERROR, TIDINGS_ERROR_TEMP)) {
    log_event(log, LOG_EVENT_JOURNAL_MISSING, NULL, "reason=%s", LOG_VALUE(reason->message));
    hits->trouble = g_strdup(reason->message);
    hits->since = clock_now(clock);
    return hits;
  }
  g_propagate_error(error, g_steal_pointer(&reason));
  hits_close(hits);
  return NULL;
}

void hits_close(struct hits *hits)
{
  if (!hits) return;
  hits_settle(hits);
  journal_close(hits->journal);
  g_array_unref(hits->events);
  g_string_free(hits->data, TRUE);
  g_free(hits->trouble);
  g_free(hits);
}
