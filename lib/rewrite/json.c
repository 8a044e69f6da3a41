/* A result as JSON, for explain and for tests. */

#include "rewrite/rewrite.h"

static const char *action_name(enum rewrite_action action)
{
  return action == REWRITE_TRACKED ? "tracked" : "left";
}

static json_t *parts_json(const GArray *parts)
{
  json_t *list = json_array();
  for (guint i = 0; i < parts->len; i++) {
    const struct rewrite_part *part = &g_array_index(parts, struct rewrite_part, i);
    g_autofree char *type = g_utf8_make_valid(part->type, -1);
    json_t *row =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "path", part->path, "type", type, "encoding", part->encoding,
                  "action", action_name(part->action), "reason", rewrite_reason_code(part->reason));
    if (part->detail) json_object_set_new(row, "detail", json_string(part->detail));
    json_array_append_new(list, row);
  }
  return list;
}

static json_t *links_json(const struct rewrite_result *result)
{
  json_t *list = json_array();
  for (guint i = 0; i < result->links->len; i++) {
    const struct rewrite_link *link = &g_array_index(result->links, struct rewrite_link, i);
    const struct rewrite_part *part = &g_array_index(result->parts, struct rewrite_part, link->part);
    json_t *row =
        json_pack("{s:s, s:I, s:s, s:s, s:s, s:s?, s:i}", "part", part->path, "offset",
                  (json_int_t)link->offset, "url", link->url, "action", action_name(link->action), "reason",
                  rewrite_reason_code(link->reason), "tracked_url", link->tracked, "n", (int)link->number);
    if (link->destination) json_object_set_new(row, "destination", json_string(link->destination));
    json_array_append_new(list, row);
  }
  return list;
}

static json_t *headers_json(const GArray *headers)
{
  static const char *const ops[] = {"insert", "replace", "delete"};
  json_t *list = json_array();
  for (guint i = 0; i < headers->len; i++) {
    const struct rewrite_header *header = &g_array_index(headers, struct rewrite_header, i);
    g_autofree char *name = g_utf8_make_valid(header->name, -1);
    json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:s?}", "op", ops[header->op], "name", name,
                                          "index", (int)header->index, "value", header->value));
  }
  return list;
}

json_t *rewrite_result_json(const struct rewrite_result *result)
{
  json_t *message = json_pack(
      "{s:s, s:s, s:s, s:s, s:s}", "action", action_name(result->action), "reason",
      rewrite_reason_code(result->reason), "sentence", rewrite_reason_sentence(result->reason), "per",
      result->per_recipient ? "recipient" : "message", "pixel", rewrite_reason_code(result->pixel));
  return json_pack("{s:o, s:o, s:o, s:o}", "message", message, "parts", parts_json(result->parts), "links",
                   links_json(result), "headers", headers_json(result->headers));
}
