/* A folder of zone files, read as they are asked for. Names come from contacts'
 * fields and programs' headers, so they are checked before they become a path.
 *
 * A zone that was handed out is never freed before the end: a refresh that finds a
 * new file puts the old zone aside. Releases come a few times a year. */

#include "zoneinfo/zoneinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

enum { NAME_MAX_BYTES = 64 };

/* A zone in use, with what tells whether its file is still the same. */
struct entry {
  struct tz_zone *zone;
  char *digest;
};

struct zoneinfo {
  GMutex lock;
  char *folder;
  char *version;
  GHashTable *entries; /* name → struct entry */
  GPtrArray *retired;  /* struct tz_zone */
};

static void entry_free(void *data)
{
  struct entry *entry = data;
  tz_zone_free(entry->zone);
  g_free(entry->digest);
  g_free(entry);
}

static void retire(void *zone)
{
  tz_zone_free(zone);
}

/* Letters, digits, + - _ and single slashes inside: so no "..", nothing absolute, and
 * one name for a file. The zones in "right" count leap seconds, and are not for us. */
static bool is_name(const char *name)
{
  char previous = '/';
  size_t length = strnlen(name, NAME_MAX_BYTES + 1);
  if (!length || length > NAME_MAX_BYTES || g_str_has_prefix(name, "right/")) return false;
  for (size_t i = 0; i < length; previous = name[i++]) {
    if (name[i] == '/' ? previous == '/' : !g_ascii_isalnum(name[i]) && !strchr("+-_", name[i])) return false;
  }
  return previous != '/';
}

static void not_found(GError **error, const char *name)
{
  g_autofree char *shown = g_strndup(name, NAME_MAX_BYTES);
  for (char *p = shown; *p; p++)
    if (!g_ascii_isprint(*p)) *p = '?';
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND,
              "there is no time zone \"%s\": write it like Europe/Berlin", shown);
}

static void cannot_read(GError **error, const char *path, const char *reason)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: %s", path, reason);
}

/* All of FD up to CAP bytes and one more; negative: errno. */
static ssize_t read_all(int fd, uint8_t *bytes, size_t cap)
{
  size_t length = 0;
  while (length < cap) {
    ssize_t n = read(fd, bytes + length, cap - length);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (!n) break;
    length += (size_t)n;
  }
  return (ssize_t)length;
}

/* The bytes of the file of NAME, or NULL. A folder, a socket or a pipe is no zone. */
static GBytes *read_file(const struct zoneinfo *zones, const char *name, GError **error)
{
  struct stat st;
  g_autofree char *path = g_build_filename(zones->folder, name, NULL);
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO)) {
    not_found(error, name);
    return NULL;
  }
  if (fd < 0 || fstat(fd, &st) < 0) {
    cannot_read(error, path, g_strerror(errno));
    if (fd >= 0) close(fd);
    return NULL;
  }
  size_t cap = (size_t)MIN(st.st_size, TZ_ZONE_BYTES_MAX) + 1;
  g_autofree uint8_t *bytes = S_ISREG(st.st_mode) ? g_malloc(cap) : NULL;
  ssize_t length = bytes ? read_all(fd, bytes, cap) : 0;
  if (!bytes)
    not_found(error, name);
  else if (length < 0)
    cannot_read(error, path, g_strerror(errno));
  close(fd);
  return bytes && length >= 0 ? g_bytes_new_take(g_steal_pointer(&bytes), (gsize)length) : NULL;
}

/* Reads a zone and the digest of its file. */
static struct entry *load(const struct zoneinfo *zones, const char *name, GError **error)
{
  g_autoptr(GError) reason = NULL;
  g_autoptr(GBytes) bytes = read_file(zones, name, error);
  if (!bytes) return NULL;
  gsize length;
  const uint8_t *data = g_bytes_get_data(bytes, &length);
  if (length < 4 || memcmp(data, "TZif", 4)) {
    not_found(error, name); /* such as "leapseconds", which lies in the same folder */
    return NULL;
  }
  struct tz_zone *zone = tz_zone_parse(data, length, &reason);
  if (!zone) {
    g_autofree char *path = g_build_filename(zones->folder, name, NULL);
    cannot_read(error, path, reason->message);
    return NULL;
  }
  struct entry *entry = g_new0(struct entry, 1);
  entry->zone = zone;
  entry->digest = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, bytes);
  return entry;
}

