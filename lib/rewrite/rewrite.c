/* The rewriting of one message, in this order: guards of the request and the
 * header (policy.c), the MIME structure, the parts, the links and the place of
 * the pixel in each HTML body (page.c, link.c), tokens, edits of the decoded
 * text, and those written through the transfer encoding (lib/mail).
 *
 * Until the last edit is made nothing is promised: any failure ends in
 * rewrite_result_leave(), and the message is what it was. */

#include "rewrite/rewrite.h"

#include <string.h>

#include "base/error.h"
#include "html/entity.h"
#include "mail/encoding.h"
#include "mail/header.h"
#include "mail/leaf.h"
#include "mail/line.h"
#include "mail/qp.h"
#include "rewrite/link.h"
#include "rewrite/page.h"
#include "rewrite/plain.h"
#include "rewrite/policy.h"
#include "rewrite/utm.h"

enum { MAX_LINE = 998, MAX_EDITS = 100000, MAX_UNSUBSCRIBE_LINE = 900 };

/* An HTML body that may be changed. */
struct body {
  size_t part; /* index */
  bool plain;  /* text/plain: no pixel, and links stand as they are */
  struct mail_decoded decoded;
  struct rewrite_page *page;
  bool changed;
};

/* What a URL became; all links to it share it. */
struct target {
  uint32_t number;
  char *tracked;
  char *destination; /* NULL: the URL itself */
  enum rewrite_reason reason;
};

struct work {
  const struct rewrite_request *request;
  struct rewrite_result *result;
  struct rewrite_control control;
  struct mail_tree *tree;
  enum rewrite_track track; /* the tenant's, or less where it was asked for */
  GArray *bodies;           /* of struct body */
  GHashTable *targets;      /* URL to struct target */
  GPtrArray *urls;          /* bases of our own trackers */
  GPtrArray *unsubscribe;   /* URLs of List-Unsubscribe */
};

/* ---- results ---- */

static void part_clear(struct rewrite_part *part)
{
  g_free(part->path);
  g_free(part->type);
}

static void link_clear(struct rewrite_link *link)
{
  g_free(link->url);
  g_free(link->tracked);
  g_free(link->destination);
}

static void header_clear(struct rewrite_header *header)
{
  g_free(header->name);
  g_free(header->value);
}

static GArray *array_new(size_t size, GDestroyNotify clear)
{
  GArray *array = g_array_new(FALSE, FALSE, (guint)size);
  g_array_set_clear_func(array, clear);
  return array;
}

GArray *rewrite_headers_new(void)
{
  return array_new(sizeof(struct rewrite_header), (GDestroyNotify)header_clear);
}

static struct rewrite_result *result_new(void)
{
  struct rewrite_result *result = g_new0(struct rewrite_result, 1);
  result->edits = mail_edits_new(MAX_EDITS);
  result->headers = rewrite_headers_new();
  result->parts = array_new(sizeof(struct rewrite_part), (GDestroyNotify)part_clear);
  result->links = array_new(sizeof(struct rewrite_link), (GDestroyNotify)link_clear);
  return result;
}

void rewrite_result_free(struct rewrite_result *result)
{
  if (!result) return;
  mail_edits_free(result->edits);
  g_array_unref(result->headers);
  g_array_unref(result->parts);
  g_array_unref(result->links);
  g_free(result);
}

static void leave_parts(struct rewrite_result *result, enum rewrite_reason reason)
{
  for (guint i = 0; i < result->parts->len; i++) {
    struct rewrite_part *part = &g_array_index(result->parts, struct rewrite_part, i);
    if (part->reason == REWRITE_REASON_TRACKED) part->reason = reason;
    part->action = REWRITE_LEFT;
  }
  for (guint i = 0; i < result->links->len; i++) {
    struct rewrite_link *link = &g_array_index(result->links, struct rewrite_link, i);
    if (link->reason == REWRITE_REASON_TRACKED) link->reason = reason;
    link->action = REWRITE_LEFT;
    link->number = 0;
    g_clear_pointer(&link->tracked, g_free);
    g_clear_pointer(&link->destination, g_free);
  }
}

