/* Where a value stands. The template with a mark for each output goes through the tokenizer,
 * and every mark is then looked up in its token. A value cannot change where the next one stands, for each is
 * escaped so that it stays in its place. */

#include "message/context.h"

#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "html/scan.h"

/* Stands for an output; no message file holds it (message.c refuses controls). */
#define MARK '\x01'

/* Conditional comments in conditional comments are read so deep. */
#define DEPTH_MAX 5

/* ---- escapes ---- */

static bool is_control(char c)
{
  return (c >= 0 && c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
}

void message_escape_html(GString *out, const char *value, size_t length)
{
  for (size_t i = 0; i < length; i++)
    if (!is_control(value[i])) liquid_escape_html(out, value + i, 1);
}

/* Whether a link with this text before its first colon leads somewhere harmless. */
static bool is_good_scheme(const char *scheme, size_t length)
{
  static const char *const good[] = {"http", "https", "mailto", "tel", "sms"};
  for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
    if (strlen(good[i]) == length && g_ascii_strncasecmp(good[i], scheme, length) == 0) return true;
  return false;
}

/* A browser leaves out blanks around a URL and line ends in it before it looks for the scheme. */
void message_escape_url(GString *out, const char *value, size_t length)
{
  g_autoptr(GString) url = g_string_new(NULL);
  for (size_t i = 0; i < length; i++)
    if (!is_control(value[i]) && !strchr("\t\r\n", value[i])) g_string_append_c(url, value[i]);
  g_strstrip(url->str);
  size_t scheme = strcspn(url->str, ":/?#");
  if (url->str[scheme] == ':' && !is_good_scheme(url->str, scheme))
    g_string_append_c(out, '#');
  else
    liquid_escape_html(out, url->str, strlen(url->str));
}

/* '/' stays, for a path is often one value; nothing else that divides a URL does. */
void message_escape_url_part(GString *out, const char *value, size_t length)
{
  for (size_t i = 0; i < length; i++) {
    if (g_ascii_isalnum(value[i]) || (value[i] && strchr("-._~/", value[i])))
      g_string_append_c(out, value[i]);
    else
      g_string_append_printf(out, "%%%02X", (uint8_t)value[i]);
  }
}

/* Colours, sizes and fonts; nothing that begins another declaration or loads anything. */
void message_escape_style(GString *out, const char *value, size_t length)
{
  for (size_t i = 0; i < length; i++)
    if (g_ascii_isalnum(value[i]) || (value[i] && strchr("#.,%- ", value[i])))
      g_string_append_c(out, value[i]);
}

void message_escape_header(GString *out, const char *value, size_t length)
{
  for (size_t i = 0; i < length; i++)
    g_string_append_c(out, (value[i] >= 0 && value[i] < 0x20) || value[i] == 0x7f ? ' ' : value[i]);
}

/* A value is a name or an address, never a second mailbox. */
void message_escape_mailbox(GString *out, const char *value, size_t length)
{
  for (size_t i = 0; i < length; i++) {
    bool is_special =
        (value[i] >= 0 && value[i] < 0x20) || value[i] == 0x7f || strchr("<>,;:\"\\()[]", value[i]);
    g_string_append_c(out, is_special ? ' ' : value[i]);
  }
}

/* ---- contexts ---- */

struct search {
  struct liquid *template;
  size_t next;     /* the next mark's output */
  const char *why; /* the first that may not be; NULL: none */
  size_t fault;    /* which output that is */
};

/* The next mark gets ESCAPE; NULL: a value may not stand here, WHY. */
static void give_one(struct search *search, liquid_escape *escape, const char *why)
{
  size_t n = search->next++;
  if (escape) {
    liquid_set_escape(search->template, n, escape);
  } else if (!search->why) {
    search->why = why;
    search->fault = n;
  }
}

/* The same for every mark from START to END. */
static void give(struct search *search, const char *start, const char *end, liquid_escape *escape,
                 const char *why)
{
  for (const char *p = start; p < end && (p = memchr(p, MARK, (size_t)(end - p))); p++)
    give_one(search, escape, why);
}

static const char in_tag[] = "a value cannot stand in a tag; put it into a text or a quoted attribute";

/* Whether a letter at P would make a tag of what stands before it. */
static bool makes_tag(const char *start, const char *p)
{
  while (p > start && (g_ascii_isalnum(p[-1]) || p[-1] == '/'))
    p--;
  return p > start && p[-1] == '<';
}

static void look_at_text(struct search *search, const char *text, const struct html_token *token)
{
  const char *start = text + token->start, *end = text + token->end;
  bool is_text = token->state == HTML_DATA || token->state == HTML_RCDATA;
  for (const char *p = start; p < end && (p = memchr(p, MARK, (size_t)(end - p))); p++) {
    if (!is_text)
      give_one(search, NULL,
               "a value cannot stand in a style or script; put it into a text or a quoted attribute");
    else
      give_one(search, makes_tag(start, p) ? NULL : message_escape_html, in_tag);
  }
}

static bool is_url_attribute(const struct html_scan *scan, struct html_range name)
{
  static const char *const names[] = {"href", "src",    "action", "formaction", "background",
                                      "cite", "poster", "data",   "longdesc",   "xlink:href"};
  for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
    if (html_name_is(scan, name, names[i])) return true;
  return false;
}

/* The first mark of a URL is its start if nothing stands before it; the rest are parts. */
static void look_at_url(struct search *search, const char *start, const char *end)
{
  while (start < end && g_ascii_isspace(*start))
    start++;
  if (start < end && *start == MARK) {
    give_one(search, message_escape_url, NULL);
    start++;
  }
  give(search, start, end, message_escape_url_part, NULL);
}

static void look_at_attribute(struct search *search, const struct html_scan *scan,
                              const struct html_attribute *attribute)
{
  const char *text = scan->bytes;
  const char *start = text + attribute->value.start, *end = text + attribute->value.end;
  bool is_handler = attribute->name.end - attribute->name.start > 2 &&
                    g_ascii_strncasecmp(text + attribute->name.start, "on", 2) == 0;
  give(search, text + attribute->name.start, text + attribute->name.end, NULL,
       "a value cannot be the name of an attribute; write name=\"{{ … }}\"");
  if (!attribute->quote)
    give(search, start, end, NULL, "put quotes around this value: name=\"{{ … }}\"");
  else if (is_handler)
    give(search, start, end, NULL, "a value cannot stand in a script; mail programs run none");
  else if (html_name_is(scan, attribute->name, "style"))
    give(search, start, end, message_escape_style, NULL);
  else if (is_url_attribute(scan, attribute->name))
    look_at_url(search, start, end);
  else
    give(search, start, end, message_escape_html, NULL);
}

static void look_at_tag(struct search *search, const struct html_scan *scan, const struct html_token *token)
{
  const char *text = scan->bytes, *at = text + token->start;
  for (size_t i = 0; i < token->n_attributes; i++) {
    const struct html_attribute *attribute = &token->attributes[i];
    give(search, at, text + attribute->name.start, NULL, in_tag);
    look_at_attribute(search, scan, attribute);
    at = text + (attribute->has_value ? attribute->value.end : attribute->name.end);
  }
  give(search, at, text + token->end, NULL, in_tag);
}

static void look(struct search *search, const char *text, size_t length, int depth);

/* What Outlook reads as HTML, "[if mso]>…<![endif]", is looked at as such. */
static void look_at_comment(struct search *search, const char *text, const struct html_token *token,
                            int depth)
{
  const char *start = text + token->content.start, *end = text + token->content.end;
  if (start - (text + token->start) < 4) { /* not <!--, but what a letter may make a tag of */
    give(search, text + token->start, text + token->end, NULL, in_tag);
    return;
  }
  const char *open = end - start > 3 && g_ascii_strncasecmp(start, "[if", 3) == 0
                         ? memmem(start, (size_t)(end - start), "]>", 2)
                         : NULL;
  if (!open || depth == DEPTH_MAX) {
    give(search, text + token->start, text + token->end, message_escape_html, NULL);
    return;
  }
  give(search, text + token->start, open, NULL, "a value cannot stand in the condition of a comment");
  look(search, open + 2, (size_t)(end - open - 2), depth + 1);
  give(search, end, text + token->end, NULL, "a value cannot stand in the end of a comment");
}

static void look(struct search *search, const char *text, size_t length, int depth)
{
  g_autofree struct html_scan *scan = g_new(struct html_scan, 1);
  struct html_token token;
  html_scan_init(scan, text, length);
  while (html_scan_next(scan, &token)) {
    if (token.type == HTML_TEXT)
      look_at_text(search, text, &token);
    else if (token.type == HTML_START_TAG)
      look_at_tag(search, scan, &token);
    else if (token.type == HTML_COMMENT)
      look_at_comment(search, text, &token, depth);
    else
      give(search, text + token.start, text + token.end, NULL, in_tag);
  }
}

bool message_set_contexts(struct liquid *template, const char *name, GError **error)
{
  g_autoptr(GString) skeleton = g_string_new(NULL);
  liquid_skeleton(template, MARK, skeleton);
  struct search search = {.template = template};
  look(&search, skeleton->str, skeleton->len, 0);
  g_assert(search.next ==
           liquid_outputs(template)); /* tokens cover the input, and all of a token is looked at */
  if (!search.why) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "%s:%d: %s", name,
              liquid_output_line(template, search.fault), search.why);
  return false;
}
