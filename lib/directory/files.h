#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

/* The directory's files, for its reader and its writer. */

enum { DIRECTORY_APPLICATION = 0x54644469 /* TdDi */, DIRECTORY_VERSION = 4 };

#define DIRECTORY_SCHEMA                                                                                     \
  "CREATE TABLE tenant (id INTEGER PRIMARY KEY, name TEXT NOT NULL, title TEXT NOT NULL, track INTEGER NOT " \
  "NULL, url TEXT NOT NULL, split INTEGER NOT NULL, text_links INTEGER NOT NULL);"                           \
  "CREATE TABLE user (name TEXT PRIMARY KEY, tenant INTEGER NOT NULL) WITHOUT ROWID;"                        \
  "CREATE TABLE domain (name TEXT PRIMARY KEY, tenant INTEGER NOT NULL) WITHOUT ROWID;"                      \
  "CREATE TABLE list (id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, name TEXT NOT NULL, title TEXT NOT "  \
  "NULL, sender TEXT, unsubscribe INTEGER NOT NULL, track INTEGER, utm INTEGER NOT NULL);"                   \
  "CREATE TABLE link_stop (tenant INTEGER NOT NULL, mail INTEGER NOT NULL, url TEXT NOT NULL, prefix "       \
  "INTEGER NOT NULL);"                                                                                       \
  "CREATE TABLE suppression (key BLOB, tenant INTEGER, list INTEGER, PRIMARY KEY (key, tenant, list))"       \
  " WITHOUT ROWID;"

/* Key → is there any? No, for nearly every address, and it costs one look. */
#define DIRECTORY_KNOWN "SELECT 1 FROM suppression WHERE key = ? LIMIT 1"

/* Key, tenant, list → the suppressions that could cover it: at most four rows. */
#define DIRECTORY_SUPPRESSED                                                                                 \
  "SELECT tenant, list FROM suppression WHERE key = ? AND tenant IN (?, 0) AND list IN (?, 0)"

/* The names: `snapshot-GENERATION.db`, `delta-GENERATION`. Caller frees. */
char *directory_snapshot_path(const char *dir, int64_t generation);
char *directory_delta_path(const char *dir, int64_t generation);

/* The generation that `current` points to; 0: there is none; -1: it cannot be
 * read, or points nowhere that we know. */
int64_t directory_current(const char *dir);

/* The generations that are in the folder, descending, of int64_t. Caller frees. */
GArray *directory_generations(const char *dir);

/* A record of the delta: SIZE bytes, checksum included; it lies within one sector. */
enum { DIRECTORY_RECORD = 64 };

struct directory_change {
  int64_t tenant;
  int64_t list;
  uint8_t key[16];
  bool suppressed;
};

void directory_record_make(const struct directory_change *change, uint8_t record[DIRECTORY_RECORD]);

/* False: these bytes are no whole record. */
bool directory_record_parse(const uint8_t record[DIRECTORY_RECORD], struct directory_change *change);
