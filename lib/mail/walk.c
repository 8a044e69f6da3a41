/* The MIME structure of a message, in one pass over its lines.
 *
 * The walk stands at a line and inside a chain of open parts. A line that is a
 * boundary of one of the open multiparts closes every part inside it and opens
 * the next; any other line belongs to the innermost part and is not looked at.
 * A header section is read when a part opens; a message/rfc822 part opens the
 * message inside it at once. What other readers may see differently is flagged
 * where it is met and spread over the parts it concerns at the end.
 *
 * What always holds: header.start <= header.end <= body.start <= body.end; a
 * part lies in its container's body; siblings do not overlap. */

#include "mail/walk.h"

#include <string.h>

#include "base/error.h"
#include "mail/boundary.h"
#include "mail/header.h"
#include "mail/line.h"

enum scope { PART, MESSAGE, TREE };

static const struct {
  enum scope scope;
  const char *word, *text;
} ambiguities[] = {
    [MAIL_CLEAR] = {PART, "clear", ""},
#define X(name, scope, word, text) [MAIL_AMBIGUITY_##name] = {scope, word, text},
#include "mail/ambiguity.def"
#undef X
};

struct walker {
  const char *bytes;
  size_t length;
  const struct mail_limits *limits;
  GArray *parts; /* of struct mail_part */
  GStringChunk *strings;
  struct mail_boundaries boundaries;
  int open; /* the innermost open part, -1 before the first */
  GError **error;
};

static struct mail_part *part_at(const struct walker *w, int i)
{
  return &g_array_index(w->parts, struct mail_part, i);
}

/* Keeps the reason that reaches furthest, and of those the first. */
static void flag(struct walker *w, int i, enum mail_ambiguity reason)
{
  struct mail_part *part = part_at(w, i);
  bool further = ambiguities[reason].scope > ambiguities[part->ambiguity].scope;
  if (part->ambiguity == MAIL_CLEAR || further) part->ambiguity = reason;
}

static bool over_limit(struct walker *w, const char *what, size_t limit)
{
  g_set_error(w->error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "the message has more than %zu %s", limit, what);
  return false;
}

/* ---- boundary lines ---- */

/* What the line [START, NEXT) is. Flags the multipart whose boundary it nearly is. */
static enum mail_boundary_line boundary_line(struct walker *w, size_t start, size_t next,
                                             struct mail_boundary **found)
{
  const char *bytes = w->bytes;
  if (next - start < 2 || bytes[start] != '-' || bytes[start + 1] != '-') return MAIL_BOUNDARY_NONE;
  size_t text = start + 2, line_end = mail_line_text_end(bytes, text, next), end = line_end;
  while (end > text && (bytes[end - 1] == ' ' || bytes[end - 1] == '\t'))
    end--;
  enum mail_boundary_line kind = mail_boundaries_match(&w->boundaries, bytes + text, end - text, found);
  if (kind == MAIL_BOUNDARY_NONE) return kind;
  if (kind == MAIL_BOUNDARY_PREFIX) {
    flag(w, (*found)->part, MAIL_AMBIGUITY_BOUNDARY_PREFIX);
    return MAIL_BOUNDARY_NONE;
  }
  if (end < line_end) flag(w, (*found)->part, MAIL_AMBIGUITY_BOUNDARY_SPACE);
  if (!(*found)->ended) return kind;
  flag(w, (*found)->part, MAIL_AMBIGUITY_BOUNDARY_AGAIN);
  return MAIL_BOUNDARY_NONE;
}

/* ---- header sections ---- */

/* An mbox envelope line is one at the very start alone. */
static enum mail_header_line section_line(const struct walker *w, size_t at, size_t next)
{
  size_t length = mail_line_text_end(w->bytes, at, next) - at;
  enum mail_header_line line = mail_header_line(w->bytes + at, length);
  return line == MAIL_HEADER_ENVELOPE && at > 0 ? MAIL_HEADER_OTHER : line;
}

/* Reads the section that starts at AT; says in the part where it and the empty
 * line end. False over the limit. */
