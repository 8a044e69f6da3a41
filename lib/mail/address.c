/* Address lists and message identifiers.
 *
 * The reader takes one token after another. What it has read of the current
 * mailbox is a phrase (all words so far), the local part (the last of them that
 * could be one, joined by dots), a domain, and a comment; the token that ends
 * the mailbox turns these into a name and an address. */

#include "mail/address.h"

#include <stdbool.h>
#include <string.h>

#include "mail/text.h"

enum where {
  PHRASE, /* before "<" or "@" */
  ROUTE,  /* after "<@" until ":" (obsolete) */
  LOCAL,  /* after "<" */
  DOMAIN,
  DONE, /* after ">": what follows is ignored */
};

struct reader {
  const char *at, *end;
  bool space; /* white space or a comment stood before the token */
  enum where where;
  bool angle;
  GString *phrase;    /* raw */
  size_t local_start; /* where LOCAL begins in it, while there is no "<" */
  GString *local;     /* unquoted */
  GString *domain;
  GString *comment;
  char *group;
  GPtrArray *list;
  size_t max;
};

static void address_free(void *data)
{
  struct mail_address *address = data;
  g_free(address->name);
  g_free(address->address);
  g_free(address->group);
  g_free(address);
}

static bool is_space(char c)
{
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_atom(char c)
{
  return (unsigned char)c > ' ' && c != 127 && !strchr("()<>@,;:\\\"[]", c);
}

/* ---- what a mailbox becomes ---- */

static bool is_dot_atom(const GString *local)
{
  char before = '.';
  for (size_t i = 0; i < local->len; i++) {
    char c = local->str[i];
    if (!is_atom(c) || (c == '.' && before == '.')) return false;
    before = c;
  }
  return before != '.';
}

static void append_quoted(GString *out, const GString *local)
{
  g_string_append_c(out, '"');
  for (size_t i = 0; i < local->len; i++) {
    if (local->str[i] == '"' || local->str[i] == '\\') g_string_append_c(out, '\\');
    g_string_append_c(out, local->str[i]);
  }
  g_string_append_c(out, '"');
}

static char *make_address(const struct reader *r)
{
  g_autoptr(GString) out = g_string_new(NULL);
  if (r->local->len > 0 && is_dot_atom(r->local))
    g_string_append(out, r->local->str);
  else if (r->local->len > 0)
    append_quoted(out, r->local);
  if (r->domain->len > 0) g_string_append_printf(out, "@%s", r->domain->str);
  return g_utf8_make_valid(out->str, (gssize)out->len);
}

static char *make_name(const struct reader *r)
{
  const GString *name = r->phrase->len > 0 ? r->phrase : r->comment;
  return mail_text_decode(name->str, name->len);
}

static void end_mailbox(struct reader *r)
{
  bool bare = !r->angle && r->where == DOMAIN;
  if (bare) g_string_truncate(r->phrase, r->local_start);
  if (!bare && !r->angle) g_string_truncate(r->local, 0);
  bool empty = r->phrase->len == 0 && r->local->len == 0 && r->domain->len == 0;
  if (!empty && r->list->len < r->max) {
    struct mail_address *address = g_new(struct mail_address, 1);
    address->name = make_name(r);
    address->address = make_address(r);
    address->group = g_strdup(r->group ? r->group : "");
    g_ptr_array_add(r->list, address);
  }
  g_string_truncate(r->phrase, 0);
  g_string_truncate(r->local, 0);
  g_string_truncate(r->domain, 0);
  g_string_truncate(r->comment, 0);
  r->local_start = 0;
  r->where = PHRASE;
  r->angle = false;
}

/* ---- tokens ---- */

static void take_comment(struct reader *r)
{
  int depth = 0;
  g_string_truncate(r->comment, 0);
  for (; r->at < r->end; r->at++) {
    char c = *r->at;
    if (c == '\\' && r->at + 1 < r->end)
      c = *++r->at;
    else if (c == '(' && depth++ == 0)
      continue;
    else if (c == ')' && --depth == 0) {
      r->at++;
      return;
    }
    g_string_append_c(r->comment, c);
  }
}

static void skip_space(struct reader *r)
{
  r->space = false;
  while (r->at < r->end && (is_space(*r->at) || *r->at == '(')) {
    r->space = true;
    if (*r->at == '(')
      take_comment(r);
    else
      r->at++;
  }
}

static void take_quoted(struct reader *r, GString *word)
{
  for (r->at++; r->at < r->end && *r->at != '"'; r->at++) {
    if (*r->at == '\\' && r->at + 1 < r->end) r->at++;
    if (*r->at != '\r' && *r->at != '\n') g_string_append_c(word, *r->at);
  }
  if (r->at < r->end) r->at++;
}

static void take_literal(struct reader *r, GString *word)
{
  while (r->at < r->end && *r->at != ']' && !is_space(*r->at))
    g_string_append_c(word, *r->at++);
  if (r->at < r->end && *r->at == ']') g_string_append_c(word, *r->at++);
}

/* Stands on a byte that begins no other token: reads at least one. */
static void take_atom(struct reader *r, GString *word)
{
  do
    g_string_append_c(word, *r->at++);
  while (r->at < r->end && is_atom(*r->at));
}

/* ---- where they go ---- */

static bool joins(const GString *before, const GString *word, bool space)
{
  return !space || word->str[0] == '.' || (before->len > 0 && before->str[before->len - 1] == '.');
}

/* Before "<" or "@": a word of the name, or of a local part without brackets. */
static void word_in_phrase(struct reader *r, const GString *word)
{
  bool joined = joins(r->local, word, r->space);
  if (r->space && r->phrase->len > 0 && !joined) g_string_append_c(r->phrase, ' ');
  if (!joined) {
    g_string_truncate(r->local, 0);
    r->local_start = r->phrase->len;
  }
  if (joined && r->space && r->phrase->len > 0) g_string_append_c(r->phrase, ' ');
  g_string_append_len(r->phrase, word->str, (gssize)word->len);
  g_string_append_len(r->local, word->str, (gssize)word->len);
}

static void take_word(struct reader *r, const GString *word)
{
  GString *to = r->where == LOCAL ? r->local : r->domain;
  switch (r->where) {
  case PHRASE:
    word_in_phrase(r, word);
    break;
  case LOCAL:
  case DOMAIN:
    if (to->len > 0 && !joins(to, word, r->space)) {
      if (r->where == DOMAIN) break;
      g_string_append_c(to, ' ');
    }
    g_string_append_len(to, word->str, (gssize)word->len);
    break;
  case ROUTE:
  case DONE:
    break;
  }
}

static void begin_group(struct reader *r)
{
  g_free(r->group);
  r->group = make_name(r);
  g_string_truncate(r->phrase, 0);
  g_string_truncate(r->local, 0);
  g_string_truncate(r->comment, 0);
  r->local_start = 0;
}

static void take_at(struct reader *r)
{
  if (r->where == LOCAL && r->local->len == 0)
    r->where = ROUTE;
  else if (r->where == PHRASE || r->where == LOCAL)
    r->where = DOMAIN;
}

static void take_colon(struct reader *r)
{
  if (r->where == ROUTE)
    r->where = LOCAL;
  else if (r->where == PHRASE)
    begin_group(r);
  else if (r->where == LOCAL)
    g_string_append_c(r->local, ':'); /* <mailto:…>: no address, and must not become one */
}

/* What looked like an address before "<" was a name. */
static void take_open(struct reader *r)
{
  if (r->where == DOMAIN) g_string_append_printf(r->phrase, "@%s", r->domain->str);
  g_string_truncate(r->domain, 0);
  g_string_truncate(r->local, 0);
  r->angle = true;
  r->where = LOCAL;
}

static void take_special(struct reader *r, char c)
{
  switch (c) {
  case '<':
    if (!r->angle) take_open(r);
    break;
  case '>':
    if (r->angle) r->where = DONE;
    break;
  case '@':
    take_at(r);
    break;
  case ':':
    take_colon(r);
    break;
  case ',':
    if (r->where != ROUTE) end_mailbox(r);
    break;
  case ';':
    end_mailbox(r);
    g_clear_pointer(&r->group, g_free);
    break;
  default:
    break;
  }
}

static void read_list(struct reader *r)
{
  g_autoptr(GString) word = g_string_new(NULL);
  for (skip_space(r); r->at < r->end && r->list->len < r->max; skip_space(r)) {
    char c = *r->at;
    if (c != '\0' && strchr("<>@,;:\\])", c)) {
      r->at++;
      take_special(r, c);
      continue;
    }
    g_string_truncate(word, 0);
    if (c == '"')
      take_quoted(r, word);
    else if (c == '[')
      take_literal(r, word);
    else
      take_atom(r, word);
    take_word(r, word);
  }
  end_mailbox(r);
}

GPtrArray *mail_addresses_read(const char *value, size_t length, size_t max)
{
  g_autoptr(GString) phrase = g_string_new(NULL), local = g_string_new(NULL), domain = g_string_new(NULL),
                     comment = g_string_new(NULL);
  struct reader r = {.at = value,
                     .end = value + length,
                     .phrase = phrase,
                     .local = local,
                     .domain = domain,
                     .comment = comment,
                     .list = g_ptr_array_new_with_free_func(address_free),
                     .max = max};
  read_list(&r);
  g_free(r.group);
  return r.list;
}

GPtrArray *mail_ids_read(const char *value, size_t length, size_t max)
{
  GPtrArray *ids = g_ptr_array_new_with_free_func(g_free);
  const char *at = value, *end = value + length;
  while (ids->len < max && (at = memchr(at, '<', (size_t)(end - at)))) {
    const char *close = memchr(at, '>', (size_t)(end - at));
    if (!close) break;
    GString *id = g_string_new(NULL);
    for (const char *s = at + 1; s < close; s++) {
      if (*s == '<')
        g_string_truncate(id, 0);
      else if (!is_space(*s) && *s != '\0')
        g_string_append_c(id, *s);
    }
    g_autofree char *raw = g_string_free(id, FALSE);
    if (*raw) g_ptr_array_add(ids, g_utf8_make_valid(raw, -1));
    at = close + 1;
  }
  return ids;
}
