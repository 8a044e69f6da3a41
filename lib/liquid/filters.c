/* The filters, by their table. */

#include "liquid/node.h"

#include <string.h>

static bool named_is_true(const struct liquid_args *args, const char *name)
{
  for (size_t i = 0; i < args->count; i++)
    if (args->names[i] && strcmp(args->names[i], name) == 0) return liquid_value_is_true(&args->values[i]);
  return false;
}

static const struct liquid_value *positional(const struct liquid_args *args)
{
  for (size_t i = 0; i < args->count; i++)
    if (!args->names[i]) return &args->values[i];
  return NULL;
}

static bool is_empty(const struct liquid_value *value)
{
  if (value->kind != LIQUID_JSON) return true;
  const json_t *json = value->json;
  return (json_is_string(json) && json_string_length(json) == 0) ||
         (json_is_array(json) && json_array_size(json) == 0) ||
         (json_is_object(json) && json_object_size(json) == 0);
}

/* What is nil, false or empty becomes the argument; false stays with `allow_false: true`. */
static struct liquid_value apply_default(struct liquid_value input, const struct liquid_args *args)
{
  bool is_false = input.kind == LIQUID_JSON && json_is_false(input.json);
  if (is_false ? named_is_true(args, "allow_false") : !is_empty(&input)) return input;
  const struct liquid_value *other = positional(args);
  liquid_value_clear(&input);
  return other ? (struct liquid_value){other->kind, json_incref(other->json)} : LIQUID_NOTHING;
}

static const struct liquid_filter filters[] = {
#define FILTER(name, function, args_max, named) {name, apply_##function, args_max, named},
#include "liquid/filters.def"
#undef FILTER
};

const struct liquid_filter *liquid_filter_find(const char *name, size_t length)
{
  for (size_t i = 0; i < G_N_ELEMENTS(filters); i++)
    if (strlen(filters[i].name) == length && memcmp(filters[i].name, name, length) == 0) return &filters[i];
  return NULL;
}

char *liquid_filter_names(void)
{
  GString *names = g_string_new(NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(filters); i++)
    g_string_append_printf(names, "%s%s", i ? ", " : "", filters[i].name);
  return g_string_free(names, false);
}
