/* Sealed tokens: the format, and the keys behind it.
 *
 * token_keys_new(), token_keys_add() for each master key, then token_seal() and
 * token_open() from any thread. What always holds: a context in the table is
 * complete and does not change, and is there because we sealed with it or because
 * something it sealed was opened: tokens made up for tenants that do not exist
 * cannot fill the table. */

#include "token/token.h"

#include <string.h>

#include <openssl/crypto.h>

#include "base/error.h"
#include "token/siv.h"
#include "token/text.h"

enum {
  FIRST_BYTE = 0x10, /* version 1; the low four bits are for later */
  MAX_VARINT = 9,    /* of 63 bits */
  MAX_PREFIX = 2 + MAX_VARINT,
  MAX_BODY = 1 + MAX_VARINT + 5 + TOKEN_MAX_DESTINATION,
  MAX_BYTES = MAX_PREFIX + TOKEN_SIV_TAG + MAX_BODY,
  MAX_CONTEXTS = 2048, /* about 2 kB each; a full table is emptied, and fills again with those in use */
};

G_STATIC_ASSERT((MAX_BYTES + 2) / 3 * 4 <= TOKEN_MAX_SEGMENT);

struct token_keys {
  struct token_siv_library *library;
  GRWLock lock; /* over all that follows */
  uint8_t *secrets[256];
  int sealing;          /* the id that seals; -1: none yet */
  GHashTable *contexts; /* struct context_key → struct token_siv */
};

/* Whose context: the clear prefix of its tokens, and the direction. */
struct context_key {
  int64_t tenant;
  uint8_t id;
  bool seals;
};

/* -- keys ---------------------------------------------------------------- */

static guint context_key_hash(const void *data)
{
  const struct context_key *key = data;
  uint64_t mixed =
      ((uint64_t)key->tenant << 9 ^ (uint64_t)key->id << 1 ^ key->seals) * UINT64_C(0x9E3779B97F4A7C15);
  return (guint)(mixed >> 32);
}

static gboolean context_key_equal(const void *a, const void *b)
{
  const struct context_key *left = a, *right = b;
  return left->tenant == right->tenant && left->id == right->id && left->seals == right->seals;
}

static void siv_free(void *siv)
{
  token_siv_free(siv);
}

struct token_keys *token_keys_new(void)
{
  struct token_keys *keys = g_new0(struct token_keys, 1);
  keys->library = token_siv_library_new();
  keys->sealing = -1;
  keys->contexts = g_hash_table_new_full(context_key_hash, context_key_equal, g_free, siv_free);
  g_rw_lock_init(&keys->lock);
  return keys;
}

void token_keys_free(struct token_keys *keys)
{
  if (!keys) return;
  g_hash_table_destroy(keys->contexts);
  for (size_t i = 0; i < G_N_ELEMENTS(keys->secrets); i++) {
    if (keys->secrets[i]) OPENSSL_cleanse(keys->secrets[i], TOKEN_SECRET_BYTES);
    g_free(keys->secrets[i]);
  }
  token_siv_library_free(keys->library);
  g_rw_lock_clear(&keys->lock);
  g_free(keys);
}

bool token_keys_add(struct token_keys *keys, uint8_t id, const uint8_t secret[TOKEN_SECRET_BYTES],
                    GError **error)
{
  g_rw_lock_writer_lock(&keys->lock);
  bool fresh = !keys->secrets[id];
  if (fresh) {
    keys->secrets[id] = g_memdup2(secret, TOKEN_SECRET_BYTES);
    g_atomic_int_set(&keys->sealing, id);
  } else {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "key %d is there already", id);
  }
  g_rw_lock_writer_unlock(&keys->lock);
  return fresh;
}

/* -- numbers ------------------------------------------------------------- */

static size_t put_varint(uint8_t *to, uint64_t value)
{
  size_t n = 0;
  for (; value > 127; value >>= 7)
    to[n++] = (uint8_t)(value | 128);
  to[n++] = (uint8_t)value;
  return n;
}

