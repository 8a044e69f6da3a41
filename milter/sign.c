/* Which key signs, and over which bytes. The header that is signed is made of the
 * one that came by the same changes that the MTA is told to make. */

#include "milter/sign.h"

#include <string.h>

#include "base/error.h"
#include "mail/edit.h"
#include "mail/header.h"

struct sign {
  const struct conf *conf;
  struct dkim_signer *signer;
  GMutex lock;
  struct dkim_keys *keys; /* NULL: none */
};

/* ---- keys ---- */

bool sign_reload(struct sign *sign, GError **error)
{
  if (!sign->conf->dkim_sign) return true;
  struct dkim_keys *fresh = dkim_keys_load(sign->conf->dkim_keys, error);
  if (!fresh) return false;
  g_mutex_lock(&sign->lock);
  struct dkim_keys *old = sign->keys;
  sign->keys = fresh;
  g_mutex_unlock(&sign->lock);
  dkim_keys_free(old);
  return true;
}

struct sign *sign_open(const struct conf *conf, GError **error)
{
  struct sign *sign = g_new0(struct sign, 1);
  sign->conf = conf;
  sign->signer = dkim_signer_new();
  g_mutex_init(&sign->lock);
  if (sign_reload(sign, error)) return sign;
  sign_close(sign);
  return NULL;
}

void sign_close(struct sign *sign)
{
  if (!sign) return;
  dkim_keys_free(sign->keys);
  dkim_signer_free(sign->signer);
  g_mutex_clear(&sign->lock);
  g_free(sign);
}

static struct dkim_key *find_key(struct sign *sign, const char *domain)
{
  g_mutex_lock(&sign->lock);
  struct dkim_key *key = sign->keys ? dkim_keys_find(sign->keys, domain) : NULL;
  g_mutex_unlock(&sign->lock);
  return key;
}

/* ---- whose domain ---- */

/* DOMAIN is in A-labels; the administrator may have written it in others (K7). */
static bool owns(struct directory_view *view, int64_t tenant, const char *domain)
{
  const struct directory_tenant *owner = directory_tenant_by_domain(view, domain);
  if (owner) return owner->id == tenant;
  g_autofree char *unicode = strstr(domain, "xn--") ? g_hostname_to_unicode(domain) : NULL;
  owner = unicode ? directory_tenant_by_domain(view, unicode) : NULL;
  return owner && owner->id == tenant;
}

static struct dkim_key *key_of_domain(struct sign *sign, struct directory_view *view, int64_t tenant,
                                      const char *domain)
{
  while (owns(view, tenant, domain)) {
    struct dkim_key *key = find_key(sign, domain);
    const char *dot = strchr(domain, '.');
    if (key || !dot) return key;
    domain = dot + 1;
  }
  return NULL;
}

/* Is the first signature one of TENANT's domains, and not by KEY? */
static bool signed_before(const struct engine_mail *mail, const struct mail_field *field,
                          struct directory_view *view, int64_t tenant, const struct dkim_key *key)
{
  const char *value = mail->message + field->value.start;
  size_t length = field->value.end - field->value.start;
  g_autofree char *written = dkim_signature_tag(value, length, "d");
  g_autofree char *domain = written ? dkim_domain(written) : NULL;
  g_autofree char *selector = dkim_signature_tag(value, length, "s");
  if (!domain || !owns(view, tenant, domain)) return false;
  return !key || !selector || strcmp(selector, dkim_key_selector(key)) != 0;
}

struct dkim_key *sign_key(struct sign *sign, struct directory_view *view, int64_t tenant,
                          const struct engine_mail *mail, bool *before)
{
  struct mail_field field;
  struct mail_range section = {0, mail->body};
  g_autofree char *domain = dkim_from_domain(mail->message, mail->body);
  struct dkim_key *key = domain ? key_of_domain(sign, view, tenant, domain) : NULL;
  *before = false;
  if (!mail_header_find(mail->message, section, SIGN_FIELD, 0, &field)) return key;
  *before = signed_before(mail, &field, view, tenant, key);
  dkim_key_unref(key);
  return NULL;
}

/* ---- the signature ---- */

/* The header section with the changes made, without the empty line. */
static bool header_on_wire(const struct engine_mail *mail, const struct rewrite_result *result, char **header,
                           size_t *length, GError **error)
{
  g_autoptr(mail_edits) none = mail_edits_new(0);
  struct rewrite_result headers = *result;
  headers.edits = none;
  if (!rewrite_apply(&headers, mail->message, mail->body, header, length, error)) return false;
  *length -= MIN(*length, strlen("\r\n"));
  return true;
}

/* libmilter's folds have no CR. */
static char *without_cr(const GString *value)
{
  GString *out = g_string_sized_new(value->len);
  for (size_t i = 0; i < value->len; i++)
    if (value->str[i] != '\r') g_string_append_c(out, value->str[i]);
  return g_string_free(out, FALSE);
}

char *sign_value(struct sign *sign, const struct dkim_key *key, const struct engine_mail *mail,
                 const struct rewrite_result *result, const char *body, size_t length, int64_t now,
                 GError **error)
{
  g_autofree char *header = NULL;
  g_autoptr(GString) value = g_string_new(NULL);
  size_t header_length;
  if (mail->too_large) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "it is over milter.max_size");
    return NULL;
  }
  if (!header_on_wire(mail, result, &header, &header_length, error)) return NULL;
  if (!dkim_signer_sign(sign->signer, key, header, header_length, body, length, now, value, error))
    return NULL;
  return without_cr(value);
}
