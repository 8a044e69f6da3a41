/* The tokenizer against the html5lib suite, all kinds of tokens in full.
 *
 * Every case is run in each of its initial states. html_scan gives ranges of the
 * untouched input, so what the Standard does to characters is done here: CR to
 * LF, NUL to U+FFFD, names to lower case, character references by
 * html_decode(), and the fields of a doctype. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "html/entity.h"
#include "html/scan.h"

static const struct {
  const char *name;
  enum html_state state;
} states[] = {
    {"Data state", HTML_DATA},       {"PLAINTEXT state", HTML_PLAINTEXT}, {"RCDATA state", HTML_RCDATA},
    {"RAWTEXT state", HTML_RAWTEXT}, {"Script data state", HTML_SCRIPT},  {"CDATA section state", HTML_CDATA},
};

struct count {
  int run, failed;
};

/* Characters. */

/* "\uXXXX" of a double-escaped case; a lone surrogate becomes three bytes, as
 * if it were a character, which is what the suite wants to see passed on. */
static void append_utf8(GString *out, unsigned c)
{
  if (c < 0xd800 || c > 0xdfff) {
    g_string_append_unichar(out, c);
    return;
  }
  g_string_append_c(out, (char)(0xe0 | c >> 12));
  g_string_append_c(out, (char)(0x80 | (c >> 6 & 63)));
  g_string_append_c(out, (char)(0x80 | (c & 63)));
}

static json_t *unescape(const char *text)
{
  g_autoptr(GString) out = g_string_new(NULL);
  while (*text) {
    unsigned c, low;
    if (sscanf(text, "\\u%4x", &c) != 1) {
      g_string_append_c(out, *text++);
      continue;
    }
    text += 6;
    if (c >= 0xd800 && c <= 0xdbff && sscanf(text, "\\u%4x", &low) == 1 && low >= 0xdc00 && low <= 0xdfff) {
      c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
      text += 6;
    }
    append_utf8(out, c);
  }
  return json_stringn_nocheck(out->str, out->len);
}

/* A copy of VALUE with every string unescaped if ESCAPED. */
static json_t *plain_copy(const json_t *value, bool escaped)
{
  if (!escaped) return json_deep_copy(value);
  if (json_is_string(value)) return unescape(json_string_value(value));
  if (json_is_array(value)) {
    json_t *copy = json_array();
    for (size_t i = 0; i < json_array_size(value); i++)
      json_array_append_new(copy, plain_copy(json_array_get(value, i), escaped));
    return copy;
  }
  if (json_is_object(value)) {
    json_t *copy = json_object();
    const char *key;
    json_t *inner;
    json_object_foreach((json_t *)value, key, inner)
    {
      json_t *name = unescape(key);
      json_object_set_new_nocheck(copy, json_string_value(name), plain_copy(inner, escaped));
      json_decref(name);
    }
    return copy;
  }
  return json_deep_copy(value);
}

/* CR LF and CR to LF, and NUL to U+FFFD if asked. */
static GString *normalised(const char *bytes, size_t length, bool replace_nul)
{
  GString *out = g_string_new(NULL);
  for (size_t i = 0; i < length; i++) {
    if (bytes[i] == '\r') {
      g_string_append_c(out, '\n');
      if (i + 1 < length && bytes[i + 1] == '\n') i++;
    } else if (bytes[i] == '\0' && replace_nul) {
      g_string_append_unichar(out, 0xfffd);
    } else {
      g_string_append_c(out, bytes[i]);
    }
  }
  return out;
}

static GString *range_text(const struct html_scan *scan, struct html_range range, bool replace_nul)
{
  return normalised(scan->bytes + range.start, range.end - range.start, replace_nul);
}

static json_t *as_json(const GString *text)
{
  return json_stringn_nocheck(text->str, text->len);
}

/* Tokens, in the suite's notation. */

static json_t *named(const struct html_scan *scan, const char *kind, struct html_range range, bool lower)
{
  g_autoptr(GString) text = range_text(scan, range, true);
  if (lower) g_string_ascii_down(text);
  return json_pack("[s, o]", kind, as_json(text));
}

static json_t *start_tag(const struct html_scan *scan, const struct html_token *token)
{
  json_t *row = named(scan, "StartTag", token->name, true), *attributes = json_object();
  for (size_t i = 0; i < token->n_attributes; i++) {
    const struct html_attribute *attribute = &token->attributes[i];
    if (attribute->duplicate) continue;
    g_autoptr(GString) name = range_text(scan, attribute->name, true);
    g_autoptr(GString) raw = range_text(scan, attribute->value, true);
    g_autoptr(GString) value = g_string_new(NULL);
    html_decode(raw->str, raw->len, true, value);
    json_object_set_new_nocheck(attributes, g_string_ascii_down(name)->str, as_json(value));
  }
  json_array_append_new(row, attributes);
  if (token->self_closing) json_array_append_new(row, json_true());
  return row;
}

