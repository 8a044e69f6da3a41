/* What was there before a setup, kept in a folder:
 *
 *   main.cf, master.cf   copies of the whole files
 *   changes.json         what was changed, and how the files looked afterwards
 *
 * A file that still looks as we left it is put back whole, to the byte. In one that
 * somebody has changed since, each parameter is put back that is as we left it. */

#include "ctl/setup.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/error.h"

static const char *const files[2] = {"main.cf", "master.cf"};

static bool give_up(GError **error, GError *cause)
{
  g_set_error_literal(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, cause->message);
  g_error_free(cause);
  return false;
}

static char *read_file(const char *folder, const char *name, gsize *length, GError **error)
{
  g_autofree char *path = g_build_filename(folder, name, NULL);
  GError *cause = NULL;
  char *bytes;
  if (g_file_get_contents(path, &bytes, length, &cause)) return bytes;
  give_up(error, cause);
  return NULL;
}

/* Replaces a file in one step; it gets the owner and the mode of LIKE. */
static bool write_file(const char *folder, const char *name, const char *bytes, gsize length,
                       const struct stat *like, GError **error)
{
  g_autofree char *path = g_build_filename(folder, name, NULL);
  GError *cause = NULL;
  if (!g_file_set_contents_full(path, bytes, (gssize)length,
                                G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, &cause))
    return give_up(error, cause);
  if (chown(path, like->st_uid, like->st_gid) == 0 && chmod(path, like->st_mode & 07777) == 0) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: its owner and mode cannot be set", path);
  return false;
}

/* A file of Postfix as it is: postconf gives those it edits a mode of its own. */
struct original {
  char *bytes;
  gsize length;
  struct stat stat;
};

static bool read_original(const char *folder, const char *name, struct original *o, GError **error)
{
  g_autofree char *path = g_build_filename(folder, name, NULL);
  o->bytes = read_file(folder, name, &o->length, error);
  if (!o->bytes) return false;
  if (stat(path, &o->stat) == 0) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s is gone", path);
  return false;
}

static char *sum_of(const char *bytes, gsize length)
{
  return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)bytes, length);
}

/* ---- changes.json ---- */

static json_t *text_json(const char *text)
{
  return text ? json_string(text) : json_null();
}

static json_t *changes_json(const struct setup_plan *plan)
{
  json_t *list = json_array();
  for (guint i = 0; i < plan->changes->len; i++) {
    const struct setup_change *c = plan->changes->pdata[i];
    json_array_append_new(list,
                          json_pack("{s:b, s:o, s:o, s:o}", "master", c->master, "name", text_json(c->name),
                                    "before", text_json(c->before), "after", text_json(c->after)));
  }
  return list;
}

/* SUMS: of the files as they look now; NULL: not known. */
static bool write_changes(const struct setup_plan *plan, const char *kept, char *const sums[2],
                          GError **error)
{
  json_t *root = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "folder", text_json(plan->folder), "socket",
                           text_json(plan->socket), "queue", text_json(plan->queue), "changes",
                           changes_json(plan), files[0], text_json(sums[0]), files[1], text_json(sums[1]));
  char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
  json_decref(root);
  if (!text) {
    g_set_error_literal(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
                        "a value in Postfix's configuration is not UTF-8");
    return false;
  }
  const struct stat own = {.st_uid = geteuid(), .st_gid = getegid(), .st_mode = 0600};
  bool done = write_file(kept, "changes.json", text, strlen(text), &own, error);
  free(text);
  return done;
}

static char *text_at(const json_t *object, const char *key)
{
  return g_strdup(json_string_value(json_object_get(object, key)));
}

/* What KEPT says was done; SUMS as of write_changes(). */
static bool read_changes(struct setup_plan *plan, const char *kept, char *sums[2], GError **error)
{
  *plan = (struct setup_plan){.changes = g_ptr_array_new_with_free_func((GDestroyNotify)setup_change_free),
                              .warnings = g_ptr_array_new_with_free_func(g_free)};
  gsize length;
  g_autofree char *text = read_file(kept, "changes.json", &length, error);
  if (!text) return false;
  json_t *root = json_loadb(text, length, 0, NULL), *row;
  plan->folder = text_at(root, "folder");
  plan->socket = text_at(root, "socket");
  plan->queue = text_at(root, "queue");
  for (int i = 0; i < 2; i++)
    sums[i] = text_at(root, files[i]);
  size_t i;
  bool good = plan->folder && plan->socket && plan->queue;
  json_array_foreach(json_object_get(root, "changes"), i, row)
  {
    g_autofree char *name = text_at(row, "name"), *before = text_at(row, "before"),
                    *after = text_at(row, "after");
    good = good && name && after;
    if (good)
      g_ptr_array_add(plan->changes,
                      setup_change_new(json_is_true(json_object_get(row, "master")), name, before, after));
  }
  json_decref(root);
  if (!good) g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s/changes.json cannot be read", kept);
  return good;
}

