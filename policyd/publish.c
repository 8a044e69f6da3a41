/* State → directory: a snapshot when tenants or lists change, and when the delta
 * has outgrown a part of the snapshot, so that its cost stays a constant part of
 * the cost of what was changed.
 *
 * What a transaction changes is gathered, and brought out by publish_flush()
 * after its commit. At the start a snapshot is made in any case: whatever a
 * crash left undone is mended by it. */

#include "policyd/publish.h"

#include <string.h>

#include "directory/directory.h"

enum { DELTA_MIN = 4096 };

struct change {
  int64_t tenant, list;
  uint8_t key[16];
  bool suppressed;
};

struct publish {
  struct policyd *policyd;
  bool snapshot;       /* one is due */
  GArray *changes;     /* of struct change, not yet in the delta */
  size_t suppressions; /* in the last snapshot */
};

struct publish *publish_new(struct policyd *policyd)
{
  struct publish *publish = g_new0(struct publish, 1);
  publish->policyd = policyd;
  publish->snapshot = true;
  publish->changes = g_array_new(FALSE, FALSE, sizeof(struct change));
  return publish;
}

void publish_free(struct publish *publish)
{
  if (!publish) return;
  g_array_unref(publish->changes);
  g_free(publish);
}

void publish_changed(struct publish *publish)
{
  publish->snapshot = true;
}

void publish_suppression(struct publish *publish, int64_t tenant, int64_t list, const uint8_t key[16],
                         bool suppressed)
{
  struct change change = {.tenant = tenant, .list = list, .suppressed = suppressed};
  memcpy(change.key, key, sizeof change.key);
  g_array_append_val(publish->changes, change);
}

void publish_forget(struct publish *publish)
{
  g_array_set_size(publish->changes, 0);
}

static bool write_user(void *data, int64_t tenant, const char *user, GError **error)
{
  return directory_writer_user(data, tenant, user, error);
}

static bool write_domain(void *data, int64_t tenant, const char *domain, GError **error)
{
  return directory_writer_domain(data, tenant, domain, error);
}

struct counted {
  struct directory_writer *writer;
  size_t n;
};

static bool write_suppression(void *data, int64_t tenant, int64_t list, const uint8_t key[16], GError **error)
{
  struct counted *counted = data;
  counted->n++;
  return directory_writer_suppression(counted->writer, tenant, list, key, error);
}

static bool write_tenants(struct store *store, struct directory_writer *writer, GError **error)
{
  g_autoptr(GArray) tenants = store_tenants(store, error);
  if (!tenants) return false;
  for (guint i = 0; i < tenants->len; i++) {
    const struct store_tenant *t = &g_array_index(tenants, struct store_tenant, i);
    struct directory_tenant row = {.id = t->id,
                                   .name = t->name,
                                   .title = t->title,
                                   .track = (enum track_mode)t->track,
                                   .url = t->url,
                                   .split = t->split,
                                   .text_links = t->text_links};
    if (!directory_writer_tenant(writer, &row, error)) return false;
  }
  return true;
}

static bool write_lists(struct store *store, struct directory_writer *writer, GError **error)
{
  g_autoptr(GArray) lists = store_lists(store, 0, error);
  if (!lists) return false;
  for (guint i = 0; i < lists->len; i++) {
    const struct store_list *l = &g_array_index(lists, struct store_list, i);
    struct directory_list row = {.id = l->id,
                                 .tenant = l->tenant,
                                 .name = l->name,
                                 .title = l->title,
                                 .sender = l->sender,
                                 .unsubscribe = l->unsubscribe,
                                 .limited = l->limited,
                                 .track = (enum track_mode)l->track,
                                 .utm = l->utm};
    if (!directory_writer_list(writer, &row, error)) return false;
  }
  return true;
}

static bool write_stops(struct store *store, struct directory_writer *writer, GError **error)
{
  g_autoptr(GArray) stops = store_stops(store, 0, error);
  for (guint i = 0; stops && i < stops->len; i++) {
    const struct store_stop *s = &g_array_index(stops, struct store_stop, i);
    struct directory_stop row = {.tenant = s->tenant, .mail = s->mail, .url = s->url, .prefix = s->prefix};
    if (!directory_writer_stop(writer, &row, error)) return false;
  }
  return stops != NULL;
}

static bool make_snapshot(struct publish *publish, GError **error)
{
  struct policyd *policyd = publish->policyd;
  struct counted counted = {.writer = directory_writer_new(policyd->conf->policyd_directory, error)};
  if (!counted.writer) return false;
  bool done = write_tenants(policyd->store, counted.writer, error) &&
              store_each_user(policyd->store, write_user, counted.writer, error) &&
              store_each_domain(policyd->store, write_domain, counted.writer, error) &&
              write_lists(policyd->store, counted.writer, error) &&
              write_stops(policyd->store, counted.writer, error) &&
              store_each_suppression(policyd->store, write_suppression, &counted, error) &&
              directory_writer_publish(counted.writer, error);
  directory_writer_free(counted.writer);
  if (!done) return false;
  publish->suppressions = counted.n;
  publish->snapshot = false;
  g_array_set_size(publish->changes, 0); /* they are in it */
  return true;
}

bool publish_flush(struct publish *publish, GError **error)
{
  if (publish->snapshot) return make_snapshot(publish, error);
  for (guint i = 0; i < publish->changes->len; i++) {
    const struct change *c = &g_array_index(publish->changes, struct change, i);
    size_t size = 0;
    if (!directory_delta(publish->policyd->conf->policyd_directory, c->tenant, c->list, c->key, c->suppressed,
                         &size, error)) {
      publish->snapshot = true; /* the next call brings out all of it */
      return false;
    }
    if (size > DELTA_MIN + publish->suppressions / 8) return make_snapshot(publish, error);
  }
  g_array_set_size(publish->changes, 0);
  return true;
}
