/* Tokens: what was sealed opens, and nothing else does. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "token/siv.h"
#include "token/text.h"
#include "token/token.h"

static const uint8_t secret_one[TOKEN_SECRET_BYTES] = {1, 2, 3, 4, 5};
static const uint8_t secret_two[TOKEN_SECRET_BYTES] = {9, 8, 7, 6, 5};

static struct token_keys *keys_with(uint8_t id, const uint8_t *secret)
{
  struct token_keys *keys = token_keys_new();
  assert_true(token_keys_add(keys, id, secret, NULL));
  return keys;
}

static char *seal(struct token_keys *keys, const struct token *token)
{
  GString *out = g_string_new(NULL);
  assert_true(token_seal(keys, token, out, NULL));
  return g_string_free(out, false);
}

static bool opens(struct token_keys *keys, const char *segment, size_t length)
{
  g_autoptr(GByteArray) scratch = g_byte_array_new();
  g_autoptr(GError) error = NULL;
  struct token token;
  if (token_open(keys, segment, length, &token, scratch, &error)) return true;
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
  assert_string_equal(error->message, "this is no token of ours");
  return false;
}

static struct token click(const char *url)
{
  return (struct token){.kind = TOKEN_CLICK,
                        .tenant = 1,
                        .mail = 1000,
                        .link = 3,
                        .destination = url,
                        .destination_length = strlen(url)};
}

/* -- the crypto ---------------------------------------------------------- */

/* RFC 5297, appendix A.1. */
static void test_rfc5297(void **state)
{
  (void)state;
  uint8_t key[TOKEN_SIV_KEY], aad[24];
  for (size_t i = 0; i < 16; i++) {
    key[i] = (uint8_t)(0xff - i);
    key[i + 16] = (uint8_t)(0xf0 + i);
  }
  for (size_t i = 0; i < sizeof aad; i++)
    aad[i] = (uint8_t)(0x10 + i);
  static const uint8_t plain[] = {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                  0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee};
  static const uint8_t tag[] = {0x85, 0x63, 0x2d, 0x07, 0xc6, 0xe8, 0xf3, 0x7f,
                                0x95, 0x0a, 0xcd, 0x32, 0x0a, 0x2e, 0xcc, 0x93};
  static const uint8_t sealed[] = {0x40, 0xc0, 0x2b, 0x96, 0x90, 0xc4, 0xdc,
                                   0x04, 0xda, 0xef, 0x7f, 0x6a, 0xfe, 0x5c};
  struct token_siv_library *library = token_siv_library_new();
  struct token_siv *seals = token_siv_new(library, true, key, aad, sizeof aad);
  struct token_siv *unseals = token_siv_new(library, false, key, aad, sizeof aad);
  for (int round = 0; round < 3; round++) {
    uint8_t out[sizeof plain], made[TOKEN_SIV_TAG];
    assert_true(token_siv_seal(seals, plain, sizeof plain, out, made));
    assert_memory_equal(made, tag, sizeof tag);
    assert_memory_equal(out, sealed, sizeof sealed);
    assert_true(token_siv_open(unseals, made, out, sizeof out, out));
    assert_memory_equal(out, plain, sizeof plain);
  }
  token_siv_free(seals);
  token_siv_free(unseals);
  token_siv_library_free(library);
}

/* RFC 5869, test case 3 (no salt, no info), its first 32 bytes. */
static void test_rfc5869(void **state)
{
  (void)state;
  uint8_t secret[22], key[TOKEN_SIV_KEY];
  memset(secret, 0x0b, sizeof secret);
  static const uint8_t expected[] = {0x8d, 0xa4, 0xe7, 0x75, 0xa5, 0x63, 0xc1, 0x8f, 0x71, 0x5f, 0x80,
                                     0x2a, 0x06, 0x3c, 0x5a, 0x31, 0xb8, 0xa1, 0x1f, 0x5c, 0x5e, 0xe1,
                                     0x87, 0x9e, 0xc3, 0x45, 0x4e, 0x5f, 0x3c, 0x73, 0x8d, 0x2d};
  struct token_siv_library *library = token_siv_library_new();
  assert_true(token_siv_derive(library, secret, sizeof secret, (const uint8_t *)"", 0, key));
  assert_memory_equal(key, expected, sizeof key);
  token_siv_library_free(library);
}

/* A context that was used often, also for forgeries and messages shorter than a
 * block, gives the bytes that a new one gives. */
