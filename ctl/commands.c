/* From the words of the command line to the sub-command. */

#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>

#include "config.h"
#include "ctl/nearest.h"
#include "ctl/usage.h"

static const struct command {
  const char *group, *verb, *text; /* verb "": the group is the command */
  command_fn *run;
} commands[] = {
#define COMMAND(function, group, verb, text) {group, verb, text, function},
#include "ctl/commands.def"
#undef COMMAND
};

/* --- help --- */

static char *list_commands(const char *group)
{
  GString *out = g_string_new("Commands:");
  for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
    const struct command *c = &commands[i];
    if (group && strcmp(c->group, group) != 0) continue;
    g_autofree char *name = g_strstrip(g_strdup_printf("%s %s", c->group, c->verb));
    g_string_append_printf(out, "\n  %-22s%s", name, c->text);
  }
  g_string_append_printf(out, "\n\nEach has its own --help, and a page: %s%s(1).", "tidings-",
                         group ? group : "COMMAND");
  return g_string_free(out, FALSE);
}

static void print_help(struct app *app, const char *group)
{
  g_autofree char *list = list_commands(group);
  g_autofree char *name = group ? g_strdup_printf("tidings %s", group) : g_strdup("tidings");
  usage_print_overview(app, name, list);
}

/* --- finding --- */

static bool is_help(const char *word)
{
  return word && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0);
}

static bool has_group(const char *group)
{
  for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
    if (strcmp(commands[i].group, group) == 0) return true;
  return false;
}

static bool has_verbs(const char *group)
{
  for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
    if (strcmp(commands[i].group, group) == 0) return *commands[i].verb;
  return false;
}

static command_fn *find(const char *group, const char *verb)
{
  for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
    if (strcmp(commands[i].group, group) == 0 && strcmp(commands[i].verb, verb) == 0) return commands[i].run;
  return NULL;
}

/* The names to choose from at this place: groups, or the verbs of GROUP. */
static GPtrArray *names(const char *group)
{
  GPtrArray *found = g_ptr_array_new();
  for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
    if (!group || strcmp(commands[i].group, group) == 0)
      g_ptr_array_add(found, (void *)(uintptr_t)(group ? commands[i].verb : commands[i].group));
  return found;
}

static bool unknown(const char *group, const char *word, GError **error)
{
  g_autoptr(GPtrArray) choices = names(group);
  const char *nearest = nearest_word(word, choices);
  g_autofree char *after = group ? g_strconcat(group, " ", NULL) : g_strdup("");
  if (nearest)
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
                "there is no command '%s%s': did you mean '%s%s'?", after, word, after, nearest);
  else
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
                "there is no command '%s%s': see tidings %s--help", after, word, after);
  return false;
}

static bool run_group(struct app *app, const char *group, int argc, char **argv, GError **error)
{
  if (!has_verbs(group)) return find(group, "")(app, argc, argv, error);
  if (argc > 1 && is_help(argv[1])) {
    print_help(app, group);
    return true;
  }
  if (argc < 2) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s what? See tidings %s --help", group,
                group);
    return false;
  }
  command_fn *run = find(group, argv[1]);
  return run ? run(app, argc - 1, argv + 1, error) : unknown(group, argv[1], error);
}

bool commands_run(struct app *app, int argc, char **argv, GError **error)
{
  if (!usage_global(app, &argc, &argv, error)) return false;
  if (app->help || (argc > 1 && is_help(argv[1]))) {
    print_help(app, NULL);
    return true;
  }
  if (app->version) {
    printf("tidings %s\n", PACKAGE_VERSION);
    return true;
  }
  if (argc < 2) {
    g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "which command? See tidings --help");
    return false;
  }
  if (!has_group(argv[1])) return unknown(NULL, argv[1], error);
  return run_group(app, argv[1], argc - 1, argv + 1, error);
}
