/* The spool's files.
 *
 * Writer: spool_make() once, spool_write() for each, spool_sync(), and then the
 * journal. Reader: spool_read(), and spool_remove() when state says that it is
 * done. What always holds: a file under its final name is whole, unless the disk
 * itself spoils it, and then the checksum tells. */

#include "spool/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/error.h"
#include "db/db.h"

enum { FORMAT = 1, MAX_FILE = 1 << 30 };

static const char aside[] = ".new";

static bool sys_error(const char *path, const char *what, GError **error)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: %s: %s", path, what, strerror(errno));
  return false;
}

static char *path_of(const char *dir, int64_t tenant, int64_t mail, const char *suffix)
{
  return g_strdup_printf("%s/%" PRId64 ".%016" PRIx64 "%s", dir, tenant, (uint64_t)mail, suffix);
}

bool spool_make(const char *dir, GError **error)
{
  g_autofree char *parent = g_path_get_dirname(dir);
  if (mkdir(parent, 0755) != 0 && errno != EEXIST)
    return sys_error(parent, "cannot make the spool's folder", error);
  if (mkdir(dir, 0770) != 0)
    return errno == EEXIST || sys_error(dir, "cannot make the spool's folder", error);
  return chmod(dir, 02770) == 0 || sys_error(dir, "cannot set the folder's mode", error);
}

/* -- writing ------------------------------------------------------------- */

static char *sum_of(const char *message, size_t length)
{
  return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)message, length);
}

/* The first line, with its end. */
static char *first_line(const struct spool_copy *copy, GError **error)
{
  g_autofree char *sum = sum_of(copy->message, copy->length);
  json_t *fields =
      json_pack("{s:i, s:I, s:I, s:s, s:s, s:s*, s:I, s:s}", "spool", FORMAT, "tenant",
                (json_int_t)copy->tenant, "mail", (json_int_t)copy->mail, "from", copy->sender, "to",
                copy->recipient, "origin", copy->origin, "bytes", (json_int_t)copy->length, "sha256", sum);
  char *text = fields ? json_dumps(fields, JSON_COMPACT) : NULL;
  json_decref(fields);
  if (!text) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "an address of the envelope is no UTF-8");
    return NULL;
  }
  char *line = g_strconcat(text, "\n", NULL);
  free(text);
  return line;
}

static bool write_all(int fd, const char *bytes, size_t length)
{
  while (length > 0) {
    ssize_t n = write(fd, bytes, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      if (n == 0) errno = ENOSPC;
      return false;
    }
    bytes += n;
    length -= (size_t)n;
  }
  return true;
}

/* Writes NAME whole and synced; closing may be where a quota is told. */
static bool write_file(const char *name, const char *line, const struct spool_copy *copy, GError **error)
{
  int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0660);
  if (fd < 0) return sys_error(name, "cannot make the file", error);
  bool good = fchmod(fd, 0660) == 0 && write_all(fd, line, strlen(line)) &&
              write_all(fd, copy->message, copy->length) && fsync(fd) == 0;
  if (!good) sys_error(name, "cannot write the file", error);
  if (close(fd) != 0 && good) good = sys_error(name, "cannot close the file", error);
  return good;
}

bool spool_write(const char *dir, const struct spool_copy *copy, GError **error)
{
  g_autofree char *line = first_line(copy, error);
  if (!line) return false;
  g_autofree char *making = path_of(dir, copy->tenant, copy->mail, aside);
  g_autofree char *path = path_of(dir, copy->tenant, copy->mail, "");
  bool good = write_file(making, line, copy, error);
  if (good && rename(making, path) != 0) good = sys_error(path, "cannot name the file", error);
  if (!good) unlink(making);
  return good;
}

bool spool_sync(const char *dir, GError **error)
{
  return db_sync_folder(dir, error);
}

/* -- reading ------------------------------------------------------------- */

static bool no_file(const char *path, GError **error)
{
  if (errno != ENOENT) return sys_error(path, "cannot read the file", error);
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND, "%s is not there", path);
  return false;
}

static bool damaged(const char *path, GError **error)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "%s is not whole", path);
  return false;
}

