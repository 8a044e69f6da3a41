/* Reading steps. A step may name one that stands below, so names are only noted, and
 * resolved when all steps are known. */

#include "flow/reader.h"

#include <string.h>

/* The word that a target may be instead of a step: the way ends. */
#define TARGET_EXIT "exit"

/* A name that a step gives for another. */
struct target {
  int step;
  enum { TARGET_THEN, TARGET_OTHERWISE, TARGET_OF } which;
  char *name, *path;
};

/* One item of steps, while it is read. */
struct item {
  struct reader *reader;
  struct flow *flow;
  GArray *targets; /* struct target */
  struct place place;
  int index;
  struct flow_step *step;
};

static void note_target(const struct item *item, const char *key, int which)
{
  struct place place = reader_member(&item->place, key);
  const char *name = reader_name(item->reader, &place, "the name of a step");
  if (!name) {
    g_free(place.path);
    return;
  }
  struct target target = {.step = item->index, .which = which, .name = g_strdup(name), .path = place.path};
  g_array_append_val(item->targets, target);
}

/* A relative path inside the workflow's folder. */
static bool is_inside(const char *path)
{
  g_auto(GStrv) parts = g_strsplit(path, "/", -1);
  for (char **part = parts; *part; part++)
    if (**part == '\0' || strcmp(*part, ".") == 0 || strcmp(*part, "..") == 0) return false;
  return !strchr(path, '\\');
}

static void read_send(const struct item *item)
{
  struct reader *reader = item->reader;
  struct place place = reader_member(&item->place, "send");
  const char *message = reader_text(reader, &place, "the name of a message file, such as hello.eml");
  if (message && !is_inside(message))
    reader_error(reader, place.path,
                 "'%s' is not a file beside the workflow; write a name without '..' and without a first '/'",
                 message);
  item->step->message = g_strdup(message);
  g_free(place.path);
  note_target(item, "next", TARGET_THEN);
}

/* A duration under KEY; MISSING is the sentence if it is not there, or NULL. */
static char *read_duration(const struct item *item, const char *key, const char *missing)
{
  struct reader *reader = item->reader;
  struct place place = reader_member(&item->place, key);
  g_autoptr(GError) error = NULL;
  struct tz_duration *wait = &item->step->plan.wait;
  const char *text = reader_text(reader, &place, "a time such as 2 days, 4 hours or 90 min");
  if (!place.value && missing) reader_error(reader, item->place.path, "%s", missing);
  if (text && !tz_text_to_duration(text, wait, &error))
    reader_error(reader, place.path, "%s", error->message);
  else if (text && wait->days == 0 && wait->micros == 0)
    reader_error(reader, place.path, "'%s' is no time at all; write at least 1 min, or leave the step out",
                 text);
  g_free(place.path);
  return g_strdup(text);
}

static char *read_at(const struct item *item)
{
  struct reader *reader = item->reader;
  struct place place = reader_member(&item->place, "at");
  g_autoptr(GError) error = NULL;
  const char *text = reader_text(reader, &place, "a time of day such as \"09:00\"");
  if (text && !tz_text_to_minute(text, &item->step->plan.at, &error))
    reader_error(reader, place.path, "%s", error->message);
  g_free(place.path);
  return g_strdup(text);
}

static void read_wait(const struct item *item)
{
  item->step->wait = read_duration(item, "wait", NULL);
  item->step->at = read_at(item);
  note_target(item, "next", TARGET_THEN);
}

/* "click", "event order-placed", or {event: {name: …}}. */
static const struct flow_pattern_row *read_await(const struct item *item)
{
  struct reader *reader = item->reader;
  struct place place = reader_member(&item->place, "wait_for");
  struct flow_pattern *await = &item->step->await;
  const struct flow_pattern_row *row = NULL;
  if (json_is_object(place.value)) {
    row = flow_read_pattern(reader, &place, FLOW_AWAIT, "'wait_for'", await);
    g_free(place.path);
    return row;
  }
  const char *text = reader_text(reader, &place, "click, open or 'event order-placed'");
  g_auto(GStrv) words = g_strsplit(text ? text : "", " ", 2);
  row = text ? flow_find_pattern(words[0], FLOW_AWAIT) : NULL;
  if (row) {
    json_auto_t *plain = words[1] ? json_string(words[1]) : json_null();
    struct place value = {plain, place.path};
    flow_read_pattern_row(reader, &value, row, FLOW_AWAIT, await);
  } else if (text) {
    g_autofree char *keys = flow_pattern_keys(FLOW_AWAIT);
    g_autofree char *nearest = reader_nearest(keys, words[0]);
    reader_error(reader, place.path, "nothing is called '%s' that could be waited for; write %s%s", words[0],
                 nearest ? "" : "one of: ", nearest ? nearest : keys);
  }
  g_free(place.path);
  return row;
}

