/* The asking end of policyd's control socket.
 *
 * One call at a time: the request goes out whole, then lines are read until "ok"
 * or "error". A call that ends otherwise leaves the connection in the middle of an
 * answer, so it is closed and every later call fails. */

#include "control/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "control/frame.h"

struct control_client {
  int fd; /* -1 after a failure */
  char *path;
  struct control_frame *frame;
};

/* One call while it is under way. */
struct call {
  control_row_fn *row_fn;
  void *data;
  json_t **ok;
  bool done;
  GError *refusal; /* what the server answered; the connection is good */
};

static void fail_connect(const char *path, int cause, GError **error)
{
  if (cause == EACCES || cause == EPERM)
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_DENIED,
                "%s: you may not enter: who may enter the socket's folder is an administrator of Tidings; "
                "be root, or let the folder's owner add you to its group",
                path);
  else if (cause == ENOENT || cause == ECONNREFUSED || cause == ENOTDIR)
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_TEMP,
                "%s: cannot reach policyd (%s): is tidings-policyd running? is control in section policyd of "
                "tidings.conf the same for both?",
                path, g_strerror(cause));
  else
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: cannot reach policyd: %s", path,
                g_strerror(cause));
}

static int open_socket(const char *path, GError **error)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: a socket's path has at most %zu bytes", path,
                sizeof address.sun_path - 1);
    return -1;
  }
  memcpy(address.sun_path, path, strlen(path));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) return fd;
  fail_connect(path, errno, error);
  if (fd >= 0) close(fd);
  return -1;
}

struct control_client *control_connect(const char *path, GError **error)
{
  int fd = open_socket(path, error);
  if (fd < 0) return NULL;
  struct control_client *client = g_new0(struct control_client, 1);
  client->fd = fd;
  client->path = g_strdup(path);
  client->frame = control_frame_new(CONTROL_LINE_MAX);
  return client;
}

static void disconnect(struct control_client *client)
{
  if (client->fd >= 0) close(client->fd);
  client->fd = -1;
}

void control_close(struct control_client *client)
{
  if (!client) return;
  disconnect(client);
  control_frame_free(client->frame);
  g_free(client->path);
  g_free(client);
}

static bool send_all(struct control_client *client, const char *bytes, size_t length, GError **error)
{
  while (length) {
    ssize_t n = send(client->fd, bytes, length, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_TEMP, "%s: policyd went away: %s", client->path,
                  g_strerror(errno));
      return false;
    }
    bytes += n;
    length -= (size_t)n;
  }
  return true;
}

static bool send_request(struct control_client *client, const char *verb, json_t *args, GError **error)
{
  json_t *request = json_pack("{s:s, s:o}", "do", verb, "args", args ? args : json_object());
  char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
  json_decref(request);
  if (!text || strlen(text) > CONTROL_LINE_MAX) {
    g_set_error(error, TIDINGS_ERROR, text ? TIDINGS_ERROR_LIMIT : TIDINGS_ERROR_INPUT,
                text ? "%s: the request is over 4 MB" : "%s: the request is not UTF-8", verb);
    free(text);
    return false;
  }
  g_autoptr(GString) line = g_string_new(text);
  g_string_append_c(line, '\n');
  free(text);
  bool good = send_all(client, line->str, line->len, error);
  if (!good) disconnect(client);
  return good;
}

static bool take_line(void *data, const char *line, size_t length, GError **error)
{
  struct call *call = data;
  json_t *answer = control_parse(line, length, error);
  if (!answer) return false;
  const json_t *row = json_object_get(answer, "row");
  json_t *ok = json_object_get(answer, "ok");
  const json_t *refusal = json_object_get(answer, "error");
  bool good = true;
  if (call->done) {
    g_set_error_literal(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "policyd answers what nobody asked");
    good = false;
  } else if (refusal) {
    call->done = true;
    control_take_error(refusal, &call->refusal);
  } else if (ok) {
    call->done = true;
    if (call->ok) *call->ok = json_incref(ok);
  } else if (row && call->row_fn) {
    good = call->row_fn(call->data, row, error);
  }
  json_decref(answer);
  return good;
}

static bool read_answer(struct control_client *client, struct call *call, GError **error)
{
  g_autofree char *buffer = g_malloc(64 * 1024);
  while (!call->done) {
    ssize_t n = recv(client->fd, buffer, 64 * 1024, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_TEMP,
                  "%s: policyd ended in the middle of its answer%s%s: try again", client->path,
                  n < 0 ? ": " : "", n < 0 ? g_strerror(errno) : "");
      return false;
    }
    if (!control_frame_feed(client->frame, buffer, (size_t)n, take_line, call, error)) return false;
  }
  return true;
}

bool control_call(struct control_client *client, const char *verb, json_t *args, control_row_fn *row_fn,
                  void *data, json_t **ok, GError **error)
{
  struct call call = {.row_fn = row_fn, .data = data, .ok = ok};
  if (ok) *ok = NULL;
  if (client->fd < 0) {
    json_decref(args);
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_TEMP, "%s: the connection is closed", client->path);
    return false;
  }
  if (!send_request(client, verb, args, error)) return false;
  if (!read_answer(client, &call, error)) {
    disconnect(client);
    if (ok) g_clear_pointer(ok, json_decref);
    g_clear_error(&call.refusal);
    return false;
  }
  if (!call.refusal) return true;
  g_propagate_error(error, call.refusal);
  return false;
}
