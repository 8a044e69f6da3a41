/* Publishes a directory for tests of the milter alone, without policyd. Usage:
 * publish DIR <FACTS, where each line is one of
 *   tenant ID NAME MODE URL
 *   user ID USER                domain ID DOMAIN
 *   list ID TENANT NAME SENDER|- yes|no [MODE]
 *   suppress TENANT LIST ADDRESS
 * It prints what is in a journal instead if called as: publish -j DIR, a line an
 * event: its kind, tenant, mail and data. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "directory/directory.h"
#include "journal/journal.h"

static int64_t number(const char *text)
{
  return text ? g_ascii_strtoll(text, NULL, 10) : 0;
}

static bool take(struct directory_writer *w, char **f, guint n, GError **error)
{
  if (n == 5 && strcmp(f[0], "tenant") == 0) {
    struct directory_tenant tenant = {.id = number(f[1]), .name = f[2], .title = f[2], .url = f[4]};
    return track_mode_parse(f[3], &tenant.track) && directory_writer_tenant(w, &tenant, error);
  }
  if (n == 3 && strcmp(f[0], "user") == 0) return directory_writer_user(w, number(f[1]), f[2], error);
  if (n == 3 && strcmp(f[0], "domain") == 0) return directory_writer_domain(w, number(f[1]), f[2], error);
  if ((n == 6 || n == 7) && strcmp(f[0], "list") == 0) {
    struct directory_list list = {
        .id = number(f[1]),
        .tenant = number(f[2]),
        .name = f[3],
        .title = f[3],
        .sender = strcmp(f[4], "-") == 0 ? NULL : f[4],
        .unsubscribe = strcmp(f[5], "yes") == 0,
        .limited = n == 7,
    };
    if (n == 7 && !track_mode_parse(f[6], &list.track)) return false;
    return directory_writer_list(w, &list, error);
  }
  if (n == 4 && strcmp(f[0], "suppress") == 0) {
    uint8_t key[16];
    directory_address_key(f[3], key);
    return directory_writer_suppression(w, number(f[1]), number(f[2]), key, error);
  }
  return false;
}

static int publish(const char *dir)
{
  g_autoptr(GError) error = NULL;
  struct directory_writer *w = directory_writer_new(dir, &error);
  char line[1024];
  bool ok = w != NULL;
  while (ok && fgets(line, sizeof line, stdin)) {
    g_auto(GStrv) fields = g_strsplit(g_strstrip(line), " ", -1);
    ok = take(w, fields, g_strv_length(fields), &error);
    if (!ok) fprintf(stderr, "publish: %s: %s\n", line, error ? error->message : "not understood");
  }
  ok = ok && directory_writer_publish(w, &error);
  if (w) directory_writer_free(w);
  if (error) fprintf(stderr, "publish: %s\n", error->message);
  return ok ? 0 : 1;
}

static int show_journal(const char *dir)
{
  g_autoptr(GError) error = NULL;
  struct journal_reader *reader = journal_reader_open(dir, &error);
  struct journal_position position = {0};
  g_autoptr(GArray) events = g_array_new(FALSE, FALSE, sizeof(struct event));
  g_array_set_clear_func(events, (GDestroyNotify)event_clear);
  guint before;
  do
    before = events->len;
  while (reader && journal_read(reader, &position, 1000, events, &error) && events->len > before);
  for (guint i = 0; i < events->len; i++) {
    const struct event *event = &g_array_index(events, struct event, i);
    printf("%s %" PRId64 " %" PRId64 " %s\n", event_kind_name(event->kind), event->tenant, event->mail,
           event->data);
  }
  if (error) fprintf(stderr, "publish: %s\n", error->message);
  journal_reader_close(reader);
  return error ? 1 : 0;
}

int main(int argc, char **argv)
{
  if (argc == 3 && strcmp(argv[1], "-j") == 0) return show_journal(argv[2]);
  return argc == 2 ? publish(argv[1]) : 64;
}