void rewrite_result_leave(struct rewrite_result *result, enum rewrite_reason reason)
{
  result->action = REWRITE_LEFT;
  result->reason = reason;
  result->tracked = 0;
  if (result->pixel == REWRITE_REASON_TRACKED) result->pixel = reason;
  mail_edits_free(result->edits);
  result->edits = mail_edits_new(MAX_EDITS);
  leave_parts(result, reason);
  for (guint i = result->headers->len; i-- > 0;) {
    const struct rewrite_header *header = &g_array_index(result->headers, struct rewrite_header, i);
    if (header->op != REWRITE_HEADER_DELETE || !rewrite_control_is(header->name, strlen(header->name)))
      g_array_remove_index(result->headers, i);
  }
}

static void add_header(GArray *headers, enum rewrite_header_op op, const char *name, unsigned index,
                       const char *value)
{
  struct rewrite_header header = {op, g_strdup(name), index, g_strdup(value)};
  g_array_append_val(headers, header);
}

/* Deletes every field called NAME, the last one first. */
static void delete_headers(GArray *headers, const char *bytes, struct mail_range section, const char *name)
{
  for (size_t n = mail_header_count(bytes, section, name); n > 0; n--)
    add_header(headers, REWRITE_HEADER_DELETE, name, (unsigned)n, NULL);
}

void rewrite_headers_strip(const char *bytes, struct mail_range section, GArray *headers)
{
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  struct mail_header_iter iter;
  struct mail_field field;
  mail_header_init(&iter, bytes, section);
  while (mail_header_next(&iter, &field)) {
    size_t length = field.name.end - field.name.start;
    if (!rewrite_control_is(bytes + field.name.start, length)) continue;
    g_autofree char *name = g_strndup(bytes + field.name.start, length);
    g_autofree char *lower = g_ascii_strdown(name, -1);
    if (g_hash_table_add(seen, g_steal_pointer(&lower))) delete_headers(headers, bytes, section, name);
  }
}

/* ---- the message ---- */

/* The header section, by its first empty line; *BODY where the body begins. */
static struct mail_range find_section(const char *bytes, size_t length, size_t *body)
{
  size_t at = 0;
  while (at < length) {
    size_t next = mail_line_next(bytes, at, length);
    if (mail_line_text_end(bytes, at, next) == at) {
      *body = next;
      return (struct mail_range){0, at};
    }
    at = next;
  }
  *body = length;
  return (struct mail_range){0, length};
}

size_t rewrite_find_body(const char *bytes, size_t length)
{
  size_t body;
  find_section(bytes, length, &body);
  return body;
}

static void note_parts(struct work *w)
{
  for (size_t i = 0; i < w->tree->count; i++) {
    const struct mail_part *part = &w->tree->parts[i];
    struct rewrite_part row = {
        .path = mail_part_path(w->tree, i),
        .type = g_strdup_printf("%s/%s", part->type, part->subtype),
        .encoding = mail_encoding_name(part->encoding),
        .reason = rewrite_policy_part(w->request, w->tree, i),
    };
    if (row.reason == REWRITE_REASON_AMBIGUOUS) row.detail = mail_ambiguity_word(part->ambiguity);
    g_array_append_val(w->result->parts, row);
  }
}

static struct rewrite_part *part_row(struct work *w, size_t part)
{
  return &g_array_index(w->result->parts, struct rewrite_part, part);
}

/* Whether TEXT holds "-----BEGIN PGP ". A capital P is rarer than a dash. */
static bool holds_pgp(const char *text, size_t length)
{
  static const char mark[] = "-----BEGIN PGP ";
  enum { P = 11, LENGTH = sizeof mark - 1 };
  const char *end = text + length;
  if (length < LENGTH) return false;
  for (const char *at = text + P; (at = memchr(at, mark[P], (size_t)(end - at))); at++) {
    if (end - at < LENGTH - P) return false;
    if (memcmp(at - P, mark, LENGTH) == 0) return true;
  }
  return false;
}

/* Inline PGP in any text that is not in an attachment. */
static bool has_pgp(struct work *w)
{
  for (size_t i = 0; i < w->tree->count; i++) {
    const struct mail_part *part = &w->tree->parts[i];
    if (part->embedded || part->multipart || part->attachment || strcmp(part->type, "text") != 0) continue;
    const char *raw = w->request->message + part->body.start;
    size_t length = part->body.end - part->body.start;
    struct mail_decoded text = {.bytes = raw, .length = length};
    bool encoded = part->encoding > MAIL_ENCODING_BINARY;
    bool found =
        (!encoded || mail_decode(part->encoding, raw, length, w->request->limits.size, &text, NULL)) &&
        holds_pgp(text.bytes, text.length);
    mail_decoded_clear(&text);
    if (found) return true;
  }
  return false;
}

