/* Message files: read once into templates, rendered into messages.
 *
 * read_header() and read_body() make the templates; render goes through the parts of a
 * message in the order they are written. The body is rendered first, since the text part
 * is made from it. */

#include "message/message.h"

#include <string.h>

#include "base/error.h"
#include "liquid/liquid.h"
#include "mail/content.h"
#include "mail/header.h"
#include "mail/line.h"
#include "mail/qp.h"
#include "message/context.h"
#include "message/field.h"
#include "message/text.h"
#include "tz/civil.h"

/* "=_" never stands in quoted-printable, so no part can hold it. */
#define BOUNDARY "=_tidings_"

enum field_kind { FIELD_OWN, FIELD_ONCE, FIELD_ADDRESS, FIELD_TYPE, FIELD_OURS };

struct field {
  char *name; /* as the file spells it */
  enum field_kind kind;
  struct liquid *template;
  int line;
};

struct message {
  char *name;
  GPtrArray *fields; /* struct field */
  bool has_from, is_html;
  struct liquid *body;
};

/* A file while it is read. */
struct reader {
  const char *bytes;
  const char *name;
  struct message *message;
  GError **error;
};

static bool fault(const struct reader *reader, int line, const char *format, ...) G_GNUC_PRINTF(3, 4);
static bool fault(const struct reader *reader, int line, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error(reader->error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "%s:%d: %s", reader->name, line, text);
  return false;
}

static int line_of(const struct reader *reader, size_t offset)
{
  int line = 1;
  for (size_t i = 0; i < offset; i++)
    line += reader->bytes[i] == '\n';
  return line;
}

/* ---- header ---- */

static const struct rule {
  const char *name;
  enum field_kind kind;
  const char *why;
} rules[] = {
#define FIELD(name, kind, why) {name, FIELD_##kind, why},
#include "message/fields.def"
#undef FIELD
};

static const struct rule *find_rule(const char *name)
{
  for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
    if (g_ascii_strcasecmp(rules[i].name, name) == 0) return &rules[i];
  return NULL;
}

static void field_free(void *data)
{
  struct field *field = data;
  g_free(field->name);
  liquid_free(field->template);
  g_free(field);
}

static const struct field *find_field(const struct message *message, const char *name)
{
  for (guint i = 0; i < message->fields->len; i++) {
    const struct field *field = message->fields->pdata[i];
    if (g_ascii_strcasecmp(field->name, name) == 0) return field;
  }
  return NULL;
}

/* text/plain or text/html, in UTF-8. */
static bool read_type(struct reader *reader, const struct field *field, const char *value, size_t length)
{
  struct mail_content type;
  mail_content_type_read(value, length, &type);
  const struct mail_param *charset = mail_content_param(&type, "charset");
  bool is_text = strcmp(type.type, "text") == 0 && !(type.faults & (MAIL_CONTENT_BAD | MAIL_CONTENT_JUNK));
  bool is_html = is_text && strcmp(type.subtype, "html") == 0;
  bool is_good = is_html || (is_text && strcmp(type.subtype, "plain") == 0);
  bool is_utf8 = !charset || g_ascii_strcasecmp(charset->value, "utf-8") == 0 ||
                 g_ascii_strcasecmp(charset->value, "us-ascii") == 0;
  mail_content_clear(&type);
  reader->message->is_html = is_html;
  if (!is_good)
    return fault(reader, field->line, "the body is text/plain or text/html; write 'Content-Type: text/html'");
  if (!is_utf8)
    return fault(reader, field->line, "a message file is UTF-8; save it so and leave 'charset' out");
  return true;
}

/* A template for a field's value, folds and all. */
static bool read_value(struct reader *reader, struct field *field, struct mail_range value)
{
  field->template = liquid_parse(reader->bytes + value.start, value.end - value.start, reader->name,
                                 field->line, reader->error);
  if (!field->template) return false;
  liquid_escape *escape = field->kind == FIELD_ADDRESS ? message_escape_mailbox : message_escape_header;
  for (size_t i = 0; i < liquid_outputs(field->template); i++)
    liquid_set_escape(field->template, i, escape);
  return true;
}

