/* The directory's reader.
 *
 * directory_open(), then directory_acquire(), look-ups and directory_release()
 * from any thread. What always holds: the view of a directory is whole and can
 * be read, and is only ever replaced by one that was loaded whole; its tables do
 * not change, but suppressions that arrive in its delta are seen at once by all
 * who hold it, since of two answers the newer one is the safer.
 *
 * Whether 50 ms have passed is asked of the monotonic clock: it is nobody's time
 * of day, and the clock of a test has no say in how often a file is looked at. */

#include "directory/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "db/db.h"
#include "directory/files.h"

enum { MAX_HOST = 255 };
static const int64_t look_every = 50 * 1000, retry_every = 1000 * 1000;

struct directory_view {
  int references;      /* atomic */
  int broken;          /* atomic: a look-up failed, though the snapshot could be loaded */
  int64_t generation;  /* 0: the empty view */
  GStringChunk *text;  /* every string below */
  GHashTable *tenants; /* id → struct directory_tenant */
  GHashTable *users;   /* lower case → struct directory_tenant, owned by `tenants` */
  GHashTable *domains;
  GHashTable *hosts; /* of the tenants' URLs, plain (plain_host()) */
  GHashTable *lists; /* "tenant name" → struct directory_list */
  struct directory_stops *stops;
  GHashTable *senders; /* "tenant address" → struct directory_list, owned by `lists` */

  GMutex lock; /* over all that follows */
  struct db *db;
  int delta;
  off_t delta_read;
  GHashTable *changes; /* set of struct directory_change by all but `suppressed`; the last one counts */
};

struct directory {
  char *dir;
  GMutex lock; /* over all that follows */
  struct directory_view *view;
  bool stale;
  bool looking; /* one thread looks for news, the others go on with the view */
  int64_t look_at;
};

/* -- a view -------------------------------------------------------------- */

static guint change_hash(const void *data)
{
  const struct directory_change *change = data;
  guint hash;
  memcpy(&hash, change->key, sizeof hash); /* it is a digest */
  return hash ^ (guint)change->tenant * 31 ^ (guint)change->list;
}

static gboolean change_equal(const void *a, const void *b)
{
  const struct directory_change *left = a, *right = b;
  return left->tenant == right->tenant && left->list == right->list && memcmp(left->key, right->key, 16) == 0;
}

static struct directory_view *view_new(void)
{
  struct directory_view *view = g_new0(struct directory_view, 1);
  view->references = 1;
  view->delta = -1;
  view->text = g_string_chunk_new(4096);
  view->tenants = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
  view->users = g_hash_table_new(g_str_hash, g_str_equal);
  view->domains = g_hash_table_new(g_str_hash, g_str_equal);
  view->hosts = g_hash_table_new(g_str_hash, g_str_equal);
  view->lists = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  view->senders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  view->stops = directory_stops_new();
  view->changes = g_hash_table_new_full(change_hash, change_equal, g_free, NULL);
  g_mutex_init(&view->lock);
  return view;
}

static void view_free(struct directory_view *view)
{
  g_hash_table_destroy(view->users);
  g_hash_table_destroy(view->domains);
  g_hash_table_destroy(view->hosts);
  g_hash_table_destroy(view->senders);
  g_hash_table_destroy(view->lists);
  g_hash_table_destroy(view->tenants);
  g_hash_table_destroy(view->changes);
  directory_stops_free(view->stops);
  g_string_chunk_free(view->text);
  db_close(view->db);
  if (view->delta >= 0) close(view->delta);
  g_mutex_clear(&view->lock);
  g_free(view);
}

void directory_release(struct directory_view *view)
{
  if (view && g_atomic_int_dec_and_test(&view->references)) view_free(view);
}

/* -- loading ------------------------------------------------------------- */

static const char *keep(struct directory_view *view, const char *text)
{
  return text ? g_string_chunk_insert(view->text, text) : NULL;
}

static char *tenant_and(int64_t tenant, const char *name)
{
  return g_strdup_printf("%lld %s", (long long)tenant, name);
}

