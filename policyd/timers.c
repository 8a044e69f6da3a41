/* The due-queue: buckets in the store, the present ones in a binary heap.
 *
 * Loaded are the buckets up to `loaded`. A plan for a loaded bucket goes into
 * the heap as well as the store. If more than HEAP_MAX plans stand in the loaded
 * buckets, the rest is loaded when the heap has run empty (`partial`). */

#include "policyd/timers.h"

enum { HEAP_MAX = 1000000 };

struct timers {
  struct store *store;
  GArray *heap; /* of struct store_due, the earliest first */
  int64_t loaded;
  bool partial;
};

struct timers *timers_new(struct store *store)
{
  struct timers *timers = g_new0(struct timers, 1);
  timers->store = store;
  timers->heap = g_array_new(FALSE, FALSE, sizeof(struct store_due));
  timers->loaded = INT64_MIN;
  return timers;
}

void timers_free(struct timers *timers)
{
  if (!timers) return;
  g_array_unref(timers->heap);
  g_free(timers);
}

static struct store_due *at(struct timers *timers, guint i)
{
  return &g_array_index(timers->heap, struct store_due, i);
}

static void swap(struct timers *timers, guint i, guint j)
{
  struct store_due due = *at(timers, i);
  *at(timers, i) = *at(timers, j);
  *at(timers, j) = due;
}

static void push(struct timers *timers, const struct store_due *due)
{
  g_array_append_val(timers->heap, *due);
  for (guint i = timers->heap->len - 1; i > 0 && at(timers, i)->at < at(timers, (i - 1) / 2)->at;
       i = (i - 1) / 2)
    swap(timers, i, (i - 1) / 2);
}

static void sink(struct timers *timers, guint i)
{
  guint n = timers->heap->len;
  for (;;) {
    guint least = i, left = 2 * i + 1, right = left + 1;
    if (left < n && at(timers, left)->at < at(timers, least)->at) least = left;
    if (right < n && at(timers, right)->at < at(timers, least)->at) least = right;
    if (least == i) return;
    swap(timers, i, least);
    i = least;
  }
}

static struct store_due take_first(struct timers *timers)
{
  struct store_due first = *at(timers, 0);
  swap(timers, 0, timers->heap->len - 1);
  g_array_set_size(timers->heap, timers->heap->len - 1);
  sink(timers, 0);
  return first;
}

/* Brings the heap up to BUCKET. */
static bool load(struct timers *timers, int64_t bucket, GError **error)
{
  bool again = timers->partial && timers->heap->len == 0;
  if (bucket <= timers->loaded && !again) return true;
  guint old = timers->heap->len;
  int64_t after = again ? INT64_MIN : timers->loaded;
  if (!store_due_load(timers->store, after, bucket, HEAP_MAX, timers->heap, error)) {
    g_array_set_size(timers->heap, old);
    return false;
  }
  timers->partial = timers->heap->len - old == HEAP_MAX || (timers->partial && !again);
  timers->loaded = MAX(bucket, timers->loaded);
  for (guint i = timers->heap->len / 2; i-- > 0;)
    sink(timers, i);
  return true;
}

bool timers_add(struct timers *timers, const struct store_due *due, GError **error)
{
  if (!store_due_add(timers->store, due, error)) return false;
  if (due->at / STORE_BUCKET <= timers->loaded) push(timers, due);
  return true;
}

bool timers_remove(struct timers *timers, const struct store_due *due, GError **error)
{
  return store_due_remove(timers->store, due, error);
}

bool timers_pop(struct timers *timers, int64_t now, struct store_due *due, bool *found, GError **error)
{
  *found = false;
  if (!load(timers, now / STORE_BUCKET, error)) return false;
  if (timers->heap->len == 0 || at(timers, 0)->at > now) return true;
  *due = take_first(timers);
  *found = true;
  return true;
}

void timers_reload(struct timers *timers)
{
  g_array_set_size(timers->heap, 0);
  timers->loaded = INT64_MIN;
  timers->partial = false;
}

int64_t timers_next(struct timers *timers, GError **error)
{
  if (timers->heap->len > 0) return at(timers, 0)->at;
  if (timers->partial) return 0;
  int64_t bucket;
  if (!store_due_next_bucket(timers->store, timers->loaded, &bucket, error)) return INT64_MAX;
  return bucket == INT64_MAX ? INT64_MAX : bucket * STORE_BUCKET;
}
