/* Reading an HTML body. One pass over its tokens; a conditional comment is read
 * by a second scanner of its own, whose links are marked hidden.
 *
 * A link is decided when its element ends, for its visible text counts. The
 * place of the pixel is the last real end of the body: of the end tags seen
 * where a browser takes them for such, the last one wins. */

#include "rewrite/page.h"

#include <string.h>

#include "base/error.h"
#include "html/entity.h"
#include "html/scan.h"
#include "rewrite/link.h"

/* Of the visible text of one link this much is looked at. */
enum { MAX_TEXT = 4096, MAX_TABLES = 64 };

static const size_t NOWHERE = (size_t)-1;

struct reader {
  const struct rewrite_page_options *options;
  struct rewrite_page *page;
  GString *base; /* <base href>, or empty */
  bool has_base;
  GString *scratch;
  /* The link whose text is being read; NOWHERE: none. */
  size_t open;
  struct html_range open_name;
  GString *text;
  /* The place of the pixel. */
  unsigned tables; /* open ones around */
  bool in_cell[MAX_TABLES + 1];
  size_t table_start; /* of the outermost */
  unsigned inert;     /* open elements in which no image is shown */
  size_t body_end, html_end;
  GArray *pixels; /* size_t: where pixels of ours end */
};

/* What an element means to us: a set of these. */
enum element {
  ANCHOR = 1,
  AREA = 2,
  BREAK = 4, /* separates words */
  TABLE = 8,
  CELL = 16,
  ROW = 32,   /* and what else is in a table, but for cells */
  INERT = 64, /* no image is shown within */
  BODY = 128,
  PAGE = 256,
  BASE = 512,
  IMAGE = 1024,
  VML = 2048,
};

/* The meaning of the tag called NAME; 0 for most. */
static unsigned element_of(const struct html_scan *scan, struct html_range name)
{
  static const struct {
    const char *name;
    size_t length;
    unsigned element;
  } elements[] = {
#define ELEMENT(word, element) {word, sizeof word - 1, element}
      ELEMENT("td", CELL | BREAK), ELEMENT("th", CELL | BREAK),
      ELEMENT("tr", ROW | BREAK),  ELEMENT("br", BREAK),
      ELEMENT("li", BREAK),        ELEMENT("div", BREAK),
      ELEMENT("img", IMAGE),       ELEMENT("svg", INERT),
      ELEMENT("area", AREA),       ELEMENT("base", BASE),
      ELEMENT("body", BODY),       ELEMENT("html", PAGE),
      ELEMENT("math", INERT),      ELEMENT("table", TABLE | BREAK),
      ELEMENT("tbody", ROW),       ELEMENT("thead", ROW),
      ELEMENT("tfoot", ROW),       ELEMENT("select", INERT),
      ELEMENT("object", INERT),    ELEMENT("caption", CELL),
      ELEMENT("colgroup", ROW),    ELEMENT("template", INERT),
      ELEMENT("frameset", INERT),  ELEMENT("noscript", INERT),
#undef ELEMENT
  };
  size_t length = name.end - name.start;
  char first = g_ascii_tolower(scan->bytes[name.start]);
  /* Most tags of a mail. */
  if (length == 1) return first == 'a' ? ANCHOR : first == 'p' ? BREAK : 0;
  if (first == 'v' && length > 2 && scan->bytes[name.start + 1] == ':') return VML;
  for (size_t i = 0; i < G_N_ELEMENTS(elements); i++)
    if (elements[i].length == length && elements[i].name[0] == first &&
        html_name_is(scan, name, elements[i].name))
      return elements[i].element;
  return 0;
}

static void decode_value(const struct html_scan *scan, const struct html_attribute *attribute, GString *out)
{
  g_string_truncate(out, 0);
  html_decode(scan->bytes + attribute->value.start, attribute->value.end - attribute->value.start, true, out);
  rewrite_link_trim(out);
}

/* Our own attribute, and those of other services whose customers move here. */
static bool is_opted_out(struct reader *r, const struct html_scan *scan, const struct html_token *token)
{
  static const struct {
    const char *name;
    const char *values[5]; /* none: whatever the value */
  } marks[] = {
      {"data-tidings-track", {"no", "off", "false", "0", "none"}},
      {"clicktracking", {"off"}},
      {"disable-tracking", {"true"}},
      {"data-msys-clicktrack", {"0"}},
      {"data-pm-no-track", {NULL}},
      {"ses:no-track", {NULL}},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(marks); i++) {
    const struct html_attribute *attribute = html_attribute_find(scan, token, marks[i].name);
    if (!attribute) continue;
    if (!marks[i].values[0]) return true;
    decode_value(scan, attribute, r->scratch);
    for (size_t v = 0; v < G_N_ELEMENTS(marks[i].values) && marks[i].values[v]; v++)
      if (g_ascii_strcasecmp(r->scratch->str, marks[i].values[v]) == 0) return true;
  }
  return false;
}