/* The URLs of List-Unsubscribe: "<https://…>, <mailto:…>". */
static void read_unsubscribe(struct work *w, struct mail_range section)
{
  struct mail_field field;
  for (size_t n = 0; mail_header_find(w->request->message, section, "List-Unsubscribe", n, &field); n++) {
    const char *at = w->request->message + field.value.start;
    const char *end = w->request->message + field.value.end;
    while ((at = memchr(at, '<', (size_t)(end - at)))) {
      const char *close = memchr(at, '>', (size_t)(end - at));
      if (!close) break;
      GString *url = g_string_new_len(at + 1, close - at - 1);
      rewrite_link_trim(url);
      g_ptr_array_add(w->unsubscribe, g_string_free(url, FALSE));
      at = close;
    }
  }
}

/* ---- links ---- */

static struct rewrite_page *read_page(struct work *w, const struct mail_part *part,
                                      const struct mail_decoded *decoded, GError **error)
{
  struct rewrite_page_options options = {
      .utf8 = strcmp(part->charset, "utf-8") == 0 || strcmp(part->charset, "utf8") == 0,
      .visible_urls = w->request->visible_urls,
      .own_urls = (const char *const *)w->urls->pdata,
      .n_own_urls = w->urls->len,
      .unsubscribe_urls = w->unsubscribe,
      .max_links = w->request->limits.links,
  };
  return mail_part_is(part, "text", "plain")
             ? rewrite_plain_read(decoded->bytes, decoded->length, &options, error)
             : rewrite_page_read(decoded->bytes, decoded->length, &options, error);
}

/* Decodes and reads the part I; what is in the way is noted with the part. */
static bool take_body(struct work *w, size_t i, GError **error)
{
  const struct mail_part *part = &w->tree->parts[i];
  struct rewrite_part *row = part_row(w, i);
  struct body body = {.part = i, .plain = mail_part_is(part, "text", "plain")};
  if (!mail_decode(part->encoding, w->request->message + part->body.start, part->body.end - part->body.start,
                   w->request->limits.size, &body.decoded, error))
    return false;
  const struct mail_decoded *decoded = &body.decoded;
  if (decoded->length == 0)
    row->reason = REWRITE_REASON_NOTHING;
  else if (decoded->facts & MAIL_DECODE_LEAVE)
    row->reason = REWRITE_REASON_ENCODING;
  else if (mail_line_mixed(decoded->line_facts) || (decoded->line_facts & MAIL_LINE_NUL))
    row->reason = REWRITE_REASON_LINE_ENDS;
  /* An undeclared ISO-2022 or UTF-16. */
  else if (memchr(decoded->bytes, 0x1b, decoded->length) || memchr(decoded->bytes, 0, decoded->length) ||
           (decoded->length >= 2 &&
            (memcmp(decoded->bytes, "\xFF\xFE", 2) == 0 || memcmp(decoded->bytes, "\xFE\xFF", 2) == 0)))
    row->reason = REWRITE_REASON_CHARSET;
  if (row->reason == REWRITE_REASON_TRACKED) body.page = read_page(w, part, decoded, error);
  if (!body.page) {
    mail_decoded_clear(&body.decoded);
    return row->reason != REWRITE_REASON_TRACKED;
  }
  g_array_append_val(w->bodies, body);
  return true;
}

/* BASE/KIND/TOKEN, within the limit; NULL with *REASON or ERROR. */
static char *seal(struct work *w, const struct token *token, const char *kind, enum rewrite_reason *reason,
                  GError **error)
{
  g_autoptr(GString) url = g_string_new(w->request->url);
  g_string_append(url, kind);
  g_autoptr(GError) fault = NULL;
  *reason = REWRITE_REASON_TOO_LONG;
  if (!token_seal(w->request->keys, token, url, &fault)) {
    if (!g_error_matches(fault, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT))
      g_propagate_error(error, g_steal_pointer(&fault));
    return NULL;
  }
  if (url->len > w->request->limits.url) return NULL;
  *reason = REWRITE_REASON_TRACKED;
  return g_string_free(g_steal_pointer(&url), FALSE);
}

static void target_free(struct target *target)
{
  g_free(target->tracked);
  g_free(target->destination);
  g_free(target);
}

