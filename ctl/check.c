/* Checking workflow files without policyd: the same compilers that it uses. */

#include "ctl/check.h"

#include <string.h>

#include "base/error.h"
#include "ctl/file.h"
#include "doc/doc.h"
#include "flow/flow.h"
#include "message/message.h"

bool check_is_warning(const char *text)
{
  return g_regex_match_simple("^[^\n]*?(:[0-9]+)?: warning: ", text, 0, 0);
}

static void add_problem(struct check *check, char *text)
{
  if (!check_is_warning(text)) check->errors++;
  g_ptr_array_add(check->problems, text);
}

/* Takes what ERROR says as a problem. */
static void take_problem(struct check *check, GError **error)
{
  add_problem(check, g_strdup((*error)->message));
  g_clear_error(error);
}

/* --- messages --- */

static void check_sender(struct check *check, const struct flow *flow, const struct message *message,
                         const char *path)
{
  if (!message_has_from(message) && !flow_about(flow)->from)
    add_problem(check,
                g_strdup_printf("%s:1: there is no From: write one here, or 'from:' in the workflow", path));
  if (message_uses(message, "unsubscribe_url") && !flow_about(flow)->list)
    add_problem(check,
                g_strdup_printf("%s:1: warning: it shows unsubscribe_url, but the workflow has no list "
                                "to leave: write 'list:' there",
                                path));
}

/* The message file NAME, beside the workflow file. One that cannot be read is a problem of that step. */
static void check_message(struct app *app, const struct doc *doc, const struct flow *flow, int step,
                          struct check *check)
{
  const char *file = doc_name(doc);
  const char *name = flow_step_message(flow, step);
  if (!name || json_object_get(check->messages, name)) return;
  g_autofree char *folder = g_path_get_dirname(file);
  g_autofree char *path = strcmp(folder, ".") == 0 ? g_strdup(name) : g_build_filename(folder, name, NULL);
  g_autoptr(GError) fault = NULL;
  size_t length = 0;
  g_autofree char *bytes = file_read(app, path, MESSAGE_FILE_MAX + 1, &length, &fault);
  if (!bytes) {
    app->status = 0;
    g_autofree char *pointer = g_strdup_printf("/steps/%d/send", step);
    add_problem(check,
                g_strdup_printf("%s:%u: step %s sends %s, which stands beside this file: %s", file,
                                doc_line(doc, pointer), flow_step_name(flow, step), name, fault->message));
    return;
  }
  g_autoptr(message_auto) message = message_compile((const uint8_t *)bytes, length, path, &fault);
  if (!message) {
    take_problem(check, &fault);
    return;
  }
  check_sender(check, flow, message, path);
  json_object_set_new(check->messages, name, json_stringn(bytes, length));
}

/* --- the workflow --- */

static void check_zone(struct app *app, const struct doc *doc, const struct flow *flow, struct check *check)
{
  g_autoptr(GError) fault = NULL;
  const char *zone = flow_about(flow)->zone;
  struct zoneinfo *zones = app_zones(app, NULL);
  if (!zone || !zones || zoneinfo_get(zones, zone, &fault)) return;
  add_problem(check, g_strdup_printf("%s:%u: %s", doc_name(doc), doc_line(doc, "/zone"), fault->message));
}

static void check_flow(struct app *app, const struct doc *doc, const struct flow *flow, struct check *check)
{
  check->name = g_strdup(flow_about(flow)->name);
  check->steps = flow_about(flow)->steps;
  check_zone(app, doc, flow, check);
  for (int step = 0; step < check->steps; step++)
    check_message(app, doc, flow, step, check);
}

bool check_workflow(struct app *app, const char *file, struct check *check, GError **error)
{
  *check = (struct check){.problems = g_ptr_array_new_with_free_func(g_free), .messages = json_object()};
  size_t length;
  check->source = file_read(app, file, DOC_BYTES_MAX + 1, &length, error);
  if (!check->source) return false;
  g_autoptr(GError) fault = NULL;
  g_autoptr(doc_auto) doc = doc_parse_yaml(check->source, length, file, &fault);
  if (!doc) {
    take_problem(check, &fault);
    return true;
  }
  g_autoptr(flow_auto) flow = flow_compile(doc, check->problems, &fault);
  if (flow) check_flow(app, doc, flow, check);
  if (!flow && !check->problems->len) take_problem(check, &fault);
  check->errors = 0;
  for (unsigned i = 0; i < check->problems->len; i++)
    check->errors += !check_is_warning(check->problems->pdata[i]);
  return true;
}

void check_clear(struct check *check)
{
  if (check->problems) g_ptr_array_unref(check->problems);
  json_decref(check->messages);
  g_free(check->source);
  g_free(check->name);
}
