/* HTML as plain text: the tokens are read once, text is written with its white space
 * collapsed, and what a block begins or ends with becomes line ends, but never more than
 * one empty line. */

#include "message/text.h"

#include <string.h>

#include "html/entity.h"
#include "html/scan.h"

/* Hidden elements in hidden elements are counted, links in links are not. */
struct writer {
  const struct html_scan *scan;
  GString *out;
  int breaks;        /* line ends to write before the next text */
  bool is_blank;     /* a blank to write before the next text */
  char hidden[16];   /* the element that hides what is in it, or "" */
  int hidden_depth;  /* elements of that name that are open in it */
  GString *link;     /* where the open link leads, or "" */
  size_t link_start; /* where its text begins in OUT */
};

/* ---- writing ---- */

static void put_breaks(struct writer *w)
{
  if (w->out->len == 0) w->breaks = 0;
  if (w->breaks) w->is_blank = false;
  for (; w->breaks > 0; w->breaks--)
    g_string_append_c(w->out, '\n');
  if (w->is_blank && w->out->len) g_string_append_c(w->out, ' ');
  w->is_blank = false;
}

/* A line end, or with COUNT 2 an empty line, before what follows. */
static void want_breaks(struct writer *w, int count)
{
  w->breaks = MAX(w->breaks, count);
}

/* White space and invisible fillers of preview texts. */
static bool is_space(gunichar c)
{
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == 0xa0;
}

static bool is_filler(gunichar c)
{
  return c == 0x34f || c == 0x200b || c == 0x200c || c == 0x200d || c == 0xfeff || c == 0xad;
}

static void put_text(struct writer *w, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
    gunichar c = g_utf8_get_char(p);
    if (is_space(c)) {
      w->is_blank = true;
    } else if (!is_filler(c) && !g_unichar_iscntrl(c)) {
      put_breaks(w);
      g_string_append_unichar(w->out, c);
    }
  }
}

/* ---- links and images ---- */

static void decode_attribute(const struct writer *w, const struct html_token *token, const char *name,
                             GString *out)
{
  const struct html_attribute *attribute = html_attribute_find(w->scan, token, name);
  if (!attribute) return;
  html_decode(w->scan->bytes + attribute->value.start, attribute->value.end - attribute->value.start, true,
              out);
  g_strstrip(out->str);
  out->len = strlen(out->str);
}

static void open_link(struct writer *w, const struct html_token *token)
{
  g_string_truncate(w->link, 0);
  decode_attribute(w, token, "href", w->link);
  bool is_web = g_ascii_strncasecmp(w->link->str, "http://", 7) == 0 ||
                g_ascii_strncasecmp(w->link->str, "https://", 8) == 0;
  if (!is_web || strpbrk(w->link->str, " \t\r\n")) g_string_truncate(w->link, 0);
  w->link_start = w->out->len;
}

/* Says where the link leads, unless its text does already. */
static void close_link(struct writer *w)
{
  if (w->link->len == 0) return;
  const char *text = w->out->str + MIN(w->link_start, w->out->len);
  if (!strstr(text, w->link->str)) {
    bool is_empty = w->out->len == w->link_start;
    if (is_empty) put_breaks(w);
    g_string_append_printf(w->out, is_empty ? "%s" : " (%s)", w->link->str);
  }
  g_string_truncate(w->link, 0);
}

static void put_image(struct writer *w, const struct html_token *token)
{
  g_autoptr(GString) alt = g_string_new(NULL);
  decode_attribute(w, token, "alt", alt);
  put_text(w, alt->str);
}

/* ---- elements ---- */

/* How many line ends stand before and after an element. */
static const struct block {
  const char *name;
  int breaks;
} blocks[] = {
    {"p", 2},  {"h1", 2}, {"h2", 2},         {"h3", 2},      {"h4", 2},     {"h5", 2},     {"h6", 2},
    {"ul", 2}, {"ol", 2}, {"blockquote", 2}, {"pre", 2},     {"table", 2},  {"hr", 2},     {"div", 1},
    {"tr", 1}, {"li", 1}, {"section", 1},    {"article", 1}, {"header", 1}, {"footer", 1}, {"center", 1},
    {"dl", 2}, {"dt", 1}, {"dd", 1},         {"address", 1}, {"main", 1},   {"nav", 1},    {"form", 1},
};

