/* The file of master keys.
 *
 * Every way in reads the whole file first and checks it; every way out writes a
 * new file aside, syncs it, gives it its name and syncs the folder, so that the
 * name always stands for a whole file. Secrets are wiped where they passed. */

#include "keyfile/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "base/error.h"

enum { MAX_FILE = 64 << 10, HEX_LETTERS = 2 * TOKEN_SECRET_BYTES };

static bool sys_error(const char *path, const char *what, GError **error)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: %s: %s", path, what, strerror(errno));
  return false;
}

static bool line_error(const char *path, int line, const char *what, GError **error)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "%s:%d: %s", path, line, what);
  return false;
}

static void wipe_free(char *text)
{
  if (text) OPENSSL_cleanse(text, strlen(text));
  g_free(text);
}

/* -- reading ------------------------------------------------------------- */

static bool check_safe(const char *path, const struct stat *st, GError **error)
{
  const char *fault = NULL;
  if (st->st_mode & S_IRWXO)
    fault = "accessible by others; run chmod o=";
  else if (st->st_mode & S_IWGRP)
    fault = "writable by its group; run chmod g-w";
  if (!S_ISREG(st->st_mode)) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: refused: not a regular file", path);
    return false;
  }
  if (!fault) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: refused: %s %s", path, fault, path);
  return false;
}

/* Opens the file and checks that it is safe; -1: an error. */
static int open_safe(const char *path, struct stat *st, GError **error)
{
  int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ELOOP)
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS,
                  "%s: refused: a symbolic link; name the file itself", path);
    else if (errno == ENOENT)
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS,
                  "%s: there is no key file; make one with `tidings key new'", path);
    else
      sys_error(path, "cannot read the keys", error);
    return -1;
  }
  if (fstat(fd, st) == 0 && check_safe(path, st, error)) return fd;
  close(fd);
  return -1;
}

static char *read_whole(const char *path, int fd, GError **error)
{
  char *text = g_malloc0(MAX_FILE + 1);
  size_t length = 0;
  ssize_t n;
  while (length < MAX_FILE && (n = read(fd, text + length, MAX_FILE - length)) != 0) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      sys_error(path, "cannot read the keys", error);
      wipe_free(text);
      return NULL;
    }
    length += (size_t)n;
  }
  if (length < MAX_FILE && strlen(text) == length) return text;
  line_error(path, 1, "this is no key file: too long, or with NUL bytes in it", error);
  OPENSSL_cleanse(text, length);
  g_free(text);
  return NULL;
}

/* What the lines say: the ids in their order, and each id's secret. */
struct lines {
  struct token_keys *keys;
  bool used[256];
  int n;
  int last;
};

static bool parse_secret(const char *hex, uint8_t secret[TOKEN_SECRET_BYTES])
{
  if (strlen(hex) != HEX_LETTERS) return false;
  for (size_t i = 0; i < TOKEN_SECRET_BYTES; i++) {
    int high = g_ascii_xdigit_value(hex[2 * i]), low = g_ascii_xdigit_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    secret[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

static bool parse_fields(struct lines *lines, const char *path, int number, char **fields, GError **error)
{
  uint8_t secret[TOKEN_SECRET_BYTES];
  guint64 id;
  if (g_strv_length(fields) != 3)
    return line_error(path, number, "a line is `ID HEX CREATED', one blank between", error);
  if (!g_ascii_string_to_unsigned(fields[0], 10, 0, 255, &id, NULL))
    return line_error(path, number, "the id must be a number from 0 to 255", error);
  if (lines->used[id]) return line_error(path, number, "this id was used on an earlier line", error);
  if (!parse_secret(fields[1], secret))
    return line_error(path, number, "the key must be 64 hexadecimal digits", error);
  bool good = token_keys_add(lines->keys, (uint8_t)id, secret, error);
  OPENSSL_cleanse(secret, sizeof secret);
  lines->used[id] = true;
  lines->last = (int)id;
  lines->n++;
  return good;
}

static bool parse_line(struct lines *lines, const char *path, int number, char *line, GError **error)
{
  g_strstrip(line);
  if (*line == '\0' || *line == '#') return true;
  char **fields = g_strsplit(line, " ", 4);
  bool good = parse_fields(lines, path, number, fields, error);
  for (char **field = fields; *field; field++)
    wipe_free(*field);
  g_free(fields);
  return good;
}

/* Reads TEXT, and wipes it. */
static bool parse(struct lines *lines, const char *path, char *text, GError **error)
{
  bool good = true;
  int number = 1;
  size_t length = strlen(text);
  for (char *line = text, *end; good && line; line = end, number++) {
    end = strchr(line, '\n');
    if (end) *end++ = '\0';
    good = parse_line(lines, path, number, line, error);
  }
  if (good && lines->n == 0)
    good = line_error(path, 1, "there is no key in this file; make one with `tidings key new'", error);
  OPENSSL_cleanse(text, length);
  return good;
}

static bool load(struct lines *lines, const char *path, int fd, GError **error)
{
  char *text = read_whole(path, fd, error);
  if (!text) return false;
  lines->keys = token_keys_new();
  bool good = parse(lines, path, text, error);
  g_free(text);
  if (!good) g_clear_pointer(&lines->keys, token_keys_free);
  return good;
}

struct token_keys *keyfile_load(const char *path, GError **error)
{
  struct lines lines = {0};
  struct stat st;
  int fd = open_safe(path, &st, error);
  if (fd < 0) return NULL;
  load(&lines, path, fd, error);
  close(fd);
  return lines.keys;
}

/* -- writing ------------------------------------------------------------- */

static bool append_key(GString *text, uint8_t id, int64_t now, GError **error)
{
  uint8_t secret[TOKEN_SECRET_BYTES];
  if (RAND_priv_bytes(secret, sizeof secret) != 1) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "the crypto library gave no random bytes");
    return false;
  }
  g_string_append_printf(text, "%d ", id);
  for (size_t i = 0; i < sizeof secret; i++)
    g_string_append_printf(text, "%02x", secret[i]);
  time_t seconds = (time_t)(now / 1000000);
  struct tm tm;
  char created[32];
  gmtime_r(&seconds, &tm);
  strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &tm);
  g_string_append_printf(text, " %s\n", created);
  OPENSSL_cleanse(secret, sizeof secret);
  return true;
}

