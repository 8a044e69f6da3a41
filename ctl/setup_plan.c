/* What to change in Postfix, from what is there.
 *
 * We stand first among the milters: whoever signs must do so after us. What others
 * have set stays: if mail may pass when a milter of theirs is away, that goes on to
 * be so, and ours alone has an action of its own. */

#include "ctl/setup.h"

#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"

#define MACRO "milter_macro_daemon_name"
#define PARAMETERS                                                                                           \
  "config_directory", "queue_directory", "compatibility_level", "smtpd_milters", "non_smtpd_milters",        \
      "milter_default_action", "milter_protocol", "content_filter", "milter_mail_macros",                    \
      "milter_data_macros", "milter_end_of_header_macros", "milter_end_of_data_macros"

struct service {
  char *name, *type, *chroot, *command;
};

struct planning {
  struct setup_plan *plan;
  const struct setup_postconf *postconf;
  const struct conf *conf;
  GPtrArray *services; /* struct service * */
  GHashTable *values, *own, *overrides;
  char *element; /* ours, as it stands in a list */
};

struct setup_change *setup_change_new(bool master, const char *name, const char *before, const char *after)
{
  struct setup_change *change = g_new(struct setup_change, 1);
  *change = (struct setup_change){master, g_strdup(name), g_strdup(before), g_strdup(after)};
  return change;
}

void setup_change_free(struct setup_change *change)
{
  g_free(change->name);
  g_free(change->before);
  g_free(change->after);
  g_free(change);
}

char **setup_change_words(const struct setup_change *change, bool back)
{
  const char *value = back ? change->before : change->after;
  g_autofree char *set =
      g_strdup_printf(change->master ? "%s=%s" : "%s = %s", change->name, value ? value : "");
  const char *how = change->master ? (value ? "-P" : "-PX") : value ? "-e" : "-X";
  const char *words[] = {how, value ? set : change->name, NULL};
  return g_strdupv((char **)(uintptr_t)words);
}

void setup_add_command(GPtrArray *commands, char **words)
{
  char **last = commands->len ? commands->pdata[commands->len - 1] : NULL;
  if (!last || strcmp(last[0], words[0]) != 0) {
    g_ptr_array_add(commands, words);
    return;
  }
  guint had = g_strv_length(last), more = g_strv_length(words) - 1;
  last = g_renew(char *, last, had + more + 1);
  memcpy(last + had, words + 1, (more + 1) * sizeof *words);
  commands->pdata[commands->len - 1] = last;
  g_free(words[0]);
  g_free(words);
}

GPtrArray *setup_change_commands(const GPtrArray *changes)
{
  GPtrArray *commands = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
  for (guint i = 0; i < changes->len; i++)
    setup_add_command(commands, setup_change_words(changes->pdata[i], false));
  return commands;
}

void setup_plan_clear(struct setup_plan *plan)
{
  g_free(plan->folder);
  g_free(plan->socket);
  g_free(plan->queue);
  if (plan->changes) g_ptr_array_unref(plan->changes);
  if (plan->warnings) g_ptr_array_unref(plan->warnings);
}

