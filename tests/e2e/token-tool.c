/* Seals tokens for the tests, which must not depend on a milter to make them.
 *
 *   token-tool KEYFILE KIND TENANT MAIL LINK DESTINATION [COUNT]
 *
 * prints the path segment; with COUNT that many, a line each, MAIL counting up. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keyfile/keyfile.h"
#include "token/token.h"

static void fail(const GError *error)
{
  fprintf(stderr, "token-tool: %s\n", error->message);
  exit(1);
}

int main(int argc, char **argv)
{
  g_autoptr(GError) error = NULL;
  if (argc < 7) return 64;
  struct token_keys *keys = keyfile_load(argv[1], &error);
  if (!keys) fail(error);
  struct token token = {
      .kind = (enum token_kind)argv[2][0],
      .tenant = strtoll(argv[3], NULL, 10),
      .mail = strtoll(argv[4], NULL, 10),
      .link = (uint32_t)strtoul(argv[5], NULL, 10),
      .destination = argv[6],
      .destination_length = strlen(argv[6]),
  };
  for (long n = argc > 7 ? strtol(argv[7], NULL, 10) : 1; n > 0; n--, token.mail++) {
    g_autoptr(GString) out = g_string_new(NULL);
    if (!token_seal(keys, &token, out, &error)) fail(error);
    puts(out->str);
  }
  token_keys_free(keys);
  return 0;
}
