/* The scanner against gumbo, an independent HTML5 parser, over the corpora:
 * the href of every a, and every comment, are the same on both sides.
 *
 * Gumbo builds a tree, and the tree's rules may clone an a (formatting elements
 * are opened again behind a block that closed them): clones are not counted, for
 * no bytes stand for them. Each document is compared whole and cut off at
 * several places. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gumbo.h>
#include <jansson.h>

#include "html/entity.h"
#include "html/scan.h"

enum { CUTS = 16 };

struct totals {
  int documents, compared, differ, hrefs, comments;
};

/* What was found is a list of words: 'h' and the href, or 'c' and the comment. */

static int compare_words(const void *a, const void *b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_word(GPtrArray *words, char kind, const char *text, size_t length)
{
  g_ptr_array_add(words, g_strdup_printf("%c%.*s", kind, (int)length, text));
}

/* Line ends as the Standard reads them. */
static void add_decoded(GPtrArray *words, char kind, const char *raw, size_t length)
{
  g_autoptr(GString) lines = g_string_new_len(raw, (gssize)length);
  g_string_replace(lines, "\r\n", "\n", 0);
  g_string_replace(lines, "\r", "\n", 0);
  g_autoptr(GString) text = g_string_new(NULL);
  if (kind == 'h')
    html_decode(lines->str, lines->len, true, text);
  else
    g_string_assign(text, lines->str);
  add_word(words, kind, text->str, text->len);
}

static GPtrArray *ours(const char *bytes, size_t length)
{
  GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
  struct html_scan scan;
  struct html_token token;
  html_scan_init(&scan, bytes, length);
  while (html_scan_next(&scan, &token)) {
    if (token.type == HTML_COMMENT)
      add_decoded(words, 'c', bytes + token.content.start, token.content.end - token.content.start);
    if (token.type != HTML_START_TAG || !html_name_is(&scan, token.name, "a")) continue;
    const struct html_attribute *href = html_attribute_find(&scan, &token, "href");
    if (href) add_decoded(words, 'h', bytes + href->value.start, href->value.end - href->value.start);
  }
  g_ptr_array_sort(words, compare_words);
  return words;
}

static void walk(GPtrArray *words, const GumboNode *node)
{
  const unsigned cloned =
      GUMBO_INSERTION_RECONSTRUCTED_FORMATTING_ELEMENT | GUMBO_INSERTION_ADOPTION_AGENCY_CLONED;
  if (node->type == GUMBO_NODE_COMMENT) add_word(words, 'c', node->v.text.text, strlen(node->v.text.text));
  if (node->type == GUMBO_NODE_DOCUMENT)
    for (unsigned i = 0; i < node->v.document.children.length; i++)
      walk(words, node->v.document.children.data[i]);
  if (node->type != GUMBO_NODE_ELEMENT && node->type != GUMBO_NODE_TEMPLATE) return;
  if (node->v.element.tag == GUMBO_TAG_A && !(node->parse_flags & cloned)) {
    const GumboAttribute *href = gumbo_get_attribute(&node->v.element.attributes, "href");
    if (href) add_word(words, 'h', href->value, strlen(href->value));
  }
  for (unsigned i = 0; i < node->v.element.children.length; i++)
    walk(words, node->v.element.children.data[i]);
}

static GPtrArray *gumbos(const char *bytes, size_t length)
{
  GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
  GumboOutput *output = gumbo_parse_with_options(&kGumboDefaultOptions, bytes, length);
  walk(words, output->document);
  gumbo_destroy_output(&kGumboDefaultOptions, output);
  g_ptr_array_sort(words, compare_words);
  return words;
}

static void compare(struct totals *totals, const char *name, const char *bytes, size_t length)
{
  g_autoptr(GPtrArray) mine = ours(bytes, length), theirs = gumbos(bytes, length);
  guint at = 0;
  while (at < mine->len && at < theirs->len && strcmp(mine->pdata[at], theirs->pdata[at]) == 0)
    at++;
  totals->compared++;
  if (at == mine->len && at == theirs->len) return;
  totals->differ++;
  printf("FAILED: %s (%zu bytes of it): ours %.300s, gumbo's %.300s\n", name, length,
         at < mine->len ? (char *)mine->pdata[at] : "(none)",
         at < theirs->len ? (char *)theirs->pdata[at] : "(none)");
}

static void compare_document(struct totals *totals, const char *name, const char *bytes, size_t length)
{
  g_autoptr(GPtrArray) words = ours(bytes, length);
  for (guint i = 0; i < words->len; i++)
    *(*(char *)words->pdata[i] == 'h' ? &totals->hrefs : &totals->comments) += 1;
  totals->documents++;
  for (size_t cut = 1; cut <= CUTS; cut++)
    compare(totals, name, bytes, length * cut / CUTS);
}

/* The decoded HTML parts of a message stand in its JSON as {"Html": text}. */
static void compare_parts(struct totals *totals, const char *name, json_t *value)
{
  const char *key;
  json_t *inner;
  size_t i;
  json_object_foreach(value, key, inner)
  {
    if (strcmp(key, "Html") == 0 && json_is_string(inner))
      compare_document(totals, name, json_string_value(inner), json_string_length(inner));
    compare_parts(totals, name, inner);
  }
  json_array_foreach(value, i, inner) compare_parts(totals, name, inner);
}

static void compare_file(struct totals *totals, const char *path)
{
  g_autofree char *bytes = NULL;
  size_t length;
  if (g_str_has_suffix(path, ".json")) {
    json_t *message = json_load_file(path, JSON_ALLOW_NUL, NULL);
    compare_parts(totals, path, message);
    json_decref(message);
  } else if (g_str_has_suffix(path, ".html") && g_file_get_contents(path, &bytes, &length, NULL)) {
    compare_document(totals, path, bytes, length);
  }
}

static void compare_folder(struct totals *totals, const char *folder)
{
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  for (const char *name; dir && (name = g_dir_read_name(dir));) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    if (g_file_test(path, G_FILE_TEST_IS_DIR))
      compare_folder(totals, path);
    else
      compare_file(totals, path);
  }
}

int main(void)
{
  static const char *const folders[] = {"templates", "mime"};
  const char *corpora = getenv("TIDINGS_CORPORA");
  struct totals totals = {0};
  for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
    g_autofree char *folder = g_build_filename(corpora ? corpora : "", folders[i], NULL);
    compare_folder(&totals, folder);
  }
  if (!totals.documents) {
    printf("SKIP: no HTML in the corpora (set TIDINGS_CORPORA)\n");
    return 77;
  }
  printf("count: gumbo: %d documents with %d hrefs and %d comments, compared %d times, %d differ\n",
         totals.documents, totals.hrefs, totals.comments, totals.compared, totals.differ);
  return totals.differ > 0;
}