/* The host of AUTHORITY (up to its end or a slash) in small letters, without port
 * and final dot, in PLAIN; false if it is none. */
static bool plain_host(const char *authority, char plain[MAX_HOST + 1])
{
  size_t length = strcspn(authority, "/");
  if (*authority == '[') /* IPv6 */
    length = MIN(length, strcspn(authority, "]") + 1);
  else
    length = MIN(length, strcspn(authority, ":"));
  if (length > 0 && authority[length - 1] == '.') length--;
  if (length == 0 || length > MAX_HOST) return false;
  for (size_t i = 0; i < length; i++)
    plain[i] = g_ascii_tolower(authority[i]);
  plain[length] = '\0';
  return true;
}

/* The same of "https://HOST…". */
static bool host_of_url(const char *url, char plain[MAX_HOST + 1])
{
  const char *slashes = url ? strstr(url, "//") : NULL;
  return slashes && plain_host(slashes + 2, plain);
}

/* The adders return false for a row that the writer cannot have written. */
static bool add_tenant(struct directory_view *view, struct db_stmt *row)
{
  char host[MAX_HOST + 1];
  int64_t mode = db_int64(row, 3);
  if (!db_text(row, 1) || !db_text(row, 2) || !db_text(row, 4)) return false;
  if (mode < TRACK_NONE || mode > TRACK_ALL) return false;
  struct directory_tenant *tenant = g_new0(struct directory_tenant, 1);
  tenant->id = db_int64(row, 0);
  tenant->name = keep(view, db_text(row, 1));
  tenant->title = keep(view, db_text(row, 2));
  tenant->track = (enum track_mode)mode;
  tenant->url = keep(view, db_text(row, 4));
  tenant->split = db_int64(row, 5) != 0;
  tenant->text_links = db_int64(row, 6) != 0;
  g_hash_table_replace(view->tenants, &tenant->id, tenant);
  if (host_of_url(tenant->url, host)) g_hash_table_add(view->hosts, (void *)keep(view, host));
  return true;
}

static bool add_name(struct directory_view *view, GHashTable *names, struct db_stmt *row)
{
  int64_t id = db_int64(row, 1);
  struct directory_tenant *tenant = g_hash_table_lookup(view->tenants, &id);
  if (!db_text(row, 0)) return false;
  if (tenant) g_hash_table_insert(names, (void *)keep(view, db_text(row, 0)), tenant);
  return true;
}

static bool add_user(struct directory_view *view, struct db_stmt *row)
{
  return add_name(view, view->users, row);
}

static bool add_domain(struct directory_view *view, struct db_stmt *row)
{
  return add_name(view, view->domains, row);
}

static bool add_list(struct directory_view *view, struct db_stmt *row)
{
  int64_t mode = db_int64(row, 6);
  if (!db_text(row, 2) || !db_text(row, 3) || mode < TRACK_NONE || mode > TRACK_ALL) return false;
  struct directory_list *list = g_new0(struct directory_list, 1);
  list->id = db_int64(row, 0);
  list->tenant = db_int64(row, 1);
  list->name = keep(view, db_text(row, 2));
  list->title = keep(view, db_text(row, 3));
  list->sender = keep(view, db_text(row, 4));
  list->unsubscribe = db_int64(row, 5) != 0;
  list->limited = !db_is_null(row, 6);
  list->track = (enum track_mode)mode;
  list->utm = db_int64(row, 7) != 0;
  g_hash_table_insert(view->lists, tenant_and(list->tenant, list->name), list);
  if (!list->sender) return true;
  g_autofree char *sender = g_ascii_strdown(list->sender, -1);
  g_hash_table_insert(view->senders, tenant_and(list->tenant, sender), list);
  return true;
}

static bool add_stop(struct directory_view *view, struct db_stmt *row)
{
  const struct directory_stop stop = {.tenant = db_int64(row, 0),
                                      .mail = db_int64(row, 1),
                                      .url = db_text(row, 2),
                                      .prefix = db_int64(row, 3) != 0};
  if (!stop.url) return false;
  directory_stops_add(view->stops, &stop);
  return true;
}

