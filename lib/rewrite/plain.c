/* Links in plain text, line by line. Nobody marks where such a link ends, so the
 * readers guess, and so do we, in the same way (RFC 3986 appendix C): up to white
 * space, '<', '>' or '"', without the punctuation that ends a sentence and without
 * a bracket that was opened before it. Whatever is left of the guess stays where it
 * is, right behind the tracked address, which ends in none of these.
 *
 * A link with bytes beyond ASCII is left: readers do not agree on its end. */

#include "rewrite/plain.h"

#include <string.h>

#include "base/error.h"
#include "rewrite/link.h"

/* Of the words before a link this much is looked at. */
enum { MAX_WORDS = 512 };

struct plain {
  const char *text;
  const struct rewrite_page_options *options;
  struct rewrite_page *page;
  size_t before, before_end; /* the last line that was not blank */
};

static bool is_start(const char *line, size_t at, size_t length)
{
  size_t left = length - at;
  bool web = (left > 8 && g_ascii_strncasecmp(line + at, "https://", 8) == 0) ||
             (left > 7 && g_ascii_strncasecmp(line + at, "http://", 7) == 0);
  return web && (at == 0 || strchr(" \t(<>[\"'", line[at - 1]));
}

static bool is_end(unsigned char c)
{
  return c <= ' ' || c == 0x7f || c == '<' || c == '>' || c == '"';
}

/* Is the closing bracket at the end of URL one that was opened before the URL? */
static bool is_foreign_bracket(const char *url, size_t length)
{
  static const char pairs[][2] = {{'(', ')'}, {'[', ']'}, {'{', '}'}};
  for (size_t p = 0; p < G_N_ELEMENTS(pairs); p++) {
    if (url[length - 1] != pairs[p][1]) continue;
    ptrdiff_t open = 0;
    for (size_t i = 0; i < length; i++)
      open += url[i] == pairs[p][0] ? 1 : url[i] == pairs[p][1] ? -1 : 0;
    return open < 0;
  }
  return false;
}

static size_t without_punctuation(const char *url, size_t length)
{
  while (length > 0 && (strchr(".,;:!?'*_~|\\", url[length - 1]) || is_foreign_bracket(url, length)))
    length--;
  return length;
}

/* "Unsubscribe: https://…", on the same line or on the one before it. */
static bool is_named_unsubscribe(const struct plain *p, size_t line, size_t start)
{
  g_autoptr(GString) words = g_string_new(NULL);
  size_t before = MAX(p->before, p->before_end - MIN(p->before_end, (size_t)MAX_WORDS));
  size_t from = MAX(line, start - MIN(start, (size_t)MAX_WORDS));
  g_string_append_len(words, p->text + before, (gssize)(p->before_end - before));
  g_string_append_c(words, ' ');
  g_string_append_len(words, p->text + from, (gssize)(start - from));
  return rewrite_link_judge_text(words) == REWRITE_REASON_UNSUBSCRIBE;
}

static enum rewrite_reason judge(const struct plain *p, size_t line, size_t start, const GString *url)
{
  const struct rewrite_page_options *options = p->options;
  for (size_t i = 0; i < url->len; i++)
    if ((unsigned char)url->str[i] >= 0x80) return REWRITE_REASON_CHARACTERS;
  if (rewrite_link_is_own(url->str, options->own_urls, options->n_own_urls)) return REWRITE_REASON_OWN;
  enum rewrite_reason reason = rewrite_link_judge_url(url, options->utf8);
  if (reason != REWRITE_REASON_TRACKED) return reason;
  for (guint i = 0; options->unsubscribe_urls && i < options->unsubscribe_urls->len; i++)
    if (strcmp(options->unsubscribe_urls->pdata[i], url->str) == 0) return REWRITE_REASON_UNSUBSCRIBE;
  return is_named_unsubscribe(p, line, start) ? REWRITE_REASON_UNSUBSCRIBE : REWRITE_REASON_TRACKED;
}

static bool take_link(struct plain *p, size_t line, size_t start, size_t end, enum rewrite_reason reason,
                      GError **error)
{
  if (p->page->links->len >= p->options->max_links) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "more than %zu links", p->options->max_links);
    return false;
  }
  GString *url = g_string_new_len(p->text + start, (gssize)(end - start));
  struct rewrite_page_link link = {
      .start = start,
      .end = end,
      .length = url->len,
      .reason = reason == REWRITE_REASON_TRACKED ? judge(p, line, start, url) : reason,
  };
  link.url = g_string_free(url, FALSE);
  g_array_append_val(p->page->links, link);
  return true;
}

/* The line [LINE, END), without its line end. */
static bool read_line(struct plain *p, size_t line, size_t end, GError **error)
{
  const char *text = p->text;
  size_t first = line;
  while (first < end && text[first] == ' ')
    first++;
  bool quoted = first < end && text[first] == '>';
  for (size_t at = first; at < end; at++) {
    if ((text[at] != 'h' && text[at] != 'H') || !is_start(text + line, at - line, end - line)) continue;
    size_t stop = at;
    while (stop < end && !is_end((unsigned char)text[stop]))
      stop++;
    /* "<https://…" that goes on in the next line. */
    bool cut = stop == end && at > line && text[at - 1] == '<';
    enum rewrite_reason reason = quoted ? REWRITE_REASON_QUOTED
                                 : cut  ? REWRITE_REASON_CUT
                                        : REWRITE_REASON_TRACKED;
    size_t length = without_punctuation(text + at, stop - at);
    if (!take_link(p, line, at, at + length, reason, error)) return false;
    at = MAX(stop, at + 1) - 1;
  }
  return true;
}

struct rewrite_page *rewrite_plain_read(const char *text, size_t length,
                                        const struct rewrite_page_options *options, GError **error)
{
  g_autoptr(rewrite_page) page = rewrite_page_new();
  struct plain p = {.text = text, .options = options, .page = page};
  page->pixel = REWRITE_REASON_NOT_HTML;
  for (size_t line = 0; line < length;) {
    const char *newline = memchr(text + line, '\n', length - line);
    size_t next = newline ? (size_t)(newline - text) + 1 : length;
    size_t end = newline ? next - 1 : length;
    if (end > line && text[end - 1] == '\r') end--;
    if (!read_line(&p, line, end, error)) return NULL;
    if (end > line) p.before = line, p.before_end = end;
    line = next;
  }
  return g_steal_pointer(&page);
}
