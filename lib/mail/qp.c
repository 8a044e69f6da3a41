/* Quoted-printable.
 *
 * Reading goes line by line (mail_qp_next): the content of a line, then the
 * padding after it, which does not count, then its end. Decoding and the cursor
 * share that reader, so they cannot disagree. The pen writes into a raw text
 * without changing anything around the place: it knows the column it stands in
 * and how much of the line follows. */

#include "mail/qp.h"

#include <string.h>

#include "mail/line.h"

#define LINE_MAX_LENGTH 76
/* Further than this a line is over its length anyway: scans for its ends stop. */
#define FAR (LINE_MAX_LENGTH + 4)

static bool is_blank(char c)
{
  return c == ' ' || c == '\t';
}

static bool is_line_end(char c)
{
  return c == '\r' || c == '\n';
}

/* ---- reading ---- */

void mail_qp_init(struct mail_qp_iter *iter, const char *raw, size_t length)
{
  *iter = (struct mail_qp_iter){.raw = raw, .length = length};
}

/* Looks at the line that starts at AT. */
static void enter_line(struct mail_qp_iter *iter)
{
  iter->next = mail_line_next(iter->raw, iter->at, iter->length);
  iter->content = mail_line_text_end(iter->raw, iter->at, iter->next);
  while (iter->content > iter->at && is_blank(iter->raw[iter->content - 1]))
    iter->content--;
}

/* After the content: padding if there is any, then the line end. */
static void line_tail(struct mail_qp_iter *iter, struct mail_qp_piece *piece)
{
  size_t text_end = mail_line_text_end(iter->raw, iter->at, iter->next);
  bool padding = text_end > iter->at;
  piece->kind = padding ? MAIL_QP_PADDING : MAIL_QP_LITERAL;
  piece->raw_length = (padding ? text_end : iter->next) - iter->at;
}

/* Stands on "=". */
static void equals_sign(struct mail_qp_iter *iter, struct mail_qp_piece *piece)
{
  const char *s = iter->raw + iter->at;
  size_t left = iter->content - iter->at;
  if (left >= 3 && g_ascii_isxdigit(s[1]) && g_ascii_isxdigit(s[2])) {
    piece->kind = MAIL_QP_BYTE;
    piece->byte = (char)(g_ascii_xdigit_value(s[1]) * 16 + g_ascii_xdigit_value(s[2]));
    piece->raw_length = 3;
    return;
  }
  piece->raw_length = left == 1 ? iter->next - iter->at : 1;
  piece->kind = left == 1 ? MAIL_QP_SOFT : MAIL_QP_LITERAL;
  piece->invalid = left != 1 || mail_line_text_end(iter->raw, iter->at, iter->next) != iter->content;
}

bool mail_qp_next(struct mail_qp_iter *iter, struct mail_qp_piece *piece)
{
  if (iter->at == iter->length) return false;
  if (iter->at >= iter->next) enter_line(iter);
  *piece = (struct mail_qp_piece){.raw = iter->at, .kind = MAIL_QP_LITERAL};
  if (iter->at >= iter->content)
    line_tail(iter, piece);
  else if (iter->raw[iter->at] == '=')
    equals_sign(iter, piece);
  else {
    const char *start = iter->raw + iter->at, *end = iter->raw + iter->content;
    const char *sign = memchr(start, '=', (size_t)(end - start));
    piece->raw_length = (size_t)((sign ? sign : end) - start);
  }
  iter->at += piece->raw_length;
  return true;
}

/* ---- from decoded to raw ---- */

static size_t decoded_length(const struct mail_qp_piece *piece)
{
  return piece->kind == MAIL_QP_LITERAL ? piece->raw_length : piece->kind == MAIL_QP_BYTE;
}

void mail_cursor_init(struct mail_cursor *cursor, const char *raw, size_t length)
{
  *cursor = (struct mail_cursor){0};
  mail_qp_init(&cursor->iter, raw, length);
}