static bool load_rows(struct directory_view *view, struct db_stmt *rows,
                      bool (*add)(struct directory_view *, struct db_stmt *), GError **error)
{
  enum db_result result;
  while ((result = db_step(rows, error)) == DB_ROW) {
    if (add(view, rows)) continue;
    db_reset(rows);
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "the directory has a row that makes no sense");
    return false;
  }
  return result == DB_DONE;
}

static bool load_tables(struct directory_view *view, GError **error)
{
  struct db *db = view->db;
  int32_t version;
  if (!db_version(db, DIRECTORY_APPLICATION, &version, error)) return false;
  if (version != DIRECTORY_VERSION) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "the directory is of version %d", version);
    return false;
  }
  return load_rows(view, db_sql(db, "SELECT id, name, title, track, url, split, text_links FROM tenant"),
                   add_tenant, error) &&
         load_rows(view, db_sql(db, "SELECT name, tenant FROM user"), add_user, error) &&
         load_rows(view, db_sql(db, "SELECT tenant, mail, url, prefix FROM link_stop"), add_stop, error) &&
         load_rows(view, db_sql(db, "SELECT name, tenant FROM domain"), add_domain, error) &&
         load_rows(view,
                   db_sql(db, "SELECT id, tenant, name, title, sender, unsubscribe, track, utm FROM list"),
                   add_list, error);
}

/* -- the delta ----------------------------------------------------------- */

static void apply(struct directory_view *view, const struct directory_change *change)
{
  g_hash_table_add(view->changes, g_memdup2(change, sizeof *change));
}

/* Takes in what RECORDS (N whole ones) say, and returns how many are done with. A
 * broken one at the very end may be on its way; before the end it stays broken. */
static size_t take_records(struct directory_view *view, const uint8_t *records, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    struct directory_change change;
    if (directory_record_parse(records + i * DIRECTORY_RECORD, &change))
      apply(view, &change);
    else if (i + 1 == n)
      return i;
  }
  return n;
}

/* Reads the delta on from where it was left. */
static void read_delta(struct directory_view *view)
{
  uint8_t records[64 * DIRECTORY_RECORD];
  struct stat st;
  if (view->delta < 0 || fstat(view->delta, &st) != 0) return;
  g_mutex_lock(&view->lock);
  while (view->delta_read + DIRECTORY_RECORD <= st.st_size) {
    ssize_t length = pread(view->delta, records, sizeof records, view->delta_read);
    size_t n = length > 0 ? (size_t)length / DIRECTORY_RECORD : 0;
    size_t done = take_records(view, records, n);
    view->delta_read += (off_t)done * DIRECTORY_RECORD;
    if (done == 0 || done < n) break;
  }
  g_mutex_unlock(&view->lock);
}

/* One read transaction for the life of the view: the file never changes, and to
 * begin one for each look-up costs more than to look. */
static bool hold_snapshot(struct directory_view *view)
{
  int64_t one;
  return db_script(view->db, "BEGIN", NULL) &&
         db_value(db_sql(view->db, "SELECT 1 FROM tenant LIMIT 1"), &one, NULL);
}

