/* Giving up root: identity_find() while names can be looked up, then
 * identity_take() once. Groups go first, the user last; afterwards no way leads
 * back. */

#include "proc/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <unistd.h>

#include "base/error.h"

static bool is_number(const char *text, guint64 *value)
{
  return g_ascii_string_to_unsigned(text, 10, 0, UINT32_MAX - 1, value, NULL);
}

static bool find_group(const char *text, gid_t *gid, GError **error)
{
  guint64 number;
  if (is_number(text, &number)) {
    *gid = (gid_t)number;
    return true;
  }
  const struct group *entry = getgrnam(text);
  if (!entry) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
                "group: there is no group '%s': make it with groupadd", text);
    return false;
  }
  *gid = entry->gr_gid;
  return true;
}

static bool find_user(const char *text, const char *group, struct identity *identity, GError **error)
{
  guint64 number;
  bool numeric = is_number(text, &number);
  const struct passwd *entry = numeric ? getpwuid((uid_t)number) : getpwnam(text);
  if (!numeric && !entry) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
                "user: there is no user '%s': make it with useradd --system", text);
    return false;
  }
  if (!entry && !group) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "user: %s has no group of its own: set group too",
                text);
    return false;
  }
  identity->name = numeric ? NULL : g_strdup(text);
  identity->uid = numeric ? (uid_t)number : entry->pw_uid;
  identity->gid = entry ? entry->pw_gid : 0;
  if (identity->uid) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "user: '%s' is root: write an ordinary user", text);
  return false;
}

bool identity_find(const char *user, const char *group, char *const *groups, struct identity *identity,
                   GError **error)
{
  *identity = (struct identity){0};
  if (!find_user(user, group, identity, error)) return false;
  if (group && !find_group(group, &identity->gid, error)) return false;
  if (identity->name && !groups[0]) return true;
  identity->groups = g_array_new(FALSE, FALSE, sizeof(gid_t));
  for (size_t i = 0; groups[i]; i++) {
    gid_t gid;
    if (!find_group(groups[i], &gid, error)) return false;
    g_array_append_val(identity->groups, gid);
  }
  return true;
}

void identity_clear(struct identity *identity)
{
  g_clear_pointer(&identity->name, g_free);
  g_clear_pointer(&identity->groups, g_array_unref);
}

bool identity_take(const struct identity *identity, GError **error)
{
  int result = identity->groups
                   ? setgroups(identity->groups->len, (const gid_t *)(const void *)identity->groups->data)
                   : initgroups(identity->name, identity->gid);
  if (result == 0) result = setresgid(identity->gid, identity->gid, identity->gid);
  if (result == 0) result = setresuid(identity->uid, identity->uid, identity->uid);
  if (result == 0 && setuid(0) < 0) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "cannot become user %u, group %u: %s",
              (unsigned)identity->uid, (unsigned)identity->gid, g_strerror(errno));
  return false;
}
