/* Which events a pattern means. */

#include "flow/table.h"

#include <string.h>

#define TRIGGER FLOW_TRIGGER
#define AWAIT   FLOW_AWAIT
#define OF_SEND FLOW_OF_SEND
const struct flow_pattern_row flow_pattern_rows[] = {
#define PATTERN(kind, key, use, plain, members) {EVENT_##kind, key, use, plain, members},
#include "flow/patterns.def"
#undef PATTERN
};
#undef TRIGGER
#undef AWAIT
#undef OF_SEND
const size_t flow_pattern_row_count = G_N_ELEMENTS(flow_pattern_rows);

const struct flow_pattern_row *flow_pattern_row(enum event_kind kind)
{
  for (size_t i = 0; i < flow_pattern_row_count; i++)
    if (flow_pattern_rows[i].kind == kind) return &flow_pattern_rows[i];
  g_assert_not_reached();
}

void flow_pattern_clear(struct flow_pattern *pattern)
{
  g_free((char *)pattern->name);
  g_free((char *)pattern->list);
  g_free((char *)pattern->sender);
  g_free((char *)pattern->subject);
  json_decref((json_t *)pattern->where);
  *pattern = (struct flow_pattern){.kind = pattern->kind};
}

static bool is_equal(const char *wanted, const char *given)
{
  return !wanted || (given && strcmp(wanted, given) == 0);
}

/* "anna@example.com" is the whole address, "@example.com" its domain. */
static bool is_sender(const char *wanted, const char *given)
{
  if (!wanted) return true;
  if (!given) return false;
  const char *part = wanted[0] == '@' ? strrchr(given, '@') : given;
  return part && g_ascii_strcasecmp(wanted, part) == 0;
}

static char *fold(const char *text)
{
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  return g_utf8_casefold(valid, -1);
}

static bool is_within(const char *wanted, const char *given)
{
  if (!wanted) return true;
  if (!given) return false;
  g_autofree char *needle = fold(wanted), *hay = fold(given);
  return strstr(hay, needle) != NULL;
}

/* 5 and 5.0 are the same number, which json_equal() does not see. */
static bool is_same(const json_t *wanted, const json_t *given)
{
  if (json_is_integer(wanted) && json_is_integer(given))
    return json_integer_value(wanted) == json_integer_value(given);
  if (json_is_number(wanted) && json_is_number(given))
    return json_number_value(wanted) >= json_number_value(given) &&
           json_number_value(wanted) <= json_number_value(given);
  return json_equal(wanted, given);
}

static bool has_properties(const json_t *where, const json_t *properties)
{
  const char *key;
  json_t *wanted;
  json_object_foreach((json_t *)where, key, wanted)
  {
    const json_t *given = json_object_get(properties, key);
    if (!given || !is_same(wanted, given)) return false;
  }
  return true;
}

bool flow_event_matches(const struct flow_pattern *pattern, const struct flow_event *event)
{
  return event->kind == pattern->kind && !(event->kind == EVENT_MAIL && event->of_workflow) &&
         is_equal(pattern->name, event->name) && is_equal(pattern->list, event->list) &&
         is_sender(pattern->sender, event->sender) && is_within(pattern->subject, event->subject) &&
         has_properties(pattern->where, event->properties);
}

bool flow_wakes(const struct flow_question *question, const struct flow_event *event)
{
  bool is_open = question->pattern.kind == EVENT_OPEN && event->kind == EVENT_CLICK;
  return event->at >= question->from && (is_open || flow_event_matches(&question->pattern, event));
}