static void test_contexts_are_reused_soundly(void **state)
{
  (void)state;
  static const uint8_t key[TOKEN_SIV_KEY] = {7};
  struct token_siv_library *library = token_siv_library_new();
  struct token_siv *seals = token_siv_new(library, true, key, key, 5);
  struct token_siv *unseals = token_siv_new(library, false, key, key, 5);
  uint8_t plain[300], sealed[300], again[300], tag[16], tag_again[16];
  for (size_t i = 0; i < sizeof plain; i++)
    plain[i] = (uint8_t)(i * 31);
  for (size_t round = 0; round < 3000; round++) {
    size_t length = 1 + round * 7919 % sizeof plain;
    plain[0] = (uint8_t)round;
    struct token_siv *fresh = token_siv_new(library, true, key, key, 5);
    assert_true(token_siv_seal(fresh, plain, length, again, tag_again));
    token_siv_free(fresh);
    assert_true(token_siv_seal(seals, plain, length, sealed, tag));
    assert_memory_equal(sealed, again, length);
    assert_memory_equal(tag, tag_again, sizeof tag);
    tag[round % 16] ^= 1;
    assert_false(token_siv_open(unseals, tag, sealed, length, again));
    tag[round % 16] ^= 1;
    assert_true(token_siv_open(unseals, tag, sealed, length, again));
    assert_memory_equal(again, plain, length);
  }
  token_siv_free(seals);
  token_siv_free(unseals);
  token_siv_library_free(library);
}

/* -- the text ------------------------------------------------------------ */

static void test_text(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    const char *bytes; /* NULL: refused */
  } rows[] = {
      {"", ""},         {"Zg", "f"},        {"Zm8", "fo"},
      {"Zm9v", "foo"},  {"Zm9vYg", "foob"}, {"_-_-", "\xff\xef\xfe"},
      {"Zg==", NULL},   {"Zh", NULL},       {"Zm9", NULL},
      {"Z", NULL},      {"Zm9vY", NULL},    {"Zm9+", NULL},
      {"Zm9/", NULL},   {"Zm v", NULL},     {"Zm\x80v", NULL},
      {"Zm9v\n", NULL}, {"Zm9v=", NULL},    {"Z\0m9", NULL},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GByteArray) out = g_byte_array_new();
    size_t length = i + 1 == G_N_ELEMENTS(rows) ? 4 : strlen(rows[i].text);
    bool good = token_text_decode(rows[i].text, length, out);
    if (good != (rows[i].bytes != NULL)) print_error("row \"%s\"\n", rows[i].text);
    assert_int_equal(good, rows[i].bytes != NULL);
    if (!good) continue;
    assert_int_equal(out->len, strlen(rows[i].bytes));
    assert_memory_equal(out->data ? (void *)out->data : "", rows[i].bytes, out->len);
    g_autoptr(GString) text = g_string_new("before ");
    token_text_encode(out->data, out->len, text);
    assert_string_equal(text->str + 7, rows[i].text);
  }
}

/* -- tokens -------------------------------------------------------------- */

static void test_round_trip(void **state)
{
  (void)state;
  struct token_keys *keys = keys_with(200, secret_one);
  g_autofree char *longest = g_strnfill(TOKEN_MAX_DESTINATION, 'x');
  const struct token rows[] = {
      {.kind = TOKEN_OPEN},
      {.kind = TOKEN_OPEN, .tenant = 127, .mail = 128},
      {.kind = TOKEN_OPEN, .tenant = INT64_MAX, .mail = INT64_MAX, .link = UINT32_MAX},
      click("https://example.com/?a=1&b=%20#frag"),
      {.kind = TOKEN_CLICK,
       .tenant = 1,
       .mail = 1,
       .link = 1,
       .destination = "a\0\r\n\xff",
       .destination_length = 5},
      {.kind = TOKEN_SEND, .tenant = 3, .mail = 9, .destination = "1.2.3", .destination_length = 5},
      {.kind = TOKEN_UNSUBSCRIBE,
       .tenant = 16384,
       .mail = 5,
       .destination = "news\nbob@example.com",
       .destination_length = 20},
      {.kind = TOKEN_CLICK,
       .tenant = INT64_MAX,
       .mail = INT64_MAX,
       .link = UINT32_MAX,
       .destination = longest,
       .destination_length = TOKEN_MAX_DESTINATION},
  };
  g_autoptr(GByteArray) scratch = g_byte_array_new();
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("row %zu\n", i);
    g_autofree char *segment = seal(keys, &rows[i]), *again = seal(keys, &rows[i]);
    assert_string_equal(segment, again);
    assert_true(strlen(segment) <= TOKEN_MAX_SEGMENT);
    assert_int_equal(token_key_id(segment, strlen(segment)), 200);
    struct token out;
    assert_true(token_open(keys, segment, strlen(segment), &out, scratch, NULL));
    assert_int_equal(out.kind, rows[i].kind);
    assert_int_equal(out.tenant, rows[i].tenant);
    assert_int_equal(out.mail, rows[i].mail);
    assert_int_equal(out.link, rows[i].link);
    assert_int_equal(out.destination_length, rows[i].destination_length);
    if (out.destination_length)
      assert_memory_equal(out.destination, rows[i].destination, out.destination_length);
  }
  token_keys_free(keys);
}