static bool is_list_unsubscribe(const struct reader *r, const char *url)
{
  for (guint i = 0; r->options->unsubscribe_urls && i < r->options->unsubscribe_urls->len; i++)
    if (strcmp(r->options->unsubscribe_urls->pdata[i], url) == 0) return true;
  return false;
}

static enum rewrite_reason judge(struct reader *r, const struct html_scan *scan,
                                 const struct html_token *token, GString *url)
{
  if (token->attributes_cut || token->unterminated) return REWRITE_REASON_CUT;
  if (is_opted_out(r, scan, token)) return REWRITE_REASON_OPT_OUT;
  enum rewrite_reason reason = rewrite_link_judge_url(url, r->options->utf8);
  if (reason == REWRITE_REASON_RELATIVE && r->has_base) {
    g_string_truncate(r->scratch, 0);
    if (!rewrite_link_resolve(r->base->str, url->str, r->scratch)) return reason;
    g_string_assign(url, r->scratch->str);
    reason = rewrite_link_judge_url(url, r->options->utf8);
  }
  /* What leads to us is ours before it is anything else, a sound address or not. */
  if (rewrite_link_is_own(url->str, r->options->own_urls, r->options->n_own_urls)) return REWRITE_REASON_OWN;
  if (reason == REWRITE_REASON_TRACKED && is_list_unsubscribe(r, url->str)) return REWRITE_REASON_UNSUBSCRIBE;
  return reason;
}

/* The open link's text is complete. */
static void close_link(struct reader *r)
{
  if (r->open == NOWHERE) return;
  struct rewrite_page_link *link = &g_array_index(r->page->links, struct rewrite_page_link, r->open);
  r->open = NOWHERE;
  if (link->reason != REWRITE_REASON_TRACKED) return;
  link->reason = rewrite_link_judge_text(r->text);
  if (link->reason == REWRITE_REASON_VISIBLE_URL && r->options->visible_urls)
    link->reason = REWRITE_REASON_TRACKED;
}

/* BASE is where the bytes of SCAN begin in the page. */
static bool take_link(struct reader *r, const struct html_scan *scan, const struct html_token *token,
                      unsigned element, size_t base, bool hidden, GError **error)
{
  const struct html_attribute *href = html_attribute_find(scan, token, "href");
  if (!href) return true;
  if (r->page->links->len >= r->options->max_links) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "more than %zu links", r->options->max_links);
    return false;
  }
  GString *url = g_string_new(NULL);
  html_decode(scan->bytes + href->value.start, href->value.end - href->value.start, true, url);
  rewrite_link_trim(url);
  struct rewrite_page_link link = {
      .start = base + href->value.start,
      .end = base + href->value.end,
      .quote = href->quote,
      .hidden = hidden,
      .reason = judge(r, scan, token, url),
  };
  link.length = url->len;
  link.url = g_string_free(url, FALSE);
  g_array_append_val(r->page->links, link);
  if (element == AREA || token->self_closing) return true;
  r->open = r->page->links->len - 1;
  r->open_name = (struct html_range){token->name.start + base, token->name.end + base};
  g_string_truncate(r->text, 0);
  return true;
}

static bool same_name(const struct html_scan *scan, struct html_range name, size_t base,
                      struct html_range open)
{
  return name.end - name.start == open.end - open.start &&
         g_ascii_strncasecmp(scan->bytes + name.start, scan->bytes + open.start - base,
                             name.end - name.start) == 0;
}

static void take_text(struct reader *r, const struct html_scan *scan, const struct html_token *token)
{
  if (r->open == NOWHERE || token->state != HTML_DATA || r->text->len >= MAX_TEXT) return;
  size_t length = MIN(token->content.end - token->content.start, (size_t)MAX_TEXT);
  html_decode(scan->bytes + token->content.start, length, false, r->text);
}

/* Links and their text, in the page itself and in conditional comments alike. */
static bool follow_links(struct reader *r, const struct html_scan *scan, const struct html_token *token,
                         unsigned element, size_t base, bool hidden, GError **error)
{
  if (token->type == HTML_TEXT) take_text(r, scan, token);
  if (token->type == HTML_END_TAG && r->open != NOWHERE && same_name(scan, token->name, base, r->open_name))
    close_link(r);
  if (token->type != HTML_START_TAG) return true;
  if (element & BREAK && r->open != NOWHERE) g_string_append_c(r->text, ' ');
  if (element == ANCHOR || (element == VML && hidden))
    close_link(r);
  else if (element != AREA)
    return true;
  return take_link(r, scan, token, element, base, hidden, error);
}