static int block_breaks(const struct writer *w, struct html_range name)
{
  for (size_t i = 0; i < G_N_ELEMENTS(blocks); i++)
    if (html_name_is(w->scan, name, blocks[i].name)) return blocks[i].breaks;
  return 0;
}

static bool is_hidden(const struct writer *w, const struct html_token *token)
{
  static const char *const never[] = {"head", "style", "script", "title", "template"};
  for (size_t i = 0; i < G_N_ELEMENTS(never); i++)
    if (html_name_is(w->scan, token->name, never[i])) return true;
  if (html_name_is(w->scan, token->name, "img") || html_name_is(w->scan, token->name, "br")) return false;
  g_autoptr(GString) style = g_string_new(NULL);
  decode_attribute(w, token, "style", style);
  g_autofree char *lower = g_ascii_strdown(style->str, -1);
  g_auto(GStrv) parts = g_strsplit(lower, " ", -1);
  g_autofree char *dense = g_strjoinv("", parts);
  return strstr(dense, "display:none") != NULL;
}

static void hide(struct writer *w, const struct html_token *token)
{
  size_t length = token->name.end - token->name.start;
  if (token->self_closing || length >= sizeof w->hidden) return;
  g_autofree char *name = g_ascii_strdown(w->scan->bytes + token->name.start, (gssize)length);
  g_strlcpy(w->hidden, name, sizeof w->hidden);
  w->hidden_depth = 1;
}

static void on_start(struct writer *w, const struct html_token *token)
{
  if (*w->hidden) {
    if (html_name_is(w->scan, token->name, w->hidden)) w->hidden_depth++;
    return;
  }
  if (is_hidden(w, token)) {
    hide(w, token);
    return;
  }
  want_breaks(w, block_breaks(w, token->name));
  if (html_name_is(w->scan, token->name, "br"))
    w->breaks = MIN(w->breaks + 1, 2);
  else if (html_name_is(w->scan, token->name, "a"))
    open_link(w, token);
  else if (html_name_is(w->scan, token->name, "img"))
    put_image(w, token);
  else if (html_name_is(w->scan, token->name, "li"))
    put_text(w, "- ");
  else if (html_name_is(w->scan, token->name, "hr"))
    put_text(w, "---"), want_breaks(w, 2);
  else if (html_name_is(w->scan, token->name, "td") || html_name_is(w->scan, token->name, "th"))
    w->is_blank = true;
}

static void on_end(struct writer *w, const struct html_token *token)
{
  if (*w->hidden) {
    if (html_name_is(w->scan, token->name, w->hidden) && --w->hidden_depth == 0) w->hidden[0] = '\0';
    return;
  }
  if (html_name_is(w->scan, token->name, "a")) close_link(w);
  want_breaks(w, block_breaks(w, token->name));
}

static void on_text(struct writer *w, const struct html_token *token)
{
  if (*w->hidden) return;
  g_autoptr(GString) text = g_string_new(NULL);
  html_decode(w->scan->bytes + token->start, token->end - token->start, false, text);
  put_text(w, text->str);
}

void message_text_from_html(const char *html, size_t length, GString *out)
{
  g_autofree struct html_scan *scan = g_new(struct html_scan, 1);
  g_autoptr(GString) link = g_string_new(NULL);
  g_autoptr(GString) text = g_string_new(NULL);
  struct writer writer = {.scan = scan, .out = text, .link = link};
  struct html_token token;
  html_scan_init(scan, html, length);
  while (html_scan_next(scan, &token)) {
    if (token.type == HTML_START_TAG)
      on_start(&writer, &token);
    else if (token.type == HTML_END_TAG)
      on_end(&writer, &token);
    else if (token.type == HTML_TEXT)
      on_text(&writer, &token);
  }
  close_link(&writer);
  if (text->len) g_string_append_c(text, '\n');
  g_string_append_len(out, text->str, (gssize)text->len);
}