/* The URL with its tags, if there are to be any and it gets one; or NULL. */
static char *tagged(const struct work *w, const char *url, size_t length)
{
  const struct rewrite_request *request = w->request;
  if (!request->utm_source || w->control.no_utm || !(request->utm || w->control.utm)) return NULL;
  const struct rewrite_utm utm = {.source = request->utm_source,
                                  .medium = "email",
                                  .campaign = w->control.campaign ? w->control.campaign : request->list};
  g_autoptr(GString) out = g_string_new(NULL);
  rewrite_utm_add(url, length, &utm, out);
  return out->len == length ? NULL : g_strdup(out->str);
}

/* What URL becomes; NULL on an error. Borrowed. */
static const struct target *target_of(struct work *w, const struct rewrite_page_link *link, GError **error)
{
  struct target *target = g_hash_table_lookup(w->targets, link->url);
  if (target) return target;
  g_autoptr(GError) fault = NULL;
  target = g_new0(struct target, 1);
  target->destination = tagged(w, link->url, link->length);
  const char *destination = target->destination ? target->destination : link->url;
  struct token token = {
      .kind = TOKEN_CLICK,
      .tenant = w->request->tenant,
      .mail = w->request->mail,
      .link = w->result->tracked + 1,
      .destination = destination,
      .destination_length = target->destination ? strlen(destination) : link->length,
  };
  target->tracked = seal(w, &token, "/c/", &target->reason, &fault);
  if (fault) {
    g_propagate_error(error, g_steal_pointer(&fault));
    target_free(target);
    return NULL;
  }
  if (target->tracked) target->number = ++w->result->tracked;
  g_hash_table_insert(w->targets, g_strdup(link->url), target);
  return target;
}

/* Seals the links of BODY; those that get too long stay, and their twins. */
static bool seal_links(struct work *w, const struct body *body, GError **error)
{
  struct rewrite_page *page = body->page;
  bool denied = w->control.denied & (body->plain ? REWRITE_DENY_TEXT_CLICKS : REWRITE_DENY_HTML_CLICKS);
  for (guint i = 0; i < page->links->len; i++) {
    struct rewrite_page_link *link = &g_array_index(page->links, struct rewrite_page_link, i);
    if (link->reason != REWRITE_REASON_TRACKED) continue;
    if (denied) {
      link->reason = REWRITE_REASON_CLICKS_REQUEST;
      continue;
    }
    if (w->request->stopped && w->request->stopped(w->request->stopped_data, link->url, link->length)) {
      link->reason = REWRITE_REASON_STOPPED;
      continue;
    }
    const struct target *target = target_of(w, link, error);
    if (!target) return false;
    link->reason = target->reason;
  }
  rewrite_page_pair(page);
  return true;
}

/* Where decoded bytes are in the message. */
static size_t offset_of(const struct mail_part *part, const struct mail_decoded *decoded,
                        struct mail_cursor *cursor, size_t at)
{
  if (decoded->encoding == MAIL_ENCODING_BASE64) return part->body.start;
  if (decoded->encoding != MAIL_ENCODING_QP) return part->body.start + at;
  return part->body.start + mail_cursor_span(cursor, at, at).start;
}

static char *printable(const struct rewrite_page_link *link)
{
  return g_utf8_make_valid(link->url, (gssize)link->length);
}

/* Notes the links of BODY for whoever asks, and makes edits of those tracked. */
static bool edit_links(struct work *w, struct body *body, struct mail_edits *inner, GError **error)
{
  const struct mail_part *part = &w->tree->parts[body->part];
  g_autoptr(GString) value = g_string_new(NULL);
  struct mail_cursor cursor;
  mail_cursor_init(&cursor, body->decoded.raw, body->decoded.raw_length);
  for (guint i = 0; i < body->page->links->len; i++) {
    const struct rewrite_page_link *link = &g_array_index(body->page->links, struct rewrite_page_link, i);
    struct rewrite_link row = {
        .part = body->part,
        .offset = offset_of(part, &body->decoded, &cursor, link->start),
        .url = printable(link),
        .reason = link->reason,
    };
    if (link->reason == REWRITE_REASON_TRACKED) {
      const struct target *target = g_hash_table_lookup(w->targets, link->url);
      row.action = REWRITE_TRACKED;
      row.number = target->number;
      row.tracked = g_strdup(target->tracked);
      row.destination = g_strdup(target->destination);
    }
    g_array_append_val(w->result->links, row);
    if (row.action != REWRITE_TRACKED) continue;
    g_string_truncate(value, 0);
    if (body->plain)
      g_string_assign(value, row.tracked);
    else
      html_encode_attribute(row.tracked, strlen(row.tracked), link->quote, value);
    if (!mail_edits_add(inner, link->start, link->end - link->start, value->str, value->len, error))
      return false;
    body->changed = true;
  }
  return true;
}

