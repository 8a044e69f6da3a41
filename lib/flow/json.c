/* A compiled workflow as words and as JSON. */

#include "flow/table.h"

#include <string.h>

static const char *target_name(const struct flow *flow, int target)
{
  return target == flow->about.steps ? "exit" : flow_step(flow, target)->name;
}

/* ---- as words ---- */

static char *describe_await(const struct flow *flow, const struct flow_step *step)
{
  const struct flow_pattern *p = &step->await;
  const char *what = p->name ? p->name : p->list;
  g_autofree char *of = step->of_send && step->of != FLOW_OF_LAST
                            ? g_strdup_printf(" of %s", flow_step(flow, step->of)->name)
                            : g_strdup("");
  return g_strdup_printf("wait for %s%s%s%s, within %s", flow_pattern_row(p->kind)->key, what ? " " : "",
                         what ? what : "", of, step->wait);
}

static char *describe(const struct flow *flow, const struct flow_step *step)
{
  switch (step->kind) {
  case FLOW_STEP_SEND:
    return g_strdup_printf("send %s", step->message);
  case FLOW_STEP_WAIT:
    return g_strdup_printf("wait %s%s%s", step->wait, step->at ? ", at " : "", step->at ? step->at : "");
  case FLOW_STEP_AT:
    return g_strdup_printf("wait until %s", step->at);
  case FLOW_STEP_WAIT_FOR:
    return describe_await(flow, step);
  case FLOW_STEP_NEXT:
    return g_strdup_printf("go to %s", target_name(flow, step->then));
  case FLOW_STEP_EXIT:
    break;
  }
  return g_strdup("exit");
}

void flow_describe(struct flow *flow)
{
  for (guint i = 0; i < flow->steps->len; i++) {
    struct flow_step *step = &g_array_index(flow->steps, struct flow_step, i);
    step->text = describe(flow, step);
  }
}

/* ---- as JSON ---- */

/* Sets KEY to TEXT, unless that is NULL. */
static void put(json_t *object, const char *key, const char *text)
{
  if (text) json_object_set_new(object, key, json_string(text));
}

/* {"click": null}, or {"event": {"name": …}}. */
static json_t *pattern_to_json(const struct flow_pattern *pattern)
{
  json_t *members = json_object();
  put(members, "name", pattern->name);
  put(members, "list", pattern->list);
  put(members, "sender", pattern->sender);
  put(members, "subject", pattern->subject);
  if (pattern->where) json_object_set_new(members, "where", json_deep_copy(pattern->where));
  if (json_object_size(members) == 0) {
    json_decref(members);
    members = json_null();
  }
  return json_pack("{s:o}", flow_pattern_row(pattern->kind)->key, members);
}

static void put_await(const struct flow *flow, const struct flow_step *step, json_t *object)
{
  json_object_set_new(object, "wait_for", pattern_to_json(&step->await));
  if (step->of_send && step->of != FLOW_OF_LAST) put(object, "of", flow_step(flow, step->of)->name);
  put(object, "within", step->wait);
  put(object, "then", target_name(flow, step->then));
  put(object, "otherwise", target_name(flow, step->otherwise));
}

static json_t *step_to_json(const struct flow *flow, int index)
{
  const struct flow_step *step = flow_step(flow, index);
  json_t *object = json_object();
  put(object, "name", step->name);
  put(object, "send", step->message);
  if (step->kind == FLOW_STEP_WAIT_FOR)
    put_await(flow, step, object);
  else
    put(object, "wait", step->wait);
  put(object, "at", step->at);
  if (step->kind == FLOW_STEP_EXIT)
    json_object_set_new(object, "exit", json_null());
  else if (step->kind == FLOW_STEP_NEXT || (step->kind != FLOW_STEP_WAIT_FOR && step->then != index + 1))
    put(object, "next", target_name(flow, step->then));
  return object;
}

json_t *flow_to_json(const struct flow *flow)
{
  json_t *root = json_object();
  put(root, "workflow", flow->about.name);
  put(root, "title", flow->about.title);
  put(root, "zone", flow->about.zone);
  json_object_set_new(root, "trigger", pattern_to_json(&flow->trigger));
  put(root, "list", flow->about.list);
  put(root, "from", flow->about.from);
  json_t *steps = json_array();
  for (int i = 0; i < flow->about.steps; i++)
    json_array_append_new(steps, step_to_json(flow, i));
  json_object_set_new(root, "steps", steps);
  return root;
}
