/* Options and arguments, on GOption. Every sub-command takes the options that all
 * have, behind its name as well as before it. */

#include "ctl/usage.h"

#include <stdio.h>
#include <string.h>

static GOptionContext *new_context(struct app *app, const char *arguments, const GOptionEntry *options,
                                   bool all)
{
  const GOptionEntry common[] = {
      {"json", 0, 0, G_OPTION_ARG_NONE, &app->json, "Print JSON, one object a line", NULL},
      {"config", 'c', 0, G_OPTION_ARG_FILENAME, &app->file, "Read FILE instead of " CONF_FILE, "FILE"},
      {"clock", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, &app->clock_file,
       "Follow the clock file FILE (for tests)", "FILE"},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  const GOptionEntry top[] = {
      {"version", 'V', 0, G_OPTION_ARG_NONE, &app->version, "Print the version and end", NULL},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  GOptionContext *context = g_option_context_new(arguments);
  if (options) g_option_context_add_main_entries(context, options, NULL);
  g_option_context_add_main_entries(context, common, NULL);
  if (all) g_option_context_add_main_entries(context, top, NULL);
  return context;
}

static bool check_count(const struct usage *usage, char **words, GError **error)
{
  int n = (int)g_strv_length(words);
  if (n < usage->min)
    return usage_error(error, "%s takes %s: see tidings %s --help", usage->name, usage->arguments,
                       usage->name);
  if (usage->max >= 0 && n > usage->max)
    return usage_error(error, "%s: '%s' is one word too many: see tidings %s --help", usage->name,
                       words[usage->max], usage->name);
  return true;
}

/* GOption takes words out of the array that it reads, so it gets one of its own. */
static bool parse(GOptionContext *context, char **words, GError **error)
{
  g_autofree char **copy = g_memdup2(words, (g_strv_length(words) + 1) * sizeof *words);
  int argc = (int)g_strv_length(words);
  char **argv = copy;
  return g_option_context_parse(context, &argc, &argv, error);
}

char **usage_read(struct app *app, const struct usage *usage, const GOptionEntry *options, int argc,
                  char **argv, GError **error)
{
  (void)argc;
  const GOptionEntry rest[] = {
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &app->words, NULL, usage->arguments},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  g_autofree char *program = g_strconcat("tidings ", usage->name, NULL);
  g_autofree char *page = g_strndup(usage->name, strcspn(usage->name, " "));
  g_autofree char *end = g_strdup_printf("Example:\n  %s\n\nSee tidings-%s(1).", usage->example, page);
  g_set_prgname(program);
  g_autoptr(GOptionContext) context = new_context(app, NULL, options, false);
  g_option_context_add_main_entries(context, rest, NULL);
  g_option_context_set_summary(context, usage->summary);
  g_option_context_set_description(context, end);
  if (!parse(context, argv, error)) {
    g_prefix_error(error, "%s: ", usage->name);
    return NULL;
  }
  if (!app->words) app->words = g_new0(char *, 1);
  return check_count(usage, app->words, error) ? app->words : NULL;
}

/* The words before the sub-command: GOption would also take those behind it, so it is
 * given no more than the options that stand in front. */
bool usage_global(struct app *app, int *argc, char ***argv, GError **error)
{
  static const char *const with_value[] = {"-c", "--config", "--clock"};
  int n = 1;
  while (n < *argc && (*argv)[n][0] == '-') {
    bool value = false;
    for (size_t i = 0; i < G_N_ELEMENTS(with_value); i++)
      value |= strcmp((*argv)[n], with_value[i]) == 0;
    n += value ? 2 : 1;
  }
  n = MIN(n, *argc);
  g_autofree char **front = g_new0(char *, (size_t)n + 1);
  memcpy(front, *argv, (size_t)n * sizeof *front);
  g_set_prgname("tidings");
  const GOptionEntry help[] = {
      {"help", 'h', 0, G_OPTION_ARG_NONE, &app->help, NULL, NULL},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
  };
  g_autoptr(GOptionContext) context = new_context(app, "COMMAND …", help, true);
  g_option_context_set_help_enabled(context, FALSE);
  if (!parse(context, front, error)) return false;
  *argv += n - 1;
  *argc -= n - 1;
  return true;
}

void usage_print_overview(struct app *app, const char *name, const char *body)
{
  g_set_prgname(name);
  g_autoptr(GOptionContext) context = new_context(app, "COMMAND …", NULL, true);
  g_option_context_set_summary(context, body);
  g_autofree char *text = g_option_context_get_help(context, TRUE, NULL);
  fputs(text, stdout);
}

bool usage_error(GError **error, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_propagate_error(error, g_error_new_valist(G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, format, args));
  va_end(args);
  return false;
}

bool usage_yes_no(const char *option, const char *text, bool *value, GError **error)
{
  *value = strcmp(text, "yes") == 0;
  if (*value || strcmp(text, "no") == 0) return true;
  return usage_error(error, "%s: '%s' is neither: write yes or no", option, text);
}
