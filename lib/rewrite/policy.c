/* Who is left alone: the guards, from the cheapest to the dearest. */

#include "rewrite/policy.h"

#include <string.h>

#include "mail/content.h"
#include "mail/header.h"

static char *field_text(const char *bytes, const struct mail_field *field)
{
  char *text = g_strndup(bytes + field->value.start, field->value.end - field->value.start);
  return g_strstrip(text);
}

enum rewrite_reason rewrite_policy_request(const struct rewrite_request *request, enum rewrite_track track)
{
  if (!request->trusted) return REWRITE_REASON_NOT_OURS;
  if (request->tenant == 0) return REWRITE_REASON_NO_TENANT;
  if (!request->keys || !request->url || request->url[0] == '\0') return REWRITE_REASON_NO_KEY;
  if (!request->sender || request->sender[0] == '\0') return REWRITE_REASON_NULL_SENDER;
  if (request->length > request->limits.size) return REWRITE_REASON_TOO_LARGE;
  if (request->track == REWRITE_TRACK_NONE) return REWRITE_REASON_TRACK_NONE;
  if (request->track == REWRITE_TRACK_AGGREGATE) return REWRITE_REASON_TRACK_AGGREGATE;
  if (request->list_limited && request->list_track == REWRITE_TRACK_NONE) return REWRITE_REASON_TRACK_LIST;
  if (request->list_limited && request->list_track == REWRITE_TRACK_AGGREGATE)
    return REWRITE_REASON_TRACK_AGGREGATE;
  if (track == REWRITE_TRACK_NONE) return REWRITE_REASON_TRACK_REQUEST;
  return REWRITE_REASON_TRACKED;
}

static bool has_other_value(const char *bytes, const struct mail_field *field, const char *harmless)
{
  g_autofree char *text = field_text(bytes, field);
  size_t n = strcspn(text, "; \t\r\n(");
  return !(n == strlen(harmless) && g_ascii_strncasecmp(text, harmless, n) == 0);
}

/* What one field says. A list's own newsletters carry List-Id too; List-Post is
 * of a list to which people write. */
