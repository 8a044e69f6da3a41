#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

#include "mail/range.h"
#include "rewrite/optout.h"
#include "token/token.h"

/* What a program asks of us in the header of its mail:
 *   X-Tidings-List: NAME                the list that the mail belongs to
 *   X-Tidings-Track: none|clicks|all    measure no more than this
 *   X-Tidings-Campaign: TEXT            a name for the reports
 *   X-Tidings-UTM: yes|no               UTM tags on tracked links
 *   X-Tidings-Send: MARKER              our own mail (a workflow's, or a copy of a split one),
 *                                       proved by a sealed marker
 * Whether it may ask is the caller's to know. No copy ever leaves the house. The
 * opt-out fields of other services (optout.h) are read too, and stay. */

/* What may be measured, the least first. */
enum rewrite_track { REWRITE_TRACK_NONE, REWRITE_TRACK_AGGREGATE, REWRITE_TRACK_CLICKS, REWRITE_TRACK_ALL };

/* Whether NAME is one of our control fields, known or not: "X-Tidings-…". */
bool rewrite_control_is(const char *name, size_t length);

typedef struct rewrite_control {
  char *list;               /* NULL: not given; the first counts */
  enum rewrite_track track; /* the least that was asked for; ALL if nothing was */
  char *campaign;
  char *send;
  bool utm, no_utm; /* either may be asked for; NO counts if both are */
  unsigned denied;  /* a set of enum rewrite_deny, by fields of other services */
} rewrite_control;

/* Reads the header SECTION of BYTES. A X-Tidings-Track of no meaning is NONE.
 * Values are trimmed and cut at 998 bytes. Release with rewrite_control_clear(). */
void rewrite_control_read(const char *bytes, struct mail_range section, struct rewrite_control *control);
void rewrite_control_clear(struct rewrite_control *control);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(rewrite_control, rewrite_control_clear)

/* What a marker says: whose mail it is, and for which visit of which step. */
struct rewrite_marker {
  int64_t tenant;
  int64_t journey;
  char step[65];
  int64_t visit;
  int64_t copy; /* not 0: one recipient's copy of a split mail, with this id; journey, step and visit
                   are then empty */
};

/* Appends the sealed marker to OUT. Errors: INPUT (step empty, where it is no
 * copy's, or over 64 bytes), and those of token_seal(). */
bool rewrite_marker_seal(struct token_keys *keys, const struct rewrite_marker *marker, GString *out,
                         GError **error);

/* Opens one; false if it is not of our making. */
bool rewrite_marker_open(struct token_keys *keys, const char *text, struct rewrite_marker *marker);