/* ---- the pixel ---- */

static bool edit_pixel(struct work *w, struct body *body, struct mail_edits *inner, GError **error)
{
  w->result->pixel = body->page->pixel;
  if (w->track != REWRITE_TRACK_ALL)
    w->result->pixel = REWRITE_REASON_PIXEL_MODE;
  else if (w->control.denied & REWRITE_DENY_OPENS)
    w->result->pixel = REWRITE_REASON_PIXEL_REQUEST;
  if (w->result->pixel != REWRITE_REASON_TRACKED) return true;
  struct token token = {.kind = TOKEN_OPEN, .tenant = w->request->tenant, .mail = w->request->mail};
  g_autofree char *url = seal(w, &token, "/o/", &w->result->pixel, error);
  if (!url) return w->result->pixel == REWRITE_REASON_TOO_LONG && !*error;
  g_autoptr(GString) image = g_string_new("<img src=\"");
  html_encode_attribute(url, strlen(url), '"', image);
  g_string_append(image, "\" width=\"1\" height=\"1\" alt=\"\" style=\"border:0;width:1px;height:1px\">");
  body->changed = true;
  return mail_edits_add(inner, body->page->pixel_at, 0, image->str, image->len, error);
}

/* ---- writing it back ---- */

/* Says in the part's header that it is quoted-printable now. */
static bool set_quoted_printable(struct work *w, const struct mail_part *part, const char *line_end,
                                 GError **error)
{
  static const char name[] = "Content-Transfer-Encoding", value[] = "quoted-printable";
  struct mail_field field;
  bool there = mail_header_find(w->request->message, part->header, name, 0, &field);
  if (part->parent < 0) {
    add_header(w->result->headers, there ? REWRITE_HEADER_REPLACE : REWRITE_HEADER_INSERT, name,
               there ? 1 : 0, value);
    return true;
  }
  if (there) {
    g_autofree char *text = g_strdup_printf(" %s", value);
    size_t end = mail_line_text_end(w->request->message, field.value.start, field.value.end);
    return mail_edits_add(w->result->edits, field.value.start, end - field.value.start, text, strlen(text),
                          error);
  }
  g_autofree char *text = g_strdup_printf("%s: %s%s", name, value, line_end);
  return mail_edits_add(w->result->edits, part->header.end, 0, text, strlen(text), error);
}

/* The text of a 7bit, 8bit or binary leaf would have, or has, a line too long
 * for mail: the whole leaf becomes quoted-printable. */
static bool edit_as_qp(struct work *w, const struct mail_part *part, const struct mail_decoded *decoded,
                       const char *text, size_t size, GError **error)
{
  const char *line_end = mail_line_end(decoded->line_facts);
  g_autoptr(GString) code = g_string_new(NULL);
  mail_qp_encode(text, size, line_end, code);
  return set_quoted_printable(w, part, line_end, error) &&
         mail_edits_add(w->result->edits, part->body.start, part->body.end - part->body.start, code->str,
                        code->len, error);
}

static bool write_body(struct work *w, struct body *body, struct mail_edits *inner, GError **error)
{
  const struct mail_part *part = &w->tree->parts[body->part];
  const struct mail_decoded *decoded = &body->decoded;
  if (decoded->encoding != MAIL_ENCODING_QP && decoded->encoding != MAIL_ENCODING_BASE64) {
    g_autofree char *text = NULL;
    size_t size;
    if (!mail_edits_apply(inner, decoded->bytes, decoded->length, &text, &size, error)) return false;
    if (mail_line_longest(text, size) > MAX_LINE) return edit_as_qp(w, part, decoded, text, size, error);
  }
  return mail_leaf_edit(w->tree, body->part, decoded, inner, w->result->edits, error);
}

static bool edit_body(struct work *w, struct body *body, bool last, GError **error)
{
  g_autoptr(mail_edits) inner = mail_edits_new(MAX_EDITS);
  if (!edit_links(w, body, inner, error) || (last && !edit_pixel(w, body, inner, error)) ||
      (body->changed && !write_body(w, body, inner, error)))
    return false;
  struct rewrite_part *row = part_row(w, body->part);
  row->action = body->changed ? REWRITE_TRACKED : REWRITE_LEFT;
  row->reason = body->changed ? REWRITE_REASON_TRACKED : REWRITE_REASON_NOTHING;
  if (body->changed) w->result->action = REWRITE_TRACKED;
  return true;
}

