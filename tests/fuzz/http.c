/* What a stranger can put into a request, up to the token: paths, forwarded
 * addresses, user agents, and where a redirect may go.
 *
 * Holds for every input: a token is a piece of the path in its own alphabet and
 * length; a Location is printable ASCII, is http or https, and says the same
 * bytes; the facts of a hit are one JSON object. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "http/address.h"
#include "tracker/facts.h"
#include "tracker/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
  if (!good) abort();
}

static void fuzz_route(const char *path)
{
  struct route route = route_of(path);
  if (route.kind != ROUTE_TOKEN) return;
  check(route.token > path && route.token + route.length <= path + strlen(path));
  check(route.length > 0 && route.length <= TOKEN_MAX_SEGMENT);
  for (size_t i = 0; i < route.length; i++)
    check(g_ascii_isalnum(route.token[i]) || route.token[i] == '-' || route.token[i] == '_');
  check(route.token_kind == TOKEN_OPEN || route.token_kind == TOKEN_CLICK ||
        route.token_kind == TOKEN_UNSUBSCRIBE);
}

/* Undoes the percent-encoding of bytes outside ASCII alone. */
static void fuzz_location(const char *url, size_t length)
{
  g_autofree char *location = route_location(url, length);
  if (!location) return;
  check(g_ascii_strncasecmp(location, "http", 4) == 0);
  const char *p = location;
  for (size_t i = 0; i < length; i++) {
    check(*p >= ' ' && *p < 0x7f);
    if ((unsigned char)url[i] < 0x80) {
      check(*p++ == url[i]);
      continue;
    }
    check(*p == '%' && g_ascii_xdigit_value(p[1]) * 16 + g_ascii_xdigit_value(p[2]) == (unsigned char)url[i]);
    p += 3;
  }
  check(*p == '\0');
}

static void check_object(const GString *text)
{
  json_t *json = json_loadb(text->str, text->len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
  check(json_is_object(json));
  json_decref(json);
}

static void fuzz_facts(const char *text, size_t length)
{
  g_autoptr(GString) hit = g_string_new(NULL), leave = g_string_new(NULL);
  struct token token = {.kind = TOKEN_CLICK, .destination = text, .destination_length = length};
  facts_hit(&token, "GET", text, hit);
  check_object(hit);
  facts_unsubscribe(&token, true, leave);
  check_object(leave);
}

static void fuzz_client(const char *text)
{
  char loopback[] = "127.0.0.1", other[] = "::2", shown[ADDRESS_TEXT];
  char *const texts[] = {loopback, other, NULL};
  g_autoptr(GArray) trusted = address_list(texts, NULL);
  struct address client = address_client(&g_array_index(trusted, struct address, 0), text, trusted), again;
  address_text(&client, shown);
  check(address_parse(shown, strlen(shown), &again) && address_is_equal(&client, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  g_autofree char *text = g_malloc(size + 1);
  memcpy(text, data, size);
  text[size] = '\0';
  fuzz_route(text);
  fuzz_location(text, size);
  fuzz_facts(text, size);
  fuzz_client(text);
  return 0;
}
