/* Rewrites messages for tests/conformance/rewrite.py, twice each. From stdin, over
 * and over: a line with the length, then the message. To stdout: a line with the
 * result as JSON, a line with the lengths of both outputs, and these.
 *
 * Each tracked URL is opened here, since only we can: its destination must be
 * the link's. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rewrite/rewrite.h"

#define BASE "https://t.tidings.example"

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
      .mail = mail,
      .keys = keys,
      .limits = REWRITE_LIMITS_DEFAULT,
  };
  return rewrite_message(&request);
}

static void check_tokens(struct token_keys *keys, const struct rewrite_result *result)
{
  g_autoptr(GByteArray) scratch = g_byte_array_new();
  for (guint i = 0; i < result->links->len; i++) {
    const struct rewrite_link *link = &g_array_index(result->links, struct rewrite_link, i);
    struct token token;
    if (!link->tracked) continue;
    const char *segment = link->tracked + strlen(BASE "/c/");
    g_assert(token_open(keys, segment, strlen(segment), &token, scratch, NULL));
    g_assert(token.kind == TOKEN_CLICK && token.tenant == 1 && token.mail == 1 && token.link == link->number);
    g_assert(token.destination_length == strlen(link->url));
    g_assert(memcmp(token.destination, link->url, token.destination_length) == 0);
  }
}

static void answer(struct token_keys *keys, const char *message, size_t length)
{
  char *once, *twice;
  size_t once_length, twice_length;
  g_autoptr(rewrite_result) first = run(keys, message, length, 1);
  g_assert(rewrite_apply(first, message, length, &once, &once_length, NULL));
  check_tokens(keys, first);
  g_autoptr(rewrite_result) second = run(keys, once, once_length, 2);
  g_assert(rewrite_apply(second, once, once_length, &twice, &twice_length, NULL));
  json_t *json = rewrite_result_json(first);
  json_dumpf(json, stdout, JSON_COMPACT);
  json_decref(json);
  printf("\n%zu %zu\n", once_length, twice_length);
  fwrite(once, 1, once_length, stdout);
  fwrite(twice, 1, twice_length, stdout);
  fflush(stdout);
  g_free(once);
  g_free(twice);
}

int main(void)
{
  static const uint8_t secret[TOKEN_SECRET_BYTES] = {7};
  struct token_keys *keys = token_keys_new();
  char line[32];
  g_assert(token_keys_add(keys, 1, secret, NULL));
  while (fgets(line, sizeof line, stdin)) {
    size_t length = strtoul(line, NULL, 10);
    g_autofree char *message = g_malloc(length + 1);
    if (fread(message, 1, length, stdin) != length) return 1;
    answer(keys, message, length);
  }
  token_keys_free(keys);
  return 0;
}