static bool edit_bodies(struct work *w, GError **error)
{
  for (guint i = 0; i < w->bodies->len; i++)
    if (!seal_links(w, &g_array_index(w->bodies, struct body, i), error)) return false;
  guint last = 0; /* of HTML, counted from 1 */
  for (guint i = 0; i < w->bodies->len; i++)
    if (!g_array_index(w->bodies, struct body, i).plain) last = i + 1;
  if (last == 0) w->result->pixel = REWRITE_REASON_NO_HTML;
  for (guint i = 0; i < w->bodies->len; i++)
    if (!edit_body(w, &g_array_index(w->bodies, struct body, i), i + 1 == last, error)) return false;
  return mail_edits_seal(w->result->edits, w->request->length, error);
}

/* ---- the header ---- */

/* List-Unsubscribe and List-Unsubscribe-Post (RFC 8058), where the list asks for
 * them and one recipient can be told from the others. */
static bool add_unsubscribe(struct work *w, struct mail_range section, GError **error)
{
  const struct rewrite_request *request = w->request;
  if (!request->list || !request->unsubscribe || request->recipients != 1 || !request->recipient) return true;
  if (mail_header_count(request->message, section, "List-Unsubscribe") > 0 ||
      mail_header_count(request->message, section, "List-Unsubscribe-Post") > 0)
    return true;
  g_autofree char *destination = g_strdup_printf("%s\n%s", request->list, request->recipient);
  struct token token = {
      .kind = TOKEN_UNSUBSCRIBE,
      .tenant = request->tenant,
      .mail = request->mail,
      .destination = destination,
      .destination_length = strlen(destination),
  };
  enum rewrite_reason reason;
  g_autofree char *url = seal(w, &token, "/u/", &reason, error);
  if (!url) return !*error;
  if (strlen(url) > MAX_UNSUBSCRIBE_LINE) return true;
  g_autofree char *value = g_strdup_printf("<%s>", url);
  add_header(w->result->headers, REWRITE_HEADER_INSERT, "List-Unsubscribe", 0, value);
  add_header(w->result->headers, REWRITE_HEADER_INSERT, "List-Unsubscribe-Post", 0,
             "List-Unsubscribe=One-Click");
  return true;
}

/* A stream's mail gets its way out also where nothing is measured, if the field
 * can break nothing. */
static bool may_add_unsubscribe(enum rewrite_reason reason)
{
  switch (reason) {
  case REWRITE_REASON_TRACKED:
  case REWRITE_REASON_NOTHING:
  case REWRITE_REASON_NO_HTML:
  case REWRITE_REASON_TRACK_NONE:
  case REWRITE_REASON_TRACK_LIST:
  case REWRITE_REASON_TRACK_REQUEST:
  case REWRITE_REASON_SIGNED:
  case REWRITE_REASON_ENCRYPTED:
  case REWRITE_REASON_PGP_INLINE:
  case REWRITE_REASON_CHARSET:
  case REWRITE_REASON_ENCODING:
  case REWRITE_REASON_CONTENT_MD5:
    return true;
  default:
    return false;
  }
}

/* ---- the order of it all ---- */

/* What may be measured: of tenant, list and message the one that allows less. */
static enum rewrite_track ceiling(const struct work *w)
{
  enum rewrite_track track = MIN(w->request->track, w->control.track);
  if (w->request->list_limited) track = MIN(track, w->request->list_track);
  bool opens = track == REWRITE_TRACK_ALL && !(w->control.denied & REWRITE_DENY_OPENS);
  unsigned kinds = REWRITE_DENY_HTML_CLICKS | (w->request->text_links ? REWRITE_DENY_TEXT_CLICKS : 0);
  bool clicks = track >= REWRITE_TRACK_CLICKS && (kinds & ~w->control.denied);
  return opens || clicks ? track : REWRITE_TRACK_NONE;
}