static enum rewrite_reason judge_field(const char *bytes, const struct mail_field *field)
{
  static const struct {
    const char *name;
    const char *harmless; /* value that means nothing; NULL: none */
    enum rewrite_reason reason;
  } fields[] = {
      {"Auto-Submitted", "no", REWRITE_REASON_AUTOMATIC},
      {"X-Autoreply", "no", REWRITE_REASON_AUTOMATIC},
      {"X-Autorespond", NULL, REWRITE_REASON_AUTOMATIC},
      {"List-Post", "NO", REWRITE_REASON_MAILING_LIST},
      {"X-Mailman-Version", NULL, REWRITE_REASON_MAILING_LIST},
      {"Resent-From", NULL, REWRITE_REASON_RESENT},
      {"Resent-Message-ID", NULL, REWRITE_REASON_RESENT},
      {"DKIM-Signature", NULL, REWRITE_REASON_DKIM_UPSTREAM},
      {"ARC-Seal", NULL, REWRITE_REASON_ARC_UPSTREAM},
      {"ARC-Message-Signature", NULL, REWRITE_REASON_ARC_UPSTREAM},
      {"Autocrypt", NULL, REWRITE_REASON_AUTOCRYPT},
      {"Autocrypt-Setup-Message", NULL, REWRITE_REASON_AUTOCRYPT},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
    if (mail_field_is(bytes, field, fields[i].name) &&
        (!fields[i].harmless || has_other_value(bytes, field, fields[i].harmless)))
      return fields[i].reason;
  if (mail_field_is(bytes, field, "Precedence") && !has_other_value(bytes, field, "auto_reply"))
    return REWRITE_REASON_AUTOMATIC;
  return REWRITE_REASON_TRACKED;
}

enum rewrite_reason rewrite_policy_header(const struct rewrite_request *request, struct mail_range section)
{
  struct mail_header_iter iter;
  struct mail_field field;
  mail_header_init(&iter, request->message, section);
  while (mail_header_next(&iter, &field)) {
    enum rewrite_reason reason = judge_field(request->message, &field);
    if (reason == REWRITE_REASON_AUTOMATIC && request->own) continue;
    if (reason != REWRITE_REASON_TRACKED) return reason;
  }
  return REWRITE_REASON_TRACKED;
}

static enum rewrite_reason judge_type(const struct mail_part *part)
{
  static const struct {
    const char *type, *subtype;
    enum rewrite_reason reason;
  } types[] = {
      {"multipart", "signed", REWRITE_REASON_SIGNED},
      {"application", "pkcs7-mime", REWRITE_REASON_SIGNED},
      {"application", "x-pkcs7-mime", REWRITE_REASON_SIGNED},
      {"application", "pkcs7-signature", REWRITE_REASON_SIGNED},
      {"application", "x-pkcs7-signature", REWRITE_REASON_SIGNED},
      {"application", "pgp-signature", REWRITE_REASON_SIGNED},
      {"multipart", "encrypted", REWRITE_REASON_ENCRYPTED},
      {"application", "pgp-encrypted", REWRITE_REASON_ENCRYPTED},
      {"multipart", "report", REWRITE_REASON_REPORT},
      {"message", "delivery-status", REWRITE_REASON_REPORT},
      {"message", "disposition-notification", REWRITE_REASON_REPORT},
      {"message", "feedback-report", REWRITE_REASON_REPORT},
      {"text", "calendar", REWRITE_REASON_CALENDAR},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
    if (mail_part_is(part, types[i].type, types[i].subtype)) return types[i].reason;
  return REWRITE_REASON_TRACKED;
}

enum rewrite_reason rewrite_policy_tree(const struct mail_tree *tree)
{
  for (size_t i = 0; i < tree->count; i++) {
    if (tree->parts[i].embedded) continue;
    enum rewrite_reason reason = judge_type(&tree->parts[i]);
    if (reason != REWRITE_REASON_TRACKED) return reason;
  }
  return REWRITE_REASON_TRACKED;
}

/* Charsets in which a byte below 0x80 need not be its ASCII character. */
static bool is_ascii_compatible(const char *charset)
{
  static const char *const others[] = {
      "utf-16",     "utf16",      "utf-32",    "utf32",      "ucs-",      "ucs2",    "ucs4",
      "iso-10646-", "csucs",      "utf-7",     "utf7",       "x-unicode", "unicode", "csunicode",
      "iso-2022",   "iso2022",    "csiso2022", "x-iso-2022", "hz",        "johab",   "scsu",
      "bocu",       "utf-ebcdic", "ebcdic",    "cp037",      "ibm037",    "cp500",   "ibm500",
      "cp1047",     "ibm1047",    "cp1140",    "ibm1140",    "utf-1",     NULL};
  for (const char *const *other = others; *other; other++) {
    if (!g_str_has_prefix(charset, *other)) continue;
    /* "utf-1" alone is one; "utf-16" has its own row. */
    if (strcmp(*other, "utf-1") == 0 && charset[5] != '\0') continue;
    return false;
  }
  return true;
}

static bool is_known_multipart(const struct mail_part *part)
{
  return strcmp(part->subtype, "mixed") == 0 || strcmp(part->subtype, "alternative") == 0 ||
         strcmp(part->subtype, "related") == 0;
}

/* The parameter `start` of a multipart/related and the Content-ID of its first
 * part agree, or there is no such parameter (RFC 2387 section 3.2). */
static bool starts_with_first(const char *bytes, const struct mail_part *related,
                              const struct mail_part *first)
{
  struct mail_field field;
  if (!mail_header_find(bytes, related->header, "Content-Type", 0, &field)) return true;
  struct mail_content content;
  mail_content_type_read(bytes + field.value.start, field.value.end - field.value.start, &content);
  const struct mail_param *start = mail_content_param(&content, "start");
  bool same = !start;
  if (start && mail_header_find(bytes, first->header, "Content-ID", 0, &field)) {
    g_autofree char *id = field_text(bytes, &field);
    same = strcmp(id, start->value) == 0;
  }
  mail_content_clear(&content);
  return same;
}

/* Where the part stands: in which containers, and as what of them. */
static enum rewrite_reason judge_place(const char *bytes, const struct mail_tree *tree, size_t i)
{
  for (const struct mail_part *part = &tree->parts[i]; part->parent >= 0; part = &tree->parts[part->parent]) {
    const struct mail_part *parent = &tree->parts[part->parent];
    if (!is_known_multipart(parent)) return REWRITE_REASON_MULTIPART;
    if (strcmp(parent->subtype, "related") == 0 &&
        (part->number != 1 || !starts_with_first(bytes, parent, part)))
      return REWRITE_REASON_RELATED;
  }
  return REWRITE_REASON_TRACKED;
}

enum rewrite_reason rewrite_policy_part(const struct rewrite_request *request, const struct mail_tree *tree,
                                        size_t i)
{
  const struct mail_part *part = &tree->parts[i];
  if (part->embedded || strcmp(part->type, "message") == 0) return REWRITE_REASON_EMBEDDED;
  if (part->multipart) return REWRITE_REASON_CONTAINER;
  if (mail_part_is(part, "text", "x-amp-html")) return REWRITE_REASON_AMP;
  if (part->attachment) return REWRITE_REASON_ATTACHMENT;
  bool plain = request->text_links && mail_part_is(part, "text", "plain");
  if (!plain && !mail_part_is(part, "text", "html")) return REWRITE_REASON_NOT_HTML;
  if (part->filename) return REWRITE_REASON_ATTACHMENT;
  if (part->ambiguity != MAIL_CLEAR) return REWRITE_REASON_AMBIGUOUS;
  enum rewrite_reason place = judge_place(request->message, tree, i);
  if (place != REWRITE_REASON_TRACKED) return place;
  if (!is_ascii_compatible(part->charset)) return REWRITE_REASON_CHARSET;
  if (part->encoding == MAIL_ENCODING_UNKNOWN) return REWRITE_REASON_ENCODING;
  if (plain && part->delsp) return REWRITE_REASON_DELSP;
  if (mail_header_count(request->message, part->header, "Content-MD5") > 0) return REWRITE_REASON_CONTENT_MD5;
  return REWRITE_REASON_TRACKED;
}
