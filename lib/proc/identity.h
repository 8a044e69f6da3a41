#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include <glib.h>

/* Who a daemon becomes. Inside lib/proc. */

struct identity {
  char *name; /* of the user, for initgroups; NULL if it was given as a number */
  uid_t uid;
  gid_t gid;
  GArray *groups; /* of gid_t; NULL: those of the user */
};

/* Looks up USER, GROUP (NULL: the user's own) and GROUPS (ends with NULL; none:
 * those of the user, or none for a number). Errors: INPUT, beginning with the
 * key's last name ("user: …"). Clear with identity_clear() in any case. */
bool identity_find(const char *user, const char *group, char *const *groups, struct identity *identity,
                   GError **error);
void identity_clear(struct identity *identity);

/* Becomes IDENTITY for good. Errors: SYS. */
bool identity_take(const struct identity *identity, GError **error);
