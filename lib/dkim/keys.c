/* Signing keys in files.
 *
 * Every file is opened without following a link, and what is open is checked, so
 * that it is the file read that is safe. A key is kept as the text that
 * libopendkim reads fastest: PEM of the traditional kind, "RSA PRIVATE KEY".
 * Secrets are wiped where they passed. */

#include "dkim/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/error.h"

enum { MAX_FILE = 32 << 10, MAX_KEYS = 100000, MAX_DOMAIN = 253, MAX_LABEL = 63 };

#define SUFFIX ".pem"

struct dkim_key {
  char *domain, *selector;
  char *pem;
  gatomicrefcount references;
};

struct dkim_keys {
  GHashTable *by_domain; /* char * → struct dkim_key *, both owned */
};

static bool sys_error(const char *path, const char *what, GError **error)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: %s: %s", path, what, g_strerror(errno));
  return false;
}

/* What OpenSSL says of a failure is for programmers: it is dropped. */
static bool input_error(const char *path, const char *what, GError **error)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "%s: %s", path, what);
  return false;
}

/* ---- names ---- */

static bool is_label(const char *label, size_t length)
{
  if (length == 0 || length > MAX_LABEL) return false;
  for (size_t i = 0; i < length; i++)
    if (!g_ascii_isalnum(label[i]) && label[i] != '-' && label[i] != '_') return false;
  return label[0] != '-';
}

static bool is_dotted(const char *name)
{
  size_t length = strlen(name);
  if (length == 0 || length > MAX_DOMAIN) return false;
  for (const char *label = name; label;) {
    const char *dot = strchr(label, '.');
    if (!is_label(label, dot ? (size_t)(dot - label) : strlen(label))) return false;
    label = dot ? dot + 1 : NULL;
  }
  return true;
}

char *dkim_domain(const char *domain)
{
  if (strlen(domain) > 4 * MAX_DOMAIN || !g_utf8_validate(domain, -1, NULL)) return NULL;
  g_autofree char *ascii = g_hostname_to_ascii(domain);
  if (!ascii) return NULL;
  g_autofree char *lower = g_ascii_strdown(ascii, -1);
  size_t length = strlen(lower);
  if (length > 0 && lower[length - 1] == '.') lower[length - 1] = '\0';
  return is_dotted(lower) ? g_steal_pointer(&lower) : NULL;
}

/* ---- one key ---- */

static struct dkim_key *key_new(const char *domain, const char *selector, char *pem)
{
  struct dkim_key *key = g_new0(struct dkim_key, 1);
  key->domain = g_strdup(domain);
  key->selector = g_strdup(selector);
  key->pem = pem;
  g_atomic_ref_count_init(&key->references);
  return key;
}

void dkim_key_unref(struct dkim_key *key)
{
  if (!key || !g_atomic_ref_count_dec(&key->references)) return;
  OPENSSL_cleanse(key->pem, strlen(key->pem));
  g_free(key->pem);
  g_free(key->domain);
  g_free(key->selector);
  g_free(key);
}

const char *dkim_key_domain(const struct dkim_key *key)
{
  return key->domain;
}

const char *dkim_key_selector(const struct dkim_key *key)
{
  return key->selector;
}

const char *dkim_key_pem(const struct dkim_key *key)
{
  return key->pem;
}

/* Opens a key that is safe; -1: an error. */
static int open_safe(const char *path, GError **error)
{
  struct stat st;
  int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT)
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND, "%s: there is no such key", path);
    else if (errno == ELOOP)
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: refused: it is a symbolic link", path);
    else
      sys_error(path, "cannot read the key", error);
    return -1;
  }
  if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & (S_IRWXG | S_IRWXO)) == 0) return fd;
  close(fd);
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS,
              "%s: refused: it must be a file that its owner alone can read; run chmod 600 %s", path, path);
  return -1;
}

/* As much as fits; a longer one is no key. */
static ssize_t read_some(int fd, char *text, size_t size)
{
  size_t length = 0;
  while (length < size) {
    ssize_t n = read(fd, text + length, size - length);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    length += (size_t)n;
  }
  return (ssize_t)length;
}

/* No question at a terminal: a key with a passphrase is refused. */
static int no_passphrase(char *buffer, int size, int writing, void *data)
{
  (void)buffer, (void)size, (void)writing, (void)data;
  return -1;
}

static EVP_PKEY *parse_pem(const char *text, size_t length)
{
  BIO *bio = BIO_new_mem_buf(text, (int)length);
  EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
  BIO_free(bio);
  return key;
}