/* Reads a varint of at most 63 bits, in its shortest spelling; the bytes it
 * took, 0: it is none. */
static size_t get_varint(const uint8_t *from, size_t length, uint64_t *value)
{
  *value = 0;
  for (size_t n = 0; n < length && n < MAX_VARINT; n++) {
    *value |= (uint64_t)(from[n] & 127) << (7 * n);
    if (from[n] & 128) continue;
    return n > 0 && from[n] == 0 ? 0 : n + 1;
  }
  return 0;
}

static size_t put_prefix(uint8_t prefix[MAX_PREFIX], uint8_t id, int64_t tenant)
{
  prefix[0] = FIRST_BYTE;
  prefix[1] = id;
  return 2 + put_varint(prefix + 2, (uint64_t)tenant);
}

static size_t get_prefix(const uint8_t *bytes, size_t length, uint8_t *id, int64_t *tenant)
{
  if (length < 2 || bytes[0] != FIRST_BYTE) return 0;
  uint64_t value;
  size_t n = get_varint(bytes + 2, length - 2, &value);
  *id = bytes[1];
  *tenant = (int64_t)value;
  return n ? n + 2 : 0;
}

/* -- contexts ------------------------------------------------------------ */

/* A new context for KEY; NULL if there is no such master key. The lock is held. */
static struct token_siv *derive(struct token_keys *keys, const struct context_key *key)
{
  static const char purpose[] = "tidings token";
  if (!keys->secrets[key->id]) return NULL;
  uint8_t info[sizeof purpose + MAX_PREFIX], secret[TOKEN_SIV_KEY];
  memcpy(info, purpose, sizeof purpose);
  size_t prefix = put_prefix(info + sizeof purpose, key->id, key->tenant);
  struct token_siv *siv = NULL;
  if (token_siv_derive(keys->library, keys->secrets[key->id], TOKEN_SECRET_BYTES, info,
                       sizeof purpose + prefix, secret))
    siv = token_siv_new(keys->library, key->seals, secret, info + sizeof purpose, prefix);
  OPENSSL_cleanse(secret, sizeof secret);
  return siv;
}

/* Keeps SIV for the next use, unless another thread was faster. */
static void keep(struct token_keys *keys, const struct context_key *key, struct token_siv *siv)
{
  g_rw_lock_writer_lock(&keys->lock);
  if (g_hash_table_size(keys->contexts) >= MAX_CONTEXTS) g_hash_table_remove_all(keys->contexts);
  if (g_hash_table_contains(keys->contexts, key))
    token_siv_free(siv);
  else
    g_hash_table_insert(keys->contexts, g_memdup2(key, sizeof *key), siv);
  g_rw_lock_writer_unlock(&keys->lock);
}

/* What is sealed or opened with a context. */
struct work {
  uint8_t *tag;
  const uint8_t *in;
  uint8_t *out;
  size_t length;
};

static bool apply(struct token_siv *siv, bool seals, const struct work *work)
{
  if (seals) return token_siv_seal(siv, work->in, work->length, work->out, work->tag);
  return token_siv_open(siv, work->tag, work->in, work->length, work->out);
}

static bool with_context(struct token_keys *keys, const struct context_key *key, const struct work *work)
{
  g_rw_lock_reader_lock(&keys->lock);
  struct token_siv *siv = g_hash_table_lookup(keys->contexts, key);
  struct token_siv *fresh = siv ? NULL : derive(keys, key);
  bool good = (siv || fresh) && apply(siv ? siv : fresh, key->seals, work);
  g_rw_lock_reader_unlock(&keys->lock);
  if (!fresh) return good;
  if (good)
    keep(keys, key, fresh);
  else
    token_siv_free(fresh);
  return good;
}

/* -- sealing ------------------------------------------------------------- */

static bool is_kind(uint8_t byte)
{
  return byte == TOKEN_OPEN || byte == TOKEN_CLICK || byte == TOKEN_UNSUBSCRIBE || byte == TOKEN_SEND;
}

