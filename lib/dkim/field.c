/* What the header says about who signs, and who has signed. */

#include <string.h>

#include "dkim/sign.h"
#include "mail/address.h"
#include "mail/header.h"

static char *only_address_domain(const char *value, size_t length)
{
  g_autoptr(GPtrArray) list = mail_addresses_read(value, length, 2);
  if (list->len != 1) return NULL;
  const struct mail_address *address = list->pdata[0];
  const char *at = strrchr(address->address, '@');
  return at && at > address->address && !*address->group ? dkim_domain(at + 1) : NULL;
}

char *dkim_from_domain(const char *header, size_t length)
{
  struct mail_range section = {0, length};
  struct mail_field field;
  if (mail_header_count(header, section, "From") != 1) return NULL;
  if (!mail_header_find(header, section, "From", 0, &field)) return NULL;
  return only_address_domain(header + field.value.start, field.value.end - field.value.start);
}

/* TEXT without its white space. */
static char *squeeze(const char *text, size_t length)
{
  GString *out = g_string_new(NULL);
  for (size_t i = 0; i < length; i++)
    if (!g_ascii_isspace(text[i])) g_string_append_c(out, text[i]);
  return g_string_free(out, FALSE);
}

char *dkim_signature_tag(const char *value, size_t length, const char *name)
{
  g_autofree char *text = squeeze(value, length);
  g_auto(GStrv) tags = g_strsplit(text, ";", 64);
  size_t n = strlen(name);
  for (char **tag = tags; *tag; tag++)
    if (strncmp(*tag, name, n) == 0 && (*tag)[n] == '=') return g_strdup(*tag + n + 1);
  return NULL;
}