static bool read_section(struct walker *w, int i, size_t at)
{
  struct mail_part *part = part_at(w, i);
  size_t limit = i == 0 ? w->limits->top_header : w->limits->part_header, next;
  struct mail_boundary *boundary;
  part->header = (struct mail_range){at, at};
  for (;; at = next) {
    part->header.end = part->body.start = at;
    if (at - part->header.start > limit) return over_limit(w, "bytes in a header section", limit);
    next = mail_line_next(w->bytes, at, w->length);
    bool at_end = next == at;
    if (at_end || boundary_line(w, at, next, &boundary) != MAIL_BOUNDARY_NONE) {
      flag(w, i, at_end ? MAIL_AMBIGUITY_HEADER_END : MAIL_AMBIGUITY_HEADER_BOUNDARY);
      return true;
    }
    switch (section_line(w, at, next)) {
    case MAIL_HEADER_EMPTY:
      part->body.start = next;
      return true;
    case MAIL_HEADER_OTHER:
      flag(w, i, MAIL_AMBIGUITY_HEADER_LINE);
      return true;
    case MAIL_HEADER_ENVELOPE:
      flag(w, i, MAIL_AMBIGUITY_HEADER_ENVELOPE);
      break;
    case MAIL_HEADER_FOLD:
      if (at == part->header.start) flag(w, i, MAIL_AMBIGUITY_HEADER_LINE);
      break;
    case MAIL_HEADER_FIELD:
      break;
    }
  }
}

/* The fields that say what a part is: the first of each, and how many. */
struct described {
  struct mail_field type, encoding, disposition;
  size_t types, encodings, dispositions;
};

static void keep_first(const struct mail_field *field, struct mail_field *first, size_t *count)
{
  if ((*count)++ == 0) *first = *field;
}

static void read_fields(struct walker *w, int i, struct described *d)
{
  struct mail_header_iter iter;
  struct mail_field field;
  mail_header_init(&iter, w->bytes, part_at(w, i)->header);
  while (mail_header_next(&iter, &field)) {
    if (field.faults & MAIL_FIELD_SPACE) flag(w, i, MAIL_AMBIGUITY_HEADER_SPACE);
    if (field.faults & MAIL_FIELD_BLANK) flag(w, i, MAIL_AMBIGUITY_HEADER_BLANK);
    if (mail_field_is(w->bytes, &field, "content-type"))
      keep_first(&field, &d->type, &d->types);
    else if (mail_field_is(w->bytes, &field, "content-transfer-encoding"))
      keep_first(&field, &d->encoding, &d->encodings);
    else if (mail_field_is(w->bytes, &field, "content-disposition"))
      keep_first(&field, &d->disposition, &d->dispositions);
  }
}

static bool param_is(const struct mail_content *content, const char *name, const char *value)
{
  const struct mail_param *param = mail_content_param(content, name);
  return param && g_ascii_strcasecmp(param->value, value) == 0;
}

/* The parameters that say how the text of a leaf is to be read. */
static void read_leaf_params(struct walker *w, int i, const struct mail_content *content)
{
  static const char *const names[] = {"charset", "format", "delsp"};
  for (size_t n = 0; n < G_N_ELEMENTS(names); n++) {
    const struct mail_param *param = mail_content_param(content, names[n]);
    if (param && param->faults != 0) flag(w, i, MAIL_AMBIGUITY_TYPE_PARAM);
  }
  if (content->faults & MAIL_CONTENT_JUNK) flag(w, i, MAIL_AMBIGUITY_TYPE_JUNK);
  if (content->faults & MAIL_CONTENT_COMMENT) flag(w, i, MAIL_AMBIGUITY_TYPE_COMMENT);
}

static bool boundary_is_plain(const struct mail_param *param)
{
  if (param->length > 70 || (param->faults & ~(unsigned)MAIL_CONTENT_TWICE)) return false;
  for (size_t i = 0; i < param->length; i++)
    if (!g_ascii_isprint(param->value[i])) return false;
  return param->value[param->length - 1] != ' ';
}

