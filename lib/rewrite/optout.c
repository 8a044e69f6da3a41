/* The opt-out fields of other services. A field is looked up among the few names
 * first; only then is its value copied. All of it is linear in the value, and a
 * value that is longer than any of them needs to be is one without a meaning. */

#include "rewrite/optout.h"

#include <string.h>

#include <glib.h>
#include <jansson.h>

enum { MAX_VALUE = 64 * 1024 };

enum kind { SAYS, KEEPS, SETTING };

static const struct rule {
  enum kind kind;
  const char *field, *word, *name;
  unsigned effect;
} rules[] = {
#define SAYS(field, value, denied)           {SAYS, field, value, NULL, REWRITE_DENY_##denied},
#define KEEPS(field, word, kept)             {KEEPS, field, word, NULL, REWRITE_DENY_##kept},
#define SETTING(field, filter, name, denied) {SETTING, field, filter, name, REWRITE_DENY_##denied},
#include "rewrite/optout.def"
#undef SAYS
#undef KEEPS
#undef SETTING
};

/* The rules of one field stand together; N of them. */
static const struct rule *find_rules(const char *bytes, const struct mail_field *field, size_t *n)
{
  const char *name = bytes + field->name.start;
  if (field->name.end - field->name.start < 3 || (*name != 'X' && *name != 'x') || name[1] != '-')
    return NULL;
  for (size_t i = 0; i < G_N_ELEMENTS(rules); i += *n) {
    *n = 1;
    while (i + *n < G_N_ELEMENTS(rules) && strcmp(rules[i].field, rules[i + *n].field) == 0)
      ++*n;
    if (mail_field_is(bytes, field, rules[i].field)) return &rules[i];
  }
  return NULL;
}

/* All that the field of RULES is about. */
static unsigned whole(const struct rule *rules_of, size_t n)
{
  unsigned all = 0;
  for (size_t i = 0; i < n; i++)
    all |= rules_of[i].effect;
  return all;
}

static unsigned read_word(const struct rule *rules_of, size_t n, const char *value)
{
  for (size_t i = 0; i < n; i++)
    if (g_ascii_strcasecmp(rules_of[i].word, value) == 0) return rules_of[i].effect;
  return whole(rules_of, n);
}

static unsigned read_list(const struct rule *rules_of, size_t n, const char *value)
{
  unsigned kept = 0;
  g_auto(GStrv) words = g_strsplit_set(value, ", ", -1);
  for (char **word = words; *word; word++)
    for (size_t i = 0; i < n; i++)
      if (g_ascii_strcasecmp(rules_of[i].word, *word) == 0) kept |= rules_of[i].effect;
  return whole(rules_of, n) & ~kept;
}

/* 1, "1", true; a setting that is not there changes nothing. */
static bool is_on(const json_t *value)
{
  if (!value || json_is_true(value)) return true;
  if (json_is_integer(value)) return json_integer_value(value) != 0;
  const char *text = json_string_value(value);
  return text && (strcmp(text, "1") == 0 || g_ascii_strcasecmp(text, "true") == 0);
}

static unsigned read_settings(const struct rule *rules_of, size_t n, const char *value)
{
  json_t *root = json_loads(value, JSON_REJECT_DUPLICATES, NULL);
  if (!json_is_object(root)) {
    json_decref(root);
    return whole(rules_of, n);
  }
  unsigned denied = 0;
  const json_t *filters = json_object_get(root, "filters");
  for (size_t i = 0; i < n; i++) {
    const json_t *filter = json_object_get(filters, rules_of[i].word);
    if (!is_on(json_object_get(json_object_get(filter, "settings"), rules_of[i].name)))
      denied |= rules_of[i].effect;
  }
  json_decref(root);
  return denied;
}

/* Without line ends; a fold's white space stays. */
static char *unfolded(const char *bytes, struct mail_range range)
{
  GString *text = g_string_sized_new(range.end - range.start);
  for (size_t i = range.start; i < range.end; i++)
    if (bytes[i] != '\r' && bytes[i] != '\n') g_string_append_c(text, bytes[i] == '\t' ? ' ' : bytes[i]);
  return g_strstrip(g_string_free(text, FALSE));
}

unsigned rewrite_optout_read(const char *bytes, const struct mail_field *field)
{
  size_t n = 0;
  const struct rule *rules_of = find_rules(bytes, field, &n);
  if (!rules_of) return REWRITE_DENY_NOTHING;
  if (field->value.end - field->value.start > MAX_VALUE) return whole(rules_of, n);
  g_autofree char *value = unfolded(bytes, field->value);
  switch (rules_of->kind) {
  case SAYS:
    return read_word(rules_of, n, value);
  case KEEPS:
    return read_list(rules_of, n, value);
  case SETTING:
    break;
  }
  return read_settings(rules_of, n, value);
}
