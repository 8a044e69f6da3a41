/* The tokenizer: its tokens are the input cut into pieces, every range lies
 * within its token, and the work is a multiple of the length. References: what
 * html_encode_attribute() writes reads back as what it was given, also by the
 * tokenizer. The first byte chooses the initial state. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <glib.h>

#include "html/entity.h"
#include "html/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool within(struct html_range inner, size_t start, size_t end)
{
  return start <= inner.start && inner.start <= inner.end && inner.end <= end;
}

static void check_attributes(const struct html_scan *scan, const struct html_token *token)
{
  size_t end = token->name.end;
  g_assert_true(token->n_attributes <= HTML_ATTRIBUTES_MAX);
  for (size_t i = 0; i < token->n_attributes; i++) {
    const struct html_attribute *attribute = &token->attributes[i];
    g_assert_true(within(attribute->name, end, token->end - 1));
    g_assert_true(attribute->name.end > attribute->name.start);
    g_assert_true(within(attribute->value, attribute->name.end, token->end - 1));
    g_assert_true(attribute->has_value || attribute->value.start == attribute->value.end);
    if (attribute->quote) {
      g_assert_true(scan->bytes[attribute->value.start - 1] == attribute->quote);
      g_assert_true(scan->bytes[attribute->value.end] == attribute->quote);
    }
    end = attribute->value.end;
  }
}

static void check_token(const struct html_scan *scan, const struct html_token *token, size_t start)
{
  g_assert_true(token->start == start && token->end > start && token->end <= scan->length);
  g_assert_true(!token->unterminated || token->end == scan->length);
  if (token->name.end) g_assert_true(within(token->name, start, token->end));
  if (token->content.end) g_assert_true(within(token->content, start, token->end));
  if (token->type == HTML_START_TAG || token->type == HTML_END_TAG) {
    g_assert_true(scan->bytes[start] == '<' && scan->bytes[token->end - 1] == '>');
    check_attributes(scan, token);
  }
}

/* Gives whether markup may be appended. */
static bool check_scan(const char *bytes, size_t length, enum html_state state)
{
  struct html_scan scan;
  struct html_token token;
  size_t end = 0;
  html_scan_init_state(&scan, bytes, length, state, state == HTML_DATA ? NULL : "script", true);
  while (html_scan_next(&scan, &token)) {
    check_token(&scan, &token, end);
    end = token.end;
  }
  g_assert_true(end == length);
  g_assert_true(scan.looked <= (HTML_ATTRIBUTES_MAX / 2 + 8) * (length + 1));
  return !html_scan_is_open(&scan);
}

/* If nothing is open at the end, appended markup is read as such. */
static void check_append(const char *bytes, size_t length)
{
  g_autoptr(GString) longer = g_string_new_len(bytes, (gssize)length);
  g_string_append(longer, "<img>");
  struct html_scan scan;
  struct html_token token = {0};
  html_scan_init(&scan, longer->str, longer->len);
  while (html_scan_next(&scan, &token))
    ;
  g_assert_true(token.type == HTML_START_TAG && token.start == length);
}

/* Nothing is lost on the way through an attribute's value. */
static void check_encode(const char *bytes, size_t length, char quote)
{
  g_autoptr(GString) tag = g_string_new("<a b=");
  g_autoptr(GString) back = g_string_new(NULL);
  if (quote) g_string_append_c(tag, quote);
  html_encode_attribute(bytes, length, quote, tag);
  if (quote) g_string_append_c(tag, quote);
  g_string_append_c(tag, '>');
  struct html_scan scan;
  struct html_token token;
  html_scan_init(&scan, tag->str, tag->len);
  g_assert_true(html_scan_next(&scan, &token) && token.type == HTML_START_TAG && token.n_attributes == 1);
  struct html_range value = token.attributes[0].value;
  html_decode(tag->str + value.start, value.end - value.start, true, back);
  g_assert_true(back->len == length && memcmp(back->str, bytes, length) == 0);
  g_assert_true(token.end == tag->len && !memchr(tag->str + value.start, '\r', value.end - value.start));
}

static void check_decode(const char *bytes, size_t length, bool in_attribute)
{
  g_autoptr(GString) out = g_string_new(NULL);
  html_decode(bytes, length, in_attribute, out);
  g_assert_true(out->len <= length + length / 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (!size) return 0;
  const char *bytes = (const char *)data + 1;
  size_t length = size - 1;
  check_scan(bytes, length, data[0] % (HTML_CDATA + 1));
  if (check_scan(bytes, length, HTML_DATA)) check_append(bytes, length);
  check_decode(bytes, length, false);
  check_decode(bytes, length, true);
  check_encode(bytes, length, '"');
  check_encode(bytes, length, '\'');
  if (length) check_encode(bytes, length, 0);
  return 0;
}