static void test_refused_to_seal(void **state)
{
  (void)state;
  struct token_keys *none = token_keys_new(), *keys = keys_with(1, secret_one);
  g_autofree char *too_long = g_strnfill(TOKEN_MAX_DESTINATION + 1, 'x');
  struct token long_one = click(too_long), negative = click("x"), good = click("x");
  negative.mail = -1;
  const struct {
    struct token_keys *keys;
    const struct token *token;
    enum tidings_error kind;
  } rows[] = {{keys, &long_one, TIDINGS_ERROR_LIMIT},
              {keys, &negative, TIDINGS_ERROR_INPUT},
              {none, &good, TIDINGS_ERROR_SYS}};
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) out = g_string_new("kept");
    print_message("row %zu\n", i);
    assert_false(token_seal(rows[i].keys, rows[i].token, out, &error));
    assert_true(g_error_matches(error, TIDINGS_ERROR, (int)rows[i].kind));
    assert_string_equal(out->str, "kept");
  }
  token_keys_free(none);
  token_keys_free(keys);
}

static void test_neighbours(void **state)
{
  (void)state;
  struct token_keys *keys = keys_with(1, secret_one);
  static const char *const urls[] = {"", "http://a", "https://example.com/a/b?c=d"};
  size_t tried = 0;
  for (size_t row = 0; row < G_N_ELEMENTS(urls); row++) {
    struct token token = click(urls[row]);
    g_autofree char *segment = seal(keys, &token);
    size_t length = strlen(segment);
    for (size_t cut = 0; cut < length; cut++, tried++)
      assert_false(opens(keys, segment, cut));
    for (size_t bit = 0; bit < length * 8; bit++, tried++) {
      segment[bit / 8] = (char)(segment[bit / 8] ^ 1 << bit % 8);
      if (opens(keys, segment, length)) print_error("row %zu: bit %zu\n", row, bit);
      assert_false(opens(keys, segment, length));
      segment[bit / 8] = (char)(segment[bit / 8] ^ 1 << bit % 8);
    }
    assert_true(opens(keys, segment, length));
    g_autofree char *longer = g_strconcat(segment, "A", NULL), *longest = g_strconcat(segment, "AAAA", NULL);
    assert_false(opens(keys, longer, length + 1));
    assert_false(opens(keys, longest, length + 4));
  }
  token_keys_free(keys);
  print_message("count: %zu truncations and flipped bits, none opened\n", tried);
}

static void test_made_up(void **state)
{
  (void)state;
  enum { FORGERIES = 20000 };
  struct token_keys *keys = keys_with(1, secret_one);
  GRand *rand = g_rand_new_with_seed(1);
  for (int i = 0; i < FORGERIES; i++) {
    uint8_t bytes[80] = {0x10, 1};
    for (size_t n = 2; n < sizeof bytes; n++)
      bytes[n] = (uint8_t)g_rand_int(rand);
    bytes[2] &= 127;
    g_autoptr(GString) segment = g_string_new(NULL);
    token_text_encode(bytes, sizeof bytes, segment);
    assert_false(opens(keys, segment->str, segment->len));
  }
  g_autofree char *huge = g_strnfill(1 << 20, 'A');
  assert_false(opens(keys, huge, 1 << 20));
  assert_false(opens(keys, "", 0));
  g_rand_free(rand);
  token_keys_free(keys);
  print_message("count: %d forged tokens, none opened\n", FORGERIES);
}

