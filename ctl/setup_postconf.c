/* Running postconf, by its words and without a shell. */

#include "ctl/setup.h"

#include <string.h>

#include "base/error.h"

bool setup_postconf_find(struct setup_postconf *postconf, const char *folder, GError **error)
{
  *postconf =
      (struct setup_postconf){.program = g_find_program_in_path("postconf"), .folder = g_strdup(folder)};
  if (!postconf->program && g_file_test("/usr/sbin/postconf", G_FILE_TEST_IS_EXECUTABLE))
    postconf->program = g_strdup("/usr/sbin/postconf");
  if (postconf->program) return true;
  g_set_error_literal(error, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND,
                      "there is no postconf in PATH: is Postfix installed here?");
  return false;
}

void setup_postconf_clear(struct setup_postconf *postconf)
{
  g_free(postconf->program);
  g_free(postconf->folder);
}

/* The program, its -c, and WORDS. */
static GPtrArray *command(const struct setup_postconf *postconf, char *const *words)
{
  GPtrArray *argv = g_ptr_array_new();
  g_ptr_array_add(argv, postconf->program);
  if (postconf->folder) {
    g_ptr_array_add(argv, (void *)(uintptr_t) "-c");
    g_ptr_array_add(argv, postconf->folder);
  }
  for (; *words; words++)
    g_ptr_array_add(argv, *words);
  g_ptr_array_add(argv, NULL);
  return argv;
}

static char *run(const struct setup_postconf *postconf, char *const *words, GError **error)
{
  g_autoptr(GPtrArray) argv = command(postconf, words);
  g_autofree char *out = NULL, *errors = NULL;
  g_autoptr(GError) cause = NULL;
  int status;
  if (!g_spawn_sync(NULL, (char **)argv->pdata, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, &errors, &status,
                    &cause)) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "postconf cannot be run: %s", cause->message);
    return NULL;
  }
  g_strchomp(errors);
  if (g_spawn_check_wait_status(status, NULL)) return g_steal_pointer(&out);
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "postconf says: %s", errors);
  return NULL;
}

char *setup_postconf_read(const struct setup_postconf *postconf, GError **error, ...)
{
  g_autoptr(GPtrArray) words = g_ptr_array_new();
  va_list list;
  va_start(list, error);
  for (char *word; (word = va_arg(list, char *));)
    g_ptr_array_add(words, word);
  va_end(list);
  g_ptr_array_add(words, NULL);
  char *out = run(postconf, (char **)words->pdata, error);
  return out ? g_strchomp(out) : NULL;
}

bool setup_postconf_run(const struct setup_postconf *postconf, char **words, GError **error)
{
  g_autofree char *out = run(postconf, words, error);
  return out != NULL;
}

char *setup_postconf_line(const struct setup_postconf *postconf, char **words)
{
  g_autoptr(GPtrArray) argv = command(postconf, words);
  GString *line = g_string_new("postconf");
  for (guint i = 1; argv->pdata[i]; i++) {
    const char *word = argv->pdata[i];
    bool plain = *word && !strpbrk(word, " \t\n'\"\\$`*?[]{}()<>|&;~#!");
    g_autofree char *quoted = plain ? g_strdup(word) : g_shell_quote(word);
    g_string_append_printf(line, " %s", quoted);
  }
  return g_string_free(line, FALSE);
}