/* Whether another parameter may keep a reader from seeing the boundary. */
static bool has_odd_param(const struct mail_content *content)
{
  for (guint i = 0; i < content->params->len; i++) {
    const struct mail_param *param = content->params->pdata[i];
    if (strcmp(param->name, "boundary") != 0 && (param->faults & ~(unsigned)MAIL_CONTENT_LOOSE)) return true;
  }
  return false;
}

/* Opens the boundary of a multipart, if it has one. */
static void read_boundary(struct walker *w, int i, const struct mail_content *content)
{
  const struct mail_param *param = mail_content_param(content, "boundary");
  bool junk = (content->faults & (MAIL_CONTENT_JUNK | MAIL_CONTENT_COMMENT)) || has_odd_param(content);
  if (junk) flag(w, i, MAIL_AMBIGUITY_MULTIPART_JUNK);
  if (!param || param->length == 0) {
    flag(w, i, MAIL_AMBIGUITY_BOUNDARY_MISSING);
    return;
  }
  if (param->faults & MAIL_CONTENT_TWICE) flag(w, i, MAIL_AMBIGUITY_BOUNDARY_TWICE);
  if (!boundary_is_plain(param)) flag(w, i, MAIL_AMBIGUITY_BOUNDARY_ODD);
  const char *text = g_string_chunk_insert_len(w->strings, param->value, (gssize)param->length);
  if (mail_boundaries_push(&w->boundaries, text, param->length, i)) flag(w, i, MAIL_AMBIGUITY_BOUNDARY_CLASH);
  part_at(w, i)->multipart = true;
  part_at(w, i)->boundary = text;
}

static bool is_digest(const struct walker *w, int i)
{
  return i >= 0 && part_at(w, i)->multipart && strcmp(part_at(w, i)->subtype, "digest") == 0;
}

static void set_type(struct walker *w, int i, const char *type, const char *subtype)
{
  part_at(w, i)->type = g_string_chunk_insert_const(w->strings, type);
  part_at(w, i)->subtype = g_string_chunk_insert_const(w->strings, subtype);
}

static void read_type(struct walker *w, int i, const struct described *d)
{
  struct mail_part *part = part_at(w, i);
  if (d->types == 0) {
    bool digest = is_digest(w, part->parent);
    set_type(w, i, digest ? "message" : "text", digest ? "rfc822" : "plain");
    return;
  }
  struct mail_content content;
  mail_content_type_read(w->bytes + d->type.value.start, d->type.value.end - d->type.value.start, &content);
  bool bad = (content.faults & MAIL_CONTENT_BAD) != 0;
  part->typed = true;
  if (d->types > 1) flag(w, i, MAIL_AMBIGUITY_TYPE_TWICE);
  if (bad) flag(w, i, MAIL_AMBIGUITY_TYPE_BAD);
  set_type(w, i, bad ? "text" : content.type, bad ? "plain" : content.subtype);

  const struct mail_param *charset = mail_content_param(&content, "charset");
  if (charset) {
    g_autofree char *lower = g_ascii_strdown(charset->value, -1);
    part->charset = g_string_chunk_insert(w->strings, lower);
  }
  part->filename = mail_content_param(&content, "name") != NULL;
  part->flowed = param_is(&content, "format", "flowed");
  part->delsp = param_is(&content, "delsp", "yes");
  if (strcmp(part->type, "multipart") == 0)
    read_boundary(w, i, &content);
  else
    read_leaf_params(w, i, &content);
  mail_content_clear(&content);
}

static bool is_message(const struct mail_part *part)
{
  return mail_part_is(part, "message", "rfc822") || mail_part_is(part, "message", "global");
}

static bool is_encoded(const struct mail_part *part)
{
  return part->encoding > MAIL_ENCODING_BINARY;
}

