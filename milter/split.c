/* Splitting a mail: split_hindrance(), then split_make().
 *
 * The order is the promise: each copy's file is on disk, then the folder that has
 * its name, then the journal that tells policyd, and only then may the MTA be
 * answered. Whatever fails before the journal takes the files away again; what a
 * crash leaves of them belongs to nothing, since the sender was never told that
 * the mail was taken, and policyd sweeps it. */

#include "milter/split.h"

#include <string.h>

#include <jansson.h>

#include "base/error.h"
#include "spool/spool.h"

enum { MAX_COPIES = 1000 };
static const size_t max_bytes = 256u << 20;

static bool is_ascii(const char *text)
{
  for (; *text; text++)
    if (*text <= ' ' || *text >= 0x7f) return false;
  return true;
}

/* SMTP can carry it byte for byte: no NUL, and CR and LF in pairs alone. */
static bool has_plain_lines(const char *bytes, size_t length)
{
  const char *end = bytes + length;
  if (memchr(bytes, '\0', length)) return false;
  for (const char *at = bytes; at < end;) {
    const char *lf = memchr(at, '\n', (size_t)(end - at));
    const char *cr = memchr(at, '\r', (size_t)((lf ? lf : end) - at));
    if (!lf) return !cr;
    if (!cr || cr + 1 != lf) return false;
    at = lf + 1;
  }
  return true;
}

/* Who gets a copy, each once: the MTA, too, delivers to an address once. Borrowed. */
static GPtrArray *addresses(const struct split *split)
{
  const GPtrArray *all = split->mail->recipients;
  GPtrArray *found = g_ptr_array_new();
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  guint removed = 0;
  for (guint i = 0; i < all->len; i++) {
    if (removed < split->remove->len && g_array_index(split->remove, size_t, removed) == i)
      removed++;
    else if (g_hash_table_add(seen, g_ascii_strdown(all->pdata[i], -1)))
      g_ptr_array_add(found, all->pdata[i]);
  }
  return found;
}

const char *split_hindrance(const struct split *split)
{
  const struct engine_mail *mail = split->mail;
  if (mail->parameters) return "envelope";
  if (!split->journal) return "journal";
  if (mail->recipients->len > MAX_COPIES) return "too-many";
  if (mail->length != mail->total || mail->length > max_bytes / mail->recipients->len) return "too-large";
  for (guint i = 0; i < mail->recipients->len; i++)
    if (!is_ascii(mail->recipients->pdata[i])) return "addresses";
  if (!is_ascii(mail->sender)) return "addresses";
  return has_plain_lines(mail->message, mail->length) ? NULL : "line-ends";
}

static struct event event_of(const struct split *split, int64_t mail, const char *recipient, guint copies)
{
  json_t *data = json_pack("{s:s, s:s, s:s*, s:i}", "from", split->mail->sender, "to", recipient, "qid",
                           split->mail->queue_id, "copies", (int)copies);
  struct event event = {.id = journal_next_id(split->journal, split->now),
                        .at = split->now,
                        .kind = EVENT_SPOOLED,
                        .tenant = split->tenant,
                        .mail = mail,
                        .data = json_dumps(data, JSON_COMPACT)};
  json_decref(data);
  return event;
}

static bool write_copy(const struct split *split, int64_t mail, const char *recipient, GError **error)
{
  const struct spool_copy copy = {.tenant = split->tenant,
                                  .mail = mail,
                                  .sender = split->mail->sender,
                                  .recipient = recipient,
                                  .origin = split->mail->queue_id,
                                  .message = split->mail->message,
                                  .length = split->mail->length};
  return spool_write(split->engine->conf->milter_spool, &copy, error);
}

/* Writes a file for each of TO, and the events that tell of them. */
static bool write_copies(const struct split *split, const GPtrArray *to, GArray *events, GError **error)
{
  for (guint i = 0; i < to->len; i++) {
    int64_t mail = journal_next_id(split->journal, split->now);
    struct event event = event_of(split, mail, to->pdata[i], to->len);
    g_array_append_val(events, event);
    if (!write_copy(split, mail, to->pdata[i], error)) return false;
  }
  return spool_sync(split->engine->conf->milter_spool, error);
}

bool split_make(struct split *split, GError **error)
{
  const char *dir = split->engine->conf->milter_spool;
  g_autoptr(GPtrArray) to = addresses(split);
  g_autoptr(GArray) events = g_array_new(FALSE, TRUE, sizeof(struct event));
  g_array_set_clear_func(events, (GDestroyNotify)event_clear);
  const struct event *rows = NULL;
  bool good = spool_make(dir, error) && write_copies(split, to, events, error);
  rows = (const struct event *)(const void *)events->data;
  good = good && journal_write(split->journal, rows, events->len, error);
  if (!good) {
    for (guint i = 0; i < events->len; i++)
      spool_remove(dir, split->tenant, rows[i].mail, NULL);
    return false;
  }
  split->copies = events->len;
  split->first = rows[0].mail;
  split->last = rows[events->len - 1].mail;
  return true;
}
