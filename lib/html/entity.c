/* Character references, both ways.
 *
 * A reference is looked up in a tree of the names' bytes, so that the longest
 * name is found in one walk; html_decode() goes on behind what it has walked
 * over when that was no reference, for no name holds another '&'. */

#include "html/entity.h"

#include <stdint.h>
#include <string.h>

#include "html/entities.h"

/* The end and the text of a reference; text NULL: none, but the bytes up to END
 * hold no other. */
struct reference {
  const char *end, *text;
  char made[8]; /* a numeric one's text */
};

static const struct html_entity_node *child(const struct html_entity_node *node, char byte)
{
  const struct html_entity_node *at = html_entity_nodes + node->first, *end = at + node->count;
  while (at < end && at->byte < byte)
    at++;
  return at < end && at->byte == byte ? at : NULL;
}

/* AT is behind the '&'. */
static void read_named(const char *at, const char *end, bool in_attribute, struct reference *reference)
{
  const struct html_entity_node *node = html_entity_nodes, *found = NULL;
  const char *found_end = NULL;
  for (; at < end && (node = child(node, *at)); at++) {
    if (!node->text) continue;
    found = node;
    found_end = at + 1;
  }
  reference->end = at;
  if (!found) return;
  /* "?a=1&copy=2" and "?a=1&notify" mean themselves in links. */
  bool open = found->byte != ';' && found_end < end && (*found_end == '=' || g_ascii_isalnum(*found_end));
  if (in_attribute && open) return;
  reference->end = found_end;
  reference->text = html_entity_texts[found->text];
}

/* The code point that a numeric reference to VALUE means. */
static gunichar numeric_meaning(uint32_t value)
{
  /* 0x80 to 0x9f are read as windows-1252; its five holes stay. */
  static const uint16_t windows[32] = {
      0x20ac, 0x0081, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
      0x2039, 0x0152, 0x008d, 0x017d, 0x008f, 0x0090, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
      0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x009d, 0x017e, 0x0178,
  };
  if (value == 0 || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return 0xfffd;
  if (value >= 0x80 && value <= 0x9f) return windows[value - 0x80];
  return value;
}

/* AT is behind the "&#". */
static void read_numeric(const char *at, const char *end, struct reference *reference)
{
  bool hex = at < end && (*at == 'x' || *at == 'X');
  const char *digits = at += hex;
  uint32_t value = 0;
  for (; at < end && (hex ? g_ascii_isxdigit(*at) : g_ascii_isdigit(*at)); at++)
    if (value <= 0x10ffff) value = value * (hex ? 16 : 10) + (uint32_t)g_ascii_xdigit_value(*at);
  reference->end = at;
  if (at == digits) return;
  if (at < end && *at == ';') reference->end++;
  reference->made[g_unichar_to_utf8(numeric_meaning(value), reference->made)] = '\0';
  reference->text = reference->made;
}

void html_decode(const char *raw, size_t length, bool in_attribute, GString *out)
{
  const char *at = raw, *end = raw + length;
  while (at < end) {
    const char *mark = memchr(at, '&', (size_t)(end - at));
    g_string_append_len(out, at, (mark ? mark : end) - at);
    if (!mark) return;
    struct reference reference = {0};
    if (mark + 1 < end && mark[1] == '#')
      read_numeric(mark + 2, end, &reference);
    else
      read_named(mark + 1, end, in_attribute, &reference);
    if (reference.text)
      g_string_append(out, reference.text);
    else
      g_string_append_len(out, mark, reference.end - mark);
    at = reference.end;
  }
}

/* How a byte is written in an attribute value; NULL: as it is. */
static const char *written(char byte, bool quoted)
{
  switch (byte) {
  case '&':
    return "&amp;";
  case '<':
    return "&lt;";
  case '>':
    return "&gt;";
  case '"':
    return "&quot;";
  case '\'':
    return "&#39;";
  case '\r': /* would be read as a line feed */
    return "&#13;";
  case '\t':
    return quoted ? NULL : "&#9;";
  case '\n':
    return quoted ? NULL : "&#10;";
  case '\f':
    return quoted ? NULL : "&#12;";
  case ' ':
    return quoted ? NULL : "&#32;";
  case '=':
    return quoted ? NULL : "&#61;";
  case '`':
    return quoted ? NULL : "&#96;";
  default:
    return NULL;
  }
}

/* Those for which written() may say something: few bytes of an address. */
static const bool may_be_written[256] = {
    ['&'] = true,  ['<'] = true,  ['>'] = true,  ['"'] = true, ['\''] = true, ['\r'] = true,
    ['\t'] = true, ['\n'] = true, ['\f'] = true, [' '] = true, ['='] = true,  ['`'] = true,
};

void html_encode_attribute(const char *text, size_t length, char quote, GString *out)
{
  size_t done = 0;
  for (size_t i = 0; i < length; i++) {
    const char *instead = may_be_written[(uint8_t)text[i]] ? written(text[i], quote != 0) : NULL;
    if (!instead) continue;
    g_string_append_len(out, text + done, (gssize)(i - done));
    g_string_append(out, instead);
    done = i + 1;
  }
  g_string_append_len(out, text + done, (gssize)(length - done));
}
