#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "directory/stop.h"

/* The directory: the few facts that the producers need, published by policyd.
 *
 * A snapshot is a SQLite file that never changes (written aside, synced,
 * renamed, opened immutable=1), named snapshot-GENERATION.db; `current` is a
 * symbolic link to it, replaced by rename. What changed since stands in
 * delta-GENERATION, fixed-size records appended. Readers never wait and never
 * write; a reader without any snapshot sees an empty directory. */

enum track_mode { TRACK_NONE, TRACK_AGGREGATE, TRACK_CLICKS, TRACK_ALL };

struct directory_tenant {
  int64_t id;
  const char *name;  /* short, [a-z0-9-] */
  const char *title; /* shown to recipients */
  enum track_mode track;
  const char *url; /* base of tracked URLs, "https://t.example.com", no slash at the end */
  bool split;      /* a mail to several recipients becomes one for each */
  bool text_links; /* also track those in plain text */
};

struct directory_list {
  int64_t id;
  int64_t tenant;
  const char *name;
  const char *title;
  const char *sender; /* envelope or From: address whose mail is this list's without being told; or NULL */
  bool unsubscribe;   /* add List-Unsubscribe and List-Unsubscribe-Post */
  bool limited;       /* measure no more than `track`, nor than the tenant does */
  enum track_mode track;
  bool utm; /* add UTM tags to tracked links */
};

/* Names of track modes: "none", "aggregate", "clicks", "all". */
const char *track_mode_name(enum track_mode mode);
bool track_mode_parse(const char *name, enum track_mode *mode);

struct directory;      /* a reader, shared by the threads of a program */
struct directory_view; /* one consistent state of it, counted */

/* A folder that is not there yet is empty. Errors: SYS (it may not be read). */
struct directory *directory_open(const char *dir, GError **error);
void directory_close(struct directory *directory);

/* The newest state, at most 50 ms old. Never fails: if the newest snapshot
 * cannot be read it is the last good one, and *STALE (may be NULL) says so. The
 * view's facts stand still; suppressions that arrive in the delta are seen.
 * Borrowed facts live as long as the view. Any thread. Give it back with
 * directory_release(). */
struct directory_view *directory_acquire(struct directory *directory, bool *stale);
void directory_release(struct directory_view *view);

/* Look-ups; NULL if there is none. Users and domains are compared without case;
 * a domain also matches its sub-domains if it was added with a leading dot. */
const struct directory_tenant *directory_tenant(struct directory_view *view, int64_t id);
const struct directory_tenant *directory_tenant_by_name(struct directory_view *view, const char *name);
const struct directory_tenant *directory_tenant_by_user(struct directory_view *view, const char *user);
const struct directory_tenant *directory_tenant_by_domain(struct directory_view *view, const char *domain);

/* Do tracked links of other tenants begin at AUTHORITY ("t.example.com:8080"), and
 * those of TENANT not? Ports, letters' case and a final dot do not matter. False
 * for a tenant that is not known, and for a host that is nobody's. */
bool directory_is_foreign_host(struct directory_view *view, int64_t tenant, const char *authority);

const struct directory_list *directory_list(struct directory_view *view, int64_t tenant, const char *name);
const struct directory_list *directory_list_by_sender(struct directory_view *view, int64_t tenant,
                                                      const char *address);

/* May a link to URL, of LENGTH bytes, in MAIL of TENANT not be followed (any more)?
 * MAIL 0: one that is still to be sent. */
bool directory_link_stopped(struct directory_view *view, int64_t tenant, int64_t mail, const char *url,
                            size_t length);

/* Is mail of LIST (0: any mail of the tenant) to ADDRESS suppressed? A
 * suppression of list 0 covers all lists. TENANT 0 is host-wide. Should the look-up
 * itself fail (the disk went bad under a loaded snapshot) the answer is true, and
 * the view is stale from then on: refuse for now (4xx), not for good. */
bool directory_suppressed(struct directory_view *view, int64_t tenant, int64_t list, const char *address);

/* Has a look-up in VIEW failed, so that "suppressed" may mean "not known"? */
bool directory_is_broken(struct directory_view *view);

/* The suppression key of an address: SHA-256 of the address, domain (and local
 * part) lower-cased, truncated to 16 bytes. */
void directory_address_key(const char *address, uint8_t key[16]);

/* The writer's end: policyd alone. */
struct directory_writer;

/* Begins a snapshot in DIR (made if missing, mode 2750). Add everything, then
 * publish; free in any case. publish() syncs, renames, removes snapshots older
 * than the last two, and starts an empty delta. Errors: SYS; INPUT (added twice). */
struct directory_writer *directory_writer_new(const char *dir, GError **error);
bool directory_writer_tenant(struct directory_writer *w, const struct directory_tenant *tenant,
                             GError **error);
bool directory_writer_user(struct directory_writer *w, int64_t tenant, const char *user, GError **error);
bool directory_writer_domain(struct directory_writer *w, int64_t tenant, const char *domain, GError **error);
bool directory_writer_list(struct directory_writer *w, const struct directory_list *list, GError **error);
bool directory_writer_suppression(struct directory_writer *w, int64_t tenant, int64_t list,
                                  const uint8_t key[16], GError **error);
bool directory_writer_stop(struct directory_writer *w, const struct directory_stop *stop, GError **error);
bool directory_writer_publish(struct directory_writer *w, GError **error);
void directory_writer_free(struct directory_writer *w);

/* Appends a suppression (or its removal) to the delta of the current snapshot;
 * a reader sees it within 50 ms. *SIZE (may be NULL): records in the delta now,
 * so that the caller publishes anew when it has grown. On disk on return. Errors:
 * NOTFOUND (nothing was published yet), SYS. */
bool directory_delta(const char *dir, int64_t tenant, int64_t list, const uint8_t key[16], bool suppressed,
                     size_t *size, GError **error);
