/* Relaxed canonicalisation.
 *
 * The body is hashed where it lies: from one change to the next in one piece. A
 * change is a run of white space that is not one space within a line; an encoded
 * attachment has none, and is passed over at the speed of memchr(). White space at
 * the end of a piece is held back until it is known what follows. */

#include "dkim/canon.h"

#include <string.h>

static bool is_blank(char c)
{
  return c == ' ' || c == '\t';
}

static bool is_white(char c)
{
  return is_blank(c) || c == '\r' || c == '\n';
}

void dkim_canon_field(GString *out, const char *name, size_t name_length, const char *value, size_t length)
{
  for (size_t i = 0; i < name_length; i++)
    g_string_append_c(out, g_ascii_tolower(name[i]));
  g_string_append_c(out, ':');
  while (length > 0 && is_white(value[length - 1]))
    length--;
  size_t at = 0;
  while (at < length && is_white(value[at]))
    at++;
  for (; at < length; at++) {
    if (!is_white(value[at]))
      g_string_append_c(out, value[at]);
    else if (!is_white(value[at - 1]))
      g_string_append_c(out, ' ');
  }
}

/* Where the next byte C is, or END. *KNOWN is where it was found last. */
static const char *next_byte(const char *at, const char *end, char c, const char **known)
{
  if (*known >= at) return *known;
  const char *found = memchr(at, c, (size_t)(end - at));
  return *known = found ? found : end;
}

/* What a run of blanks becomes: nothing at the end of a line, else one space. */
static bool is_as_it_shall_be(const char *run, const char *after)
{
  return after - run == 1 && *run == ' ' && *after != '\r';
}

/* What begins and ends with no white space. */
static bool hash_core(EVP_MD_CTX *hash, const char *body, size_t length)
{
  const char *end = body + length, *from = body, *at = body;
  const char *space = body - 1, *tab = body - 1;
  bool good = true;
  while (good) {
    const char *run = MIN(next_byte(at, end, ' ', &space), next_byte(at, end, '\t', &tab));
    if (run == end) break;
    for (at = run; is_blank(*at); at++) /* ends: the last byte is none */
      ;
    if (is_as_it_shall_be(run, at)) continue;
    good = EVP_DigestUpdate(hash, from, (size_t)(run - from)) == 1 &&
           (*at == '\r' || EVP_DigestUpdate(hash, " ", 1) == 1);
    from = at;
  }
  return good && EVP_DigestUpdate(hash, from, (size_t)(end - from)) == 1;
}

/* White space that stands before something else: its line ends, and one space for
 * the blanks behind the last. */
static bool hash_held(struct dkim_canon *canon)
{
  const GString *held = canon->held;
  bool good = true;
  for (size_t i = 0; good && i < held->len; i++)
    if (held->str[i] == '\n') good = EVP_DigestUpdate(canon->hash, "\r\n", 2) == 1;
  if (good && held->len > 0 && is_blank(held->str[held->len - 1]))
    good = EVP_DigestUpdate(canon->hash, " ", 1) == 1;
  g_string_truncate(canon->held, 0);
  return good;
}

bool dkim_canon_feed(struct dkim_canon *canon, const char *body, size_t length)
{
  size_t start = 0, end = length;
  while (start < length && is_white(body[start]))
    start++;
  g_string_append_len(canon->held, body, (gssize)start);
  if (start == length) return true;
  while (is_white(body[end - 1]))
    end--;
  bool good = hash_held(canon) && hash_core(canon->hash, body + start, end - start);
  g_string_append_len(canon->held, body + end, (gssize)(length - end));
  canon->begun = true;
  return good;
}

/* Empty lines at the end go, and blanks before them: all that is held. */
bool dkim_canon_finish(struct dkim_canon *canon)
{
  return !canon->begun || EVP_DigestUpdate(canon->hash, "\r\n", 2) == 1;
}
