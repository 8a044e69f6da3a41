/* Shows what lib/mail reads, as JSON, for scripts to compare.
 *
 *   mail-dump FILE...             one line each: the tree of the message
 *   mail-dump --values KIND <in   a JSON array of header values, each read as
 *                                 address, content, date, ids or text */

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "mail/address.h"
#include "mail/content.h"
#include "mail/date.h"
#include "mail/encoding.h"
#include "mail/text.h"
#include "mail/walk.h"

static json_t *base64(const char *bytes, size_t length)
{
  g_autofree char *code = g_base64_encode((const guchar *)bytes, length);
  return json_string(code);
}

static json_t *dump_part(const char *bytes, const struct mail_tree *tree, size_t i)
{
  const struct mail_part *part = &tree->parts[i];
  struct mail_decoded decoded;
  g_autofree char *path = mail_part_path(tree, i), *charset = g_utf8_make_valid(part->charset, -1);
  size_t length = part->body.end - part->body.start;
  json_t *object = json_pack("{ss si ss ss ss ss sb sb sb sb ss sI sI sI sI}", "path", path, "parent",
                             part->parent, "type", part->type, "subtype", part->subtype, "charset", charset,
                             "encoding", mail_encoding_name(part->encoding), "embedded", part->embedded,
                             "attachment", part->attachment, "typed", part->typed, "multipart",
                             part->multipart, "ambiguity", mail_ambiguity_word(part->ambiguity), "header",
                             (json_int_t)part->header.start, "header_end", (json_int_t)part->header.end,
                             "body", (json_int_t)part->body.start, "body_end", (json_int_t)part->body.end);
  if (!mail_decode(part->encoding, bytes + part->body.start, length, SIZE_MAX, &decoded, NULL)) return object;
  json_object_set_new(object, "decoded", base64(decoded.bytes, decoded.length));
  json_object_set_new(object, "broken", json_boolean(decoded.facts & MAIL_DECODE_LEAVE));
  mail_decoded_clear(&decoded);
  return object;
}

static json_t *dump_tree(const char *bytes, size_t length)
{
  struct mail_limits limits = MAIL_LIMITS_DEFAULT;
  g_autoptr(mail_tree) tree = mail_walk(bytes, length, &limits, NULL);
  json_t *parts = json_array();
  for (size_t i = 0; tree && i < tree->count; i++)
    json_array_append_new(parts, dump_part(bytes, tree, i));
  return parts;
}

static json_t *read_address(const char *value, size_t length)
{
  json_t *array = json_array();
  GPtrArray *list = mail_addresses_read(value, length, 1000);
  for (guint i = 0; i < list->len; i++) {
    const struct mail_address *a = list->pdata[i];
    json_array_append_new(array,
                          json_pack("{ss ss ss}", "name", a->name, "address", a->address, "group", a->group));
  }
  g_ptr_array_unref(list);
  return array;
}

static json_t *read_ids(const char *value, size_t length)
{
  json_t *array = json_array();
  GPtrArray *ids = mail_ids_read(value, length, 1000);
  for (guint i = 0; i < ids->len; i++)
    json_array_append_new(array, json_string(ids->pdata[i]));
  g_ptr_array_unref(ids);
  return array;
}

static json_t *read_content(const char *value, size_t length)
{
  struct mail_content content;
  json_t *params = json_object();
  mail_content_type_read(value, length, &content);
  for (guint i = 0; i < content.params->len; i++) {
    const struct mail_param *param = content.params->pdata[i];
    g_autofree char *text = g_utf8_make_valid(param->value, (gssize)param->length);
    json_object_set_new(params, param->name, json_string(text));
  }
  json_t *object = json_pack("{ss ss so si}", "type", content.type, "subtype", content.subtype, "params",
                             params, "faults", (int)content.faults);
  mail_content_clear(&content);
  return object;
}

static json_t *read_date(const char *value, size_t length)
{
  int64_t instant;
  int offset;
  if (!mail_date_read(value, length, &instant, &offset)) return json_null();
  return json_pack("[Ii]", (json_int_t)(instant / 1000000), offset);
}

static json_t *read_text(const char *value, size_t length)
{
  g_autofree char *text = mail_text_decode(value, length);
  return json_string(text);
}

static int dump_values(const char *kind)
{
  static const struct {
    const char *kind;
    json_t *(*read)(const char *value, size_t length);
  } kinds[] = {
      {"address", read_address}, {"ids", read_ids},   {"content", read_content},
      {"date", read_date},       {"text", read_text},
  };
  json_error_t error;
  json_t *values = json_loadf(stdin, 0, &error), *result = json_array(), *value;
  size_t i;
  for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++)
    if (strcmp(kind, kinds[k].kind) == 0)
      json_array_foreach(values, i, value)
          json_array_append_new(result, kinds[k].read(json_string_value(value), json_string_length(value)));
  bool all = json_array_size(result) == json_array_size(values);
  json_dumpf(result, stdout, JSON_COMPACT);
  json_decref(values);
  json_decref(result);
  return all ? 0 : 1;
}

int main(int argc, char **argv)
{
  if (argc == 3 && strcmp(argv[1], "--values") == 0) return dump_values(argv[2]);
  for (int i = 1; i < argc; i++) {
    g_autofree char *bytes = NULL;
    size_t length;
    if (!g_file_get_contents(argv[i], &bytes, &length, NULL)) return 1;
    json_t *parts = dump_tree(bytes, length);
    json_dumpf(parts, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(parts);
  }
  return 0;
}