static bool read_field(struct reader *reader, const struct mail_field *raw, struct field *field)
{
  const struct rule *rule = find_rule(field->name);
  field->kind = rule ? rule->kind : FIELD_OWN;
  if (field->kind == FIELD_OURS)
    return fault(reader, field->line, "leave '%s' out of the file: %s", rule->name, rule->why);
  if (field->kind != FIELD_OWN && find_field(reader->message, field->name))
    return fault(reader, field->line, "'%s' is here for the second time; leave one out", rule->name);
  if (field->kind == FIELD_TYPE)
    return read_type(reader, field, reader->bytes + raw->value.start, raw->value.end - raw->value.start);
  if (g_ascii_strcasecmp(field->name, "From") == 0) reader->message->has_from = true;
  return read_value(reader, field, raw->value);
}

static bool read_header(struct reader *reader, struct mail_range section)
{
  struct mail_header_iter iter;
  struct mail_field raw;
  mail_header_init(&iter, reader->bytes, section);
  while (mail_header_next(&iter, &raw)) {
    int line = line_of(reader, raw.whole.start);
    if (raw.faults)
      return fault(reader, line,
                   "this is no header field; write 'Subject: …', and an empty line before the body");
    size_t length = raw.name.end - raw.name.start;
    if (length > 76) return fault(reader, line, "the name of this field is too long");
    if (reader->message->fields->len == MESSAGE_FIELDS_MAX)
      return fault(reader, line, "more than %d header fields", MESSAGE_FIELDS_MAX);
    struct field *field = g_new0(struct field, 1);
    field->name = g_strndup(reader->bytes + raw.name.start, length);
    field->line = line;
    if (!read_field(reader, &raw, field)) {
      field_free(field);
      return false;
    }
    g_ptr_array_add(reader->message->fields, field);
  }
  if (find_field(reader->message, "Subject")) return true;
  return fault(reader, 1, "the message has no subject; write 'Subject: …' at the top");
}

/* ---- the whole file ---- */

/* The header section from START on, and where the body begins. */
static struct mail_range header_section(const char *bytes, size_t start, size_t length, size_t *body)
{
  for (size_t at = start; at < length;) {
    size_t next = mail_line_next(bytes, at, length);
    if (mail_line_text_end(bytes, at, next) == at) {
      *body = next;
      return (struct mail_range){start, at};
    }
    at = next;
  }
  *body = length;
  return (struct mail_range){start, length};
}

static bool is_blank_text(const char *text, size_t length)
{
  for (size_t i = 0; i < length; i++)
    if (!g_ascii_isspace(text[i])) return false;
  return true;
}

static bool read_body(struct reader *reader, size_t start, size_t length)
{
  int line = line_of(reader, start);
  if (is_blank_text(reader->bytes + start, length - start))
    return fault(reader, line, "the message has no body; write it below an empty line");
  reader->message->body =
      liquid_parse(reader->bytes + start, length - start, reader->name, line, reader->error);
  if (!reader->message->body) return false;
  return !reader->message->is_html ||
         message_set_contexts(reader->message->body, reader->name, reader->error);
}

/* What must hold of the bytes before anything is read. */
static bool check_bytes(const struct reader *reader, size_t length)
{
  const char *wrong;
  if (length > MESSAGE_FILE_MAX) {
    g_set_error(reader->error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "%s: larger than %d bytes", reader->name,
                MESSAGE_FILE_MAX);
    return false;
  }
  if (!g_utf8_validate_len(reader->bytes, length, &wrong))
    return fault(reader, line_of(reader, (size_t)(wrong - reader->bytes)),
                 "not UTF-8; save the file in that encoding");
  for (size_t i = 0; i < length; i++) {
    char c = reader->bytes[i];
    bool is_bare = c == '\r' && (i + 1 == length || reader->bytes[i + 1] != '\n');
    if (is_bare || (c >= 0 && c < 0x20 && !strchr("\t\r\n", c)) || c == 0x7f)
      return fault(reader, line_of(reader, i), "a control character (byte %d); take it out", c);
  }
  return true;
}

