/* Content-Type, Content-Disposition, Content-Transfer-Encoding.
 *
 * A reader goes once over the value: a type, then parameters. Each parameter is
 * first kept as it stands (a piece: RFC 2231 may cut one value into several),
 * then the pieces of each name are joined. Nothing is refused: what is odd is
 * noted in the faults, because another reader may take it differently. */

#include "mail/content.h"

#include <stdlib.h>
#include <string.h>

#include "mail/charset.h"

#define MAX_PIECES 100

struct piece {
  char *name; /* lower case, without the marks of RFC 2231 */
  GString *value;
  int number;    /* of a cut value; -1 where it is whole */
  bool encoded;  /* percent-encoded */
  bool extended; /* any mark of RFC 2231 */
  unsigned faults;
};

struct reader {
  const char *at, *end;
  unsigned faults;
  GPtrArray *pieces;
};

static void piece_free(void *data)
{
  struct piece *piece = data;
  g_free(piece->name);
  g_string_free(piece->value, TRUE);
  g_free(piece);
}

static void param_free(void *data)
{
  struct mail_param *param = data;
  g_free(param->name);
  g_free(param->value);
  g_free(param);
}

static bool is_space(char c)
{
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_token(char c)
{
  return c > ' ' && c < 127 && !strchr("()<>@,;:\\\"/[]?=", c);
}

/* Stands on "(": goes past the comment, nested ones included. */
static void skip_comment(struct reader *reader)
{
  int depth = 0;
  reader->faults |= MAIL_CONTENT_COMMENT;
  for (; reader->at < reader->end; reader->at++) {
    char c = *reader->at;
    if (c == '\\' && reader->at + 1 < reader->end) reader->at++;
    if (c == '(') depth++;
    if (c == ')' && --depth == 0) {
      reader->at++;
      return;
    }
  }
  reader->faults |= MAIL_CONTENT_JUNK;
}

static void skip_space(struct reader *reader)
{
  while (reader->at < reader->end) {
    if (*reader->at == '(')
      skip_comment(reader);
    else if (is_space(*reader->at))
      reader->at++;
    else
      return;
  }
}

static bool take(struct reader *reader, char c)
{
  if (reader->at == reader->end || *reader->at != c) return false;
  reader->at++;
  return true;
}

/* A token in lower case; "" where none stands here. */
static char *take_token(struct reader *reader)
{
  const char *start = reader->at;
  while (reader->at < reader->end && is_token(*reader->at))
    reader->at++;
  return g_ascii_strdown(start, reader->at - start);
}

static void take_quoted(struct reader *reader, struct piece *piece)
{
  for (; reader->at < reader->end; reader->at++) {
    char c = *reader->at;
    if (c == '"') {
      reader->at++;
      return;
    }
    if (c == '\r' || c == '\n') {
      piece->faults |= MAIL_CONTENT_ESCAPED;
      continue;
    }
    if (c == '\\' && reader->at + 1 < reader->end) {
      piece->faults |= MAIL_CONTENT_ESCAPED;
      c = *++reader->at;
    }
    g_string_append_c(piece->value, c);
  }
  reader->faults |= MAIL_CONTENT_JUNK;
}

/* An unquoted value. More than tokens is read: "----=_Part" is everywhere. */
static void take_bare(struct reader *reader, struct piece *piece)
{
  const char *start = reader->at;
  for (; reader->at < reader->end && !is_space(*reader->at) && !strchr(";(\"", *reader->at); reader->at++)
    if (!is_token(*reader->at) && *reader->at != '=') piece->faults |= MAIL_CONTENT_LOOSE;
  if (reader->at == start) reader->faults |= MAIL_CONTENT_JUNK;
  g_string_append_len(piece->value, start, reader->at - start);
}

/* Reads the marks of RFC 2231 off the end of the name: *, *0, *0*. False where
 * there is an asterisk that is none. */
static bool read_marks(struct piece *piece)
{
  char *star = strchr(piece->name, '*');
  if (!star) return true;
  char *end = star + 1;
  if (g_ascii_isdigit(*end)) {
    unsigned long number = strtoul(end, &end, 10);
    piece->number = (int)MIN(number, MAX_PIECES);
  }
  piece->encoded = end[0] == '*' || end == star + 1;
  if (end[0] == '*') end++;
  piece->extended = true;
  piece->faults |= MAIL_CONTENT_EXTENDED;
  *star = '\0';
  return *end == '\0' && star > piece->name;
}

static void read_param(struct reader *reader)
{
  if (reader->pieces->len == MAX_PIECES) {
    reader->faults |= MAIL_CONTENT_JUNK;
    reader->at = reader->end;
    return;
  }
  struct piece *piece = g_new0(struct piece, 1);
  piece->value = g_string_new(NULL);
  piece->number = -1;
  piece->name = take_token(reader);
  skip_space(reader);
  if (*piece->name == '\0' || !take(reader, '=')) {
    reader->faults |= MAIL_CONTENT_JUNK;
    piece_free(piece);
    if (reader->at < reader->end && *reader->at != ';') reader->at++;
    return;
  }
  skip_space(reader);
  if (take(reader, '"'))
    take_quoted(reader, piece);
  else
    take_bare(reader, piece);
  if (strstr(piece->value->str, "=?")) piece->faults |= MAIL_CONTENT_ESCAPED;
  if (!read_marks(piece)) reader->faults |= MAIL_CONTENT_JUNK;
  g_ptr_array_add(reader->pieces, piece);
}

static void read_params(struct reader *reader)
{
  for (;;) {
    skip_space(reader);
    if (reader->at == reader->end) return;
    if (!take(reader, ';'))
      reader->faults |= MAIL_CONTENT_JUNK;
    else
      skip_space(reader);
    if (reader->at < reader->end && *reader->at != ';') read_param(reader);
  }
}

static void percent_decode(const GString *from, size_t at, GString *to)
{
  for (; at < from->len; at++) {
    const char *s = from->str + at;
    if (*s == '%' && g_ascii_isxdigit(s[1]) && g_ascii_isxdigit(s[2])) {
      g_string_append_c(to, (char)(g_ascii_xdigit_value(s[1]) * 16 + g_ascii_xdigit_value(s[2])));
      at += 2;
    } else
      g_string_append_c(to, *s);
  }
}

/* Splits charset'language'text; says where the text starts. */
static size_t charset_prefix(const GString *value, char **charset)
{
  const char *first = strchr(value->str, '\'');
  const char *second = first ? strchr(first + 1, '\'') : NULL;
  if (!second) return 0;
  *charset = g_strndup(value->str, (size_t)(first - value->str));
  return (size_t)(second - value->str) + 1;
}

static struct piece *find_piece(GPtrArray *pieces, const char *name, bool extended, int number)
{
  for (guint i = 0; i < pieces->len; i++) {
    struct piece *piece = pieces->pdata[i];
    if (piece->extended == extended && piece->number == number && strcmp(piece->name, name) == 0)
      return piece;
  }
  return NULL;
}

/* Joins NAME*, or NAME*0, NAME*1, …; false where it was not written so. */
static bool join_extended(GPtrArray *pieces, const char *name, GString *value)
{
  g_autofree char *charset = NULL;
  g_autoptr(GString) raw = g_string_new(NULL);
  struct piece *piece = find_piece(pieces, name, true, -1);
  int number = piece ? MAX_PIECES : 0;
  if (!piece) piece = find_piece(pieces, name, true, 0);
  if (!piece) return false;
  for (bool first = true; piece; first = false) {
    size_t at = first && piece->encoded ? charset_prefix(piece->value, &charset) : 0;
    if (piece->encoded)
      percent_decode(piece->value, at, raw);
    else
      g_string_append_len(raw, piece->value->str, (gssize)piece->value->len);
    piece = ++number < MAX_PIECES ? find_piece(pieces, name, true, number) : NULL;
  }
  if (charset)
    mail_charset_decode(charset, raw->str, raw->len, value);
  else
    g_string_append_len(value, raw->str, (gssize)raw->len);
  return true;
}

/* The faults of NAME, over all its pieces. */
static unsigned piece_faults(GPtrArray *pieces, const char *name)
{
  unsigned faults = 0;
  int whole = 0, cut = 0;
  for (guint i = 0; i < pieces->len; i++) {
    struct piece *piece = pieces->pdata[i];
    if (strcmp(piece->name, name) != 0) continue;
    faults |= piece->faults;
    whole += piece->number < 0;
    cut += piece->number >= 0;
    if (find_piece(pieces, name, piece->extended, piece->number) != piece) faults |= MAIL_CONTENT_TWICE;
  }
  if (whole > 1 || (whole > 0 && cut > 0)) faults |= MAIL_CONTENT_TWICE;
  return faults;
}

static void join_params(GPtrArray *pieces, struct mail_content *content)
{
  for (guint i = 0; i < pieces->len; i++) {
    struct piece *piece = pieces->pdata[i];
    if (mail_content_param(content, piece->name)) continue;
    GString *value = g_string_new(NULL);
    if (!join_extended(pieces, piece->name, value))
      g_string_append_len(value, piece->value->str, (gssize)piece->value->len);
    struct mail_param *param = g_new0(struct mail_param, 1);
    param->name = g_strdup(piece->name);
    param->length = value->len;
    param->value = g_string_free(value, FALSE);
    param->faults = piece_faults(pieces, piece->name);
    g_ptr_array_add(content->params, param);
  }
}

static void read_content(const char *value, size_t length, bool has_subtype, struct mail_content *content)
{
  struct reader reader = {.at = value, .end = value + length};
  reader.pieces = g_ptr_array_new_with_free_func(piece_free);
  *content = (struct mail_content){.params = g_ptr_array_new_with_free_func(param_free)};
  skip_space(&reader);
  content->type = take_token(&reader);
  const char *slash = reader.at;
  skip_space(&reader);
  if (has_subtype && take(&reader, '/')) {
    skip_space(&reader);
    if (reader.at != slash + 1) reader.faults |= MAIL_CONTENT_JUNK;
    content->subtype = take_token(&reader);
  } else
    content->subtype = g_strdup("");
  if (*content->type == '\0' || (has_subtype && *content->subtype == '\0')) reader.faults |= MAIL_CONTENT_BAD;
  read_params(&reader);
  join_params(reader.pieces, content);
  content->faults = reader.faults;
  g_ptr_array_unref(reader.pieces);
}

void mail_content_type_read(const char *value, size_t length, struct mail_content *content)
{
  read_content(value, length, true, content);
}

void mail_content_disposition_read(const char *value, size_t length, struct mail_content *content)
{
  read_content(value, length, false, content);
}

void mail_content_clear(struct mail_content *content)
{
  g_free(content->type);
  g_free(content->subtype);
  if (content->params) g_ptr_array_unref(content->params);
  *content = (struct mail_content){0};
}

const struct mail_param *mail_content_param(const struct mail_content *content, const char *name)
{
  for (guint i = 0; i < content->params->len; i++) {
    const struct mail_param *param = content->params->pdata[i];
    if (strcmp(param->name, name) == 0) return param;
  }
  return NULL;
}

static const char *const encodings[] = {
    [MAIL_ENCODING_7BIT] = "7bit",     [MAIL_ENCODING_8BIT] = "8bit",
    [MAIL_ENCODING_BINARY] = "binary", [MAIL_ENCODING_QP] = "quoted-printable",
    [MAIL_ENCODING_BASE64] = "base64", [MAIL_ENCODING_UNKNOWN] = "unknown",
};

static bool is_blank(const char *from, const char *to)
{
  for (; from < to; from++)
    if (*from != ' ' && *from != '\t') return false;
  return true;
}

enum mail_encoding mail_encoding_read(const char *value, size_t length, bool *odd)
{
  struct reader reader = {.at = value, .end = value + length};
  skip_space(&reader);
  const char *start = reader.at;
  g_autofree char *word = take_token(&reader);
  *odd = reader.at != reader.end || !is_blank(value, start);
  for (int i = MAIL_ENCODING_7BIT; i < MAIL_ENCODING_UNKNOWN; i++)
    if (strcmp(word, encodings[i]) == 0) return (enum mail_encoding)i;
  return MAIL_ENCODING_UNKNOWN;
}

const char *mail_encoding_name(enum mail_encoding encoding)
{
  return encodings[encoding];
}