static void read_wait_for(const struct item *item)
{
  struct flow_step *step = item->step;
  const struct flow_pattern_row *row = read_await(item);
  step->of = FLOW_OF_LAST;
  step->of_send = row && (row->use & FLOW_OF_SEND);
  step->wait = read_duration(item, "within", "how long is it waited for? Write 'within: 3 days'");
  struct place of = reader_member(&item->place, "of");
  if (of.value && row && !step->of_send)
    reader_error(item->reader, of.path,
                 "'of' names the send whose open or click is meant; leave it out with '%s'", row->key);
  else
    note_target(item, "of", TARGET_OF);
  g_free(of.path);
  note_target(item, "then", TARGET_THEN);
  note_target(item, "otherwise", TARGET_OTHERWISE);
}

static void read_exit(const struct item *item)
{
  struct place place = reader_member(&item->place, "exit");
  if (!json_is_null(place.value))
    reader_error(item->reader, place.path, "'exit' takes nothing; write '- exit'");
  g_free(place.path);
}

static void read_next(const struct item *item)
{
  note_target(item, "next", TARGET_THEN);
}

/* The rows of steps.def. */
static const struct step_row {
  const char *key;
  void (*read)(const struct item *item);
  const char *keys;
} step_rows[] = {
#define STEP(symbol, key, function, keys) [FLOW_STEP_##symbol] = {key, read_##function, keys},
#include "flow/steps.def"
#undef STEP
};

static char *step_keys(void)
{
  GString *keys = g_string_new("name");
  for (size_t i = 0; i < G_N_ELEMENTS(step_rows); i++) {
    g_auto(GStrv) all = g_strsplit(step_rows[i].keys, " ", -1);
    for (char **key = all; *key; key++)
      if (!reader_has_key(keys->str, *key)) g_string_append_printf(keys, " %s", *key);
  }
  return g_string_free(keys, false);
}

static char *step_verbs(void)
{
  GString *verbs = g_string_new(NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(step_rows); i++)
    g_string_append_printf(verbs, "%s%s", i ? " " : "", step_rows[i].key);
  return g_string_free(verbs, false);
}

/* An item that starts nothing we know: a wrong key is told as such, with the nearest. */
static void tell_no_step(const struct item *item)
{
  struct reader *reader = item->reader;
  g_autofree char *keys = step_keys(), *verbs = step_verbs();
  int before = reader->errors;
  reader_check_keys(reader, &item->place, keys, "a step");
  if (reader->errors == before)
    reader_error(reader, item->place.path, "this step does nothing; write one of: %s", verbs);
}

static const struct step_row *find_step_row(const struct item *item)
{
  for (size_t i = 0; i < G_N_ELEMENTS(step_rows); i++)
    if (json_object_get(item->place.value, step_rows[i].key)) return &step_rows[i];
  return NULL;
}

/* The keys that a step of this kind may not have; one that would be a step of its own is
 * told as such. */
static void check_step_keys(const struct item *item, const struct step_row *row)
{
  g_autofree char *what = g_strdup_printf("a step with '%s'", row->key);
  json_auto_t *rest = json_copy((json_t *)item->place.value);
  for (const struct step_row *other = row + 1; other < step_rows + G_N_ELEMENTS(step_rows); other++) {
    if (reader_has_key(row->keys, other->key) || !json_object_get(rest, other->key)) continue;
    struct place at = reader_member(&item->place, other->key);
    reader_error(item->reader, at.path, "a step does one thing; begin a new step '- %s: …' for this",
                 other->key);
    json_object_del(rest, other->key);
    g_free(at.path);
  }
  struct place place = {rest, item->place.path};
  reader_check_keys(item->reader, &place, row->keys, what);
}