struct message *message_compile(const uint8_t *bytes, size_t length, const char *name, GError **error)
{
  g_autoptr(message_auto) message = g_new0(struct message, 1);
  message->name = g_strdup(name);
  message->fields = g_ptr_array_new_with_free_func(field_free);
  struct reader reader = {(const char *)bytes, name, message, error};
  if (!check_bytes(&reader, length)) return NULL;
  size_t start = length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0, body;
  struct mail_range section = header_section(reader.bytes, start, length, &body);
  if (!read_header(&reader, section) || !read_body(&reader, body, length)) return NULL;
  return g_steal_pointer(&message);
}

void message_free(struct message *message)
{
  if (!message) return;
  g_ptr_array_free(message->fields, true);
  liquid_free(message->body);
  g_free(message->name);
  g_free(message);
}

bool message_has_from(const struct message *message)
{
  return message->has_from;
}

bool message_uses(const struct message *message, const char *path)
{
  for (guint i = 0; i < message->fields->len; i++) {
    const struct field *field = message->fields->pdata[i];
    if (field->template && liquid_uses(field->template, path)) return true;
  }
  return liquid_uses(message->body, path);
}

/* ---- rendering: header ---- */

/* One send, while it is rendered. */
struct rendering {
  const struct message *message;
  const struct message_facts *facts;
  json_t *data; /* with what is added to the facts' */
  GString *out;
  GError **error;
};

static bool missing(const struct rendering *r, const char *what)
{
  g_set_error(r->error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "%s: %s", r->message->name, what);
  return false;
}

/* A date of RFC 5322 section 3.3, in UTC. */
static void put_date(GString *out, int64_t date)
{
  static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
  static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  struct tz_civil c = tz_local(tz_zone_utc(), date);
  int weekday = tz_weekday(tz_days_from_civil(c.year, c.month, c.day));
  g_string_append_printf(out, "Date: %s, %d %s %04d %02d:%02d:%02d +0000\r\n", days[weekday - 1], c.day,
                         months[c.month - 1], c.year, c.hour, c.minute, c.second);
}

/* The field's value for this contact. Caller frees; NULL with an error. */
static char *render_value(const struct rendering *r, const struct field *field)
{
  g_autoptr(GString) value = g_string_new(NULL);
  if (!liquid_render(field->template, r->data, MESSAGE_OUTPUT_MAX, value, r->error)) return NULL;
  return g_string_free(g_steal_pointer(&value), false);
}

static bool put_mailboxes(const struct rendering *r, const char *name, const char *value)
{
  g_autoptr(GPtrArray) addresses = message_addresses_read(value, r->error);
  if (!addresses) {
    g_prefix_error(r->error, "%s: %s: ", r->message->name, name);
    return false;
  }
  message_put_addresses(r->out, name, addresses);
  return true;
}

static bool put_field(const struct rendering *r, const struct field *field)
{
  if (!field->template) return true;
  g_autofree char *value = render_value(r, field);
  if (!value) return false;
  if (field->kind == FIELD_ADDRESS) return put_mailboxes(r, field->name, value);
  g_autofree char *text = message_clean(value);
  message_put_text(r->out, field->name, text);
  return true;
}

static bool put_to(const struct rendering *r)
{
  struct message_address to = {.name = r->facts->to_name ? message_clean(r->facts->to_name) : NULL};
  to.address = r->facts->to ? message_address_read(r->facts->to, r->error) : NULL;
  bool is_good = to.address || (!r->facts->to && missing(r, "the contact has no address"));
  if (is_good) {
    g_autoptr(GPtrArray) one = g_ptr_array_new();
    if (to.name && !*to.name) g_clear_pointer(&to.name, g_free);
    g_ptr_array_add(one, &to);
    message_put_addresses(r->out, "To", one);
  }
  g_free(to.name);
  g_free(to.address);
  return is_good;
}

/* NAME: VALUE, or "<VALUE>" with BRACKETS, if there is a value. */
static bool put_given(const struct rendering *r, const char *name, const char *value, bool brackets)
{
  if (!value) return true;
  if (!message_is_raw(value)) {
    g_set_error(r->error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "%s: %s cannot hold this value",
                r->message->name, name);
    return false;
  }
  g_autofree char *full = brackets ? g_strdup_printf("<%s>", value) : g_strdup(value);
  message_put_raw(r->out, name, full);
  return true;
}