static bool is_kept(const char *kept)
{
  g_autofree char *path = g_build_filename(kept, "changes.json", NULL);
  return g_file_test(path, G_FILE_TEST_EXISTS);
}

static bool check_folder(const struct setup_plan *old, const char *folder, const char *kept, GError **error)
{
  if (strcmp(old->folder, folder) == 0) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
              "%s is of the Postfix in %s, not of that in %s: undo that one first, or give each a "
              "tidings.conf of its own",
              kept, old->folder, folder);
  return false;
}

/* ---- doing ---- */

/* The changes of an earlier setup and those of PLAN; of one name, what was before the
 * earlier and what is after the later. */
static void join_changes(struct setup_plan *old, const struct setup_plan *plan)
{
  for (guint i = 0; i < plan->changes->len; i++) {
    const struct setup_change *c = plan->changes->pdata[i];
    const char *before = c->before;
    g_autofree char *earlier = NULL;
    for (guint j = 0; j < old->changes->len; j++) {
      struct setup_change *o = old->changes->pdata[j];
      if (o->master != c->master || strcmp(o->name, c->name) != 0) continue;
      before = earlier = g_strdup(o->before);
      g_ptr_array_remove_index(old->changes, j);
      break;
    }
    g_ptr_array_add(old->changes, setup_change_new(c->master, c->name, before, c->after));
  }
  g_free(old->socket);
  old->socket = g_strdup(plan->socket);
}

/* What is to be kept of PLAN. *LOST[i]: the copy of file i is of no use any more. */
static bool prepare_kept(struct setup_plan *whole, const struct setup_plan *plan, const char *kept,
                         const struct original now[2], bool lost[2], GError **error)
{
  char *sums[2] = {NULL, NULL};
  bool earlier = is_kept(kept), good = true;
  if (earlier) {
    good = read_changes(whole, kept, sums, error) && check_folder(whole, plan->folder, kept, error);
    if (good) join_changes(whole, plan);
  } else {
    *whole = (struct setup_plan){g_strdup(plan->folder), g_strdup(plan->socket), g_strdup(plan->queue),
                                 g_ptr_array_ref(plan->changes), g_ptr_array_ref(plan->warnings)};
    if (g_mkdir_with_parents(kept, 0700) < 0) {
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s cannot be made", kept);
      good = false;
    }
  }
  for (int i = 0; i < 2; i++) {
    g_autofree char *sum = sum_of(now[i].bytes, now[i].length);
    lost[i] = earlier && g_strcmp0(sum, sums[i]) != 0;
    g_free(sums[i]);
    if (!earlier) good = good && write_file(kept, files[i], now[i].bytes, now[i].length, &now[i].stat, error);
  }
  char *const unknown[2] = {NULL, NULL};
  return good && write_changes(whole, kept, unknown, error);
}

static bool run_changes(const struct setup_plan *plan, const struct setup_postconf *postconf, GError **error)
{
  g_autoptr(GPtrArray) commands = setup_change_commands(plan->changes);
  for (guint i = 0; i < commands->len; i++)
    if (!setup_postconf_run(postconf, commands->pdata[i], error)) return false;
  return true;
}

/* Notes how the files look after the changes. */
static bool seal_kept(const struct setup_plan *whole, const char *kept, const bool lost[2], GError **error)
{
  char *sums[2] = {NULL, NULL};
  bool good = true;
  for (int i = 0; i < 2 && good; i++) {
    gsize length;
    g_autofree char *bytes = read_file(whole->folder, files[i], &length, error);
    good = bytes != NULL;
    if (good && !lost[i]) sums[i] = sum_of(bytes, length);
  }
  good = good && write_changes(whole, kept, sums, error);
  g_free(sums[0]);
  g_free(sums[1]);
  return good;
}

static void forget(const char *kept)
{
  static const char *const names[] = {"changes.json", "main.cf", "master.cf"};
  for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *path = g_build_filename(kept, names[i], NULL);
    unlink(path);
  }
  rmdir(kept);
}

