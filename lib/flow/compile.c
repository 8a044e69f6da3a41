/* From the document to the workflow.
 *
 * read_document() goes once over the document: the head, the trigger, the steps. A step may name one
 * that stands below, so names are only noted, and resolved when all steps are known. Every
 * problem is told and reading goes on; what is made is given out only if there was none. */

#include "flow/flow.h"

#include <string.h>

#include "base/error.h"
#include "doc/doc.h"
#include "flow/reader.h"

struct compiler {
  struct reader reader;
  struct flow *flow;
};

/* ---- the head ---- */

/* The owned text of member KEY of ROOT, or NULL. */
static char *read_head_text(struct compiler *c, const struct place *root, const char *key, const char *wanted)
{
  struct place place = reader_member(root, key);
  char *text = g_strdup(reader_text(&c->reader, &place, wanted));
  g_free(place.path);
  return text;
}

/* A name, so that it can stand in a header field. */
static char *read_list(struct compiler *c, const struct place *root)
{
  struct place place = reader_member(root, "list");
  char *list = g_strdup(reader_name(&c->reader, &place, "the name of a list"));
  g_free(place.path);
  return list;
}

static char *read_workflow_name(struct compiler *c, const struct place *root)
{
  struct place place = reader_member(root, "workflow");
  if (!place.value)
    reader_error(&c->reader, root->path, "the workflow has no name; write 'workflow: welcome'");
  char *name = g_strdup(reader_name(&c->reader, &place, "the workflow's name"));
  g_free(place.path);
  return name;
}

/* Whether there is such a zone is not for us to know: only that it could be a name of one. */
static char *read_zone(struct compiler *c, const struct place *root)
{
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+-";
  g_autofree char *zone = read_head_text(c, root, "zone", "a place such as Europe/Oslo");
  if (!zone || (zone[0] != '/' && zone[strspn(zone, letters)] == '\0')) return g_steal_pointer(&zone);
  struct place place = reader_member(root, "zone");
  reader_error(&c->reader, place.path, "'%s' is no time zone; write a place such as Europe/Oslo", zone);
  g_free(place.path);
  return NULL;
}

static char *read_from(struct compiler *c, const struct place *root)
{
  static const char wanted[] = "an address such as Anna <anna@example.com>";
  g_autofree char *from = read_head_text(c, root, "from", wanted);
  if (!from || strchr(from, '@')) return g_steal_pointer(&from);
  struct place place = reader_member(root, "from");
  reader_error(&c->reader, place.path, "'%s' is no address; write %s", from,
               wanted + strlen("an address such as "));
  g_free(place.path);
  return NULL;
}

static void read_trigger(struct compiler *c, const struct place *root)
{
  struct place place = reader_member(root, "trigger");
  if (!place.value)
    reader_error(
        &c->reader, root->path,
        "nothing starts the workflow; write 'trigger:' and below it 'subscribed: news', or mail or event");
  else if (!json_is_object(place.value))
    reader_error(
        &c->reader, place.path,
        "'trigger' needs a kind of event below it; write 'subscribed: news', 'event: order-placed' or "
        "'mail: {list: orders}'");
  else
    flow_read_pattern(&c->reader, &place, FLOW_TRIGGER, "a trigger", &c->flow->trigger);
  g_free(place.path);
}

/* ---- the whole ---- */

static void fill_about(struct flow *flow)
{
  if (!flow->list && flow->trigger.kind == EVENT_SUBSCRIBED) flow->list = g_strdup(flow->trigger.list);
  flow->about = (struct flow_about){
      .name = flow->name,
      .title = flow->title ? flow->title : flow->name,
      .zone = flow->zone,
      .list = flow->list,
      .from = flow->from,
      .steps = (int)flow->steps->len,
  };
}

static void read_document(struct compiler *c, const json_t *value)
{
  struct place root = {value, (char *)""};
  if (!json_is_object(value)) {
    reader_error(&c->reader, "", "a workflow begins with 'workflow: NAME'; this file holds no keys");
    return;
  }
  reader_check_keys(&c->reader, &root, FLOW_HEAD_KEYS, "a workflow");
  c->flow->name = read_workflow_name(c, &root);
  c->flow->title = read_head_text(c, &root, "title", "a title for people");
  c->flow->zone = read_zone(c, &root);
  read_trigger(c, &root);
  c->flow->list = read_list(c, &root);
  c->flow->from = read_from(c, &root);
  flow_read_steps(&c->reader, &root, c->flow);
  fill_about(c->flow);
}

static void clear_step(void *data)
{
  struct flow_step *step = data;
  g_free(step->name);
  g_free(step->text);
  g_free(step->message);
  g_free(step->wait);
  g_free(step->at);
  flow_pattern_clear(&step->await);
}

static void report(void *user, bool is_error, int line, const char *text)
{
  reader_problem(user, is_error, line, text);
}

static struct flow *compile(const struct doc *document, const json_t *root, const char *file,
                            GPtrArray *problems, GError **error)
{
  g_autoptr(flow_auto) flow = g_new0(struct flow, 1);
  flow->steps = g_array_new(false, true, sizeof(struct flow_step));
  g_array_set_clear_func(flow->steps, clear_step);
  struct compiler c = {.reader = {.doc = document, .file = file, .problems = problems}, .flow = flow};
  read_document(&c, root);
  if (c.reader.errors == 0) flow_check(flow, report, &c.reader);
  if (c.reader.errors == 0) {
    flow_describe(flow);
    return g_steal_pointer(&flow);
  }
  g_set_error_literal(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, c.reader.first);
  g_free(c.reader.first);
  return NULL;
}

struct flow *flow_compile(const struct doc *document, GPtrArray *problems, GError **error)
{
  return compile(document, doc_root(document), doc_name(document), problems, error);
}

struct flow *flow_compile_json(const json_t *root, const char *name, GPtrArray *problems, GError **error)
{
  return compile(NULL, root, name, problems, error);
}

void flow_free(struct flow *flow)
{
  if (!flow) return;
  g_array_free(flow->steps, true);
  flow_pattern_clear(&flow->trigger);
  g_free(flow->name);
  g_free(flow->title);
  g_free(flow->zone);
  g_free(flow->list);
  g_free(flow->from);
  g_free(flow);
}

const struct flow_about *flow_about(const struct flow *flow)
{
  return &flow->about;
}

const struct flow_pattern *flow_trigger(const struct flow *flow)
{
  return &flow->trigger;
}

const char *flow_step_name(const struct flow *flow, int step)
{
  return flow_step(flow, step)->name;
}

const char *flow_step_message(const struct flow *flow, int step)
{
  return flow_step(flow, step)->message;
}

const char *flow_step_text(const struct flow *flow, int step)
{
  return flow_step(flow, step)->text;
}

int flow_step_find(const struct flow *flow, const char *name)
{
  for (guint i = 0; i < flow->steps->len; i++)
    if (strcmp(flow_step(flow, (int)i)->name, name) == 0) return (int)i;
  return -1;
}