static char *traditional_pem(EVP_PKEY *key)
{
  char *text = NULL, *bytes;
  BIO *bio = BIO_new(BIO_s_secmem());
  if (bio && PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
    long length = BIO_get_mem_data(bio, &bytes);
    text = g_strndup(bytes, (size_t)length);
  }
  BIO_free(bio);
  return text;
}

static char *take_pem(const char *path, const char *text, size_t length, GError **error)
{
  char *pem = NULL;
  EVP_PKEY *key = parse_pem(text, length);
  if (!key)
    input_error(path, "this is no private key in PEM without a passphrase", error);
  else if (!EVP_PKEY_is_a(key, "RSA"))
    input_error(path, "this is no RSA key", error);
  else if (EVP_PKEY_get_bits(key) < DKIM_MIN_BITS || EVP_PKEY_get_bits(key) > DKIM_MAX_BITS)
    input_error(path, "a signing key has 2048 to 4096 bits", error);
  else if (!(pem = traditional_pem(key)))
    input_error(path, "the crypto library does not write this key", error);
  EVP_PKEY_free(key);
  return pem;
}

static char *read_pem(const char *path, GError **error)
{
  int fd = open_safe(path, error);
  if (fd < 0) return NULL;
  char *text = g_malloc(MAX_FILE), *pem = NULL;
  ssize_t length = read_some(fd, text, MAX_FILE);
  close(fd);
  if (length < 0)
    sys_error(path, "cannot read the key", error);
  else if (length == MAX_FILE)
    input_error(path, "too long for a key", error);
  else
    pem = take_pem(path, text, (size_t)length, error);
  OPENSSL_cleanse(text, MAX_FILE);
  g_free(text);
  return pem;
}

/* ---- folders ---- */

/* The selector of the file NAME, or NULL if it is no key's. Caller frees. */
static char *selector_of(const char *name)
{
  if (name[0] == '.' || !g_str_has_suffix(name, SUFFIX)) return NULL;
  g_autofree char *selector = g_strndup(name, strlen(name) - strlen(SUFFIX));
  return is_dotted(selector) ? g_steal_pointer(&selector) : NULL;
}

/* The selector that signs; NULL: none, or an error. */
static char *last_selector(const char *folder, GError **error)
{
  GDir *dir = g_dir_open(folder, 0, NULL);
  if (!dir) {
    if (errno != ENOENT && errno != ENOTDIR) sys_error(folder, "cannot read the folder of keys", error);
    return NULL;
  }
  char *last = NULL;
  for (const char *name; (name = g_dir_read_name(dir));) {
    g_autofree char *selector = selector_of(name);
    if (!selector || (last && strcmp(selector, last) <= 0)) continue;
    g_free(last);
    last = g_steal_pointer(&selector);
  }
  g_dir_close(dir);
  return last;
}

struct dkim_key *dkim_key_load(const char *folder, const char *domain, const char *selector, GError **error)
{
  GError *fault = NULL;
  g_autofree char *inner = g_build_filename(folder, domain, NULL);
  g_autofree char *found = selector ? g_strdup(selector) : last_selector(inner, &fault);
  if (fault) g_propagate_error(error, fault);
  if (!found && !fault)
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND,
                "%s has no key in %s; make one with `tidings dkim new %s'", domain, folder, domain);
  if (!found) return NULL;
  g_autofree char *path = g_strconcat(inner, "/", found, SUFFIX, NULL);
  char *pem = read_pem(path, error);
  return pem ? key_new(domain, found, pem) : NULL;
}

static void key_release(void *key)
{
  dkim_key_unref(key);
}

/* Adds the key of the folder DOMAIN, if it has one. */
static bool add_domain(struct dkim_keys *keys, const char *folder, const char *name, GError **error)
{
  g_autoptr(GError) fault = NULL;
  g_autofree char *domain = name[0] == '.' ? NULL : dkim_domain(name);
  if (!domain || strcmp(domain, name) != 0) return true;
  if (g_hash_table_size(keys->by_domain) >= MAX_KEYS) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "%s: too many keys", folder);
    return false;
  }
  struct dkim_key *key = dkim_key_load(folder, domain, NULL, &fault);
  if (key) g_hash_table_replace(keys->by_domain, g_steal_pointer(&domain), key);
  if (!fault || g_error_matches(fault, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND)) return true;
  g_propagate_error(error, g_steal_pointer(&fault));
  return false;
}