static void warn(struct planning *p, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void warn(struct planning *p, const char *format, ...)
{
  va_list list;
  va_start(list, format);
  g_ptr_array_add(p->plan->warnings, g_strdup_vprintf(format, list));
  va_end(list);
}

static void change(struct planning *p, bool master, const char *name, const char *before, const char *after)
{
  g_ptr_array_add(p->plan->changes, setup_change_new(master, name, before, after));
}

/* ---- reading ---- */

static void service_free(void *data)
{
  struct service *s = data;
  g_free(s->name);
  g_free(s->type);
  g_free(s->chroot);
  g_free(s->command);
  g_free(s);
}

/* "smtp inet n - y - - smtpd -o …", one a line. */
static bool read_services(struct planning *p, GError **error)
{
  g_autofree char *text = setup_postconf_read(p->postconf, error, "-M", NULL);
  if (!text) return false;
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (char **line = lines; *line; line++) {
    g_autoptr(GPtrArray) words = setup_list_split(*line);
    if (words->len < 8) continue;
    struct service *s = g_new(struct service, 1);
    *s = (struct service){g_strdup(words->pdata[0]), g_strdup(words->pdata[1]), g_strdup(words->pdata[4]),
                          g_strdup(words->pdata[7])};
    g_ptr_array_add(p->services, s);
  }
  return true;
}

/* "name = value", one a line, of parameters and of "service/type/parameter". */
static GHashTable *read_values(char *text)
{
  GHashTable *values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (char **line = lines; *line; line++) {
    char *equals = strstr(*line, " =");
    if (!equals) continue;
    char *name = g_strndup(*line, (size_t)(equals - *line));
    g_hash_table_insert(values, name, g_strstrip(g_strdup(equals + 2)));
  }
  g_free(text);
  return values;
}

/* The parameters that count, as they are (VALUES) and as main.cf itself sets them
 * (OWN), and those of master.cf. */
static bool read_parameters(struct planning *p, GError **error)
{
  char *text = setup_postconf_read(p->postconf, error, PARAMETERS, NULL);
  if (!text) return false;
  p->values = read_values(text);
  text = setup_postconf_read(p->postconf, error, "-n", PARAMETERS, NULL);
  if (!text) return false;
  p->own = read_values(text);
  text = setup_postconf_read(p->postconf, error, "-P", NULL);
  if (!text) return false;
  p->overrides = read_values(text);
  return true;
}

static const char *value_of(const struct planning *p, const char *name)
{
  const char *value = g_hash_table_lookup(p->values, name);
  return value ? value : "";
}

static const char *override_of(const struct planning *p, const struct service *s, const char *name)
{
  g_autofree char *key = g_strdup_printf("%s/%s/%s", s->name, s->type, name);
  return g_hash_table_lookup(p->overrides, key);
}

static bool is_smtpd(const struct service *s)
{
  return strcmp(s->command, "smtpd") == 0;
}

/* Where people and programs hand in their own mail. */
static bool is_submission(const struct planning *p, const struct service *s)
{
  static const char *const ports[] = {"submission", "submissions", "smtps", "587", "465"};
  if (!is_smtpd(s) || strcmp(s->type, "inet") != 0) return false;
  const char *colon = strrchr(s->name, ':'), *port = colon ? colon + 1 : s->name;
  for (size_t i = 0; i < G_N_ELEMENTS(ports); i++)
    if (strcmp(port, ports[i]) == 0) return true;
  const char *log = override_of(p, s, "syslog_name");
  return g_strcmp0(override_of(p, s, "smtpd_sasl_auth_enable"), "yes") == 0 ||
         (log && strstr(log, "submission")) || override_of(p, s, MACRO);
}

static bool is_own_name(const struct planning *p, const char *name)
{
  for (char **own = p->conf->milter_originating; *own; own++)
    if (strcmp(*own, name) == 0) return true;
  return false;
}

/* ---- our socket ---- */

static const struct service *chrooted(const struct planning *p, bool by_default)
{
  for (guint i = 0; i < p->services->len; i++) {
    const struct service *s = p->services->pdata[i];
    if (!is_smtpd(s) && strcmp(s->command, "cleanup") != 0) continue;
    if (strcmp(s->chroot, "y") == 0 || (by_default && strcmp(s->chroot, "-") == 0)) return s;
  }
  return NULL;
}

static bool find_socket(struct planning *p, GError **error)
{
  struct setup_plan *plan = p->plan;
  const char *level = value_of(p, "compatibility_level");
  plan->queue = g_strdup(value_of(p, "queue_directory"));
  plan->socket = setup_list_socket(p->conf->milter_socket, plan->queue);
  const struct service *jail = chrooted(p, strcmp(level, "0") == 0);
  if (!jail || !g_str_has_prefix(plan->socket, "unix:/")) return true;
  g_set_error(
      error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
      "%s %s/%s runs in a chroot in %s and cannot reach %s\n"
      "Give the socket a place there: in tidings.conf, milter { socket = \"unix:%s/tidings/milter.sock\" }; "
      "make the folder (install -d -o %s -g postfix -m 2750 %s/tidings); restart tidings-milter; and call "
      "this again",
      jail->command, jail->name, jail->type, plan->queue, p->conf->milter_socket, plan->queue,
      p->conf->milter_user ? p->conf->milter_user : "tidings-milter", plan->queue);
  return false;
}

/* With tempfail, mail waits for a milter that does not run: better said before. */
static void try_socket(struct planning *p)
{
  const char *path = p->conf->milter_socket;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (!g_str_has_prefix(path, "unix:") ||
      g_strlcpy(address.sun_path, path + strlen("unix:"), sizeof address.sun_path) >= sizeof address.sun_path)
    return;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
    warn(p, "nobody answers at %s: mail is put off until tidings-milter runs", path);
  close(fd);
}

/* ---- lists ---- */

/* VALUE with us in front; NULL if it is right as it is. */
static char *with_us(struct planning *p, const char *where, const char *value, bool tight)
{
  g_autoptr(GPtrArray) list = setup_list_split(value);
  int at = setup_list_find(list, p->plan->socket, p->plan->queue);
  const char *signer = NULL;
  for (int i = 0; i < at && !signer; i++)
    if (setup_list_signs(list->pdata[i]) || strchr(list->pdata[i], '$')) signer = list->pdata[i];
  if (at >= 0 && !signer) return NULL;
  if (signer)
    warn(p, "%s: %s stands before Tidings; what it signs Tidings changes. Tidings goes before it", where,
         signer);
  char *own = at >= 0 ? g_ptr_array_steal_index(list, (guint)at) : g_strdup(p->element);
  g_ptr_array_insert(list, 0, own);
  return setup_list_join(list, tight);
}

static bool is_reference(const char *value)
{
  return strcmp(value, "$smtpd_milters") == 0 || strcmp(value, "${smtpd_milters}") == 0 ||
         strcmp(value, "$(smtpd_milters)") == 0;
}

/* Whether anybody else's milter depends on the parameters of all. */
static bool has_others(const struct planning *p, const char *value)
{
  g_autoptr(GPtrArray) list = setup_list_split(value);
  return list->len > (setup_list_find(list, p->plan->socket, p->plan->queue) >= 0 ? 1 : 0);
}

static void set_parameter(struct planning *p, const char *name, const char *after)
{
  if (after) change(p, false, name, g_hash_table_lookup(p->own, name), after);
}

static void plan_lists(struct planning *p)
{
  const char *smtpd = value_of(p, "smtpd_milters"), *other = value_of(p, "non_smtpd_milters");
  bool shared = has_others(p, smtpd) || (!is_reference(other) && has_others(p, other));
  bool waits = strcmp(value_of(p, "milter_default_action"), "tempfail") == 0;
  bool speaks = g_ascii_strtoll(value_of(p, "milter_protocol"), NULL, 10) >= 6;
  p->element = !shared || (waits && speaks)
                   ? g_strdup(p->plan->socket)
                   : g_strdup_printf("{ %s, default_action=tempfail, protocol=6 }", p->plan->socket);
  g_autofree char *list = with_us(p, "smtpd_milters", smtpd, false);
  set_parameter(p, "smtpd_milters", list);
  g_autofree char *rest = is_reference(other) ? NULL : with_us(p, "non_smtpd_milters", other, false);
  set_parameter(p, "non_smtpd_milters", rest);
  set_parameter(p, "milter_default_action", shared || waits ? NULL : "tempfail");
  set_parameter(p, "milter_protocol", shared || speaks ? NULL : "6");
}

/* ---- master.cf ---- */

static void set_override(struct planning *p, const struct service *s, const char *name, const char *after)
{
  g_autofree char *key = g_strdup_printf("%s/%s/%s", s->name, s->type, name);
  change(p, true, key, g_hash_table_lookup(p->overrides, key), after);
}

/* Marks what comes by S as ours. */
static void plan_macro(struct planning *p, const struct service *s)
{
  const char *macro = override_of(p, s, MACRO);
  if (macro && !is_own_name(p, macro))
    warn(p, "%s/%s has " MACRO "=%s: add that to milter.originating in tidings.conf", s->name, s->type,
         macro);
  else if (!macro && p->conf->milter_originating[0])
    set_override(p, s, MACRO, p->conf->milter_originating[0]);
}

static void plan_smtpd(struct planning *p, const struct service *s)
{
  const char *own = override_of(p, s, "smtpd_milters"),
             *receive = override_of(p, s, "receive_override_options");
  bool submission = is_submission(p, s);
  if (submission) plan_macro(p, s);
  if (submission && receive && strstr(receive, "no_milters"))
    warn(p, "%s/%s asks no milter (receive_override_options): its mail is not seen", s->name, s->type);
  if (!own || is_reference(own)) return;
  g_autoptr(GPtrArray) list = setup_list_split(own);
  if (submission) {
    g_autofree char *after = with_us(p, s->name, own, true);
    if (after) set_override(p, s, "smtpd_milters", after);
  } else if (setup_list_find(list, p->plan->socket, p->plan->queue) < 0) {
    warn(p, "%s/%s has smtpd_milters of its own (%s): Tidings does not see its mail", s->name, s->type, own);
  }
}

/* Mail of sendmail(1) comes to cleanup from nobody: its macro marks it. What comes by
 * smtpd has its macros from there, unless someone asks for this one later. */
static void plan_cleanup(struct planning *p)
{
  static const char *const late[] = {"milter_mail_macros", "milter_data_macros",
                                     "milter_end_of_header_macros", "milter_end_of_data_macros"};
  for (size_t i = 0; i < G_N_ELEMENTS(late); i++) {
    if (!strstr(value_of(p, late[i]), "daemon_name")) continue;
    warn(p, "%s tells milters daemon_name late: mail of sendmail(1) is not marked as ours", late[i]);
    return;
  }
  for (guint i = 0; i < p->services->len; i++) {
    const struct service *s = p->services->pdata[i];
    if (strcmp(s->name, "cleanup") == 0 && strcmp(s->type, "unix") == 0) plan_macro(p, s);
  }
}

static void plan_services(struct planning *p)
{
  bool submission = false;
  for (guint i = 0; i < p->services->len; i++) {
    const struct service *s = p->services->pdata[i];
    if (!is_smtpd(s)) continue;
    submission |= is_submission(p, s);
    plan_smtpd(p, s);
  }
  if (!submission)
    warn(p, "master.cf has no submission service: by SMTP, mail is ours only if its sender authenticates");
  const char *filter = value_of(p, "content_filter");
  if (*filter)
    warn(p,
         "mail goes by the content filter %s after Tidings: where it comes back, milters "
         "must be off (receive_override_options=no_milters)",
         filter);
  plan_cleanup(p);
}

bool setup_plan_make(struct setup_plan *plan, const struct setup_postconf *postconf, const struct conf *conf,
                     GError **error)
{
  *plan = (struct setup_plan){.changes = g_ptr_array_new_with_free_func((GDestroyNotify)setup_change_free),
                              .warnings = g_ptr_array_new_with_free_func(g_free)};
  struct planning p = {.plan = plan,
                       .postconf = postconf,
                       .conf = conf,
                       .services = g_ptr_array_new_with_free_func(service_free)};
  bool done = read_services(&p, error) && read_parameters(&p, error) && find_socket(&p, error);
  if (done) {
    plan->folder = g_strdup(value_of(&p, "config_directory"));
    plan_lists(&p);
    plan_services(&p);
    try_socket(&p);
  }
  g_free(p.element);
  g_ptr_array_unref(p.services);
  g_clear_pointer(&p.values, g_hash_table_unref);
  g_clear_pointer(&p.own, g_hash_table_unref);
  g_clear_pointer(&p.overrides, g_hash_table_unref);
  return done;
}
