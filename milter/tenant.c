/* Whose mail is it? Nothing that a message says of itself makes it ours; only
 * once the MTA has vouched for its way in does its sender tell the tenant. */

#include "milter/tenant.h"

#include <string.h>

#include <arpa/inet.h>

#include "mail/header.h"

/* Whether ADDRESS is in NETWORK ("192.0.2.1", "10.0.0.0/8", "2001:db8::/32"). */
static bool is_in_network(const char *address, const char *network)
{
  unsigned char a[16], n[16];
  g_auto(GStrv) parts = g_strsplit(network, "/", 2);
  int family = strchr(parts[0], ':') ? AF_INET6 : AF_INET;
  if (inet_pton(family, address, a) != 1 || inet_pton(family, parts[0], n) != 1) return false;
  guint64 bits = family == AF_INET6 ? 128 : 32;
  if (parts[1] && !g_ascii_string_to_unsigned(parts[1], 10, 0, bits, &bits, NULL)) return false;
  size_t bytes = bits / 8, rest = bits % 8;
  if (memcmp(a, n, bytes) != 0) return false;
  return rest == 0 || ((a[bytes] ^ n[bytes]) >> (8 - rest)) == 0;
}

static bool is_in_list(char *const *list, const char *word)
{
  for (; word && *list; list++)
    if (strcmp(*list, word) == 0) return true;
  return false;
}

bool tenant_is_trusted(const struct conf *conf, const struct engine_mail *mail)
{
  if (mail->user && *mail->user) return true;
  if (is_in_list(conf->milter_originating, mail->listener)) return true;
  if (!mail->client) return false;
  /* Postfix writes "IPv6:…" in places. */
  const char *client = g_str_has_prefix(mail->client, "IPv6:") ? mail->client + 5 : mail->client;
  for (char *const *network = conf->milter_trusted; *network; network++)
    if (is_in_network(client, *network)) return true;
  return false;
}

/* The address in the first From: "Anna <a@example.com>" or "a@example.com". The
 * caller's; NULL if there is none that is plain to see. */
static char *from_address(const struct engine_mail *mail)
{
  struct mail_field field;
  struct mail_range section = {0, mail->body};
  if (!mail_header_find(mail->message, section, "From", 0, &field)) return NULL;
  g_autofree char *text = g_strndup(mail->message + field.value.start, field.value.end - field.value.start);
  char *open = strrchr(text, '<'), *close = open ? strchr(open, '>') : NULL;
  if (open && !close) return NULL;
  if (close) *close = '\0';
  char *address = g_strstrip(open ? open + 1 : text);
  if (!strchr(address, '@') || strpbrk(address, " \t\r\n,;\"")) return NULL;
  return g_strdup(address);
}

static const char *domain_of(const char *address)
{
  const char *at = address ? strrchr(address, '@') : NULL;
  return at && at[1] ? at + 1 : NULL;
}

const struct directory_tenant *tenant_find(struct directory_view *view, const struct engine_mail *mail)
{
  const struct directory_tenant *tenant = NULL;
  if (mail->user && *mail->user) tenant = directory_tenant_by_user(view, mail->user);
  if (!tenant && domain_of(mail->sender)) tenant = directory_tenant_by_domain(view, domain_of(mail->sender));
  if (tenant) return tenant;
  g_autofree char *from = from_address(mail);
  return domain_of(from) ? directory_tenant_by_domain(view, domain_of(from)) : NULL;
}

const struct directory_list *tenant_list(struct directory_view *view, int64_t tenant,
                                         const struct engine_mail *mail, const char *name)
{
  if (name && *name) return directory_list(view, tenant, name);
  const struct directory_list *list = NULL;
  if (mail->sender && *mail->sender) list = directory_list_by_sender(view, tenant, mail->sender);
  if (list) return list;
  g_autofree char *from = from_address(mail);
  return from ? directory_list_by_sender(view, tenant, from) : NULL;
}
