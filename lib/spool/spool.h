#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

/* The spool: messages that wait, durably, to be handed to the MTA.
 *
 * One immutable file a message and recipient, TENANT.MAIL (the mail's id in 16 hex
 * digits): a line of JSON (who, to whom, how long, SHA-256) and the message's own
 * bytes. It is written under another name, synced and renamed, so a file that has
 * its name is whole. Who writes it says so in a journal afterwards; policyd hands
 * the message over and removes the file. */

struct spool_copy {
  int64_t tenant;
  int64_t mail;          /* its id */
  const char *sender;    /* of the envelope; "": the null sender */
  const char *recipient; /* ASCII, as the sender's */
  const char *origin;    /* the MTA's queue id of the message it was made from, or NULL */
  const char *message;   /* header section, empty line, body */
  size_t length;
};

/* Makes the folder (mode 2770, its parent too) if it is missing. Errors: SYS. */
bool spool_make(const char *dir, GError **error);

/* Writes one file and syncs it, not the folder. Errors: SYS (disk full, no right:
 * nothing is left behind), INPUT (an address that is no UTF-8). */
bool spool_write(const char *dir, const struct spool_copy *copy, GError **error);

/* Syncs the folder: after this what was written before has its name for good. */
bool spool_sync(const char *dir, GError **error);

/* A file that was read: `copy` borrows from it. */
struct spool_file {
  struct spool_copy copy;
  char *bytes;  /* of the whole file */
  void *fields; /* the first line */
};

/* Reads one. Errors: NOTFOUND; INPUT (not whole, or of another mail); TEMP (no
 * memory), SYS. Release with spool_file_clear(). */
bool spool_read(const char *dir, int64_t tenant, int64_t mail, struct spool_file *file, GError **error);
void spool_file_clear(struct spool_file *file);

/* Removes one; one that is not there is no error. Errors: SYS. */
bool spool_remove(const char *dir, int64_t tenant, int64_t mail, GError **error);

/* What is there, in no order: a GArray of struct spool_entry, at most MAX. A folder
 * that is missing is empty. Errors: SYS. */
struct spool_entry {
  int64_t tenant, mail;
  bool whole; /* false: under its first name, not renamed yet or never */
};
GArray *spool_list(const char *dir, size_t max, GError **error);

/* Removes the file of an entry that is not whole. */
void spool_remove_part(const char *dir, const struct spool_entry *entry);