static void read_encoding(struct walker *w, int i, const struct described *d)
{
  struct mail_part *part = part_at(w, i);
  bool odd = false;
  if (d->encodings == 0) return;
  part->encoding = mail_encoding_read(w->bytes + d->encoding.value.start,
                                      d->encoding.value.end - d->encoding.value.start, &odd);
  if (d->encodings > 1) flag(w, i, MAIL_AMBIGUITY_ENCODING_TWICE);
  if (odd || part->encoding == MAIL_ENCODING_UNKNOWN) flag(w, i, MAIL_AMBIGUITY_ENCODING_BAD);
  bool doubt = odd || d->encodings > 1 || is_encoded(part);
  if (doubt && strcmp(part->type, "multipart") == 0) flag(w, i, MAIL_AMBIGUITY_MULTIPART_ENCODED);
  if (doubt && is_message(part)) flag(w, i, MAIL_AMBIGUITY_MESSAGE_ENCODED);
}

static void read_disposition(struct walker *w, int i, const struct described *d)
{
  struct mail_part *part = part_at(w, i);
  if (d->dispositions == 0) return;
  struct mail_content content;
  mail_content_disposition_read(w->bytes + d->disposition.value.start,
                                d->disposition.value.end - d->disposition.value.start, &content);
  if (d->dispositions > 1 || content.faults != 0) flag(w, i, MAIL_AMBIGUITY_DISPOSITION);
  part->attachment = strcmp(content.type, "inline") != 0;
  part->filename = part->filename || mail_content_param(&content, "filename") != NULL;
  mail_content_clear(&content);
}

/* ---- opening and closing parts ---- */

static bool add_part(struct walker *w, int parent)
{
  struct mail_part part = {.parent = parent, .number = 1, .charset = "", .boundary = ""};
  int i = (int)w->parts->len;
  if (w->parts->len >= w->limits->parts) return over_limit(w, "parts", w->limits->parts);
  if (parent >= 0) {
    struct mail_part *container = part_at(w, parent);
    part.depth = container->depth + 1;
    part.number = ++container->children;
    part.embedded = container->embedded || !container->multipart;
    part.message = container->multipart ? container->message : i;
    if (part.depth > w->limits->depth) return over_limit(w, "levels of nesting", w->limits->depth);
  }
  g_array_append_val(w->parts, part);
  w->open = i;
  return true;
}

/* Opens the part that starts at *AT, and the message inside it if it is one;
 * moves *AT to the body of the innermost. False over a limit. */
static bool open_part(struct walker *w, int parent, size_t *at)
{
  for (;; parent = w->open) {
    struct described described = {0};
    if (!add_part(w, parent) || !read_section(w, w->open, *at)) return false;
    read_fields(w, w->open, &described);
    read_type(w, w->open, &described);
    read_encoding(w, w->open, &described);
    read_disposition(w, w->open, &described);
    struct mail_part *part = part_at(w, w->open);
    *at = part->body.start;
    if (!is_message(part) || is_encoded(part)) return true;
  }
}

static void close_boundary(struct walker *w, int i)
{
  const struct mail_boundary *boundary = mail_boundaries_top(&w->boundaries);
  if (part_at(w, i)->children == 0)
    flag(w, i, MAIL_AMBIGUITY_BOUNDARY_UNUSED);
  else if (!boundary->ended)
    flag(w, i, MAIL_AMBIGUITY_BOUNDARY_UNENDED);
  mail_boundaries_pop(&w->boundaries);
}

/* Ends at END every open part inside KEEP (-1: all). A part whose header section
 * runs into the boundary ends there, and so does what it is in. */
static void close_parts(struct walker *w, int keep, size_t end)
{
  while (w->open != keep) {
    struct mail_part *part = part_at(w, w->open);
    part->body.end = end = MAX(part->body.start, end);
    if (part->multipart) close_boundary(w, w->open);
    w->open = part->parent;
  }
}

/* Where the text before the boundary line at AT ends: the line end in between
 * belongs to the boundary (RFC 2046 section 5.1.1). */
static size_t before_boundary(const struct walker *w, size_t at)
{
  return mail_line_text_end(w->bytes, 0, at);
}

