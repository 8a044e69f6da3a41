/* Values, and what they look like as text. */

#include "liquid/node.h"

#include <string.h>

/* Arrays in arrays are followed so deep; JSON from outside is capped by its reader. */
#define NESTING_MAX 64

struct liquid_value liquid_value_of(const json_t *json)
{
  if (!json || json_is_null(json)) return LIQUID_NOTHING;
  return (struct liquid_value){.kind = LIQUID_JSON, .json = json_incref((json_t *)json)};
}

void liquid_value_clear(struct liquid_value *value)
{
  json_decref(value->json);
  *value = LIQUID_NOTHING;
}

bool liquid_value_is_true(const struct liquid_value *value)
{
  return value->kind != LIQUID_NIL && !(value->kind == LIQUID_JSON && json_is_false(value->json));
}

/* The shortest decimal that reads as the same number, with a fraction: 5.0, 0.1, 1.0e+20. */
static void append_real(GString *out, double number)
{
  char text[64];
  for (int digits = 1; digits <= 17; digits++) {
    char format[8];
    g_snprintf(format, sizeof format, "%%.%dg", digits);
    g_ascii_formatd(text, sizeof text, format, number);
    double back = g_ascii_strtod(text, NULL);
    if (back >= number && back <= number) break;
  }
  size_t mantissa = strcspn(text, "e");
  g_string_append_len(out, text, (gssize)mantissa);
  if (!memchr(text, '.', mantissa)) g_string_append(out, ".0");
  g_string_append(out, text + mantissa);
}

static void append_json(GString *out, const json_t *json, int depth)
{
  if (json_is_string(json))
    g_string_append_len(out, json_string_value(json), (gssize)json_string_length(json));
  else if (json_is_integer(json))
    g_string_append_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
  else if (json_is_real(json))
    append_real(out, json_real_value(json));
  else if (json_is_boolean(json))
    g_string_append(out, json_is_true(json) ? "true" : "false");
  else if (json_is_array(json) && depth < NESTING_MAX)
    for (size_t i = 0; i < json_array_size(json); i++)
      append_json(out, json_array_get(json, i), depth + 1);
  else if (json_is_object(json)) {
    char *text = json_dumps(json, JSON_COMPACT);
    g_string_append(out, text ? text : "");
    free(text);
  }
}

void liquid_value_append(GString *out, const struct liquid_value *value)
{
  if (value->kind == LIQUID_JSON) append_json(out, value->json, 0);
}
