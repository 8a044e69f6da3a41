/* The directory's files: their names, and the record of the delta:
 * magic 8 | tenant 8 | list 8 | key 16 | suppressed 8 | SHA-256 of these, 16. */

#include "directory/files.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "directory/directory.h"

static const char magic[8] = {'T', 'd', 'D', 'e', 'l', 't', 'a', '1'};

enum { CHECKED = 48, CHECK = DIRECTORY_RECORD - CHECKED };

char *directory_snapshot_path(const char *dir, int64_t generation)
{
  return g_strdup_printf("%s/snapshot-%012" PRId64 ".db", dir, generation);
}

char *directory_delta_path(const char *dir, int64_t generation)
{
  return g_strdup_printf("%s/delta-%012" PRId64, dir, generation);
}

/* The generation in a snapshot's name; 0: it is none. */
static int64_t generation_of(const char *name)
{
  static const char prefix[] = "snapshot-";
  if (!g_str_has_prefix(name, prefix)) return 0;
  name += sizeof prefix - 1;
  if (strspn(name, "0123456789") != 12 || strcmp(name + 12, ".db") != 0) return 0;
  return g_ascii_strtoll(name, NULL, 10);
}

int64_t directory_current(const char *dir)
{
  g_autofree char *path = g_strconcat(dir, "/current", NULL);
  char name[64];
  ssize_t length = readlink(path, name, sizeof name - 1);
  if (length < 0) return errno == ENOENT ? 0 : -1;
  name[length] = '\0';
  int64_t generation = generation_of(name);
  return generation ? generation : -1;
}

static int descending(const void *a, const void *b)
{
  int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
  return (left < right) - (left > right);
}

GArray *directory_generations(const char *dir)
{
  GArray *generations = g_array_new(false, false, sizeof(int64_t));
  DIR *folder = opendir(dir);
  if (!folder) return generations;
  for (struct dirent *entry; (entry = readdir(folder));) {
    int64_t generation = generation_of(entry->d_name);
    if (generation) g_array_append_val(generations, generation);
  }
  closedir(folder);
  g_array_sort(generations, descending);
  return generations;
}

static void put_number(uint8_t *to, int64_t number)
{
  uint64_t big_endian = GUINT64_TO_BE((uint64_t)number);
  memcpy(to, &big_endian, 8);
}

static int64_t get_number(const uint8_t *from)
{
  uint64_t big_endian;
  memcpy(&big_endian, from, 8);
  return (int64_t)GUINT64_FROM_BE(big_endian);
}

void directory_record_make(const struct directory_change *change, uint8_t record[DIRECTORY_RECORD])
{
  uint8_t digest[SHA256_DIGEST_LENGTH];
  memcpy(record, magic, 8);
  put_number(record + 8, change->tenant);
  put_number(record + 16, change->list);
  memcpy(record + 24, change->key, 16);
  put_number(record + 40, change->suppressed);
  SHA256(record, CHECKED, digest);
  memcpy(record + CHECKED, digest, CHECK);
}

bool directory_record_parse(const uint8_t record[DIRECTORY_RECORD], struct directory_change *change)
{
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(record, CHECKED, digest);
  if (memcmp(record, magic, 8) != 0 || memcmp(record + CHECKED, digest, CHECK) != 0) return false;
  change->tenant = get_number(record + 8);
  change->list = get_number(record + 16);
  memcpy(change->key, record + 24, 16);
  change->suppressed = get_number(record + 40) != 0;
  return true;
}

void directory_address_key(const char *address, uint8_t key[16])
{
  uint8_t digest[SHA256_DIGEST_LENGTH];
  g_autofree char *lower = g_ascii_strdown(address, -1);
  SHA256((const uint8_t *)lower, strlen(lower), digest);
  memcpy(key, digest, 16);
}

static const char *const mode_names[] = {
    [TRACK_NONE] = "none", [TRACK_AGGREGATE] = "aggregate", [TRACK_CLICKS] = "clicks", [TRACK_ALL] = "all"};

const char *track_mode_name(enum track_mode mode)
{
  return (size_t)mode < G_N_ELEMENTS(mode_names) ? mode_names[mode] : "none";
}

bool track_mode_parse(const char *name, enum track_mode *mode)
{
  for (size_t i = 0; i < G_N_ELEMENTS(mode_names); i++) {
    if (strcmp(name, mode_names[i]) != 0) continue;
    *mode = (enum track_mode)i;
    return true;
  }
  return false;
}
