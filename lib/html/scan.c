/* The HTML tokenizer.
 *
 * html_scan_next() reads text up to the next markup that counts in the present
 * state (the text_end_* functions, one a state); if there is none before it, it
 * reads the markup (the read_* functions). What always holds:
 *  - position only grows, and each token begins where the one before ended;
 *  - no byte is read again when something turns out not to be what it seemed:
 *    a tag or a comment without an end takes all the rest of the input with it,
 *    as the Standard says, so there is nothing to go back to;
 *  - bytes are looked at by few primitives (look_*, skip_*), which count them.
 *
 * The Standard replaces CR LF and CR by LF before it tokenizes; here CR is a
 * space like the others, which comes to the same. */

#include "html/scan.h"

#include <string.h>

#include <glib.h>

/* Classes of bytes, to be or-ed. */
enum {
  SPACE = 1,
  SLASH = 2,
  GREATER = 4,
  EQUALS = 8,
};

static const uint8_t classes[256] = {
    ['\t'] = SPACE, ['\n'] = SPACE, ['\f'] = SPACE,  ['\r'] = SPACE,
    [' '] = SPACE,  ['/'] = SLASH,  ['>'] = GREATER, ['='] = EQUALS,
};

static bool is_alpha(char c)
{
  return (unsigned)((c | 0x20) - 'a') < 26;
}

static char lower(char c)
{
  return (unsigned)(c - 'A') < 26 ? (char)(c | 0x20) : c;
}

static bool is_class(char c, unsigned mask)
{
  return classes[(uint8_t)c] & mask;
}

static size_t look_for(struct html_scan *scan, size_t from, char byte)
{
  const char *found = memchr(scan->bytes + from, byte, scan->length - from);
  size_t at = found ? (size_t)(found - scan->bytes) : scan->length;
  scan->looked += at - from + 1;
  return at;
}

static size_t skip_until(struct html_scan *scan, size_t from, unsigned mask)
{
  size_t at = from;
  while (at < scan->length && !is_class(scan->bytes[at], mask))
    at++;
  scan->looked += at - from + 1;
  return at;
}

static size_t skip_spaces(struct html_scan *scan, size_t from)
{
  size_t at = from;
  while (at < scan->length && is_class(scan->bytes[at], SPACE))
    at++;
  scan->looked += at - from + 1;
  return at;
}

/* WORD is lower case. */
static bool equal_nocase(const char *bytes, const char *word, size_t length)
{
  for (size_t i = 0; i < length; i++)
    if (lower(bytes[i]) != word[i]) return false;
  return true;
}

static bool look_word(struct html_scan *scan, size_t at, const char *word, size_t length)
{
  scan->looked += length;
  return scan->length - at >= length && equal_nocase(scan->bytes + at, word, length);
}

/* WORD and a byte that ends a tag's name. */
static bool look_tag_name(struct html_scan *scan, size_t at, const char *word, size_t length)
{
  return look_word(scan, at, word, length) && scan->length - at > length &&
         is_class(scan->bytes[at + length], SPACE | SLASH | GREATER);
}

/* Text. Each function gives where the text that begins at FROM ends. */

static bool starts_markup(const struct html_scan *scan, size_t at)
{
  if (scan->length - at < 2) return false;
  char next = scan->bytes[at + 1];
  if (next == '/') return scan->length - at > 2;
  return is_alpha(next) || next == '!' || next == '?';
}

static size_t text_end_data(struct html_scan *scan, size_t from)
{
  /* Between tags there is often nothing: not worth a call. */
  size_t at = scan->bytes[from] == '<' ? from : look_for(scan, from, '<');
  while (at < scan->length && !starts_markup(scan, at))
    at = look_for(scan, at + 1, '<');
  return at;
}

/* "</" and the name of the start tag before: an appropriate end tag. */
static bool starts_raw_end(struct html_scan *scan, size_t at)
{
  return scan->length - at > 2 && scan->bytes[at + 1] == '/' && scan->last_length &&
         look_tag_name(scan, at + 2, scan->last, scan->last_length);
}

static size_t text_end_raw(struct html_scan *scan, size_t from)
{
  size_t at = look_for(scan, from, '<');
  while (at < scan->length && !starts_raw_end(scan, at))
    at = look_for(scan, at + 1, '<');
  return at;
}

static bool after_dashes(const struct html_scan *scan, size_t at)
{
  return scan->bytes[at - 1] == '-' && scan->bytes[at - 2] == '-';
}