/* All of FD in fresh memory, a NUL behind it. */
static bool read_all(int fd, const char *path, char **bytes, size_t *size, GError **error)
{
  struct stat st;
  if (fstat(fd, &st) != 0) return sys_error(path, "cannot read the file", error);
  if (!S_ISREG(st.st_mode) || st.st_size > MAX_FILE) return damaged(path, error);
  *bytes = g_try_malloc((size_t)st.st_size + 1);
  if (!*bytes) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_TEMP, "%s: no memory", path);
    return false;
  }
  size_t got = 0;
  while (got < (size_t)st.st_size) {
    ssize_t n = read(fd, *bytes + got, (size_t)st.st_size - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return sys_error(path, "cannot read the file", error);
    if (n == 0) break;
    got += (size_t)n;
  }
  (*bytes)[got] = '\0';
  *size = got;
  return true;
}

static const char *text_of(const json_t *fields, const char *key)
{
  return json_string_value(json_object_get(fields, key));
}

static int64_t int_of(const json_t *fields, const char *key)
{
  return json_integer_value(json_object_get(fields, key));
}

/* Fills FILE->copy from its bytes; false if they are not what was written. */
static bool parse(struct spool_file *file, size_t size)
{
  char *end = memchr(file->bytes, '\n', size);
  json_t *fields = end ? json_loadb(file->bytes, (size_t)(end - file->bytes), 0, NULL) : NULL;
  file->fields = fields;
  if (!json_is_object(fields)) return false;
  file->copy = (struct spool_copy){.tenant = int_of(fields, "tenant"),
                                   .mail = int_of(fields, "mail"),
                                   .sender = text_of(fields, "from"),
                                   .recipient = text_of(fields, "to"),
                                   .origin = text_of(fields, "origin"),
                                   .message = end + 1,
                                   .length = size - (size_t)(end + 1 - file->bytes)};
  const char *sum = text_of(fields, "sha256");
  g_autofree char *own = sum_of(file->copy.message, file->copy.length);
  return int_of(fields, "spool") == FORMAT && file->copy.sender && file->copy.recipient &&
         int_of(fields, "bytes") == (int64_t)file->copy.length && g_strcmp0(sum, own) == 0;
}

bool spool_read(const char *dir, int64_t tenant, int64_t mail, struct spool_file *file, GError **error)
{
  g_autofree char *path = path_of(dir, tenant, mail, "");
  size_t size = 0;
  *file = (struct spool_file){0};
  int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return no_file(path, error);
  bool good = read_all(fd, path, &file->bytes, &size, error);
  close(fd);
  if (good && !(parse(file, size) && file->copy.tenant == tenant && file->copy.mail == mail))
    good = damaged(path, error);
  if (!good) spool_file_clear(file);
  return good;
}

void spool_file_clear(struct spool_file *file)
{
  json_decref(file->fields);
  g_free(file->bytes);
  *file = (struct spool_file){0};
}

/* -- the folder ---------------------------------------------------------- */

bool spool_remove(const char *dir, int64_t tenant, int64_t mail, GError **error)
{
  g_autofree char *path = path_of(dir, tenant, mail, "");
  return unlink(path) == 0 || errno == ENOENT || sys_error(path, "cannot remove the file", error);
}

void spool_remove_part(const char *dir, const struct spool_entry *entry)
{
  g_autofree char *path = path_of(dir, entry->tenant, entry->mail, aside);
  unlink(path);
}

/* False: a name that we did not give. */
static bool parse_name(const char *name, struct spool_entry *entry)
{
  char *dot, *end;
  if (!g_ascii_isdigit(*name)) return false;
  entry->tenant = g_ascii_strtoll(name, &dot, 10);
  if (*dot != '.' || strspn(dot + 1, "0123456789abcdef") != 16) return false;
  entry->mail = (int64_t)g_ascii_strtoull(dot + 1, &end, 16);
  entry->whole = *end == '\0';
  return entry->whole || strcmp(end, aside) == 0;
}

GArray *spool_list(const char *dir, size_t max, GError **error)
{
  GArray *entries = g_array_new(FALSE, FALSE, sizeof(struct spool_entry));
  DIR *folder = opendir(dir);
  if (!folder && errno == ENOENT) return entries;
  if (!folder) {
    sys_error(dir, "cannot list the spool", error);
    g_array_unref(entries);
    return NULL;
  }
  for (struct dirent *item; entries->len < max && (item = readdir(folder));) {
    struct spool_entry entry;
    if (parse_name(item->d_name, &entry)) g_array_append_val(entries, entry);
  }
  closedir(folder);
  return entries;
}