static struct directory_view *view_load(const char *dir, int64_t generation)
{
  g_autofree char *snapshot = directory_snapshot_path(dir, generation);
  g_autofree char *delta = directory_delta_path(dir, generation);
  struct directory_view *view = view_new();
  view->generation = generation;
  view->db = db_open(snapshot, DB_IMMUTABLE, 0, 0, NULL, NULL);
  view->delta = open(delta, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (view->db && view->delta >= 0 && load_tables(view, NULL) && hold_snapshot(view)) {
    read_delta(view);
    return view;
  }
  view_free(view);
  return NULL;
}

/* -- the newest view ----------------------------------------------------- */

/* At the start there is no last good view in memory, but maybe one on disk. */
static struct directory_view *load_older(const char *dir, int64_t generation)
{
  g_autoptr(GArray) generations = directory_generations(dir);
  struct directory_view *view = NULL;
  for (guint i = 0; !view && i < generations->len; i++) {
    int64_t older = g_array_index(generations, int64_t, i);
    if (older != generation) view = view_load(dir, older);
  }
  return view;
}

/* What there is beyond VIEW: a new view, or NULL. */
static struct directory_view *look(const char *dir, struct directory_view *view, bool *stale)
{
  int64_t generation = directory_current(dir);
  *stale = generation < 0 || (generation == 0 && view->generation != 0);
  if (generation == view->generation || *stale) {
    read_delta(view);
    return *stale && view->generation == 0 ? load_older(dir, 0) : NULL;
  }
  struct directory_view *newer = view_load(dir, generation);
  *stale = !newer;
  if (newer) return newer;
  read_delta(view);
  return view->generation == 0 ? load_older(dir, generation) : NULL;
}

/* The directory is locked; it is not while this looks. */
static void look_for_news(struct directory *directory, int64_t now)
{
  struct directory_view *view = directory->view, *newer;
  bool stale;
  directory->looking = true;
  g_mutex_unlock(&directory->lock);
  newer = look(directory->dir, view, &stale);
  g_mutex_lock(&directory->lock);
  if (newer) {
    directory->view = newer;
    directory_release(view);
  }
  directory->stale = stale;
  directory->looking = false;
  directory->look_at = now + (stale ? retry_every : look_every);
}

struct directory_view *directory_acquire(struct directory *directory, bool *stale)
{
  int64_t now = g_get_monotonic_time();
  g_mutex_lock(&directory->lock);
  if (!directory->looking && now >= directory->look_at) look_for_news(directory, now);
  struct directory_view *view = directory->view;
  g_atomic_int_inc(&view->references);
  if (stale) *stale = directory->stale || g_atomic_int_get(&view->broken);
  g_mutex_unlock(&directory->lock);
  return view;
}

struct directory *directory_open(const char *dir, GError **error)
{
  DIR *folder = opendir(dir);
  if (!folder && errno != ENOENT) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS,
                "%s: cannot read the directory: %s; check that this user is in its group", dir,
                strerror(errno));
    return NULL;
  }
  if (folder) closedir(folder);
  struct directory *directory = g_new0(struct directory, 1);
  directory->dir = g_strdup(dir);
  directory->view = view_new();
  g_mutex_init(&directory->lock);
  directory_release(directory_acquire(directory, NULL));
  return directory;
}

void directory_close(struct directory *directory)
{
  if (!directory) return;
  directory_release(directory->view);
  g_mutex_clear(&directory->lock);
  g_free(directory->dir);
  g_free(directory);
}

/* -- look-ups ------------------------------------------------------------ */

const struct directory_tenant *directory_tenant(struct directory_view *view, int64_t id)
{
  return g_hash_table_lookup(view->tenants, &id);
}

const struct directory_tenant *directory_tenant_by_name(struct directory_view *view, const char *name)
{
  GHashTableIter iter;
  void *tenant;
  g_hash_table_iter_init(&iter, view->tenants);
  while (g_hash_table_iter_next(&iter, NULL, &tenant))
    if (strcmp(((const struct directory_tenant *)tenant)->name, name) == 0) return tenant;
  return NULL;
}

const struct directory_tenant *directory_tenant_by_user(struct directory_view *view, const char *user)
{
  g_autofree char *lower = g_ascii_strdown(user, -1);
  return g_hash_table_lookup(view->users, lower);
}

const struct directory_tenant *directory_tenant_by_domain(struct directory_view *view, const char *domain)
{
  enum { MAX_DOMAIN = 255 };
  if (strlen(domain) > MAX_DOMAIN) return NULL;
  char dotted[MAX_DOMAIN + 2] = ".";
  for (size_t i = 0; domain[i]; i++)
    dotted[i + 1] = g_ascii_tolower(domain[i]);
  /* The name as it stands, then itself and its parents as added with a dot. */
  const struct directory_tenant *tenant = g_hash_table_lookup(view->domains, dotted + 1);
  for (const char *name = dotted; name && !tenant; name = strchr(name + 1, '.'))
    tenant = g_hash_table_lookup(view->domains, name);
  return tenant;
}