/* What the Standard reads behind a doctype's name: PUBLIC or SYSTEM, one or two
 * quoted ids. */
struct doctype_rest {
  json_t *public, *system; /* NULL: none */
  bool quirks;             /* it forces quirks */
  bool over;               /* it went on behind the system id: an error, but then the end forces nothing */
};

static const char *skip_ws(const char *at)
{
  return at + strspn(at, "\t\n\f ");
}

/* A quoted id at *AT, NULL if there is none; a '>' or the end cut it off. */
static json_t *doctype_id(const char **at, bool *cut)
{
  char quote = **at;
  if (quote != '"' && quote != '\'') return NULL;
  const char *start = *at + 1, *end = strchr(start, quote);
  *cut = !end;
  if (!end) end = start + strlen(start);
  *at = *cut ? end : end + 1;
  return json_stringn_nocheck(start, (size_t)(end - start));
}

static void read_doctype_rest(const char *at, struct doctype_rest *rest)
{
  bool cut = false;
  at = skip_ws(at);
  if (!*at) return;
  bool is_public = g_ascii_strncasecmp(at, "public", 6) == 0;
  rest->quirks = true;
  if (!is_public && g_ascii_strncasecmp(at, "system", 6) != 0) return;
  at = skip_ws(at + 6);
  if (is_public) {
    rest->public = doctype_id(&at, &cut);
    if (!rest->public || cut) return;
    at = skip_ws(at);
  }
  if (*at || !is_public) {
    rest->system = doctype_id(&at, &cut);
    if (!rest->system || cut) return;
    rest->over = *skip_ws(at) != '\0';
  }
  rest->quirks = false;
}

static json_t *or_null(json_t *value)
{
  return value ? value : json_null();
}

static json_t *doctype(const struct html_scan *scan, const struct html_token *token)
{
  struct html_range behind_name = {token->name.end, token->content.end};
  g_autoptr(GString) text = range_text(scan, behind_name, true);
  struct doctype_rest rest = {0};
  read_doctype_rest(text->str, &rest);
  bool has_name = token->name.end > token->name.start;
  bool quirks = rest.quirks || !has_name || (token->unterminated && !rest.over);
  json_t *row = named(scan, "DOCTYPE", token->name, true);
  if (!has_name) json_array_set_new(row, 1, json_null());
  json_array_append_new(row, or_null(rest.public));
  json_array_append_new(row, or_null(rest.system));
  json_array_append_new(row, json_boolean(!quirks));
  return row;
}

static void append_characters(json_t *rows, const GString *text)
{
  json_t *last = json_array_get(rows, json_array_size(rows) - 1);
  if (!text->len) return;
  if (!last || strcmp(json_string_value(json_array_get(last, 0)), "Character") != 0) {
    json_array_append_new(rows, json_pack("[s, o]", "Character", as_json(text)));
    return;
  }
  json_t *before = json_array_get(last, 1);
  g_autoptr(GString) all = g_string_new_len(json_string_value(before), (gssize)json_string_length(before));
  g_string_append_len(all, text->str, (gssize)text->len);
  json_array_set_new(last, 1, as_json(all));
}

static void append_text(json_t *rows, const struct html_scan *scan, const struct html_token *token)
{
  bool keeps_nul = token->state == HTML_DATA || token->state == HTML_CDATA;
  g_autoptr(GString) raw = range_text(scan, token->content, !keeps_nul);
  g_autoptr(GString) text = g_string_new(NULL);
  if (token->state == HTML_DATA || token->state == HTML_RCDATA)
    html_decode(raw->str, raw->len, false, text);
  else
    g_string_append_len(text, raw->str, (gssize)raw->len);
  append_characters(rows, text);
}

static void append_token(json_t *rows, const struct html_scan *scan, const struct html_token *token)
{
  switch (token->type) {
  case HTML_TEXT:
    append_text(rows, scan, token);
    break;
  case HTML_START_TAG:
    json_array_append_new(rows, start_tag(scan, token));
    break;
  case HTML_END_TAG:
    json_array_append_new(rows, named(scan, "EndTag", token->name, true));
    break;
  case HTML_COMMENT:
    json_array_append_new(rows, named(scan, "Comment", token->content, false));
    break;
  case HTML_DOCTYPE:
    json_array_append_new(rows, doctype(scan, token));
    break;
  case HTML_NOTHING:
    break;
  }
}

/* The cases of xmlViolation.test expect what an XML tool may see: that is not
 * the tokenizer's, and done to its tokens here. */