static size_t look_for_angle(struct html_scan *scan, size_t from)
{
  size_t at = from;
  while (at < scan->length && scan->bytes[at] != '<' && scan->bytes[at] != '>')
    at++;
  scan->looked += at - from + 1;
  return at;
}

/* Script data after <!--, the escaped states. Gives where "-->" leads back to
 * plain script data (*ENDED false), or where the end tag begins. */
static size_t escaped_end(struct html_scan *scan, size_t from, bool *ended)
{
  bool twice = false; /* double escaped: within a <script> of the comment */
  *ended = false;
  for (size_t at = look_for_angle(scan, from); at < scan->length; at = look_for_angle(scan, at)) {
    bool greater = scan->bytes[at] == '>';
    bool slash = !greater && scan->length - at > 1 && scan->bytes[at + 1] == '/';
    if (greater && after_dashes(scan, at)) return at + 1;
    if (!twice && !greater && starts_raw_end(scan, at)) {
      *ended = true;
      return at;
    }
    at++;
    /* <script goes in, </script goes out; the byte behind the name belongs to it. */
    if (!greater && slash == twice && look_tag_name(scan, at + slash, "script", 6)) {
      twice = !twice;
      at += slash + strlen("script>");
    }
  }
  return scan->length;
}

static size_t text_end_script(struct html_scan *scan, size_t from)
{
  size_t at = look_for(scan, from, '<');
  while (at < scan->length && !starts_raw_end(scan, at)) {
    bool ended = false;
    at++;
    if (look_word(scan, at, "!--", 3)) at = escaped_end(scan, at + 3, &ended);
    if (!ended) at = look_for(scan, at, '<');
  }
  return at;
}

/* CDATA text has a delimiter of its own, which belongs to the token. */
static void read_cdata(struct html_scan *scan, struct html_token *token)
{
  size_t at = look_for(scan, token->start, '>');
  while (at < scan->length && !(at - token->start >= 2 && memcmp(scan->bytes + at - 2, "]]", 2) == 0))
    at = look_for(scan, at + 1, '>');
  token->unterminated = at == scan->length;
  token->content = (struct html_range){token->start, token->unterminated ? at : at - 2};
  token->end = token->unterminated ? at : at + 1;
  if (!token->unterminated) scan->state = HTML_DATA;
}

static size_t text_end(struct html_scan *scan)
{
  switch (scan->state) {
  case HTML_RCDATA:
  case HTML_RAWTEXT:
    return text_end_raw(scan, scan->position);
  case HTML_SCRIPT:
    return text_end_script(scan, scan->position);
  case HTML_PLAINTEXT:
    return scan->length;
  case HTML_DATA:
  case HTML_CDATA:
    break;
  }
  return text_end_data(scan, scan->position);
}

/* Markup. Each function is given a token whose start is set, and sets the end. */

/* Gives the byte after DELIMITER-terminated bytes from FROM, whose range is the
 * content; the end of the input does as well, with a flag. */
static void read_until_greater(struct html_scan *scan, struct html_token *token, size_t from)
{
  size_t at = look_for(scan, from, '>');
  token->content = (struct html_range){from, at};
  token->unterminated = at == scan->length;
  token->end = token->unterminated ? at : at + 1;
}

static void read_bogus_comment(struct html_scan *scan, struct html_token *token, size_t from)
{
  token->type = HTML_COMMENT;
  read_until_greater(scan, token, from);
}

static void read_doctype(struct html_scan *scan, struct html_token *token)
{
  /* Its '>' ends a doctype everywhere, even within quotes. */
  token->type = HTML_DOCTYPE;
  read_until_greater(scan, token, token->start + strlen("<!doctype"));
  size_t name = skip_spaces(scan, token->content.start);
  token->name = (struct html_range){name, skip_until(scan, name, SPACE | GREATER)};
}

/* How many bytes of "--", "--!" or, START being the comment's, nothing stand
 * before AT: the part of the delimiter that is not '>'. 0: no delimiter. */
static size_t comment_tail(const char *bytes, size_t start, size_t at)
{
  size_t n = at - start;
  if (n >= 2 && memcmp(bytes + at - 2, "--", 2) == 0) return 2;
  if (n >= 3 && memcmp(bytes + at - 3, "--!", 3) == 0) return 3;
  return 0;
}

