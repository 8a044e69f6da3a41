/* The control socket. A connection asks one line at a time and is answered in
 * order; lines and answers are JSON (lib/control).
 *
 * Commands run on the one thread between the rounds of work: each is short or
 * works in pages. A client that does not read is closed when its answer has
 * outgrown OUT_MAX. */

#include "policyd/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <glib-unix.h>

#include "base/error.h"
#include "control/frame.h"
#include "policyd/commands.h"
#include "policyd/publish.h"
#include "policyd/timers.h"

enum { CLIENTS_MAX = 64, OUT_MAX = 64 * 1024 * 1024, READ_SIZE = 65536 };

struct control {
  struct policyd *policyd;
  char *path;
  int fd;
  guint source;
  GPtrArray *clients; /* of struct client */
};

struct client {
  struct control *control;
  int fd;
  guint in, out; /* sources; 0: none */
  struct control_frame *frame;
  GString *answer;
};

/* ---- requests */

void request_row(struct request *request, json_t *row)
{
  control_put(request->out, "row", row);
}

const char *request_text(const struct request *request, const char *name)
{
  return json_string_value(json_object_get(request->args, name));
}

int64_t request_int(const struct request *request, const char *name, int64_t fallback)
{
  json_t *value = json_object_get(request->args, name);
  return json_is_integer(value) ? json_integer_value(value) : fallback;
}

const char *request_need(const struct request *request, const char *name, GError **error)
{
  const char *text = request_text(request, name);
  if (text && *text) return text;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "'%s' is missing", name);
  return NULL;
}

bool request_tenant(const struct request *request, struct store_tenant *tenant, GError **error)
{
  const char *name = request_need(request, "tenant", error);
  return name && store_tenant_get(request->policyd->store, name, 0, tenant, error);
}

static const struct command *find_command(const char *name)
{
  for (size_t i = 0; commands[i]; i++)
    for (const struct command *command = commands[i]; command->name; command++)
      if (name && strcmp(command->name, name) == 0) return command;
  return NULL;
}

static json_t *run_writing(const struct command *command, struct request *request, GError **error)
{
  struct policyd *policyd = request->policyd;
  if (!store_begin(policyd->store, error)) return NULL;
  json_t *ok = command->run(request, error);
  if (ok && store_commit(policyd->store, error)) {
    g_autoptr(GError) fault = NULL;
    if (!publish_flush(policyd->publish, &fault))
      log_event(policyd->log, LOG_EVENT_PUBLISH_FAILED, NULL, "reason=%s", LOG_VALUE(fault->message));
    return ok;
  }
  json_decref(ok);
  policyd_undo(policyd);
  return NULL;
}

static json_t *run(struct request *request, const char *name, GError **error)
{
  const struct command *command = find_command(name);
  if (!command) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "unknown request '%s'", name ? name : "");
    return NULL;
  }
  if (!command_args(command->args, request->args, error)) return NULL;
  return command->writes ? run_writing(command, request, error) : command->run(request, error);
}

static json_t *run_line(struct client *client, json_t *asked, GError **error)
{
  json_t *args = json_object_get(asked, "args"), *none = json_object(), *ok = NULL;
  struct request request = {
      .policyd = client->control->policyd, .args = args ? args : none, .out = client->answer};
  if (json_is_object(request.args))
    ok = run(&request, json_string_value(json_object_get(asked, "do")), error);
  else
    g_set_error_literal(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "'args' must be an object");
  json_decref(none);
  return ok;
}

/* Answers one line. Stops the feeding if the client does not read what it asks. */
static bool answer_line(void *data, const char *line, size_t length, GError **stop)
{
  struct client *client = data;
  g_autoptr(GError) error = NULL;
  json_t *asked = control_parse(line, length, &error);
  json_t *ok = asked ? run_line(client, asked, &error) : NULL;
  json_decref(asked);
  if (!ok && !error)
    g_set_error_literal(&error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "the answer cannot be written as JSON");
  if (ok)
    control_put(client->answer, "ok", ok);
  else
    control_put_error(client->answer, error);
  if (client->answer->len < OUT_MAX) return true;
  g_set_error(stop, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "more than %d bytes of answers were not read",
              OUT_MAX);
  return false;
}

/* ---- connections */