static void make_xml(json_t *rows)
{
  for (size_t i = 0; i < json_array_size(rows); i++) {
    json_t *row = json_array_get(rows, i);
    const char *kind = json_string_value(json_array_get(row, 0));
    g_autoptr(GString) text = g_string_new(json_string_value(json_array_get(row, 1)));
    if (strcmp(kind, "Character") == 0) {
      g_string_replace(text, "\f", " ", 0);
      g_string_replace(text, "\xef\xbf\xbf", "\xef\xbf\xbd", 0);
    } else if (strcmp(kind, "Comment") == 0) {
      g_string_replace(text, "--", "- -", 0);
    }
    json_array_set_new(row, 1, as_json(text));
  }
}

static json_t *tokenize(const json_t *input, enum html_state state, const char *last, bool xml)
{
  /* A copy of the exact size lets the sanitizers see a read past the end. */
  size_t length = json_string_length(input);
  g_autofree char *bytes = g_memdup2(json_string_value(input), length);
  json_t *rows = json_array();
  struct html_scan scan;
  struct html_token token;
  html_scan_init_state(&scan, bytes, length, state, last, false);
  while (html_scan_next(&scan, &token))
    append_token(rows, &scan, &token);
  if (xml) make_xml(rows);
  return rows;
}

/* The suite. */

static size_t state_of(const json_t *name)
{
  for (size_t i = 0; i < G_N_ELEMENTS(states); i++)
    if (strcmp(states[i].name, json_string_value(name)) == 0) return i;
  fprintf(stderr, "unknown initial state: %s\n", json_string_value(name));
  exit(1);
}

static bool run_in_state(const json_t *test, size_t state, bool xml)
{
  bool escaped = json_is_true(json_object_get(test, "doubleEscaped"));
  json_t *input = plain_copy(json_object_get(test, "input"), escaped);
  json_t *expected = plain_copy(json_object_get(test, "output"), escaped);
  json_t *got =
      tokenize(input, states[state].state, json_string_value(json_object_get(test, "lastStartTag")), xml);
  bool same = json_equal(expected, got);
  if (!same) {
    g_autofree char *want = json_dumps(expected, 0), *have = json_dumps(got, 0);
    g_autofree char *in = json_dumps(input, JSON_ENCODE_ANY);
    printf("FAILED: %s (%s)\n  input    %s\n  expected %s\n  got      %s\n",
           json_string_value(json_object_get(test, "description")), states[state].name, in, want, have);
  }
  json_decref(input);
  json_decref(expected);
  json_decref(got);
  return same;
}

static bool run_case(const json_t *test, bool xml, struct count *counts)
{
  const json_t *names = json_object_get(test, "initialStates");
  size_t n = names ? json_array_size(names) : 1;
  bool all = n > 0;
  for (size_t i = 0; i < n; i++) {
    size_t state = names ? state_of(json_array_get(names, i)) : 0;
    bool same = run_in_state(test, state, xml);
    counts[state].run++;
    counts[state].failed += !same;
    all = all && same;
  }
  return all;
}

static struct count run_file(const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename(folder, name, NULL);
  json_error_t error;
  json_t *file = json_load_file(path, JSON_ALLOW_NUL, &error);
  if (!file) {
    printf("FAILED: %s:%d: %s\n", name, error.line, error.text);
    return (struct count){1, 1};
  }
  const json_t *xml = json_object_get(file, "xmlViolationTests");
  const json_t *tests = xml ? xml : json_object_get(file, "tests");
  struct count counts[G_N_ELEMENTS(states)] = {0}, cases = {0};
  for (size_t i = 0; i < json_array_size(tests); i++) {
    cases.run++;
    cases.failed += !run_case(json_array_get(tests, i), xml != NULL, counts);
  }
  for (size_t i = 0; i < G_N_ELEMENTS(states); i++)
    if (counts[i].run)
      printf("count: html5lib %s, %s: %d run, %d failed\n", name, states[i].name, counts[i].run,
             counts[i].failed);
  json_decref(file);
  return cases;
}

int main(void)
{
  const char *corpora = getenv("TIDINGS_CORPORA");
  g_autofree char *folder = g_build_filename(corpora ? corpora : "", "html5lib", NULL);
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  if (!dir) {
    printf("SKIP: no html5lib suite in %s (set TIDINGS_CORPORA)\n", folder);
    return 77;
  }
  struct count total = {0};
  for (const char *name; (name = g_dir_read_name(dir));) {
    if (!g_str_has_suffix(name, ".test")) continue;
    struct count one = run_file(folder, name);
    total.run += one.run;
    total.failed += one.failed;
  }
  printf("count: html5lib cases: %d run, %d failed\n", total.run, total.failed);
  return total.run == 0 || total.failed > 0;
}