static void read_comment(struct html_scan *scan, struct html_token *token)
{
  const char *bytes = scan->bytes;
  size_t start = token->start + strlen("<!--"), tail = 0;
  size_t at = look_for(scan, start, '>');
  token->type = HTML_COMMENT;
  /* <!--> and <!---> are whole. */
  bool abrupt = at < scan->length && (at == start || (at == start + 1 && bytes[start] == '-'));
  while (!abrupt && at < scan->length && !(tail = comment_tail(bytes, start, at)))
    at = look_for(scan, at + 1, '>');
  token->unterminated = at == scan->length;
  token->end = token->unterminated ? at : at + 1;
  if (abrupt) at = start;
  /* At the end of the input a beginning of the delimiter is dropped too. */
  if (token->unterminated && !(tail = comment_tail(bytes, start, at)))
    tail = at > start && bytes[at - 1] == '-';
  token->content = (struct html_range){start, at - tail};
}

static void read_declaration(struct html_scan *scan, struct html_token *token)
{
  if (look_word(scan, token->start, "<!--", 4))
    read_comment(scan, token);
  else if (look_word(scan, token->start, "<!doctype", 9))
    read_doctype(scan, token);
  else
    read_bogus_comment(scan, token, token->start + 2);
}

static bool same_name(struct html_scan *scan, struct html_range one, struct html_range other)
{
  size_t length = one.end - one.start, i = 0;
  if (other.end - other.start != length) return false;
  const char *a = scan->bytes + one.start, *b = scan->bytes + other.start;
  while (i < length && lower(a[i]) == lower(b[i]))
    i++;
  scan->looked += i + 1;
  return i == length;
}

/* Keeps the attribute that was read behind those kept before. */
static void keep_attribute(struct html_scan *scan, struct html_token *token)
{
  struct html_attribute *attribute = &scan->attributes[token->n_attributes];
  if (token->n_attributes == HTML_ATTRIBUTES_MAX) {
    token->attributes_cut = true;
    return;
  }
  for (size_t i = 0; i < token->n_attributes && !attribute->duplicate; i++)
    attribute->duplicate = same_name(scan, scan->attributes[i].name, attribute->name);
  token->n_attributes++;
}

/* Reads from behind the '=' of an attribute; gives where its value is over, the
 * end of the input if that cut it off. */
static size_t read_value(struct html_scan *scan, size_t from, struct html_attribute *attribute)
{
  size_t start = skip_spaces(scan, from), end;
  if (start == scan->length) return start;
  char c = scan->bytes[start];
  if (c == '"' || c == '\'') {
    attribute->quote = c;
    start++;
    end = look_for(scan, start, c);
  } else {
    end = skip_until(scan, start, SPACE | GREATER);
  }
  attribute->has_value = true;
  attribute->value = (struct html_range){start, end};
  return end < scan->length && attribute->quote ? end + 1 : end;
}

static size_t read_attribute(struct html_scan *scan, size_t from, struct html_token *token)
{
  /* In place, for a copy would wait for each of its bytes. */
  struct html_attribute *attribute = &scan->attributes[token->n_attributes];
  /* The first byte is of the name even if it is a '='. */
  size_t end = skip_until(scan, from + 1, SPACE | SLASH | GREATER | EQUALS);
  *attribute = (struct html_attribute){.name = {from, end}, .value = {end, end}};
  size_t at = skip_spaces(scan, end);
  if (at < scan->length && scan->bytes[at] == '=') at = read_value(scan, at + 1, attribute);
  keep_attribute(scan, token);
  return at;
}

/* Reads attributes up to '>'; gives where that is, or the end of the input. */
static size_t read_attributes(struct html_scan *scan, size_t from, struct html_token *token)
{
  for (size_t at = skip_spaces(scan, from);; at = skip_spaces(scan, at)) {
    if (at == scan->length || scan->bytes[at] == '>') return at;
    if (scan->bytes[at] == '/') {
      at++;
      token->self_closing = at < scan->length && scan->bytes[at] == '>';
    } else {
      at = read_attribute(scan, at, token);
    }
  }
}

/* Elements whose inside is not markup. */
static const struct raw {
  char name[10];
  uint8_t length, state;
} raws[] = {
    {"style", 5, HTML_RAWTEXT},   {"title", 5, HTML_RCDATA},        {"script", 6, HTML_SCRIPT},
    {"xmp", 3, HTML_RAWTEXT},     {"textarea", 8, HTML_RCDATA},     {"iframe", 6, HTML_RAWTEXT},
    {"noembed", 7, HTML_RAWTEXT}, {"plaintext", 9, HTML_PLAINTEXT}, {"noframes", 8, HTML_RAWTEXT},
};