static void client_free(void *data)
{
  struct client *client = data;
  if (client->in) g_source_remove(client->in);
  if (client->out) g_source_remove(client->out);
  close(client->fd);
  control_frame_free(client->frame);
  g_string_free(client->answer, TRUE);
  g_free(client);
}

static void drop(struct client *client)
{
  g_ptr_array_remove_fast(client->control->clients, client);
}

/* Sends what it can; false if the client is gone. */
static bool flush(struct client *client)
{
  while (client->answer->len > 0) {
    ssize_t n = send(client->fd, client->answer->str, client->answer->len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (n < 0) return false;
    g_string_erase(client->answer, 0, n);
  }
  return client->answer->len < OUT_MAX;
}

static gboolean on_writable(int fd, GIOCondition condition, gpointer data)
{
  (void)fd, (void)condition;
  struct client *client = data;
  if (flush(client) && client->answer->len > 0) return G_SOURCE_CONTINUE;
  client->out = 0;
  return G_SOURCE_REMOVE;
}

/* Sends what was answered, the rest when the client reads; false if it is gone. */
static bool send_answers(struct client *client)
{
  if (!flush(client)) return false;
  if (client->answer->len > 0 && !client->out)
    client->out = g_unix_fd_add(client->fd, G_IO_OUT, on_writable, client);
  return true;
}

static gboolean on_readable(int fd, GIOCondition condition, gpointer data)
{
  (void)condition;
  struct client *client = data;
  char bytes[READ_SIZE];
  ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return G_SOURCE_CONTINUE;
  g_autoptr(GError) error = NULL;
  if (n > 0 && control_frame_feed(client->frame, bytes, (size_t)n, answer_line, client, &error) &&
      send_answers(client))
    return G_SOURCE_CONTINUE;
  if (error) {
    control_put_error(client->answer, error);
    flush(client);
  }
  client->in = 0;
  drop(client);
  return G_SOURCE_REMOVE;
}

static gboolean on_connect(int fd, GIOCondition condition, gpointer data)
{
  (void)condition;
  struct control *control = data;
  int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (peer < 0) return G_SOURCE_CONTINUE;
  if (control->clients->len >= CLIENTS_MAX) {
    static const char full[] =
        "{\"error\":{\"kind\":\"temp\",\"message\":\"too many connections; try again\"}}\n";
    (void)!send(peer, full, sizeof full - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(peer);
    return G_SOURCE_CONTINUE;
  }
  struct client *client = g_new0(struct client, 1);
  client->control = control;
  client->fd = peer;
  client->frame = control_frame_new(CONTROL_LINE_MAX);
  client->answer = g_string_new(NULL);
  client->in = g_unix_fd_add(peer, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, client);
  g_ptr_array_add(control->clients, client);
  return G_SOURCE_CONTINUE;
}

/* ---- the socket */

static bool is_alive(const struct sockaddr_un *address)
{
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool alive = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
  if (fd >= 0) close(fd);
  return alive;
}

static int listen_at(const char *path, GError **error)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (g_strlcpy(address.sun_path, path, sizeof address.sun_path) >= sizeof address.sun_path) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
                "policyd.control: %s: a socket's path has at most %zu bytes", path,
                sizeof address.sun_path - 1);
    return -1;
  }
  if (is_alive(&address)) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_TEMP, "%s: another policyd serves it", path);
    return -1;
  }
  g_autofree char *folder = g_path_get_dirname(path);
  g_mkdir_with_parents(folder, 0750);
  unlink(path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && chmod(path, 0660) == 0 &&
      listen(fd, 64) == 0)
    return fd;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: %s", path, g_strerror(errno));
  if (fd >= 0) close(fd);
  return -1;
}

struct control *control_new(struct policyd *policyd, const char *path, GError **error)
{
  int fd = listen_at(path, error);
  if (fd < 0) return NULL;
  struct control *control = g_new0(struct control, 1);
  control->policyd = policyd;
  control->path = g_strdup(path);
  control->fd = fd;
  control->clients = g_ptr_array_new_with_free_func(client_free);
  control->source = g_unix_fd_add(fd, G_IO_IN, on_connect, control);
  return control;
}

void control_free(struct control *control)
{
  if (!control) return;
  g_source_remove(control->source);
  g_ptr_array_unref(control->clients);
  close(control->fd);
  unlink(control->path);
  g_free(control->path);
  g_free(control);
}
