/* Reading patterns: the events that a trigger and a wait_for mean. */

#include "flow/reader.h"

#include <string.h>

/* How many properties a `where` may compare. */
#define WHERE_MAX 20

char *flow_pattern_keys(int use)
{
  GString *keys = g_string_new(NULL);
  for (size_t i = 0; i < flow_pattern_row_count; i++)
    if (flow_pattern_rows[i].use & use)
      g_string_append_printf(keys, "%s%s", keys->len ? " " : "", flow_pattern_rows[i].key);
  return g_string_free(keys, false);
}

const struct flow_pattern_row *flow_find_pattern(const char *key, int use)
{
  for (size_t i = 0; i < flow_pattern_row_count; i++)
    if ((flow_pattern_rows[i].use & use) && strcmp(flow_pattern_rows[i].key, key) == 0)
      return &flow_pattern_rows[i];
  return NULL;
}

static json_t *read_where(struct reader *reader, const struct place *place)
{
  if (!place->value) return NULL;
  if (!json_is_object(place->value) || json_object_size(place->value) == 0 ||
      json_object_size(place->value) > WHERE_MAX) {
    reader_error(reader, place->path,
                 "'where' holds 1 to %d properties and their values; write 'where: {plan: pro}'", WHERE_MAX);
    return NULL;
  }
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)place->value, key, value)
  {
    if (!json_is_object(value) && !json_is_array(value)) continue;
    struct place at = reader_member(place, key);
    reader_error(reader, at.path,
                 "a property is compared with one value; write a text, a number, true or false");
    g_free(at.path);
  }
  return json_deep_copy(place->value);
}

/* The members of a pattern that is written as an object. */
static void read_members(struct reader *reader, const struct place *place, const struct flow_pattern_row *row,
                         struct flow_pattern *pattern)
{
  const struct {
    const char *key, *wanted, **text;
    const char *(*read)(struct reader *, const struct place *, const char *);
  } texts[] = {
      {"name", "the name of an event", &pattern->name, reader_text},
      {"list", "the name of a list", &pattern->list, reader_name},
      {"sender", "an address, or @example.com", &pattern->sender, reader_text},
      {"subject", "words of the subject", &pattern->subject, reader_text},
  };
  g_autofree char *what = g_strdup_printf("'%s'", row->key);
  reader_check_keys(reader, place, row->members, what);
  for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
    if (!reader_has_key(row->members, texts[i].key)) continue;
    struct place member = reader_member(place, texts[i].key);
    *texts[i].text = g_strdup(texts[i].read(reader, &member, texts[i].wanted));
    g_free(member.path);
  }
  if (!reader_has_key(row->members, "where")) return;
  struct place where = reader_member(place, "where");
  pattern->where = read_where(reader, &where);
  g_free(where.path);
}

/* A plain text stands for the one member that matters. */
static void read_plain(struct reader *reader, const struct place *place, const struct flow_pattern_row *row,
                       struct flow_pattern *pattern)
{
  if (strcmp(row->plain, "list") == 0)
    pattern->list = g_strdup(reader_name(reader, place, "the name of a list"));
  else
    pattern->name = g_strdup(reader_text(reader, place, "the name of an event"));
}

static bool is_any(const struct flow_pattern *p)
{
  return !p->name && !p->list && !p->sender && !p->subject && !p->where;
}

void flow_read_pattern_row(struct reader *reader, const struct place *place,
                           const struct flow_pattern_row *row, int use, struct flow_pattern *pattern)
{
  int before = reader->errors;
  pattern->kind = row->kind;
  if (json_is_object(place->value))
    read_members(reader, place, row, pattern);
  else if (*row->plain && !json_is_null(place->value))
    read_plain(reader, place, row, pattern);
  else if (!json_is_null(place->value) && *row->members)
    reader_error(reader, place->path, "'%s' needs keys below it; it may have: %s", row->key, row->members);
  else if (!json_is_null(place->value))
    reader_error(reader, place->path, "'%s' takes nothing after it; write 'wait_for: %s'", row->key,
                 row->key);
  if (reader->errors > before) return;
  if (row->kind == EVENT_CUSTOM && !pattern->name)
    reader_error(reader, place->path, "which event? Write its name, such as 'event: order-placed'");
  if (use == FLOW_TRIGGER && is_any(pattern))
    reader_error(reader, place->path, "'%s' says nothing of which; write at least one of: %s", row->key,
                 row->members);
}

const struct flow_pattern_row *flow_read_pattern(struct reader *reader, const struct place *place, int use,
                                                 const char *what, struct flow_pattern *pattern)
{
  g_autofree char *keys = flow_pattern_keys(use);
  reader_check_keys(reader, place, keys, what);
  const struct flow_pattern_row *found = NULL;
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)place->value, key, value)
  {
    const struct flow_pattern_row *row = flow_find_pattern(key, use);
    if (!row) continue;
    struct place member = reader_member(place, key);
    if (found)
      reader_error(reader, member.path, "%s names one kind of event; leave '%s' or '%s' out", what,
                   found->key, key);
    else
      flow_read_pattern_row(reader, &member, row, use, pattern);
    found = found ? found : row;
    g_free(member.path);
  }
  if (!found && json_object_size(place->value) == 0)
    reader_error(reader, place->path, "%s is empty; write one of: %s", what, keys);
  return found;
}