/* The prefix is clear text, and still nobody can change it. */
static void test_prefix(void **state)
{
  (void)state;
  struct token_keys *keys = keys_with(1, secret_one);
  assert_true(token_keys_add(keys, 2, secret_two, NULL));
  struct token token = click("https://example.com/");
  g_autofree char *segment = seal(keys, &token);
  static const struct {
    const char *name;
    size_t at;
    uint8_t value;
  } rows[] = {{"version 2", 0, 0x20}, {"a bit for later", 0, 0x11}, {"the other key", 1, 1},
              {"no such key", 1, 77}, {"another tenant", 2, 2},     {"tenant 0", 2, 0}};
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GString) changed = g_string_new(NULL);
    assert_true(token_text_decode(segment, strlen(segment), bytes));
    bytes->data[rows[i].at] = rows[i].value;
    token_text_encode(bytes->data, bytes->len, changed);
    print_message("row %s\n", rows[i].name);
    assert_false(opens(keys, changed->str, changed->len));
  }
  /* A number spelled longer than needed: 1 as 0x81 0x00. */
  g_autoptr(GByteArray) bytes = g_byte_array_new();
  g_autoptr(GString) changed = g_string_new(NULL);
  assert_true(token_text_decode(segment, strlen(segment), bytes));
  static const uint8_t longer[] = {0x10, 2, 0x81};
  bytes->data[2] = 0;
  g_byte_array_prepend(bytes, longer, 1);
  memcpy(bytes->data, longer, sizeof longer);
  token_text_encode(bytes->data, bytes->len, changed);
  assert_false(opens(keys, changed->str, changed->len));
  token_keys_free(keys);
}

static void test_rotation(void **state)
{
  (void)state;
  struct token_keys *keys = keys_with(1, secret_one), *other = keys_with(1, secret_two);
  struct token token = click("https://example.com/");
  g_autofree char *old = seal(keys, &token);
  assert_false(opens(other, old, strlen(old)));
  g_autoptr(GError) error = NULL;
  assert_false(token_keys_add(keys, 1, secret_two, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
  assert_true(token_keys_add(keys, 2, secret_two, NULL));
  g_autofree char *new = seal(keys, &token);
  assert_int_equal(token_key_id(old, strlen(old)), 1);
  assert_int_equal(token_key_id(new, strlen(new)), 2);
  assert_true(opens(keys, old, strlen(old)));
  assert_true(opens(keys, new, strlen(new)));
  assert_int_equal(token_key_id("", 0), -1);
  assert_int_equal(token_key_id("hello.gif", 9), -1);
  assert_int_equal(token_key_id("IAEBAAAA", 8), -1);
  token_keys_free(keys);
  token_keys_free(other);
}

/* Many tenants overflow the table of contexts; four threads at a time. */
static void *many_tenants(void *keys)
{
  for (int64_t tenant = 0; tenant < 3000; tenant++) {
    struct token token = click("https://example.com/");
    token.tenant = tenant;
    g_autoptr(GString) segment = g_string_new(NULL);
    g_autoptr(GByteArray) scratch = g_byte_array_new();
    struct token out;
    if (!token_seal(keys, &token, segment, NULL) ||
        !token_open(keys, segment->str, segment->len, &out, scratch, NULL) || out.tenant != tenant)
      return keys;
  }
  return NULL;
}

static void test_threads(void **state)
{
  (void)state;
  struct token_keys *keys = keys_with(1, secret_one);
  GThread *threads[4];
  for (int i = 0; i < 4; i++)
    threads[i] = g_thread_new("tokens", many_tenants, keys);
  for (int i = 0; i < 4; i++)
    assert_null(g_thread_join(threads[i]));
  token_keys_free(keys);
}

/* The format stands in mail that was sent years ago: this text was computed by
 * another implementation (HKDF, S2V and CTR over AES blocks by openssl(1)). */
static void test_format_is_frozen(void **state)
{
  (void)state;
  struct token_keys *keys = keys_with(1, secret_one);
  struct token token = click("https://example.com/?a=1");
  g_autofree char *segment = seal(keys, &token);
  assert_string_equal(segment, "EAEBgSv3nyJp9bsbRuIHs6KzEAkwFNrQQ36Wp9TWnq3J5dIYzkZe5uy7AD--OYQ");
  token_keys_free(keys);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rfc5297),
      cmocka_unit_test(test_rfc5869),
      cmocka_unit_test(test_contexts_are_reused_soundly),
      cmocka_unit_test(test_text),
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_refused_to_seal),
      cmocka_unit_test(test_neighbours),
      cmocka_unit_test(test_made_up),
      cmocka_unit_test(test_prefix),
      cmocka_unit_test(test_rotation),
      cmocka_unit_test(test_threads),
      cmocka_unit_test(test_format_is_frozen),
  };
  return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
