/* "key=value" on the command line. */

#include "ctl/pair.h"

#include <string.h>

#include "ctl/usage.h"

static bool add_json(json_t *object, const char *option, const char *key, const char *text, GError **error)
{
  json_error_t fault;
  json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &fault);
  if (value && json_object_set_new(object, key, value) == 0) return true;
  return usage_error(error, "%s %s:=%s: not JSON (%s): write a number, true, false, a \"text\", {…} or […]",
                     option, key, text, fault.text);
}

bool pair_add(json_t *object, const char *option, const char *word, GError **error)
{
  const char *equals = strchr(word, '=');
  size_t length = equals ? (size_t)(equals - word) : 0;
  bool is_json = length > 1 && word[length - 1] == ':';
  if (is_json) length--;
  if (!length) return usage_error(error, "%s '%s': write name=value, or name:=JSON", option, word);
  g_autofree char *key = g_strndup(word, length);
  if (json_object_get(object, key)) return usage_error(error, "%s %s is given twice", option, key);
  if (is_json) return add_json(object, option, key, equals + 1, error);
  if (json_object_set_new(object, key, json_string(equals + 1)) == 0) return true;
  return usage_error(error, "%s '%s' is not UTF-8", option, word);
}