static unsigned meaning(const struct html_scan *scan, const struct html_token *token)
{
  bool tag = token->type == HTML_START_TAG || token->type == HTML_END_TAG;
  return tag ? element_of(scan, token->name) : 0;
}

/* "<!--[if mso]> … <![endif]-->": Outlook reads what is within. */
static bool read_comment(struct reader *r, const char *html, const struct html_token *comment, GError **error)
{
  const char *content = html + comment->content.start;
  size_t length = comment->content.end - comment->content.start;
  if (comment->unterminated || length < 4 || g_ascii_strncasecmp(content, "[if", 3) != 0) return true;
  const char *open = memmem(content, length, "]>", 2);
  if (!open) return true;
  size_t skip = (size_t)(open + 2 - content);
  size_t base = comment->content.start + skip;
  struct html_scan scan;
  struct html_token token;
  html_scan_init(&scan, content + skip, length - skip);
  /* The link around the comment goes on after it. */
  size_t outer = r->open;
  struct html_range outer_name = r->open_name;
  g_autoptr(GString) outer_text = r->text;
  r->text = g_string_new(NULL);
  r->open = NOWHERE;
  bool ok = true;
  while (ok && html_scan_next(&scan, &token))
    ok = follow_links(r, &scan, &token, meaning(&scan, &token), base, true, error);
  close_link(r);
  g_string_free(r->text, TRUE);
  r->text = g_steal_pointer(&outer_text);
  r->open = outer;
  r->open_name = outer_name;
  return ok;
}

static bool may_hold_image(const struct reader *r)
{
  return r->inert == 0 && r->tables <= MAX_TABLES && (r->tables == 0 || r->in_cell[r->tables]);
}

static void follow_table(struct reader *r, const struct html_token *token, unsigned element)
{
  bool start = token->type == HTML_START_TAG;
  if (element & TABLE) {
    if (start && r->tables == 0) r->table_start = token->start;
    if (start) r->tables++;
    if (!start && r->tables > 0) r->tables--;
    if (start && r->tables <= MAX_TABLES) r->in_cell[r->tables] = false;
  } else if (r->tables > 0 && r->tables <= MAX_TABLES) {
    if (element & CELL) r->in_cell[r->tables] = start;
    if (element & ROW) r->in_cell[r->tables] = false;
  }
}

static void follow_place(struct reader *r, const struct html_token *token, unsigned element)
{
  bool start = token->type == HTML_START_TAG;
  follow_table(r, token, element);
  if (element & INERT) {
    if (start && !token->self_closing) r->inert++;
    if (!start && r->inert > 0) r->inert--;
  }
  if (start || !may_hold_image(r)) return;
  if (element & BODY) r->body_end = token->start;
  if (element & PAGE) r->html_end = token->start;
}

/* <base href>: the first one counts. <img src> of ours: a pixel. */
static void follow_other(struct reader *r, const struct html_scan *scan, const struct html_token *token,
                         unsigned element)
{
  if (token->type != HTML_START_TAG) return;
  if (element == BASE && !r->has_base) {
    const struct html_attribute *href = html_attribute_find(scan, token, "href");
    if (!href) return;
    decode_value(scan, href, r->base);
    r->has_base = true;
  } else if (element == IMAGE) {
    const struct html_attribute *src = html_attribute_find(scan, token, "src");
    if (!src) return;
    decode_value(scan, src, r->scratch);
    if (rewrite_link_is_own(r->scratch->str, r->options->own_urls, r->options->n_own_urls))
      g_array_append_val(r->pixels, token->end);
  }
}

/* One token of the page itself. */
static bool follow(struct reader *r, const struct html_scan *scan, const struct html_token *token,
                   GError **error)
{
  unsigned element = meaning(scan, token);
  if (element) {
    follow_place(r, token, element);
    follow_other(r, scan, token, element);
  }
  return follow_links(r, scan, token, element, 0, false, error) &&
         (token->type != HTML_COMMENT || read_comment(r, scan->bytes, token, error));
}

static size_t before_space(const char *html, size_t at)
{
  while (at > 0 && strchr(" \t\r\n\f", html[at - 1]) && html[at - 1] != '\0')
    at--;
  return at;
}

