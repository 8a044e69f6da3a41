#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The WHATWG HTML tokenizer (HTML Standard, 13.2.5), without a tree. It reads
 * borrowed bytes once, in time linear in their number and without allocating,
 * and gives tokens as ranges of those bytes: concatenated, the tokens are the
 * input. Nothing is decoded: html_decode() of "html/entity.h" does that.
 *
 *   struct html_scan scan;
 *   struct html_token token;
 *   html_scan_init(&scan, bytes, length);
 *   while (html_scan_next(&scan, &token))
 *     if (token.type == HTML_START_TAG && html_name_is(&scan, token.name, "a")) …
 *
 * Bytes are ASCII-compatible text; other charsets are decoded before. Where the
 * Standard lets its tree builder steer the tokenizer, a tree is missed so:
 *  - the inside of script, style, title, … is raw wherever the tag stands, also
 *    in svg, math and select; noscript is not raw, mail has no scripting;
 *  - <![CDATA[ begins a bogus comment, as it does outside of svg and math. */

/* Attributes that a token keeps; those after are read over. */
#define HTML_ATTRIBUTES_MAX 128

/* How text is read. Text of HTML_DATA and HTML_RCDATA has character references,
 * the others have none. */
enum html_state {
  HTML_DATA,
  HTML_RCDATA,  /* title, textarea */
  HTML_RAWTEXT, /* style, xmp, iframe, noembed, noframes */
  HTML_SCRIPT,
  HTML_PLAINTEXT,
  HTML_CDATA,
};

enum html_type {
  HTML_TEXT,
  HTML_START_TAG,
  HTML_END_TAG,
  HTML_COMMENT, /* bogus ones too: <!…>, <?…>, </ …> */
  HTML_DOCTYPE,
  HTML_NOTHING, /* bytes that make no token: "</>", and a tag cut off by the end */
};

/* Bytes from start up to, not including, end: offsets in the input. */
struct html_range {
  size_t start, end;
};

struct html_attribute {
  struct html_range name;  /* as written: any case, perhaps NUL */
  struct html_range value; /* without quotes, as written; empty if there is none */
  char quote;              /* '"', '\'' or 0 */
  bool has_value;          /* a '=' was written */
  bool duplicate;          /* an earlier attribute has this name: it has no effect */
};

struct html_token {
  enum html_type type;
  enum html_state state;     /* in which it was read */
  size_t start, end;         /* the whole token with its delimiters */
  struct html_range name;    /* of a tag or doctype, as written */
  struct html_range content; /* of text, of a comment without <!-- and -->, of a doctype after "<!doctype" */
  const struct html_attribute *attributes; /* borrowed until the next html_scan_next() */
  size_t n_attributes;
  bool attributes_cut; /* there were more than HTML_ATTRIBUTES_MAX */
  bool self_closing;   /* "/>" */
  bool unterminated;   /* the end of the input ended it */
};

struct html_scan {
  /* To read, not to write: */
  const char *bytes;
  size_t length;
  size_t position;       /* where the next token begins */
  enum html_state state; /* in which it will be read */
  uint64_t looked;       /* bytes looked at so far, twice if twice: the measure of linear time */
  /* Own: */
  bool follow_raw, open;
  const char *last;
  size_t last_length;
  struct html_attribute attributes[HTML_ATTRIBUTES_MAX + 1]; /* the last is read and not kept */
};

/* Starts at the head of LENGTH bytes of HTML, borrowed until the last use of
 * the scan and of its tokens. Nothing needs to be released. */
void html_scan_init(struct html_scan *scan, const char *bytes, size_t length);

/* The same, but starts in STATE; LAST is the name of the start tag before, in
 * lower case (borrowed, NULL: none), whose end tag ends raw text. FOLLOW_RAW
 * false: start tags do not begin raw text by themselves. */
void html_scan_init_state(struct html_scan *scan, const char *bytes, size_t length, enum html_state state,
                          const char *last, bool follow_raw);

/* Fills TOKEN with the next token; false at the end. A token is never empty. */
bool html_scan_next(struct html_scan *scan, struct html_token *token);

/* After the last token: true if markup appended to the input would not be read
 * as markup, for the input ends within a tag, a comment or raw text. */
bool html_scan_is_open(const struct html_scan *scan);

/* Whether the bytes of NAME are WORD (lower case, ASCII) in any case. */
bool html_name_is(const struct html_scan *scan, struct html_range name, const char *word);

/* The attribute of TOKEN called WORD (lower case), the first if there are more;
 * NULL if there is none. Borrowed as token->attributes is. */
const struct html_attribute *html_attribute_find(const struct html_scan *scan, const struct html_token *token,
                                                 const char *word);