static bool put_from(const struct rendering *r)
{
  if (r->message->has_from) return true; /* among the fields */
  if (!r->facts->from) return missing(r, "no From: neither the message nor the workflow has one");
  return put_mailboxes(r, "From", r->facts->from);
}

static void put_list(const struct rendering *r)
{
  if (!r->facts->list) return;
  g_autofree char *list = message_clean(r->facts->list);
  message_put_text(r->out, "X-Tidings-List", list);
}

static bool put_header(const struct rendering *r)
{
  const struct message_facts *facts = r->facts;
  if (!facts->message_id) return missing(r, "no Message-ID is given");
  put_date(r->out, facts->date);
  if (!put_from(r)) return false;
  for (guint i = 0; i < r->message->fields->len; i++)
    if (!put_field(r, r->message->fields->pdata[i])) return false;
  if (!put_to(r) || !put_given(r, "Message-ID", facts->message_id, false)) return false;
  g_string_append(r->out, "Auto-Submitted: auto-generated\r\n");
  put_list(r);
  return put_given(r, "List-Id", facts->list_id, true) && put_given(r, "X-Tidings-Send", facts->send, false);
}

/* ---- rendering: body ---- */

/* TEXT with CR LF for every line end, and one at the end. */
static GString *with_crlf(const char *text)
{
  GString *crlf = g_string_new(NULL);
  for (const char *p = text; *p; p++) {
    if (*p != '\r' && *p != '\n') {
      g_string_append_c(crlf, *p);
      continue;
    }
    if (p[0] == '\r' && p[1] == '\n') p++;
    g_string_append(crlf, "\r\n");
  }
  if (crlf->len && crlf->str[crlf->len - 1] != '\n') g_string_append(crlf, "\r\n");
  return crlf;
}

static void put_leaf(GString *out, const char *subtype, const char *text)
{
  g_autoptr(GString) crlf = with_crlf(text);
  g_string_append_printf(out, "Content-Type: text/%s; charset=utf-8\r\n", subtype);
  g_string_append(out, "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
  mail_qp_encode(crlf->str, crlf->len, "\r\n", out);
}

static bool put_body(const struct rendering *r)
{
  g_autoptr(GString) body = g_string_new(NULL);
  if (!liquid_render(r->message->body, r->data, MESSAGE_OUTPUT_MAX, body, r->error)) {
    g_prefix_error(r->error, "%s: ", r->message->name);
    return false;
  }
  g_string_append(r->out, "MIME-Version: 1.0\r\n");
  if (!r->message->is_html) {
    put_leaf(r->out, "plain", body->str);
    return true;
  }
  g_autoptr(GString) text = g_string_new(NULL);
  message_text_from_html(body->str, body->len, text);
  g_string_append(r->out,
                  "Content-Type: multipart/alternative; boundary=\"" BOUNDARY "\"\r\n\r\n--" BOUNDARY "\r\n");
  put_leaf(r->out, "plain", text->str);
  g_string_append(r->out, "\r\n--" BOUNDARY "\r\n");
  put_leaf(r->out, "html", body->str);
  g_string_append(r->out, "\r\n--" BOUNDARY "--\r\n");
  return true;
}

/* The facts' data, and what belongs to the send. */
static json_t *data_of(const struct message_facts *facts)
{
  json_t *data = json_is_object(facts->data) ? json_copy((json_t *)facts->data) : json_object();
  if (facts->unsubscribe_url)
    json_object_set_new(data, "unsubscribe_url", json_string(facts->unsubscribe_url));
  return data;
}

bool message_render(const struct message *message, const struct message_facts *facts, GByteArray *out,
                    GError **error)
{
  json_auto_t *data = data_of(facts);
  g_autoptr(GString) text = g_string_new(NULL);
  struct rendering rendering = {message, facts, data, text, error};
  if (!facts->unsubscribe_url && message_uses(message, "unsubscribe_url"))
    return missing(&rendering, "unsubscribe_url is not known; a workflow needs a 'list' for it");
  if (!put_header(&rendering) || !put_body(&rendering)) return false;
  if (text->len > MESSAGE_OUTPUT_MAX) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "%s: the message would be over %d bytes",
                message->name, MESSAGE_OUTPUT_MAX);
    return false;
  }
  g_byte_array_append(out, (const uint8_t *)text->str, (guint)text->len);
  return true;
}