static void begin_raw(struct html_scan *scan, struct html_range name)
{
  if (name.end - name.start < strlen("xmp")) return;
  for (const struct raw *raw = raws; raw < raws + G_N_ELEMENTS(raws); raw++) {
    if (raw->length != name.end - name.start) continue;
    if (!equal_nocase(scan->bytes + name.start, raw->name, raw->length)) continue;
    scan->state = raw->state;
    scan->last = raw->name;
    scan->last_length = raw->length;
    return;
  }
}

/* FROM is the name's first byte. */
static void read_tag(struct html_scan *scan, struct html_token *token, enum html_type type, size_t from)
{
  size_t name_end = skip_until(scan, from, SPACE | SLASH | GREATER);
  size_t at = read_attributes(scan, name_end, token);
  if (at == scan->length) {
    /* The Standard drops a tag that the end cuts off. */
    *token = (struct html_token){
        .type = HTML_NOTHING, .state = token->state, .start = token->start, .end = at, .unterminated = true};
    return;
  }
  token->type = type;
  token->name = (struct html_range){from, name_end};
  token->attributes = scan->attributes;
  token->end = at + 1;
  scan->state = HTML_DATA;
  if (type == HTML_START_TAG && scan->follow_raw) begin_raw(scan, token->name);
}

static void read_end_tag(struct html_scan *scan, struct html_token *token)
{
  char next = scan->bytes[token->start + 2];
  if (is_alpha(next)) {
    read_tag(scan, token, HTML_END_TAG, token->start + 2);
  } else if (next == '>') {
    token->type = HTML_NOTHING;
    token->end = token->start + 3;
  } else {
    read_bogus_comment(scan, token, token->start + 2);
  }
}

static void read_markup(struct html_scan *scan, struct html_token *token)
{
  switch (scan->bytes[token->start + 1]) {
  case '/':
    read_end_tag(scan, token);
    break;
  case '!':
    read_declaration(scan, token);
    break;
  case '?':
    read_bogus_comment(scan, token, token->start + 1);
    break;
  default:
    read_tag(scan, token, HTML_START_TAG, token->start + 1);
  }
}

static void read_text(struct html_scan *scan, struct html_token *token, size_t end)
{
  token->type = HTML_TEXT;
  token->end = end;
  token->content = (struct html_range){token->start, end};
  /* "</" at the very end is text, but would make a comment of markup behind it. */
  scan->open = end == scan->length && end - token->start >= 2 && memcmp(scan->bytes + end - 2, "</", 2) == 0;
}

void html_scan_init_state(struct html_scan *scan, const char *bytes, size_t length, enum html_state state,
                          const char *last, bool follow_raw)
{
  /* The attributes need no zeroes: a token says how many there are. */
  memset(scan, 0, offsetof(struct html_scan, attributes));
  scan->bytes = bytes ? bytes : "";
  scan->length = length;
  scan->state = state;
  scan->follow_raw = follow_raw;
  scan->last = last;
  scan->last_length = last ? strlen(last) : 0;
}

void html_scan_init(struct html_scan *scan, const char *bytes, size_t length)
{
  html_scan_init_state(scan, bytes, length, HTML_DATA, NULL, true);
}

bool html_scan_next(struct html_scan *scan, struct html_token *token)
{
  if (scan->position == scan->length) return false;
  *token = (struct html_token){.state = scan->state, .start = scan->position};
  if (scan->state == HTML_CDATA) {
    read_cdata(scan, token);
  } else {
    size_t end = text_end(scan);
    if (end > scan->position)
      read_text(scan, token, end);
    else
      read_markup(scan, token);
  }
  scan->open = scan->open || token->unterminated;
  scan->position = token->end;
  return true;
}

bool html_scan_is_open(const struct html_scan *scan)
{
  return scan->open || scan->state != HTML_DATA;
}

bool html_name_is(const struct html_scan *scan, struct html_range name, const char *word)
{
  size_t length = strlen(word);
  return name.end - name.start == length && equal_nocase(scan->bytes + name.start, word, length);
}

const struct html_attribute *html_attribute_find(const struct html_scan *scan, const struct html_token *token,
                                                 const char *word)
{
  for (size_t i = 0; i < token->n_attributes; i++)
    if (html_name_is(scan, token->attributes[i].name, word)) return &token->attributes[i];
  return NULL;
}
