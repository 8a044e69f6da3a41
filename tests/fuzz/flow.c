/* Any bytes as a workflow: refused with a line, or compiled; then its stored form makes the
 * same workflow, and a journey through it never goes back in time. */

#include <stdint.h>
#include <string.h>

#include "doc/doc.h"
#include "flow/flow.h"
#include "tz/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check_place(const char *text)
{
  g_assert(g_str_has_prefix(text, "w:") && g_ascii_isdigit(text[2]) && text[2] != '0');
}

static void travel(const struct flow *flow)
{
  struct flow_state state;
  struct flow_decision decision;
  int64_t now = INT64_C(1792929600000000);
  flow_start(flow, now, &state);
  for (int i = 0; i < 50 && state.step >= 0; i++) {
    int64_t since = state.since, visit = state.visit;
    flow_advance(flow, tz_zone_utc(), &flow_no_facts, now, &state, &decision);
    g_assert(state.since >= since && state.visit >= visit);
    if (decision.verb == FLOW_SEND)
      g_assert(flow_sent(flow, FLOW_SENT, decision.visit, now, &state));
    else if (decision.verb != FLOW_EXIT && decision.until == FLOW_NEVER)
      break;
    else if (decision.verb != FLOW_EXIT)
      now = MAX(now, decision.until);
  }
}

static void store(const struct flow *flow)
{
  json_auto_t *json = flow_to_json(flow);
  g_autoptr(flow_auto) again = flow_compile_json(json, "w", NULL, NULL);
  g_assert(again);
  json_auto_t *same = flow_to_json(again);
  g_assert(json_equal(json, same));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(doc_auto) document = doc_parse_yaml((const char *)bytes, length, "w", &error);
  g_autoptr(flow_auto) flow = document ? flow_compile(document, problems, &error) : NULL;
  for (guint i = 0; i < problems->len; i++)
    check_place(problems->pdata[i]);
  if (!flow) {
    check_place(error->message);
    return 0;
  }
  store(flow);
  travel(flow);
  return 0;
}
