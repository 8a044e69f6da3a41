/* The price of a token: one thread, and two at a time. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "token/token.h"

enum { ROUNDS = 200000 };

static const char url[] =
    "https://shop.example.com/catalogue/shoes?colour=red&size=42&utm_source=newsletter#top";

/* CPU time of this thread, in ns: other people use this machine too. */
static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double seal_many(struct token_keys *keys, GString *segment)
{
  struct token token = {
      .kind = TOKEN_CLICK, .tenant = 1, .destination = url, .destination_length = strlen(url)};
  double start = now();
  for (int i = 0; i < ROUNDS; i++) {
    token.mail = INT64_C(400000000000000000) + i;
    g_string_truncate(segment, 0);
    if (!token_seal(keys, &token, segment, NULL)) exit(1);
  }
  return (now() - start) / ROUNDS;
}

static double open_many(struct token_keys *keys, const GString *segment)
{
  g_autoptr(GByteArray) scratch = g_byte_array_new();
  struct token token;
  double start = now();
  for (int i = 0; i < ROUNDS; i++)
    if (!token_open(keys, segment->str, segment->len, &token, scratch, NULL)) exit(1);
  return (now() - start) / ROUNDS;
}

static double refuse_many(struct token_keys *keys, GString *segment)
{
  g_autoptr(GByteArray) scratch = g_byte_array_new();
  struct token token;
  segment->str[segment->len / 2] ^= 1;
  double start = now();
  for (int i = 0; i < ROUNDS; i++)
    if (token_open(keys, segment->str, segment->len, &token, scratch, NULL)) exit(1);
  return (now() - start) / ROUNDS;
}

static void *seal_thread(void *keys)
{
  g_autoptr(GString) segment = g_string_new(NULL);
  seal_many(keys, segment);
  return NULL;
}

int main(void)
{
  static const uint8_t secret[TOKEN_SECRET_BYTES] = {1, 2, 3};
  struct token_keys *keys = token_keys_new();
  if (!token_keys_add(keys, 1, secret, NULL)) return 1;
  g_autoptr(GString) segment = g_string_new(NULL);
  double seal = seal_many(keys, segment);
  double open = open_many(keys, segment);
  printf("token: CPU: seal %.0f ns, open %.0f ns, both %.0f ns, refuse %.0f ns (%zu letters)\n", seal, open,
         seal + open, refuse_many(keys, segment), segment->len);
  GThread *other = g_thread_new("seal", seal_thread, keys);
  printf("token: CPU: seal %.0f ns beside a second thread\n", seal_many(keys, segment));
  g_thread_join(other);
  token_keys_free(keys);
  return 0;
}
