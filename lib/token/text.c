/* base64url without padding.
 *
 * Three bytes are four letters; one or two left over are two or three letters,
 * whose last one has bits that must be zero. */

#include "token/text.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The value of a letter, plus one; 0: not a letter. */
static const uint8_t values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
};

void token_text_encode(const uint8_t *bytes, size_t length, GString *out)
{
  size_t start = out->len, whole = length / 3, left = length % 3;
  g_string_set_size(out, start + whole * 4 + (left ? left + 1 : 0));
  char *to = out->str + start;
  for (size_t i = 0; i < whole; i++, bytes += 3, to += 4) {
    uint32_t bits = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];
    to[0] = letters[bits >> 18];
    to[1] = letters[bits >> 12 & 63];
    to[2] = letters[bits >> 6 & 63];
    to[3] = letters[bits & 63];
  }
  if (left == 0) return;
  uint32_t bits = (uint32_t)bytes[0] << 16 | (left == 2 ? (uint32_t)bytes[1] << 8 : 0);
  to[0] = letters[bits >> 18];
  to[1] = letters[bits >> 12 & 63];
  if (left == 2) to[2] = letters[bits >> 6 & 63];
}

/* The bits of N letters, 24 for four; more than 24 if one is not a letter. */
static uint32_t bits_of(const char *text, size_t n)
{
  uint32_t bits = 0;
  for (size_t i = 0; i < n; i++) {
    uint8_t value = values[(uint8_t)text[i]];
    if (value == 0) return UINT32_MAX;
    bits = bits << 6 | (uint32_t)(value - 1);
  }
  return bits;
}

bool token_text_decode(const char *text, size_t length, GByteArray *out)
{
  size_t whole = length / 4, left = length % 4;
  if (left == 1 || length > G_MAXUINT / 2) return false;
  g_byte_array_set_size(out, (guint)(whole * 3 + (left ? left - 1 : 0)));
  uint8_t *to = out->data;
  for (size_t i = 0; i < whole; i++, text += 4, to += 3) {
    uint32_t bits = bits_of(text, 4);
    if (bits >> 24) return false;
    to[0] = (uint8_t)(bits >> 16);
    to[1] = (uint8_t)(bits >> 8);
    to[2] = (uint8_t)bits;
  }
  if (left == 0) return true;
  uint32_t bits = bits_of(text, left), spare = left == 2 ? 4 : 2;
  if (bits >> 24 || bits & ((1u << spare) - 1)) return false;
  bits >>= spare;
  if (left == 3) *to++ = (uint8_t)(bits >> 8);
  *to = (uint8_t)bits;
  return true;
}