/* Moves on until the current piece holds the decoded byte TARGET; false at the end. */
static bool seek(struct mail_cursor *cursor, size_t target)
{
  struct mail_qp_piece piece;
  while (target - cursor->at >= decoded_length(&cursor->piece)) {
    if (!mail_qp_next(&cursor->iter, &piece)) return false;
    if (decoded_length(&cursor->piece) > 0) {
      cursor->after = cursor->piece.raw + cursor->piece.raw_length;
      cursor->padded = false;
    }
    cursor->padded |= piece.kind == MAIL_QP_PADDING;
    cursor->at += decoded_length(&cursor->piece);
    cursor->piece = piece;
  }
  return true;
}

/* Raw offset after the code of the decoded byte TARGET. */
static size_t raw_after(struct mail_cursor *cursor, size_t target)
{
  const struct mail_qp_piece *piece = &cursor->piece;
  if (!seek(cursor, target))
    return decoded_length(piece) > 0 ? piece->raw + piece->raw_length : cursor->after;
  return piece->kind == MAIL_QP_LITERAL ? piece->raw + (target - cursor->at) + 1
                                        : piece->raw + piece->raw_length;
}

/* Raw offset of the code of the decoded byte TARGET, or of the padding before it. */
static size_t raw_before(struct mail_cursor *cursor, size_t target)
{
  const struct mail_qp_piece *piece = &cursor->piece;
  if (!seek(cursor, target))
    return decoded_length(piece) > 0 ? piece->raw + piece->raw_length : cursor->after;
  if (target > cursor->at) return piece->raw + (target - cursor->at);
  return cursor->padded ? cursor->after : piece->raw;
}

struct mail_range mail_cursor_span(struct mail_cursor *cursor, size_t from, size_t to)
{
  size_t start = 0;
  if (from == to) {
    if (from > 0) start = raw_after(cursor, from - 1);
    return (struct mail_range){start, start};
  }
  start = raw_before(cursor, from);
  return (struct mail_range){start, raw_after(cursor, to - 1)};
}

/* ---- writing ---- */

void mail_qp_pen_init(struct mail_qp_pen *pen, const char *raw, size_t length, const char *line_end)
{
  *pen = (struct mail_qp_pen){.raw = raw, .length = length, .line_end = line_end};
}

/* The column of raw offset AT, counting what the pen wrote before it. */
static size_t column_of(const struct mail_qp_pen *pen, size_t at)
{
  for (size_t back = 0; back < FAR; back++) {
    if (at - back == pen->end) return pen->column + back;
    if (pen->raw[at - back - 1] == '\n') return back;
  }
  return FAR;
}

/* How many raw bytes of the line follow offset AT, up to FAR. */
static size_t rest_of_line(const struct mail_qp_pen *pen, size_t at)
{
  size_t n = 0;
  while (n < FAR && at + n < pen->length && !is_line_end(pen->raw[at + n]))
    n++;
  return n;
}

static void soft_break(struct mail_qp_pen *pen, GString *out)
{
  g_string_append_c(out, '=');
  g_string_append(out, pen->line_end);
  pen->column = 0;
  pen->blank = false;
}

static void hard_break(struct mail_qp_pen *pen, GString *out)
{
  g_string_append(out, pen->line_end);
  pen->column = 0;
  pen->blank = false;
}

/* Puts one byte at the pen's column. */
static void put(struct mail_qp_pen *pen, char c, bool literal, GString *out)
{
  if (literal)
    g_string_append_c(out, c);
  else
    g_string_append_printf(out, "=%02X", (unsigned char)c);
  pen->blank = literal && is_blank(c);
  pen->column += literal ? 1 : 3;
}

/* Whether the text begins with the pen's line end. */
static bool at_line_end(const struct mail_qp_pen *pen, const char *text, size_t length)
{
  if (length == 0 || !is_line_end(*text)) return false;
  size_t end = strlen(pen->line_end);
  return length >= end && memcmp(text, pen->line_end, end) == 0;
}

