/* The clock: the system's, or a small file that a test writes.
 *
 * clock_open() once, clock_now() from anywhere, clock_close() at the end. The
 * two words of a clock file are read one after the other without a lock, so a
 * writer that changes both first sets `since` to 0. */

#include "clock/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

struct clock_file {
  _Atomic int64_t start;
  _Atomic int64_t since;
};

struct clock {
  struct clock_file *file; /* NULL: the system's clock */
};

static bool map_file(struct clock *clock, const char *path, GError **error)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) < 0) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "clock file %s: %s", path, g_strerror(errno));
    if (fd >= 0) close(fd);
    return false;
  }
  if (st.st_size < (off_t)sizeof *clock->file) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "clock file %s: has %lld bytes, needs 16", path,
                (long long)st.st_size);
    close(fd);
    return false;
  }
  void *map = mmap(NULL, sizeof *clock->file, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (map == MAP_FAILED) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "clock file %s: %s", path, g_strerror(errno));
    return false;
  }
  clock->file = map;
  return true;
}

struct clock *clock_open(const char *file, GError **error)
{
  struct clock *clock = g_new0(struct clock, 1);
  if (file && !map_file(clock, file, error)) {
    g_free(clock);
    return NULL;
  }
  return clock;
}

void clock_close(struct clock *clock)
{
  if (!clock) return;
  if (clock->file) munmap(clock->file, sizeof *clock->file);
  g_free(clock);
}

static int64_t system_now(void)
{
  struct timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  return (int64_t)ts.tv_sec * CLOCK_SECOND + ts.tv_nsec / 1000;
}

int64_t clock_now(const struct clock *clock)
{
  if (!clock->file) return system_now();
  int64_t since = clock->file->since;
  int64_t start = clock->file->start;
  return since ? start + (system_now() - since) : start;
}

bool clock_is_controlled(const struct clock *clock)
{
  return clock->file != NULL;
}