/* "# version 2026f", the first line of tzdata.zi; or the file +VERSION. */
static char *read_version(const struct zoneinfo *zones)
{
  static const char *const files[] = {"tzdata.zi", "+VERSION"};
  for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
    g_autofree char *path = g_build_filename(zones->folder, files[i], NULL);
    uint8_t line[64] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) continue;
    ssize_t length = read_all(fd, line, sizeof line - 1);
    close(fd);
    if (length <= 0) continue;
    char *text = (char *)line;
    text[strcspn(text, "\r\n")] = 0;
    if (g_str_has_prefix(text, "# version ")) text += strlen("# version ");
    if (*text && g_str_is_ascii(text)) return g_strdup(text);
  }
  return g_strdup("unknown");
}

struct zoneinfo *zoneinfo_open(const char *folder, GError **error)
{
  if (!folder) folder = ZONEINFO_FOLDER;
  if (!g_file_test(folder, G_FILE_TEST_IS_DIR)) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS,
                "%s: no folder of time zones: install the package tzdata", folder);
    return NULL;
  }
  struct zoneinfo *zones = g_new0(struct zoneinfo, 1);
  g_mutex_init(&zones->lock);
  zones->folder = g_strdup(folder);
  zones->version = read_version(zones);
  zones->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, entry_free);
  zones->retired = g_ptr_array_new_with_free_func(retire);
  return zones;
}

void zoneinfo_close(struct zoneinfo *zones)
{
  if (!zones) return;
  g_hash_table_unref(zones->entries);
  g_ptr_array_unref(zones->retired);
  g_free(zones->folder);
  g_free(zones->version);
  g_mutex_clear(&zones->lock);
  g_free(zones);
}

const struct tz_zone *zoneinfo_get(struct zoneinfo *zones, const char *name, GError **error)
{
  if (!strcmp(name, "UTC")) return tz_zone_utc();
  if (!is_name(name)) {
    not_found(error, name);
    return NULL;
  }
  g_mutex_lock(&zones->lock);
  struct entry *entry = g_hash_table_lookup(zones->entries, name);
  if (!entry && (entry = load(zones, name, error)))
    g_hash_table_insert(zones->entries, g_strdup(name), entry);
  const struct tz_zone *zone = entry ? entry->zone : NULL;
  g_mutex_unlock(&zones->lock);
  return zone;
}

/* True if the file of NAME has other bytes now; its zone then takes the old one's place. */
static bool refresh_entry(struct zoneinfo *zones, const char *name, struct entry *entry)
{
  struct entry *fresh = load(zones, name, NULL);
  bool changed = fresh && strcmp(fresh->digest, entry->digest) != 0;
  if (changed) {
    g_ptr_array_add(zones->retired, entry->zone);
    entry->zone = g_steal_pointer(&fresh->zone);
    g_free(entry->digest);
    entry->digest = g_steal_pointer(&fresh->digest);
  }
  if (fresh) entry_free(fresh);
  return changed;
}

unsigned zoneinfo_refresh(struct zoneinfo *zones)
{
  GHashTableIter iter;
  void *name, *entry;
  unsigned changed = 0;
  g_mutex_lock(&zones->lock);
  g_free(zones->version);
  zones->version = read_version(zones);
  g_hash_table_iter_init(&iter, zones->entries);
  while (g_hash_table_iter_next(&iter, &name, &entry))
    changed += refresh_entry(zones, name, entry);
  g_mutex_unlock(&zones->lock);
  return changed;
}

char *zoneinfo_version(struct zoneinfo *zones)
{
  g_mutex_lock(&zones->lock);
  char *version = g_strdup(zones->version);
  g_mutex_unlock(&zones->lock);
  return version;
}