/* A byte that can stand for itself at this column. BREAK says that a line end follows. */
static bool is_literal(char c, size_t column, bool line_end_follows)
{
  if (column == 0 && (c == '-' || c == '.' || c == 'F')) return false;
  if (is_blank(c)) return !line_end_follows;
  return g_ascii_isgraph(c) && c != '=';
}

/* Puts as many bytes as stand for themselves anywhere and fit on the line, the
 * last of the text excepted; says how many. */
static size_t put_run(struct mail_qp_pen *pen, const char *text, size_t length, GString *out)
{
  size_t n = 0;
  if (pen->column == 0 || pen->column >= LINE_MAX_LENGTH) return 0;
  size_t room = MIN(LINE_MAX_LENGTH - 1 - pen->column, length - 1);
  while (n < room && g_ascii_isgraph(text[n]) && text[n] != '=')
    n++;
  g_string_append_len(out, text, (gssize)n);
  pen->column += n;
  if (n > 0) pen->blank = false;
  return n;
}

/* Puts a byte that is followed by other bytes of the text. */
static void put_inner(struct mail_qp_pen *pen, char c, bool line_end_follows, GString *out)
{
  bool literal = is_literal(c, pen->column, line_end_follows);
  if (pen->column > 0 && pen->column + (literal ? 1 : 3) + 1 > LINE_MAX_LENGTH) {
    soft_break(pen, out);
    literal = is_literal(c, 0, line_end_follows);
  }
  put(pen, c, literal, out);
}

/* Puts the last byte of the text: REST bytes of the old line follow it, on the
 * next line if they must. */
static void put_last(struct mail_qp_pen *pen, char c, size_t rest, bool line_end_follows, GString *out)
{
  bool literal = is_literal(c, pen->column, line_end_follows);
  size_t end = pen->column + (literal ? 1 : 3);
  bool fits = end + rest <= LINE_MAX_LENGTH, rest_may_follow = rest > 0 && end + 1 <= LINE_MAX_LENGTH;
  if (pen->column > 0 && !fits && !rest_may_follow) {
    soft_break(pen, out);
    literal = is_literal(c, 0, line_end_follows);
  }
  put(pen, c, literal, out);
  if (rest > 0 && pen->column + rest > LINE_MAX_LENGTH) soft_break(pen, out);
}

/* The text is empty: what was before and after the span comes together. A blank
 * that would come to the end of its line, and not count there, is kept by a
 * soft break. */
static void join(struct mail_qp_pen *pen, size_t rest, bool line_end_follows, GString *out)
{
  bool too_long = pen->column + rest > LINE_MAX_LENGTH;
  if (pen->column > 0 && (too_long || (pen->blank && line_end_follows))) soft_break(pen, out);
}

void mail_qp_pen_write(struct mail_qp_pen *pen, struct mail_range span, const char *text, size_t length,
                       GString *out)
{
  size_t rest = rest_of_line(pen, span.end);
  bool line_end_follows = rest == 0 || is_blank(pen->raw[span.end]);
  pen->column = column_of(pen, span.start);
  if (span.start > pen->end) pen->blank = is_blank(pen->raw[span.start - 1]);
  pen->end = span.end;
  if (length == 0) join(pen, rest, line_end_follows, out);
  for (size_t i = 0; i < length;) {
    size_t left = length - i, run = put_run(pen, text + i, left, out);
    i += run;
    if (run > 0) continue;
    if (at_line_end(pen, text + i, left)) {
      hard_break(pen, out);
      i += strlen(pen->line_end);
    } else if (left == 1) {
      put_last(pen, text[i++], rest, line_end_follows, out);
    } else {
      put_inner(pen, text[i], at_line_end(pen, text + i + 1, left - 1), out);
      i++;
    }
  }
}

void mail_qp_encode(const char *text, size_t length, const char *line_end, GString *out)
{
  struct mail_qp_pen pen;
  mail_qp_pen_init(&pen, "", 0, line_end);
  mail_qp_pen_write(&pen, (struct mail_range){0, 0}, text, length, out);
}
