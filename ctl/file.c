/* Reading a file that the command line names. */

#include "ctl/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/error.h"

enum { PIECE = 64 * 1024 };

static bool read_all(int fd, GString *out, size_t max)
{
  while (out->len < max) {
    size_t at = out->len, want = MIN(max - at, PIECE);
    g_string_set_size(out, at + want);
    ssize_t n = read(fd, out->str + at, want);
    g_string_truncate(out, at + (n > 0 ? (size_t)n : 0));
    if (n == 0) break;
    if (n < 0 && errno != EINTR) return false;
  }
  return true;
}

char *file_read(struct app *app, const char *path, size_t max, size_t *length, GError **error)
{
  g_autoptr(GString) out = g_string_new(NULL);
  int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
  bool good = fd >= 0 && read_all(fd, out, max);
  int cause = errno;
  if (fd >= 0) close(fd);
  if (good) {
    *length = out->len;
    return g_string_free(g_steal_pointer(&out), FALSE);
  }
  app_fail(app, EX_NOINPUT);
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: %s", path, g_strerror(cause));
  return NULL;
}
