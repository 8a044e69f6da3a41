/* Header text for display.
 *
 * Decoding goes once over the unfolded text. The bytes of encoded words are
 * gathered while the charset stays the same; anything else converts what was
 * gathered and is itself appended. */

#include "mail/text.h"

#include <stdbool.h>
#include <string.h>

#include "mail/charset.h"
#include "mail/encoding.h"

/* An encoded word, taken apart. */
struct word {
  const char *charset, *text, *end; /* END: after the word */
  size_t charset_length, text_length;
  bool base64;
};

struct decoder {
  const char *at, *end;
  const char *no_more; /* from here on no word ends: do not look again */
  GString *out;
  GString *bytes;   /* of the words since the last conversion */
  GString *charset; /* of these */
};

static GString *unfold(const char *value, size_t length)
{
  GString *out = g_string_sized_new(length);
  for (size_t i = 0; i < length; i++)
    if (value[i] != '\r' && value[i] != '\n' && value[i] != '\0') g_string_append_c(out, value[i]);
  size_t start = strspn(out->str, " \t");
  g_string_erase(out, 0, (gssize)start);
  while (out->len > 0 && (out->str[out->len - 1] == ' ' || out->str[out->len - 1] == '\t'))
    g_string_truncate(out, out->len - 1);
  return out;
}

char *mail_text_unfold(const char *value, size_t length)
{
  g_autoptr(GString) text = unfold(value, length);
  return g_utf8_make_valid(text->str, (gssize)text->len);
}

static bool is_charset_byte(char c)
{
  return g_ascii_isgraph(c) && !strchr("?=\"(),:;<>@[]", c);
}

/* Takes the word that begins with "=?" at AT apart; false where it is none. */
static bool find_word(struct decoder *d, const char *at, struct word *word)
{
  const char *s = at + 2;
  *word = (struct word){.charset = s};
  while (s < d->end && is_charset_byte(*s))
    s++;
  word->charset_length = (size_t)(s - word->charset);
  const char *star = memchr(word->charset, '*', word->charset_length);
  if (star) word->charset_length = (size_t)(star - word->charset);
  if (word->charset_length == 0 || d->end - s < 5 || s[0] != '?' || s[2] != '?') return false;
  char encoding = g_ascii_tolower(s[1]);
  word->base64 = encoding == 'b';
  word->text = s + 3;
  if ((encoding != 'b' && encoding != 'q') || word->text >= d->no_more) return false;
  const char *close = memmem(word->text, (size_t)(d->end - word->text), "?=", 2);
  if (!close) {
    d->no_more = word->text;
    return false;
  }
  word->text_length = (size_t)(close - word->text);
  word->end = close + 2;
  return true;
}

static void decode_q(const struct word *word, GString *out)
{
  for (size_t i = 0; i < word->text_length; i++) {
    const char *s = word->text + i;
    if (*s == '=' && i + 2 < word->text_length && g_ascii_isxdigit(s[1]) && g_ascii_isxdigit(s[2])) {
      g_string_append_c(out, (char)(g_ascii_xdigit_value(s[1]) * 16 + g_ascii_xdigit_value(s[2])));
      i += 2;
    } else
      g_string_append_c(out, *s == '_' ? ' ' : *s);
  }
}

static void decode_b(const struct word *word, GString *out)
{
  struct mail_decoded decoded;
  if (!mail_decode(MAIL_ENCODING_BASE64, word->text, word->text_length, SIZE_MAX, &decoded, NULL)) return;
  g_string_append_len(out, decoded.bytes, (gssize)decoded.length);
  mail_decoded_clear(&decoded);
}

/* Converts what was gathered. */
static void convert(struct decoder *d)
{
  if (d->bytes->len > 0) mail_charset_decode(d->charset->str, d->bytes->str, d->bytes->len, d->out);
  g_string_truncate(d->bytes, 0);
  g_string_truncate(d->charset, 0);
}

static void take_word(struct decoder *d, const struct word *word)
{
  bool same = d->charset->len == word->charset_length &&
              g_ascii_strncasecmp(d->charset->str, word->charset, word->charset_length) == 0;
  if (!same) convert(d);
  g_string_truncate(d->charset, 0);
  g_string_append_len(d->charset, word->charset, (gssize)word->charset_length);
  if (word->base64)
    decode_b(word, d->bytes);
  else
    decode_q(word, d->bytes);
  d->at = word->end;
}

/* The text up to the next word. Between two words it counts only if it is more
 * than white space. */
static void take_text(struct decoder *d, const char *end, bool word_before, bool word_after)
{
  size_t length = (size_t)(end - d->at);
  bool blank = strspn(d->at, " \t") >= length;
  if (word_before && word_after && blank) {
    d->at = end;
    return;
  }
  if (length > 0) convert(d);
  mail_charset_decode("utf-8", d->at, length, d->out);
  d->at = end;
}

char *mail_text_decode(const char *value, size_t length)
{
  g_autoptr(GString) text = unfold(value, length), bytes = g_string_new(NULL), charset = g_string_new(NULL);
  struct decoder d = {.at = text->str, .end = text->str + text->len, .bytes = bytes, .charset = charset};
  struct word word;
  d.no_more = d.end;
  d.out = g_string_sized_new(text->len);
  bool after_word = false;
  for (const char *s = d.at; (s = memmem(s, (size_t)(d.end - s), "=?", 2));) {
    if (!find_word(&d, s, &word)) {
      s += 2;
      continue;
    }
    take_text(&d, s, after_word, true);
    take_word(&d, &word);
    after_word = true;
    s = d.at;
  }
  take_text(&d, d.end, after_word, false);
  convert(&d);
  for (char *nul = d.out->str; (nul = memchr(nul, '\0', d.out->len - (size_t)(nul - d.out->str)));)
    *nul = ' ';
  return g_string_free(d.out, FALSE);
}
