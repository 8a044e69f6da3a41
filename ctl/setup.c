/* tidings setup postfix: Postfix asks our milter, and what was there is kept. */

#include "ctl/setup.h"

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/error.h"
#include "ctl/commands.h"
#include "ctl/usage.h"

struct setting {
  struct app *app;
  gboolean undo, dry;
  char *folder; /* --config-directory */
  char *kept;
  struct setup_postconf postconf;
};

static void print_warnings(const GPtrArray *warnings)
{
  for (guint i = 0; i < warnings->len; i++)
    app_warn("%s", (const char *)warnings->pdata[i]);
}

/* LINES: what is done, or would be. */
static void print_result(const struct setting *s, const GPtrArray *lines, const GPtrArray *warnings,
                         const char *end)
{
  if (s->app->json) {
    json_t *commands = json_array(), *remarks = json_array();
    for (guint i = 0; i < lines->len; i++)
      json_array_append_new(commands, json_string(lines->pdata[i]));
    for (guint i = 0; i < warnings->len; i++)
      json_array_append_new(remarks, json_string(warnings->pdata[i]));
    json_t *row = json_pack("{s:o, s:o, s:b}", "commands", commands, "warnings", remarks, "done", !s->dry);
    app_put_json(row);
    json_decref(row);
    return;
  }
  print_warnings(warnings);
  for (guint i = 0; i < lines->len; i++)
    puts(lines->pdata[i]);
  puts(end);
}

static bool run_setup(struct setting *s, const struct conf *conf, GError **error)
{
  struct setup_plan plan;
  bool done = setup_plan_make(&plan, &s->postconf, conf, error);
  if (done) {
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) commands = setup_change_commands(plan.changes);
    for (guint i = 0; i < commands->len; i++)
      g_ptr_array_add(lines, setup_postconf_line(&s->postconf, commands->pdata[i]));
    if (!s->dry && lines->len > 0) done = setup_apply(&plan, &s->postconf, s->kept, error);
    g_autofree char *end =
        lines->len == 0 ? g_strdup("Nothing is to be changed.")
        : s->dry        ? g_strdup("Nothing was changed (--dry-run).")
                        : g_strdup_printf("Done; %s keeps what was there. Now: postfix reload", s->kept);
    if (done) print_result(s, lines, plan.warnings, end);
  }
  setup_plan_clear(&plan);
  return done;
}

static bool run_undo(struct setting *s, GError **error)
{
  static const char *const names[] = {"main.cf", "master.cf"};
  struct setup_undo undo;
  bool done = setup_undo_read(&undo, &s->postconf, s->kept, error);
  if (done) {
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
      if (undo.whole[i])
        g_ptr_array_add(lines, g_strdup_printf("cp %s/%s %s/", s->kept, names[i], undo.plan.folder));
    for (guint i = 0; i < undo.steps->len; i++)
      g_ptr_array_add(lines, setup_postconf_line(&s->postconf, undo.steps->pdata[i]));
    if (!s->dry) done = setup_undo_run(&undo, &s->postconf, s->kept, error);
    if (done)
      print_result(s, lines, undo.plan.warnings,
                   s->dry ? "Nothing was changed (--dry-run)." : "Undone. Now: postfix reload");
  }
  setup_undo_clear(&undo);
  return done;
}

static bool need_root(const struct setting *s, GError **error)
{
  if (s->dry || geteuid() == 0) return true;
  g_set_error_literal(error, TIDINGS_ERROR, TIDINGS_ERROR_DENIED,
                      "only root may change Postfix's configuration; --dry-run shows what would be done");
  return false;
}

bool setup_postfix(struct app *app, int argc, char **argv, GError **error)
{
  static const struct usage usage = {
      "setup postfix",
      "",
      0,
      0,
      "Makes Postfix ask tidings-milter about each message, before any milter that signs, and marks what "
      "comes by "
      "the submission services and sendmail(1) as our own. What was there is kept, for --undo.",
      "tidings setup postfix --dry-run"};
  struct setting s = {.app = app};
  const GOptionEntry options[] = {
      {"undo", 0, 0, G_OPTION_ARG_NONE, &s.undo, "Put back what was there", NULL},
      {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &s.dry, "Only print the commands", NULL},
      {"config-directory", 0, 0, G_OPTION_ARG_FILENAME, &s.folder, "The Postfix whose main.cf is in DIR",
       "DIR"},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  const struct conf *conf = usage_read(app, &usage, options, argc, argv, error) ? app_conf(app, error) : NULL;
  bool done = conf && need_root(&s, error);
  if (done) {
    g_autofree char *folder = g_path_get_dirname(conf->file ? conf->file : CONF_FILE);
    s.kept = g_build_filename(folder, "before-setup-postfix", NULL);
    done = setup_postconf_find(&s.postconf, s.folder, error);
    if (!done) app_fail(app, EX_UNAVAILABLE);
  }
  done = done && (s.undo ? run_undo(&s, error) : run_setup(&s, conf, error));
  setup_postconf_clear(&s.postconf);
  g_free(s.kept);
  g_free(s.folder);
  return done;
}
