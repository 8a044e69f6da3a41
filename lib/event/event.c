/* The event model: kinds and their names. */

#include "event/event.h"

#include <string.h>

#include <glib.h>

static const struct {
  enum event_kind kind;
  const char *name;
} kinds[] = {
#define EVENT(symbol, number, name, text) {EVENT_##symbol, name},
#include "event/kinds.def"
#undef EVENT
};

const char *event_kind_name(enum event_kind kind)
{
  for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
    if (kinds[i].kind == kind) return kinds[i].name;
  return NULL;
}

bool event_kind_parse(const char *name, enum event_kind *kind)
{
  for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
    if (strcmp(kinds[i].name, name) != 0) continue;
    *kind = kinds[i].kind;
    return true;
  }
  return false;
}

void event_clear(struct event *event)
{
  g_clear_pointer(&event->data, g_free);
}