static void place_pixel(struct reader *r, const struct html_scan *scan, const char *html, size_t length)
{
  struct rewrite_page *page = r->page;
  size_t end = before_space(html, length);
  bool open = html_scan_is_open(scan) || memchr(html + end - MIN(end, (size_t)2), '<', MIN(end, (size_t)2));
  page->pixel = REWRITE_REASON_TRACKED;
  if (r->body_end != NOWHERE)
    page->pixel_at = r->body_end;
  else if (r->html_end != NOWHERE)
    page->pixel_at = r->html_end;
  else if (open)
    page->pixel = REWRITE_REASON_PIXEL_OPEN;
  else if (may_hold_image(r))
    page->pixel_at = end;
  /* Within an unclosed table a browser would move it to before the table. */
  else if (r->inert == 0)
    page->pixel_at = r->table_start;
  else
    page->pixel = REWRITE_REASON_PIXEL_CONTEXT;
  if (page->pixel != REWRITE_REASON_TRACKED) return;
  size_t before = before_space(html, page->pixel_at);
  for (guint i = 0; i < r->pixels->len; i++) {
    size_t there = g_array_index(r->pixels, size_t, i);
    if (there >= before && there <= page->pixel_at) page->pixel = REWRITE_REASON_PIXEL_THERE;
  }
}

static void link_clear(struct rewrite_page_link *link)
{
  g_clear_pointer(&link->url, g_free);
}

struct rewrite_page *rewrite_page_new(void)
{
  struct rewrite_page *page = g_new0(struct rewrite_page, 1);
  page->links = g_array_new(FALSE, FALSE, sizeof(struct rewrite_page_link));
  g_array_set_clear_func(page->links, (GDestroyNotify)link_clear);
  return page;
}

void rewrite_page_free(struct rewrite_page *page)
{
  if (!page) return;
  g_array_unref(page->links);
  g_free(page);
}

struct rewrite_page *rewrite_page_read(const char *html, size_t length,
                                       const struct rewrite_page_options *options, GError **error)
{
  g_autoptr(rewrite_page) page = rewrite_page_new();
  g_autoptr(GString) base = g_string_new(NULL);
  g_autoptr(GString) scratch = g_string_new(NULL);
  g_autoptr(GArray) pixels = g_array_new(FALSE, FALSE, sizeof(size_t));
  struct reader r = {
      .options = options,
      .page = page,
      .base = base,
      .scratch = scratch,
      .open = NOWHERE,
      .text = g_string_new(NULL),
      .body_end = NOWHERE,
      .html_end = NOWHERE,
      .pixels = pixels,
  };
  struct html_scan scan;
  struct html_token token;
  bool ok = true;
  html_scan_init(&scan, html, length);
  while (ok && html_scan_next(&scan, &token))
    ok = follow(&r, &scan, &token, error);
  close_link(&r);
  g_string_free(r.text, TRUE);
  if (!ok) return NULL;
  place_pixel(&r, &scan, html, length);
  rewrite_page_pair(page);
  return g_steal_pointer(&page);
}

/* Pairs each hidden link with the visible link of the same address that SEEN
 * met last, walking forwards or backwards. */
static void pair_one(GHashTable *seen, struct rewrite_page_link *link, bool *found)
{
  if (!link->hidden) {
    g_hash_table_insert(seen, link->url, link);
    return;
  }
  struct rewrite_page_link *twin = g_hash_table_lookup(seen, link->url);
  if (!twin) return;
  *found = true;
  if (link->reason == REWRITE_REASON_TRACKED && twin->reason != REWRITE_REASON_TRACKED)
    link->reason = REWRITE_REASON_TWIN;
  else if (twin->reason == REWRITE_REASON_TRACKED && link->reason != REWRITE_REASON_TRACKED)
    twin->reason = REWRITE_REASON_TWIN;
}

void rewrite_page_pair(struct rewrite_page *page)
{
  guint n = page->links->len;
  bool hidden = false;
  for (guint i = 0; i < n && !hidden; i++)
    hidden = g_array_index(page->links, struct rewrite_page_link, i).hidden;
  if (!hidden) return;
  g_autofree bool *paired = g_new0(bool, n);
  g_autoptr(GHashTable) after = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GHashTable) before = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = n; i-- > 0;)
    pair_one(after, &g_array_index(page->links, struct rewrite_page_link, i), &paired[i]);
  for (guint i = 0; i < n; i++) {
    struct rewrite_page_link *link = &g_array_index(page->links, struct rewrite_page_link, i);
    bool found = false;
    if (!link->hidden || !paired[i]) pair_one(before, link, &found);
  }
}
