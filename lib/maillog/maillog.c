/* Looks things up in the MTA's log. Asked only about a message in doubt, so it
 * may take the time that reading takes. */

#include "maillog/maillog.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>

enum { TAIL = 64 * 1024 * 1024, BLOCK = 256 * 1024 };

/* A queue id goes into a search pattern: letters and digits alone. */
static bool is_queue_id(const char *text)
{
  size_t length = strlen(text);
  for (size_t i = 0; i < length; i++)
    if (!g_ascii_isalnum(text[i])) return false;
  return length >= 5 && length <= 32;
}

static bool find(int fd, off_t at, const char *pattern)
{
  size_t length = strlen(pattern), kept = 0;
  g_autofree char *block = g_malloc(BLOCK + 128);
  ssize_t n;
  while ((n = pread(fd, block + kept, BLOCK, at)) > 0) {
    at += n;
    size_t have = kept + (size_t)n;
    if (memmem(block, have, pattern, length)) return true;
    /* The pattern may stand across two blocks. */
    kept = MIN(have, length - 1);
    memmove(block, block + have - kept, kept);
  }
  return false;
}

bool maillog_has_accepted(const char *path, const char *queue_id)
{
  if (!is_queue_id(queue_id)) return false;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd < 0) return false;
  g_autofree char *pattern = g_strdup_printf(": %s: from=<", queue_id);
  bool found = fstat(fd, &st) == 0 && find(fd, st.st_size > TAIL ? st.st_size - TAIL : 0, pattern);
  close(fd);
  return found;
}
