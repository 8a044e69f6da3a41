/* Decoding a body, and base64 both ways. */

#include "mail/encoding.h"

#include <string.h>

#include "base/error.h"
#include "mail/line.h"
#include "mail/qp.h"

static bool refuse(GError **error, size_t limit)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT,
              "the decoded text is over %zu bytes, or there is no memory for it", limit);
  return false;
}

/* ---- quoted-printable ---- */

static void decode_qp(struct mail_decoded *decoded)
{
  struct mail_qp_iter iter;
  struct mail_qp_piece piece;
  char *to = decoded->owned;
  mail_qp_init(&iter, decoded->raw, decoded->raw_length);
  while (mail_qp_next(&iter, &piece)) {
    if (piece.invalid) decoded->facts |= MAIL_DECODE_INVALID;
    if (piece.kind == MAIL_QP_BYTE)
      *to++ = piece.byte;
    else if (piece.kind == MAIL_QP_LITERAL) {
      memcpy(to, decoded->raw + piece.raw, piece.raw_length);
      to += piece.raw_length;
    }
  }
  decoded->length = (size_t)(to - decoded->owned);
}

/* ---- base64 ---- */

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { NO_DIGIT = 64 };

/* The value of each digit of the alphabet; what is none is NO_DIGIT. */
static void make_table(uint8_t table[256])
{
  memset(table, NO_DIGIT, 256);
  for (unsigned i = 0; i < sizeof alphabet; i++)
    table[(uint8_t)alphabet[i]] = (uint8_t)i;
}

struct base64 {
  const uint8_t *table;
  struct mail_decoded *decoded;
  uint32_t bits;
  unsigned digits; /* of the current group of four */
  unsigned pads;   /* "=" seen: 0, 1, 2; nothing may follow them */
  char *to;
};

static void put_bits(struct base64 *state, unsigned bytes)
{
  for (unsigned i = 0; i < bytes; i++)
    *state->to++ = (char)(state->bits >> (16 - 8 * i));
}

static void take_byte(struct base64 *state, uint8_t c)
{
  uint8_t value = state->table[c];
  if (c == '=') {
    if (state->digits < 2 || state->digits + ++state->pads > 4) state->decoded->facts |= MAIL_DECODE_INVALID;
    return;
  }
  if (value == NO_DIGIT) {
    state->decoded->facts |= MAIL_DECODE_JUNK;
    return;
  }
  if (state->pads > 0) state->decoded->facts |= MAIL_DECODE_INVALID;
  state->bits |= (uint32_t)value << (18 - 6 * state->digits);
  if (++state->digits < 4) return;
  put_bits(state, 3);
  state->digits = 0;
  state->bits = 0;
}

static void take_line(struct base64 *state, const char *line, size_t length)
{
  const uint8_t *at = (const uint8_t *)line, *end = at + length, *table = state->table;
  while (at < end) {
    if (state->digits == 0 && state->pads == 0)
      for (; end - at >= 4; at += 4) {
        uint32_t a = table[at[0]], b = table[at[1]], c = table[at[2]], d = table[at[3]];
        if ((a | b | c | d) >= NO_DIGIT) break;
        state->bits = a << 18 | b << 12 | c << 6 | d;
        put_bits(state, 3);
        state->bits = 0;
      }
    if (at < end) take_byte(state, *at++);
  }
}

static void finish(struct base64 *state)
{
  unsigned *facts = &state->decoded->facts;
  if (state->digits == 1) *facts |= MAIL_DECODE_INVALID;
  if (state->digits >= 2) {
    put_bits(state, state->digits - 1);
    if (state->pads == 0) *facts |= MAIL_DECODE_NO_PADDING;
    if (state->pads > 0 && state->digits + state->pads != 4) *facts |= MAIL_DECODE_INVALID;
  }
  state->decoded->length = (size_t)(state->to - state->decoded->owned);
}

/* Notes how the lines are laid out: all alike, the last one not longer. */
static void note_line(struct mail_decoded *decoded, size_t length, size_t line_end, bool *last_short)
{
  if (length == 0) {
    decoded->last_line_end += line_end;
    return;
  }
  bool gap = decoded->lines > 0 ? decoded->last_line_end > 2 : decoded->last_line_end > 0;
  bool uneven = decoded->lines > 0 && length != decoded->line_length;
  if (gap || *last_short || (uneven && length > decoded->line_length)) decoded->facts |= MAIL_DECODE_UNEVEN;
  *last_short = *last_short || uneven;
  decoded->lines++;
  decoded->line_length = MAX(decoded->line_length, length);
  decoded->last_line_end = line_end;
}

static void decode_base64(struct mail_decoded *decoded)
{
  uint8_t table[256];
  make_table(table);
  struct base64 state = {.table = table, .decoded = decoded, .to = decoded->owned};
  bool last_short = false;
  for (size_t at = 0, next; at < decoded->raw_length; at = next) {
    next = mail_line_next(decoded->raw, at, decoded->raw_length);
    size_t end = mail_line_text_end(decoded->raw, at, next);
    take_line(&state, decoded->raw + at, end - at);
    note_line(decoded, end - at, next - end, &last_short);
  }
  finish(&state);
}

static void append_group(const uint8_t *from, size_t length, char *to)
{
  uint32_t bits = (uint32_t)from[0] << 16;
  if (length > 1) bits |= (uint32_t)from[1] << 8;
  if (length > 2) bits |= from[2];
  to[0] = alphabet[bits >> 18];
  to[1] = alphabet[bits >> 12 & 63];
  to[2] = length > 1 ? alphabet[bits >> 6 & 63] : '=';
  to[3] = length > 2 ? alphabet[bits & 63] : '=';
}

void mail_base64_encode(const char *bytes, size_t length, size_t line_length, const char *line_end,
                        GString *out)
{
  size_t room = line_length;
  for (size_t at = 0; at < length; at += 3) {
    char group[4];
    append_group((const uint8_t *)bytes + at, MIN(length - at, 3), group);
    for (size_t done = 0; done < 4;) {
      if (line_length > 0 && room == 0) {
        g_string_append(out, line_end);
        room = line_length;
      }
      size_t n = line_length > 0 ? MIN(room, 4 - done) : 4;
      g_string_append_len(out, group + done, (gssize)n);
      room -= line_length > 0 ? n : 0;
      done += n;
    }
  }
}

/* ---- any of them ---- */

bool mail_decode(enum mail_encoding encoding, const char *raw, size_t length, size_t limit,
                 struct mail_decoded *decoded, GError **error)
{
  *decoded = (struct mail_decoded){.encoding = encoding, .raw = raw, .raw_length = length};
  decoded->line_facts = mail_line_facts(raw, length);
  if (encoding == MAIL_ENCODING_UNKNOWN) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "the transfer encoding is unknown");
    return false;
  }
  if (encoding <= MAIL_ENCODING_BINARY) {
    decoded->bytes = raw;
    decoded->length = length;
    return length <= limit || refuse(error, limit);
  }
  /* Neither encoding decodes to more than its raw text. */
  decoded->owned = g_try_malloc(length + 1);
  if (!decoded->owned) return refuse(error, limit);
  decoded->bytes = decoded->owned;
  if (encoding == MAIL_ENCODING_QP)
    decode_qp(decoded);
  else
    decode_base64(decoded);
  decoded->owned[decoded->length] = '\0';
  if (decoded->length <= limit) return true;
  mail_decoded_clear(decoded);
  return refuse(error, limit);
}

void mail_decoded_clear(struct mail_decoded *decoded)
{
  g_free(decoded->owned);
  *decoded = (struct mail_decoded){0};
}