static bool walk_lines(struct walker *w)
{
  size_t at = 0, next;
  struct mail_boundary *boundary;
  if (!open_part(w, -1, &at)) return false;
  for (; at < w->length; at = next) {
    next = mail_line_next(w->bytes, at, w->length);
    enum mail_boundary_line kind = boundary_line(w, at, next, &boundary);
    if (kind == MAIL_BOUNDARY_NONE) continue;
    int multipart = boundary->part;
    close_parts(w, multipart, before_boundary(w, at));
    boundary = mail_boundaries_top(&w->boundaries);
    boundary->ended = kind == MAIL_BOUNDARY_END;
    if (kind == MAIL_BOUNDARY_NEXT && !open_part(w, multipart, &next)) return false;
  }
  close_parts(w, -1, w->length);
  return true;
}

/* ---- the doubts ---- */

/* Spreads every reason over the parts it concerns. A container comes before
 * what is in it, so one pass gathers and one pass gives out. */
static void spread(struct walker *w)
{
  for (int i = 0; i < (int)w->parts->len; i++) {
    struct mail_part *part = part_at(w, i);
    enum scope scope = ambiguities[part->ambiguity].scope;
    part->blame = i;
    if (scope == PART) continue;
    struct mail_part *whole = part_at(w, scope == TREE ? 0 : part->message);
    if (ambiguities[whole->ambiguity].scope != PART) continue;
    whole->ambiguity = part->ambiguity;
    whole->blame = i;
  }
  for (int i = 0; i < (int)w->parts->len; i++) {
    struct mail_part *part = part_at(w, i);
    const struct mail_part *whole = part_at(w, part->message);
    if (whole == part && part->parent >= 0) whole = part_at(w, part_at(w, part->parent)->message);
    if (part->ambiguity != MAIL_CLEAR || ambiguities[whole->ambiguity].scope == PART) continue;
    part->ambiguity = whole->ambiguity;
    part->blame = whole->blame;
  }
}

struct mail_tree *mail_walk(const char *bytes, size_t length, const struct mail_limits *limits,
                            GError **error)
{
  struct walker w = {.bytes = bytes, .length = length, .limits = limits, .open = -1, .error = error};
  w.parts = g_array_new(FALSE, FALSE, sizeof(struct mail_part));
  w.strings = g_string_chunk_new(1024);
  mail_boundaries_init(&w.boundaries);
  unsigned facts = mail_line_facts(bytes, length);
  bool done = walk_lines(&w);
  mail_boundaries_release(&w.boundaries);

  struct mail_tree *tree = g_new0(struct mail_tree, 1);
  if (done) {
    if (facts & MAIL_LINE_NUL) flag(&w, 0, MAIL_AMBIGUITY_NUL);
    if (mail_line_mixed(facts)) flag(&w, 0, MAIL_AMBIGUITY_LINE_ENDS);
    spread(&w);
  }
  *tree = (struct mail_tree){.line_facts = facts, .strings = w.strings, .count = w.parts->len};
  tree->parts = (struct mail_part *)(void *)g_array_free(w.parts, FALSE);
  if (done) return tree;
  mail_tree_free(tree);
  return NULL;
}

void mail_tree_free(struct mail_tree *tree)
{
  if (!tree) return;
  g_free(tree->parts);
  g_string_chunk_free(tree->strings);
  g_free(tree);
}

char *mail_part_path(const struct mail_tree *tree, size_t i)
{
  GString *path = g_string_new(NULL);
  for (const struct mail_part *part = &tree->parts[i];; part = &tree->parts[part->parent]) {
    g_autofree char *number = g_strdup_printf(path->len > 0 ? "%u." : "%u", part->number);
    g_string_prepend(path, number);
    if (part->parent < 0) return g_string_free(path, FALSE);
  }
}

bool mail_part_is(const struct mail_part *part, const char *type, const char *subtype)
{
  return strcmp(part->type, type) == 0 && strcmp(part->subtype, subtype) == 0;
}

const char *mail_ambiguity_word(enum mail_ambiguity ambiguity)
{
  return ambiguities[ambiguity].word;
}

const char *mail_ambiguity_text(enum mail_ambiguity ambiguity)
{
  return ambiguities[ambiguity].text;
}