/* The guards, down to the bodies; TRACKED if there is something to edit. */
static enum rewrite_reason look(struct work *w, struct mail_range section, size_t body, GError **error)
{
  const struct rewrite_request *request = w->request;
  w->track = ceiling(w);
  enum rewrite_reason reason = rewrite_policy_request(request, w->track);
  if (reason == REWRITE_REASON_TRACKED) reason = rewrite_policy_header(request, section);
  if (reason != REWRITE_REASON_TRACKED) return reason;
  w->tree = mail_walk(request->message, request->length, &request->limits.mail, error);
  if (!w->tree) return REWRITE_REASON_OVER_LIMIT;
  note_parts(w);
  reason = rewrite_policy_tree(w->tree);
  if (reason != REWRITE_REASON_TRACKED) return reason;
  if (w->tree->parts[0].ambiguity != MAIL_CLEAR || w->tree->parts[0].body.start != body)
    return REWRITE_REASON_AMBIGUOUS;
  if (has_pgp(w)) return REWRITE_REASON_PGP_INLINE;
  read_unsubscribe(w, section);
  reason = REWRITE_REASON_NO_HTML;
  for (size_t i = 0; i < w->tree->count; i++) {
    if (part_row(w, i)->reason == REWRITE_REASON_TRACKED && !take_body(w, i, error))
      return REWRITE_REASON_OVER_LIMIT;
    const struct rewrite_part *row = part_row(w, i);
    bool html = mail_part_is(&w->tree->parts[i], "text", "html");
    if (html && row->reason != REWRITE_REASON_TRACKED && row->reason != REWRITE_REASON_ATTACHMENT &&
        row->reason != REWRITE_REASON_EMBEDDED && row->reason != REWRITE_REASON_RELATED)
      reason = row->reason;
  }
  return w->bodies->len > 0 ? REWRITE_REASON_TRACKED : reason;
}

static void finish(struct work *w, struct mail_range section)
{
  struct rewrite_result *result = w->result;
  if (result->action == REWRITE_TRACKED) {
    result->reason = REWRITE_REASON_TRACKED;
    delete_headers(result->headers, w->request->message, section, "Content-Length");
    delete_headers(result->headers, w->request->message, section, "Lines");
  } else if (result->reason == REWRITE_REASON_TRACKED) {
    rewrite_result_leave(result, REWRITE_REASON_NOTHING);
  }
}

static enum rewrite_reason reason_of(const GError *error)
{
  if (g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT)) return REWRITE_REASON_OVER_LIMIT;
  if (g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT)) return REWRITE_REASON_ENCODING;
  return REWRITE_REASON_FAILED;
}

static void run(struct work *w)
{
  const struct rewrite_request *request = w->request;
  struct rewrite_result *result = w->result;
  g_autoptr(GError) error = NULL;
  struct mail_range section = find_section(request->message, request->length, &result->body);
  rewrite_control_read(request->message, section, &w->control);
  rewrite_headers_strip(request->message, section, result->headers);
  result->per_recipient = request->recipients == 1;
  result->pixel = REWRITE_REASON_TRACKED;
  result->reason = look(w, section, result->body, &error);
  if (result->reason == REWRITE_REASON_TRACKED && !edit_bodies(w, &error))
    rewrite_result_leave(result, reason_of(error));
  else if (result->reason != REWRITE_REASON_TRACKED)
    rewrite_result_leave(result, result->reason);
  g_clear_error(&error);
  finish(w, section);
  if (may_add_unsubscribe(result->reason) && !add_unsubscribe(w, section, &error))
    rewrite_result_leave(result, REWRITE_REASON_FAILED);
}

static void body_clear(struct body *body)
{
  mail_decoded_clear(&body->decoded);
  rewrite_page_free(body->page);
}

struct rewrite_result *rewrite_message(const struct rewrite_request *request)
{
  struct work w = {
      .request = request,
      .result = result_new(),
      .bodies = array_new(sizeof(struct body), (GDestroyNotify)body_clear),
      .targets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)target_free),
      .urls = g_ptr_array_new(),
      .unsubscribe = g_ptr_array_new_with_free_func(g_free),
  };
  for (size_t i = 0; i < request->n_urls; i++)
    g_ptr_array_add(w.urls, (char *)request->urls[i]);
  if (request->url) g_ptr_array_add(w.urls, (char *)request->url);
  run(&w);
  rewrite_control_clear(&w.control);
  mail_tree_free(w.tree);
  g_array_unref(w.bodies);
  g_hash_table_unref(w.targets);
  g_ptr_array_unref(w.urls);
  g_ptr_array_unref(w.unsubscribe);
  return w.result;
}
