/* Records of keys. They are compared tag by tag: white space, the order of tags
 * and tags that change nothing do not matter to a verifier. */

#include "dkim/record.h"

#include <stdbool.h>
#include <string.h>

#include "dkim/sign.h"

enum { MAX_STRING = 255 };

char *dkim_record_zone_line(const char *name, const char *text)
{
  GString *out = g_string_new(NULL);
  g_string_printf(out, "%s. IN TXT (", name);
  for (size_t length = strlen(text), at = 0; at < length; at += MAX_STRING)
    g_string_append_printf(out, "\n  \"%.*s\"", (int)MIN(length - at, (size_t)MAX_STRING), text + at);
  g_string_append(out, " )");
  return g_string_free(out, FALSE);
}

char *dkim_record_read(const char *copied)
{
  const char *at = strchr(copied, '"');
  if (!at) return g_strstrip(g_strdup(copied));
  GString *out = g_string_new(NULL);
  while (at) {
    const char *end = strchr(at + 1, '"');
    if (!end) break;
    g_string_append_len(out, at + 1, end - at - 1);
    at = strchr(end + 1, '"');
  }
  return g_string_free(out, FALSE);
}

static char *tag(const char *record, const char *name)
{
  return dkim_signature_tag(record, strlen(record), name);
}

/* Whether WORD is in the list "a:b"; there is no list: yes. */
static bool allows(const char *list, const char *word)
{
  if (!list) return true;
  g_auto(GStrv) words = g_strsplit(list, ":", -1);
  return g_strv_contains((const char *const *)words, word) ||
         g_strv_contains((const char *const *)words, "*");
}

const char *dkim_record_fault(const char *expected, const char *found)
{
  g_autofree char *version = tag(found, "v"), *kind = tag(found, "k"), *hash = tag(found, "h"),
                  *service = tag(found, "s"), *key = tag(found, "p"), *wanted = tag(expected, "p");
  if (version && strcmp(version, "DKIM1") != 0) return "it is no DKIM record: v= is not DKIM1";
  if (!key) return "it is no DKIM record: there is no p=";
  if (!*key) return "the key is revoked: p= is empty";
  if (kind && strcmp(kind, "rsa") != 0) return "it says that this is no RSA key: k= is not rsa";
  if (!allows(hash, "sha256")) return "it forbids sha256: take h= away";
  if (!allows(service, "email")) return "it is not for mail: take s= away";
  if (g_strcmp0(key, wanted) != 0) return "it has another key: p= differs";
  return NULL;
}
