/* Header fields. Everything is written on one line first, word by word, and a fold is set
 * before a word that would pass column 78: a word is never cut, for what could be longer
 * than a line is encoded, and encoded words are 75 at most. */

#include "message/field.h"

#include <stdint.h>
#include <string.h>

#include "base/error.h"

#define LINE_MAX_LENGTH 78
#define WORD_MAX        900 /* a longer one is encoded */
#define ENCODED_MAX     75  /* RFC 2047 section 2 */
#define ADDRESSES_MAX   50

char *message_clean(const char *text)
{
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  GString *clean = g_string_new(NULL);
  bool is_blank = true; /* none at the start */
  for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
    gunichar c = g_utf8_get_char(p);
    if (c == ' ' || g_unichar_iscntrl(c) || c == 0x2028 || c == 0x2029) {
      if (!is_blank) g_string_append_c(clean, ' ');
      is_blank = true;
      continue;
    }
    if (clean->len + 6 > MESSAGE_TEXT_MAX) break;
    g_string_append_unichar(clean, c);
    is_blank = false;
  }
  if (clean->len && is_blank) g_string_truncate(clean, clean->len - 1);
  return g_string_free(clean, false);
}

/* ---- words and folds ---- */

/* The column that OUT ends in. */
static size_t column(const GString *out)
{
  const char *line = memrchr(out->str, '\n', out->len);
  return line ? out->len - (size_t)(line + 1 - out->str) : out->len;
}

/* Appends a blank and WORD, folding before it if the line would be too long. */
static void put_word(GString *out, const char *word, size_t length)
{
  bool is_long = column(out) + 1 + length > LINE_MAX_LENGTH;
  g_string_append(out, is_long && out->str[out->len - 1] != ':' ? "\r\n " : " ");
  g_string_append_len(out, word, (gssize)length);
}

static void put_words(GString *out, const char *text)
{
  while (*text) {
    size_t length = strcspn(text, " ");
    put_word(out, text, length);
    text += length;
    text += *text == ' ';
  }
}

static bool needs_encoding(const char *text)
{
  size_t word = 0;
  for (const char *p = text; *p; p++) {
    if (*p < 0x20 || *p == 0x7f || (p[0] == '=' && p[1] == '?')) return true;
    word = *p == ' ' ? 0 : word + 1;
    if (word > WORD_MAX) return true;
  }
  return false;
}

/* ---- encoded words (RFC 2047) ---- */

/* Letters that stay in the "Q" encoding, also in a phrase (section 5, rule 3). */
static bool is_plain(char c)
{
  return g_ascii_isalnum(c) || (c && strchr("!*+-/", c));
}

static void append_q(GString *word, const char *bytes, size_t length)
{
  for (size_t i = 0; i < length; i++) {
    if (bytes[i] == ' ')
      g_string_append_c(word, '_');
    else if (is_plain(bytes[i]))
      g_string_append_c(word, bytes[i]);
    else
      g_string_append_printf(word, "=%02X", (uint8_t)bytes[i]);
  }
}

/* Appends TEXT as encoded words; a character is never divided between two. */
static void put_encoded(GString *out, const char *text)
{
  g_autoptr(GString) word = g_string_new("=?utf-8?q?");
  const size_t head = word->len;
  while (*text) {
    size_t length = (size_t)(g_utf8_next_char(text) - text);
    size_t before = word->len;
    append_q(word, text, length);
    if (word->len + 2 > ENCODED_MAX) {
      g_string_truncate(word, before);
      g_string_append(word, "?=");
      put_word(out, word->str, word->len);
      g_string_truncate(word, head);
      append_q(word, text, length);
    }
    text += length;
  }
  g_string_append(word, "?=");
  put_word(out, word->str, word->len);
}

/* ---- unstructured fields ---- */

void message_put_text(GString *out, const char *name, const char *text)
{
  g_string_append_printf(out, "%s:", name);
  if (needs_encoding(text))
    put_encoded(out, text);
  else
    put_words(out, text);
  g_string_append(out, "\r\n");
}

bool message_is_raw(const char *value)
{
  size_t length = strlen(value);
  for (size_t i = 0; i < length; i++)
    if (value[i] <= 0x20 || value[i] >= 0x7f) return false;
  return length > 0 && length <= WORD_MAX;
}

void message_put_raw(GString *out, const char *name, const char *value)
{
  g_string_append_printf(out, "%s: %s\r\n", name, value);
}

/* ---- mailboxes: reading ---- */

void message_address_free(void *data)
{
  struct message_address *address = data;
  if (!address) return;
  g_free(address->name);
  g_free(address->address);
  g_free(address);
}