static void read_step_name(const struct item *item)
{
  struct reader *reader = item->reader;
  struct place place = reader_member(&item->place, "name");
  const char *name = reader_name(reader, &place, "the step's name");
  item->step->name = name ? g_strdup(name) : g_strdup_printf("step-%d", item->index + 1);
  if (name && strcmp(name, TARGET_EXIT) == 0)
    reader_error(reader, place.path, "no step can be called 'exit', which ends the way; write another name");
  int same = flow_step_find(item->flow, item->step->name);
  if (same >= 0)
    reader_error(reader, place.path, "step %d is already called '%s'; write another name", same + 1,
                 item->step->name);
  g_free(place.path);
}

static char *all_step_names(const struct flow *flow)
{
  GString *names = g_string_new(TARGET_EXIT);
  for (guint i = 0; i < flow->steps->len; i++)
    g_string_append_printf(names, " %s", flow_step(flow, (int)i)->name);
  return g_string_free(names, false);
}

static void resolve(struct reader *reader, struct flow *flow, const struct target *target)
{
  struct flow_step *step = &g_array_index(flow->steps, struct flow_step, target->step);
  bool is_exit = target->which != TARGET_OF && strcmp(target->name, TARGET_EXIT) == 0;
  int index = is_exit ? (int)flow->steps->len : flow_step_find(flow, target->name);
  if (index < 0) {
    g_autofree char *names = all_step_names(flow);
    g_autofree char *nearest = reader_nearest(names, target->name);
    reader_error(reader, target->path, "no step is called '%s'; write %s", target->name,
                 nearest ? nearest : "the name of a step, or exit");
  } else if (target->which == TARGET_OF && flow_step(flow, index)->kind != FLOW_STEP_SEND) {
    reader_error(reader, target->path, "step '%s' sends nothing; write the name of a step with 'send'",
                 target->name);
  } else {
    int *slots[] = {
        [TARGET_THEN] = &step->then, [TARGET_OTHERWISE] = &step->otherwise, [TARGET_OF] = &step->of};
    *slots[target->which] = index;
  }
}

static void clear_target(void *data)
{
  struct target *target = data;
  g_free(target->name);
  g_free(target->path);
}

static void read_item(struct item *item, const struct place *place, int index)
{
  struct flow_step step = {
      .line = reader_line(item->reader, place->path),
      .then = index + 1,
      .otherwise = index + 1,
      .plan = TZ_PLAN_INIT,
  };
  item->place = *place;
  item->index = index;
  item->step = &step;
  json_auto_t *bare = NULL;
  if (json_is_string(place->value) && strcmp(json_string_value(place->value), "exit") == 0)
    item->place.value = bare = json_pack("{s:n}", "exit");
  read_step_name(item);
  const struct step_row *row = json_is_object(item->place.value) ? find_step_row(item) : NULL;
  if (row) {
    step.kind = (enum flow_step_kind)(row - step_rows);
    check_step_keys(item, row);
    row->read(item);
  } else if (json_is_object(item->place.value)) {
    tell_no_step(item);
  } else {
    reader_error(item->reader, place->path,
                 "a step is 'exit' or a key and its value; write '- send: hello.eml'");
  }
  g_array_append_val(item->flow->steps, step);
}

/* The list of steps at PLACE, which is there. */
static void read_list(struct reader *reader, const struct place *place, struct flow *flow)
{
  g_autoptr(GArray) targets = g_array_new(false, true, sizeof(struct target));
  g_array_set_clear_func(targets, clear_target);
  struct item item = {.reader = reader, .flow = flow, .targets = targets};
  for (size_t i = 0; i < json_array_size(place->value); i++) {
    struct place at = reader_item(place, i);
    read_item(&item, &at, (int)i);
    g_free(at.path);
  }
  for (guint i = 0; i < targets->len; i++)
    resolve(reader, flow, &g_array_index(targets, struct target, i));
}

void flow_read_steps(struct reader *reader, const struct place *root, struct flow *flow)
{
  struct place place = reader_member(root, "steps");
  size_t count = json_array_size(place.value);
  if (!place.value)
    reader_error(reader, root->path,
                 "the workflow has no steps; write 'steps:' and below it '- send: hello.eml'");
  else if (count == 0)
    reader_error(reader, place.path, "'steps' needs a list; write '- send: hello.eml' below it");
  else if (count > FLOW_STEPS_MAX)
    reader_error(reader, place.path,
                 "%zu steps are too many; write at most %d, and another workflow for the rest", count,
                 FLOW_STEPS_MAX);
  else
    read_list(reader, &place, flow);
  g_free(place.path);
}
