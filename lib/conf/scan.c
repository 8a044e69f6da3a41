/* A strict walk over the configuration file, before libconfuse reads it.
 *
 * libconfuse accepts an unclosed section, lets the last of two values win,
 * expands ${ENVIRONMENT} and skips bytes that it does not know. So the file is
 * walked here once: next() makes tokens, block() and assignment() check the
 * grammar, and each key is remembered with its line. The tokens are those of
 * libconfuse's lexer, or fewer: whatever passes here has one meaning there. */

#include "conf/scan.h"

#include <string.h>

#include "base/error.h"

enum token { END, WORD, TEXT, EQUALS, OPEN, CLOSE, COMMA, FAULT };

struct scan {
  const char *file, *p, *end;
  int line;
  enum token token;
  int token_line;
  const char *start; /* of the token */
  size_t length;
  GArray *keys;
  GError **error;
};

__attribute__((format(printf, 3, 4))) static bool fault(struct scan *s, int line, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  s->token = FAULT;
  if (s->error && !*s->error)
    g_set_error(s->error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "%s:%d: %s", s->file, line, text);
  return false;
}

static bool skip_comment(struct scan *s)
{
  const char *close = g_strstr_len(s->p, s->end - s->p, "*/");
  if (!close) return fault(s, s->line, "this comment is not closed: write */ at its end");
  for (; s->p < close; s->p++)
    if (*s->p == '\n') s->line++;
  s->p = close + 2;
  return true;
}

/* To the next byte that means something. */
static bool skip_blank(struct scan *s)
{
  while (s->p < s->end) {
    char c = *s->p, next = s->p + 1 < s->end ? s->p[1] : '\0';
    if (c == '#' || (c == '/' && next == '/')) {
      const char *newline = memchr(s->p, '\n', (size_t)(s->end - s->p));
      s->p = newline ? newline : s->end;
    } else if (c == '/' && next == '*') {
      if (!skip_comment(s)) return false;
    } else if (c == '\n' || c == ' ' || c == '\t' || c == '\r') {
      s->line += c == '\n';
      s->p++;
    } else {
      break;
    }
  }
  return true;
}

static void quoted(struct scan *s)
{
  char quote = *s->p++;
  s->token = TEXT;
  s->start = s->p;
  for (; s->p < s->end && *s->p != quote && *s->p != '\n'; s->p++) {
    if (*s->p == '\\' && s->p + 1 < s->end && s->p[1] != '\n') s->p++;
  }
  if (s->p == s->end || *s->p == '\n') {
    fault(s, s->token_line, "this text is not closed: write %c at its end, on the same line", quote);
    return;
  }
  s->length = (size_t)(s->p - s->start);
  s->p++;
}

static void word(struct scan *s)
{
  s->token = WORD;
  s->start = s->p;
  while (s->p < s->end && !strchr(" \t\r\n#\"'={}()+,", *s->p))
    s->p++;
  s->length = (size_t)(s->p - s->start);
  if (g_strstr_len(s->start, (gssize)s->length, "//") || memchr(s->start, '*', s->length))
    fault(s, s->line, "'%.*s' could be read as a comment: put it in quotes", (int)s->length, s->start);
  else if (s->start[s->length - 1] == ';')
    fault(s, s->line, "a line does not end with a semicolon here: take it away");
}

static void next(struct scan *s)
{
  if (!skip_blank(s)) return;
  s->token_line = s->line;
  s->start = s->p;
  s->length = 1;
  if (s->p == s->end) {
    s->token = END;
    return;
  }
  const char *symbols = "={},", *symbol = strchr(symbols, *s->p);
  if (symbol) {
    s->token = (enum token)(EQUALS + (symbol - symbols));
    s->p++;
  } else if (*s->p == '"' || *s->p == '\'') {
    quoted(s);
  } else if (strchr("+()", *s->p)) {
    fault(s, s->line, "'%c' has no meaning here: write `name = value', or put the value in quotes", *s->p);
  } else {
    word(s);
  }
  if ((s->token == WORD || s->token == TEXT) && g_strstr_len(s->start, (gssize)s->length, "${"))
    fault(s, s->line, "${…} is not replaced by the environment: write the value itself");
}