bool directory_is_foreign_host(struct directory_view *view, int64_t tenant, const char *authority)
{
  char host[MAX_HOST + 1], own[MAX_HOST + 1];
  const struct directory_tenant *row = directory_tenant(view, tenant);
  if (!row || !plain_host(authority, host)) return false;
  if (host_of_url(row->url, own) && strcmp(host, own) == 0) return false;
  return g_hash_table_contains(view->hosts, host);
}

bool directory_link_stopped(struct directory_view *view, int64_t tenant, int64_t mail, const char *url,
                            size_t length)
{
  return directory_stops_match(view->stops, tenant, mail, url, length);
}

const struct directory_list *directory_list(struct directory_view *view, int64_t tenant, const char *name)
{
  g_autofree char *key = tenant_and(tenant, name);
  return g_hash_table_lookup(view->lists, key);
}

const struct directory_list *directory_list_by_sender(struct directory_view *view, int64_t tenant,
                                                      const char *address)
{
  g_autofree char *lower = g_ascii_strdown(address, -1);
  g_autofree char *key = tenant_and(tenant, lower);
  return g_hash_table_lookup(view->senders, key);
}

/* The suppressions that cover a mail: the list's, the tenant's, the host's. */
enum { SCOPES = 3 };

/* Which of SCOPES are in the snapshot. False: it could not be read. */
static bool ask_snapshot(struct directory_view *view, const struct directory_change scopes[SCOPES],
                         bool suppressed[SCOPES])
{
  if (!view->db) return true;
  int64_t known = 0;
  struct db_stmt *any =
      db_bind(db_sql(view->db, DIRECTORY_KNOWN), "b", (const void *)scopes[0].key, (size_t)16);
  if (!db_value(any, &known, NULL)) return false;
  if (!known) return true;
  struct db_stmt *rows = db_bind(db_sql(view->db, DIRECTORY_SUPPRESSED), "bii", (const void *)scopes[0].key,
                                 (size_t)16, scopes[0].tenant, scopes[0].list);
  enum db_result result;
  while ((result = db_step(rows, NULL)) == DB_ROW)
    for (int i = 0; i < SCOPES; i++)
      if (db_int64(rows, 0) == scopes[i].tenant && db_int64(rows, 1) == scopes[i].list) suppressed[i] = true;
  return result == DB_DONE;
}

static void ask_delta(struct directory_view *view, const struct directory_change scopes[SCOPES],
                      bool suppressed[SCOPES])
{
  for (int i = 0; i < SCOPES; i++) {
    const struct directory_change *change = g_hash_table_lookup(view->changes, &scopes[i]);
    if (change) suppressed[i] = change->suppressed;
  }
}

bool directory_is_broken(struct directory_view *view)
{
  return g_atomic_int_get(&view->broken);
}

bool directory_suppressed(struct directory_view *view, int64_t tenant, int64_t list, const char *address)
{
  struct directory_change scopes[SCOPES] = {
      {.tenant = tenant, .list = list}, {.tenant = tenant, .list = 0}, {.tenant = 0, .list = 0}};
  bool suppressed[SCOPES] = {false, false, false};
  directory_address_key(address, scopes[0].key);
  for (int i = 1; i < SCOPES; i++)
    memcpy(scopes[i].key, scopes[0].key, sizeof scopes[0].key);
  g_mutex_lock(&view->lock);
  bool good = ask_snapshot(view, scopes, suppressed);
  ask_delta(view, scopes, suppressed);
  g_mutex_unlock(&view->lock);
  if (!good) g_atomic_int_set(&view->broken, 1);
  return !good || suppressed[0] || suppressed[1] || suppressed[2];
}