static bool write_all(int fd, const char *text, size_t length)
{
  while (length > 0) {
    ssize_t n = write(fd, text, length);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    text += n;
    length -= (size_t)n;
  }
  return true;
}

static bool sync_folder(const char *folder)
{
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool good = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  return good;
}

/* Fills the new file: group and mode first, so that no byte is ever too open. */
static bool fill(int fd, const GString *text, mode_t mode, gid_t group)
{
  struct stat st;
  if (fstat(fd, &st) != 0) return false;
  if (st.st_gid != group && fchown(fd, (uid_t)-1, group) != 0) return false;
  return fchmod(fd, mode) == 0 && write_all(fd, text->str, text->len) && fsync(fd) == 0;
}

/* Writes TEXT aside and gives it the name PATH; only if REPLACE may that be taken. */
static bool publish(const char *path, const GString *text, mode_t mode, gid_t group, bool replace,
                    GError **error)
{
  g_autofree char *folder = g_path_get_dirname(path);
  g_autofree char *aside = g_strconcat(path, ".XXXXXX", NULL);
  int fd = mkostemp(aside, O_CLOEXEC);
  if (fd < 0) return sys_error(path, "cannot write beside the key file", error);
  bool good = fill(fd, text, mode, group);
  close(fd);
  /* link() and not rename(): it fails if somebody made the file meanwhile. */
  good = good && (replace ? rename(aside, path) : link(aside, path)) == 0;
  if (!good) sys_error(path, "cannot write the key file", error);
  if (!good || !replace) unlink(aside);
  if (good && !sync_folder(folder)) return sys_error(folder, "cannot sync the folder", error);
  return good;
}

static void string_wipe_free(GString *text)
{
  OPENSSL_cleanse(text->str, text->allocated_len);
  g_string_free(text, true);
}

bool keyfile_new(const char *path, int64_t now, GError **error)
{
  g_autofree char *folder = g_path_get_dirname(path);
  struct stat st;
  if (lstat(path, &st) == 0) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
                "%s: there is a key file already; `tidings key rotate' adds a key to it", path);
    return false;
  }
  if (stat(folder, &st) != 0) return sys_error(folder, "cannot use the folder", error);
  /* As long as it will ever be here: a string that moves leaves copies behind. */
  GString *text = g_string_sized_new(1024);
  g_string_append(
      text, "# Token master keys, ID HEX CREATED; the last one seals. Keep it secret, and keep a copy:\n"
            "# without its key the links in mail that was sent are dead.\n");
  bool good = append_key(text, 1, now, error) && publish(path, text, 0640, st.st_gid, false, error);
  string_wipe_free(text);
  return good;
}

static bool choose_id(const struct lines *lines, const char *path, uint8_t *id, GError **error)
{
  for (int step = 1; step < 256; step++) {
    *id = (uint8_t)(lines->last + step);
    if (!lines->used[*id]) return true;
  }
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT,
              "%s: all 256 ids are in use; remove the oldest lines, whose links then are dead", path);
  return false;
}

/* FD is the file as it is, locked. */
static bool rotate(const char *path, int fd, const struct stat *st, int64_t now, uint8_t *id, GError **error)
{
  struct lines lines = {0};
  if (!load(&lines, path, fd, error)) return false;
  token_keys_free(lines.keys);
  if (!choose_id(&lines, path, id, error) || lseek(fd, 0, SEEK_SET) != 0) return false;
  char *before = read_whole(path, fd, error);
  if (!before) return false;
  GString *text = g_string_sized_new(MAX_FILE + 1024);
  g_string_append(text, before);
  wipe_free(before);
  if (text->len && text->str[text->len - 1] != '\n') g_string_append_c(text, '\n');
  bool good = append_key(text, *id, now, error) &&
              publish(path, text, st->st_mode & (S_IRWXU | S_IRWXG), st->st_gid, true, error);
  string_wipe_free(text);
  return good;
}

bool keyfile_rotate(const char *path, int64_t now, uint8_t *id, GError **error)
{
  struct stat st, named;
  int fd = open_safe(path, &st, error);
  if (fd < 0) return false;
  bool good = false;
  /* Whoever waited for the lock may hold a file that has lost its name. */
  if (flock(fd, LOCK_EX) != 0 || stat(path, &named) != 0)
    sys_error(path, "cannot lock the key file", error);
  else if (named.st_ino != st.st_ino || named.st_dev != st.st_dev)
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_TEMP,
                "%s: somebody else rotated the keys just now; look, then try again", path);
  else
    good = rotate(path, fd, &st, now, id, error);
  close(fd);
  return good;
}