static bool check_sealable(const struct token *token, GError **error)
{
  g_assert(is_kind((uint8_t)token->kind));
  if (token->destination_length > TOKEN_MAX_DESTINATION) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT,
                "the destination has %zu bytes, and %d is the most", token->destination_length,
                TOKEN_MAX_DESTINATION);
    return false;
  }
  if (token->tenant >= 0 && token->mail >= 0) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "a tenant's or a mail's id is negative");
  return false;
}

static size_t put_body(uint8_t body[MAX_BODY], const struct token *token)
{
  size_t n = 0;
  body[n++] = (uint8_t)token->kind;
  n += put_varint(body + n, (uint64_t)token->mail);
  n += put_varint(body + n, token->link);
  if (token->destination_length) memcpy(body + n, token->destination, token->destination_length);
  return n + token->destination_length;
}

bool token_seal(struct token_keys *keys, const struct token *token, GString *out, GError **error)
{
  if (!check_sealable(token, error)) return false;
  int id = g_atomic_int_get(&keys->sealing);
  if (id < 0) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "there is no key to seal with");
    return false;
  }
  uint8_t bytes[MAX_BYTES], body[MAX_BODY];
  size_t prefix = put_prefix(bytes, (uint8_t)id, token->tenant);
  size_t length = put_body(body, token);
  struct context_key key = {.tenant = token->tenant, .id = (uint8_t)id, .seals = true};
  struct work work = {bytes + prefix, body, bytes + prefix + TOKEN_SIV_TAG, length};
  if (!with_context(keys, &key, &work)) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "the crypto library failed to seal");
    return false;
  }
  token_text_encode(bytes, prefix + TOKEN_SIV_TAG + length, out);
  return true;
}

/* -- opening ------------------------------------------------------------- */

static bool get_body(const uint8_t *body, size_t length, struct token *token)
{
  uint64_t mail, link;
  if (length < 1 || !is_kind(body[0])) return false;
  size_t at = 1, n = get_varint(body + at, length - at, &mail);
  if (!n) return false;
  at += n;
  n = get_varint(body + at, length - at, &link);
  if (!n || link > UINT32_MAX || length - at - n > TOKEN_MAX_DESTINATION) return false;
  at += n;
  token->kind = (enum token_kind)body[0];
  token->mail = (int64_t)mail;
  token->link = (uint32_t)link;
  token->destination = (const char *)body + at;
  token->destination_length = length - at;
  return true;
}

static bool open_bytes(struct token_keys *keys, uint8_t *bytes, size_t length, struct token *token)
{
  struct context_key key = {.seals = false};
  size_t prefix = get_prefix(bytes, length, &key.id, &key.tenant);
  if (!prefix || length <= prefix + TOKEN_SIV_TAG) return false;
  uint8_t *body = bytes + prefix + TOKEN_SIV_TAG;
  struct work work = {bytes + prefix, body, body, length - prefix - TOKEN_SIV_TAG};
  token->tenant = key.tenant;
  return with_context(keys, &key, &work) && get_body(body, work.length, token);
}

bool token_open(struct token_keys *keys, const char *segment, size_t length, struct token *token,
                GByteArray *scratch, GError **error)
{
  if (length <= TOKEN_MAX_SEGMENT && token_text_decode(segment, length, scratch) &&
      open_bytes(keys, scratch->data, scratch->len, token))
    return true;
  *token = (struct token){0};
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "this is no token of ours");
  return false;
}

int token_key_id(const char *segment, size_t length)
{
  /* Eight letters are six bytes: version, id and the start of the tenant. */
  if (length < 8 || length > TOKEN_MAX_SEGMENT) return -1;
  g_autoptr(GByteArray) bytes = g_byte_array_sized_new(8);
  if (!token_text_decode(segment, 8, bytes) || bytes->data[0] != FIRST_BYTE) return -1;
  return bytes->data[1];
}
