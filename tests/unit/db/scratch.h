#pragma once

/* A scratch folder for tests, and work done there as somebody who is not root. */

#include <ftw.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib.h>

static inline char *scratch_new(void)
{
  char *dir = g_strdup("/tmp/tidings-test-XXXXXX");
  if (!mkdtemp(dir)) abort();
  return dir;
}

static inline int scratch_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
  (void)st, (void)type, (void)ftw;
  return remove(path);
}

/* Removes DIR with all that is in it, and frees the name. */
static inline void scratch_free(char *dir)
{
  nftw(dir, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
  g_free(dir);
}

/* Runs WORK in a child, there as nobody if we are root. Returns its exit code,
 * or -1 if a signal ended it. */
static inline int scratch_as_nobody(int (*work)(void *), void *data)
{
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 &&
        (setgroups(0, NULL) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
      _exit(99);
    int code = work(data);
    fflush(NULL);
    _exit(code);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) abort();
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