/* What was found, for a message. */
static const char *found(const struct scan *s)
{
  static const char *const names[] = {[END] = "the end of the file",
                                      [WORD] = "a word",
                                      [TEXT] = "a text",
                                      [EQUALS] = "'='",
                                      [OPEN] = "'{'",
                                      [CLOSE] = "'}'",
                                      [COMMA] = "','",
                                      [FAULT] = "?"};
  return names[s->token];
}

static bool is_value(const struct scan *s)
{
  return s->token == WORD || s->token == TEXT;
}

static bool list(struct scan *s, const char *name, int line)
{
  next(s);
  while (is_value(s)) {
    next(s);
    if (s->token != COMMA) break;
    next(s);
    if (!is_value(s) && s->token != FAULT)
      return fault(s, s->token_line, "%s: after a comma stands a value, not %s", name, found(s));
  }
  if (s->token == FAULT) return false;
  if (s->token != CLOSE)
    return fault(s, line, "%s: this list is not closed: separate its values by commas and write } at its end",
                 name);
  return true;
}

static bool remember(struct scan *s, const char *section, char *name, int line)
{
  struct scan_key key = {g_strdup(section), name, line};
  for (guint i = 0; i < s->keys->len; i++) {
    const struct scan_key *k = &g_array_index(s->keys, struct scan_key, i);
    if (g_strcmp0(k->section, section) != 0 || strcmp(k->name, name) != 0) continue;
    fault(s, line, "%s%s%s is set a second time, first on line %d: keep one of them", section ? section : "",
          section ? "." : "", name, k->line);
    scan_key_clear(&key);
    return false;
  }
  g_array_append_val(s->keys, key);
  return true;
}

/* After `name =`. */
static bool assignment(struct scan *s, const char *section, char *name, int line)
{
  if (!remember(s, section, name, line)) return false;
  next(s);
  bool same_line = s->token_line == line;
  if (same_line && s->token == OPEN) return list(s, name, line);
  if (same_line && is_value(s)) return true;
  if (s->token == FAULT) return false;
  return fault(s, line, "%s has no value: write %s = VALUE on one line", name, name);
}

static bool block(struct scan *s, const char *section, int opened);

/* After `name {`. */
static bool open_section(struct scan *s, const char *outer, const char *name, int line, GHashTable *seen)
{
  if (outer)
    return fault(s, line, "section %s stands inside section %s: close that one with } first", name, outer);
  if (!g_hash_table_add(seen, g_strdup(name)))
    return fault(s, line, "section %s is opened a second time: put its keys together", name);
  return block(s, name, line);
}

/* The body of a section, or of the file (SECTION NULL), to its end. */
static bool block(struct scan *s, const char *section, int opened)
{
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  for (next(s); s->token == WORD; next(s)) {
    g_autofree char *name = g_strndup(s->start, s->length);
    int line = s->token_line;
    next(s);
    if (s->token == EQUALS) {
      if (!assignment(s, section, g_steal_pointer(&name), line)) return false;
    } else if (s->token == OPEN) {
      if (!open_section(s, section, name, line, seen)) return false;
    } else if (s->token != FAULT) {
      return fault(s, line, "after '%s' stands %s: write %s = VALUE, or %s { … }", name, found(s), name,
                   name);
    }
    if (s->token == FAULT) return false;
  }
  if (s->token == FAULT) return false;
  if (s->token == (section ? CLOSE : END)) return true;
  if (s->token == END) return fault(s, opened, "section %s is not closed: write } at its end", section);
  if (s->token == CLOSE) return fault(s, s->token_line, "this } closes nothing: take it away");
  return fault(s, s->token_line, "%s stands where a key is expected: write `name = value'", found(s));
}

bool scan_text(const char *file, const char *text, size_t length, GArray *keys, GError **error)
{
  g_autoptr(GError) first = NULL;
  struct scan s = {.file = file, .p = text, .end = text + length, .line = 1, .keys = keys, .error = &first};
  bool good;
  if (memchr(text, '\0', length) || !g_utf8_validate(text, (gssize)length, NULL))
    good = fault(&s, 1, "this is not a text file in UTF-8");
  else
    good = block(&s, NULL, 0);
  if (!good) g_propagate_error(error, g_steal_pointer(&first));
  return good;
}

void scan_key_clear(void *key)
{
  struct scan_key *k = key;
  g_free(k->section);
  g_free(k->name);
}