static bool is_atext(char c)
{
  return g_ascii_isalnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* RFC 5321 section 4.1.2: a dot-string, or a quoted string of printable ASCII. */
static bool is_local_part(const char *text, size_t length)
{
  if (length == 0 || length > 64) return false;
  if (text[0] == '"') {
    for (size_t i = 1; i + 1 < length; i++) {
      if (text[i] < 0x20 || text[i] > 0x7e || text[i] == '"') return false;
      if (text[i] == '\\' && ++i + 1 >= length) return false;
    }
    return length > 2 && text[length - 1] == '"';
  }
  for (size_t i = 0; i < length; i++) {
    bool is_inner_dot = text[i] == '.' && i > 0 && i + 1 < length && text[i - 1] != '.';
    if (!is_atext(text[i]) && !is_inner_dot) return false;
  }
  return true;
}

static bool is_domain(const char *text)
{
  size_t length = strlen(text);
  if (length == 0 || length > 253) return false;
  for (size_t i = 0; i < length; i++) {
    bool is_inner_dot = text[i] == '.' && i > 0 && i + 1 < length && text[i - 1] != '.';
    if (!g_ascii_isalnum(text[i]) && text[i] != '-' && text[i] != '_' && !is_inner_dot) return false;
  }
  return true;
}

char *message_address_read(const char *text, GError **error)
{
  const char *sign = strrchr(text, '@');
  g_autofree char *domain = sign && g_utf8_validate(text, -1, NULL) ? g_hostname_to_ascii(sign + 1) : NULL;
  if (domain && is_domain(domain) && is_local_part(text, (size_t)(sign - text)))
    return g_strdup_printf("%.*s@%s", (int)(sign - text), text, domain);
  g_autofree char *shown = message_clean(text);
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
              "'%.100s' is not an address that mail can be sent with", shown);
  return NULL;
}

/* Where the mailbox at TEXT ends: at a comma that is not in quotes, or at the end. */
static const char *mailbox_end(const char *text)
{
  bool is_quoted = false;
  for (; *text && (is_quoted || *text != ','); text++) {
    if (*text == '"') is_quoted = !is_quoted;
    if (*text == '\\' && is_quoted && text[1]) text++;
  }
  return text;
}

/* A display name without its quotes. */
static char *unquote(const char *text)
{
  g_autofree char *trimmed = g_strstrip(g_strdup(text));
  size_t length = strlen(trimmed);
  if (length < 2 || trimmed[0] != '"' || trimmed[length - 1] != '"') return message_clean(trimmed);
  GString *plain = g_string_new(NULL);
  for (size_t i = 1; i + 1 < length; i++) {
    if (trimmed[i] == '\\' && i + 2 < length) i++;
    g_string_append_c(plain, trimmed[i]);
  }
  char *clean = message_clean(plain->str);
  g_string_free(plain, true);
  return clean;
}

static struct message_address *mailbox_read(const char *text, GError **error)
{
  g_autofree char *all = g_strstrip(g_strdup(text));
  size_t length = strlen(all);
  char *open = strrchr(all, '<'), *name = NULL;
  const char *spec = all;
  if (open && length && all[length - 1] == '>') {
    all[length - 1] = '\0';
    *open = '\0';
    spec = open + 1;
    name = unquote(all);
  }
  char *address = message_address_read(spec, error);
  if (!address) {
    g_free(name);
    return NULL;
  }
  if (name && !*name) g_clear_pointer(&name, g_free);
  struct message_address *mailbox = g_new0(struct message_address, 1);
  *mailbox = (struct message_address){name, address};
  return mailbox;
}

GPtrArray *message_addresses_read(const char *text, GError **error)
{
  g_autoptr(GPtrArray) addresses = g_ptr_array_new_with_free_func(message_address_free);
  for (const char *p = text;; p++) {
    const char *end = mailbox_end(p);
    g_autofree char *one = g_strndup(p, (gsize)(end - p));
    struct message_address *address = mailbox_read(one, error);
    if (!address) return NULL;
    g_ptr_array_add(addresses, address);
    if (!*end) return g_steal_pointer(&addresses);
    if (addresses->len == ADDRESSES_MAX) {
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "more than %d addresses", ADDRESSES_MAX);
      return NULL;
    }
    p = end;
  }
}

/* ---- mailboxes: writing ---- */

static bool is_atoms(const char *text)
{
  for (; *text; text++)
    if (!is_atext(*text) && *text != ' ') return false;
  return true;
}

static void put_display_name(GString *out, const char *name)
{
  if (needs_encoding(name) || strlen(name) > LINE_MAX_LENGTH - 8) {
    put_encoded(out, name);
  } else if (is_atoms(name)) {
    put_words(out, name);
  } else {
    g_autoptr(GString) quoted = g_string_new("\"");
    for (const char *p = name; *p; p++) {
      if (*p == '"' || *p == '\\') g_string_append_c(quoted, '\\');
      g_string_append_c(quoted, *p);
    }
    g_string_append_c(quoted, '"');
    put_word(out, quoted->str, quoted->len);
  }
}

void message_put_addresses(GString *out, const char *name, const GPtrArray *addresses)
{
  g_string_append_printf(out, "%s:", name);
  for (guint i = 0; i < addresses->len; i++) {
    const struct message_address *mailbox = addresses->pdata[i];
    if (i > 0) g_string_append_c(out, ',');
    if (mailbox->name) put_display_name(out, mailbox->name);
    g_autofree char *spec =
        mailbox->name ? g_strdup_printf("<%s>", mailbox->address) : g_strdup(mailbox->address);
    put_word(out, spec, strlen(spec));
  }
  g_string_append(out, "\r\n");
}