struct dkim_keys *dkim_keys_load(const char *folder, GError **error)
{
  struct dkim_keys *keys = g_new0(struct dkim_keys, 1);
  keys->by_domain = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, key_release);
  GDir *dir = g_dir_open(folder, 0, NULL);
  bool good = dir || errno == ENOENT;
  if (!good) sys_error(folder, "cannot read the folder of keys", error);
  for (const char *name; good && dir && (name = g_dir_read_name(dir));)
    good = add_domain(keys, folder, name, error);
  if (dir) g_dir_close(dir);
  if (good) return keys;
  dkim_keys_free(keys);
  return NULL;
}

void dkim_keys_free(struct dkim_keys *keys)
{
  if (!keys) return;
  g_hash_table_unref(keys->by_domain);
  g_free(keys);
}

size_t dkim_keys_count(const struct dkim_keys *keys)
{
  return g_hash_table_size(keys->by_domain);
}

struct dkim_key *dkim_keys_find(const struct dkim_keys *keys, const char *domain)
{
  struct dkim_key *key = g_hash_table_lookup(keys->by_domain, domain);
  if (key) g_atomic_ref_count_inc(&key->references);
  return key;
}

/* ---- making one ---- */

static bool make_folder(const char *path, uid_t owner, GError **error)
{
  if (mkdir(path, 0700) == 0) {
    if (owner != (uid_t)-1 && chown(path, owner, (gid_t)-1) != 0)
      return sys_error(path, "cannot give the folder to its user", error);
    return true;
  }
  return errno == EEXIST || sys_error(path, "cannot make the folder", error);
}

static bool sync_folder(const char *path, GError **error)
{
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool good = fd >= 0 && fsync(fd) == 0;
  if (!good) sys_error(path, "cannot sync the folder", error);
  if (fd >= 0) close(fd);
  return good;
}

static bool write_all(int fd, const char *text, size_t length)
{
  while (length > 0) {
    ssize_t n = write(fd, text, length);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    text += n;
    length -= (size_t)n;
  }
  return true;
}

/* Writes the file aside, and then gives it its name if that is free. */
static bool write_key(const char *path, const char *pem, uid_t owner, GError **error)
{
  g_autofree char *aside = g_strconcat(path, ".XXXXXX", NULL);
  int fd = mkostemp(aside, O_CLOEXEC); /* mode 0600 */
  if (fd < 0) return sys_error(path, "cannot write the key", error);
  bool good = (owner == (uid_t)-1 || fchown(fd, owner, (gid_t)-1) == 0) && write_all(fd, pem, strlen(pem)) &&
              fsync(fd) == 0;
  close(fd);
  good = good && link(aside, path) == 0;
  if (!good && errno == EEXIST)
    input_error(path, "there is a key already; choose another selector", error);
  else if (!good)
    sys_error(path, "cannot write the key", error);
  unlink(aside);
  return good;
}

static char *fresh_pem(int bits, GError **error)
{
  EVP_PKEY *key = EVP_RSA_gen((unsigned)bits);
  char *pem = key ? traditional_pem(key) : NULL;
  EVP_PKEY_free(key);
  if (!pem) g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "the crypto library made no key");
  return pem;
}

bool dkim_key_make(const char *folder, const char *domain, const char *selector, int bits, uid_t owner,
                   GError **error)
{
  g_autofree char *name = dkim_domain(domain);
  if (!name || strcmp(name, domain) != 0) return input_error(domain, "this is no domain name", error);
  if (!is_dotted(selector)) return input_error(selector, "a selector has letters, digits and -", error);
  if (bits < DKIM_MIN_BITS || bits > DKIM_MAX_BITS)
    return input_error(domain, "a signing key has 2048 to 4096 bits", error);
  g_autofree char *inner = g_build_filename(folder, domain, NULL);
  g_autofree char *path = g_strconcat(inner, "/", selector, SUFFIX, NULL);
  if (!make_folder(folder, owner, error) || !make_folder(inner, owner, error)) return false;
  char *pem = fresh_pem(bits, error);
  if (!pem) return false;
  bool good = write_key(path, pem, owner, error) && sync_folder(inner, error) && sync_folder(folder, error);
  OPENSSL_cleanse(pem, strlen(pem));
  g_free(pem);
  return good;
}

char *dkim_key_record(const struct dkim_key *key, GError **error)
{
  unsigned char *der = NULL;
  EVP_PKEY *parsed = parse_pem(key->pem, strlen(key->pem));
  int length = parsed ? i2d_PUBKEY(parsed, &der) : -1;
  EVP_PKEY_free(parsed);
  if (length <= 0) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "the crypto library does not write the public key");
    return NULL;
  }
  g_autofree char *base64 = g_base64_encode(der, (size_t)length);
  OPENSSL_free(der);
  return g_strconcat("v=DKIM1; k=rsa; p=", base64, NULL);
}
