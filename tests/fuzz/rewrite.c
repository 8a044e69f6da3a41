/* Any bytes as a message: what the rewriter promises must hold of the result.
 *  - With no edits the output is the input, apart from control fields.
 *  - Parts that are not a rewritten HTML body are byte-identical, and there are
 *    as many.
 *  - A second pass changes nothing.
 *  - No NUL, bare CR or bare LF is added, and no line over 998 where there was none. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "mail/line.h"
#include "mail/walk.h"
#include "rewrite/rewrite.h"

#define BASE "https://t.example.com"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rewrite_result *run(struct token_keys *keys, const char *message, size_t length, int64_t mail)
{
  struct rewrite_request request = {
      .message = message,
      .length = length,
      .trusted = true,
      .sender = "a@example.com",
      .recipients = 1,
      .recipient = "b@example.org",
      .tenant = 1,
      .track = REWRITE_TRACK_ALL,
      .url = BASE,
      .text_links = true,
      .mail = mail,
      .keys = keys,
      .limits = REWRITE_LIMITS_DEFAULT,
  };
  return rewrite_message(&request);
}

static void check_lines(const char *before, size_t length, const char *after, size_t size)
{
  unsigned was = mail_line_facts(before, length), is = mail_line_facts(after, size);
  g_assert((is & MAIL_LINE_NUL) == (was & MAIL_LINE_NUL));
  g_assert((is & MAIL_LINE_BARE_CR) <= (was & MAIL_LINE_BARE_CR));
  g_assert(mail_line_mixed(is) <= mail_line_mixed(was));
  g_assert(mail_line_longest(before, length) > 998 || mail_line_longest(after, size) <= 998);
}

/* OLD_TREE is of BEFORE; parts are compared one by one. */
static void check_parts(const struct rewrite_result *result, const char *before, size_t length,
                        const char *after, size_t size)
{
  struct mail_limits limits = MAIL_LIMITS_DEFAULT;
  g_autoptr(mail_tree) old = mail_walk(before, length, &limits, NULL);
  g_autoptr(mail_tree) new = mail_walk(after, size, &limits, NULL);
  g_assert(old && new && old->count == new->count);
  for (size_t i = 0; i < old->count; i++) {
    const struct mail_part *a = &old->parts[i], *b = &new->parts[i];
    g_assert(strcmp(a->type, b->type) == 0 && strcmp(a->subtype, b->subtype) == 0 && a->parent == b->parent);
    g_assert(a->ambiguity == b->ambiguity);
    if (a->multipart || g_array_index(result->parts, struct rewrite_part, i).action == REWRITE_TRACKED)
      continue;
    g_assert(a->body.end - a->body.start == b->body.end - b->body.start);
    g_assert(memcmp(before + a->body.start, after + b->body.start, a->body.end - a->body.start) == 0);
  }
}

/* Control fields go in any case; without them nothing may change. */
static void check_left(const struct rewrite_result *result, const char *before, size_t length,
                       const char *after, size_t size)
{
  if (result->headers->len > 0) return;
  g_assert(size == length && memcmp(before, after, length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const uint8_t secret[TOKEN_SECRET_BYTES] = {1};
  static struct token_keys *keys;
  if (!keys) {
    keys = token_keys_new();
    g_assert(token_keys_add(keys, 1, secret, NULL));
  }
  const char *message = (const char *)data;
  char *once, *twice;
  size_t once_length, twice_length;
  g_autoptr(rewrite_result) first = run(keys, message, size, 1);
  g_assert(rewrite_apply(first, message, size, &once, &once_length, NULL));
  if (first->action == REWRITE_LEFT) {
    check_left(first, message, size, once, once_length);
  } else {
    check_lines(message, size, once, once_length);
    check_parts(first, message, size, once, once_length);
    g_autoptr(rewrite_result) second = run(keys, once, once_length, 2);
    g_assert(rewrite_apply(second, once, once_length, &twice, &twice_length, NULL));
    g_assert(twice_length == once_length && memcmp(once, twice, once_length) == 0);
    g_free(twice);
  }
  g_free(once);
  return 0;
}