bool setup_apply(const struct setup_plan *plan, const struct setup_postconf *postconf, const char *kept,
                 GError **error)
{
  struct original now[2] = {0};
  bool lost[2], fresh = !is_kept(kept), good = true;
  struct setup_plan whole = {0};
  for (int i = 0; i < 2 && good; i++)
    good = read_original(plan->folder, files[i], &now[i], error);
  good = good && prepare_kept(&whole, plan, kept, now, lost, error);
  if (good && !(run_changes(plan, postconf, error) && seal_kept(&whole, kept, lost, error))) {
    for (int i = 0; i < 2; i++)
      write_file(plan->folder, files[i], now[i].bytes, now[i].length, &now[i].stat, NULL);
    good = false;
  }
  if (!good && fresh) forget(kept);
  setup_plan_clear(&whole);
  g_free(now[0].bytes);
  g_free(now[1].bytes);
  return good;
}

/* ---- undoing ---- */

static char *current_value(const struct setup_postconf *postconf, const struct setup_change *c)
{
  g_autofree char *line = setup_postconf_read(postconf, NULL, c->master ? "-P" : "-n", c->name, NULL);
  const char *equals = line ? strstr(line, " =") : NULL;
  return equals ? g_strstrip(g_strdup(equals + 2)) : NULL;
}

/* Takes us out of a list that somebody has changed since. */
static char **step_for_list(const struct setup_plan *plan, const struct setup_change *c, const char *value)
{
  g_autoptr(GPtrArray) list = setup_list_split(value);
  int at = setup_list_find(list, plan->socket, plan->queue);
  if (at < 0) return NULL;
  g_ptr_array_remove_index(list, (guint)at);
  g_autofree char *rest = setup_list_join(list, c->master);
  struct setup_change step = {c->master, c->name, c->before || list->len ? rest : NULL, NULL};
  return setup_change_words(&step, true);
}

static void plan_step(struct setup_undo *undo, const struct setup_postconf *postconf,
                      const struct setup_change *c)
{
  g_autofree char *value = current_value(postconf, c);
  if (!value) return; /* somebody took it out */
  char **words = strcmp(value, c->after) == 0            ? setup_change_words(c, true)
                 : g_str_has_suffix(c->name, "_milters") ? step_for_list(&undo->plan, c, value)
                                                         : NULL;
  if (words)
    setup_add_command(undo->steps, words);
  else
    g_ptr_array_add(undo->plan.warnings,
                    g_strdup_printf("%s was changed since: it stays %s", c->name, value));
}

bool setup_undo_read(struct setup_undo *undo, const struct setup_postconf *postconf, const char *kept,
                     GError **error)
{
  *undo = (struct setup_undo){.steps = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev)};
  if (!is_kept(kept)) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND, "there is nothing to undo: %s is not there",
                kept);
    return false;
  }
  char *sums[2] = {NULL, NULL};
  g_autofree char *folder = setup_postconf_read(postconf, error, "-h", "config_directory", NULL);
  bool good = folder && read_changes(&undo->plan, kept, sums, error) &&
              check_folder(&undo->plan, folder, kept, error);
  for (int i = 0; i < 2 && good; i++) {
    gsize length;
    g_autofree char *bytes = read_file(folder, files[i], &length, error);
    g_autofree char *sum = bytes ? sum_of(bytes, length) : NULL;
    good = bytes != NULL;
    undo->whole[i] = good && g_strcmp0(sum, sums[i]) == 0;
  }
  for (guint i = good ? undo->plan.changes->len : 0; i-- > 0;) {
    const struct setup_change *c = undo->plan.changes->pdata[i];
    if (!undo->whole[c->master]) plan_step(undo, postconf, c);
  }
  g_free(sums[0]);
  g_free(sums[1]);
  return good;
}

bool setup_undo_run(const struct setup_undo *undo, const struct setup_postconf *postconf, const char *kept,
                    GError **error)
{
  for (int i = 0; i < 2; i++) {
    struct original before = {0};
    bool good = !undo->whole[i] ||
                (read_original(kept, files[i], &before, error) &&
                 write_file(undo->plan.folder, files[i], before.bytes, before.length, &before.stat, error));
    g_free(before.bytes);
    if (!good) return false;
  }
  for (guint i = 0; i < undo->steps->len; i++)
    if (!setup_postconf_run(postconf, undo->steps->pdata[i], error)) return false;
  forget(kept);
  return true;
}

void setup_undo_clear(struct setup_undo *undo)
{
  setup_plan_clear(&undo->plan);
  if (undo->steps) g_ptr_array_unref(undo->steps);
}
