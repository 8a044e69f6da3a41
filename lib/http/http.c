/* The only file that knows libmicrohttpd.
 *
 * The daemon runs in our thread (external epoll): http_round() waits on libmicrohttpd's
 * epoll descriptor, a timer and the caller's descriptor, then lets libmicrohttpd
 * work through all connections that are ready, then calls settle().
 *
 * A request waits for its commit by simply not being answered: libmicrohttpd
 * then calls the handler for it once more in each following round, without
 * looking at the socket. That is a function call, where suspending and
 * resuming a connection would cost two list moves, locks and a write to a pipe.
 *
 * A connection is a struct of ours (connection_event), with room for the one request
 * it carries at a time, so a hit allocates nothing here. Connections stand in a
 * list, the one that got a request through last at its end; the timer closes
 * from the front those that got nothing through for too long, whatever they do
 * meanwhile: idle, dripping, or not reading. */

#include "http/http.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/error.h"

enum {
  /* Per connection: request line and headers; libmicrohttpd answers 414 and 431
   * beyond. It clears all of it after each request. */
  MEMORY = 8 * 1024,
  MAX_SWALLOW = 256 * 1024, /* of a body that is too large, before we hang up */
  DRAIN_ROUNDS = 100,
  GATHER_LOOKS = 4,
  GATHER_NS = 200 * 1000,
};

struct connection {
  struct http_request request; /* first: http_request* is connection* */
  struct http *http;
  struct MHD_Connection *mhd;
  GList link;     /* in http->idle */
  uint64_t since; /* the tick of its last success */
  int fd;
  bool begun; /* the handler has been called for this request */
  bool waits; /* it was shown to handle() and not answered */
  bool answered;
  bool broken; /* the answer could not be queued: hang up */
  uint64_t swallowed;
  GByteArray *body; /* NULL until there is one */
};

struct http_reply {
  struct MHD_Response *response;
  unsigned status;
};

struct http {
  struct http_handler handler;
  void *user;
  struct MHD_Daemon *daemon;
  GArray *trusted;
  GQueue idle;
  unsigned connections, per_address, timeout;
  size_t waiting; /* connections with `waits` */
  uint64_t tick;
  int listener, epoll, timer, other;
  int inner; /* libmicrohttpd's own epoll descriptor */
};

/* --- requests --- */

const char *http_header(const struct http_request *request, const char *name)
{
  const struct connection *c = (const struct connection *)request;
  return MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, name);
}

struct address http_client(const struct http_request *request)
{
  const struct connection *c = (const struct connection *)request;
  return address_client(&request->peer, http_header(request, "X-Forwarded-For"), c->http->trusted);
}

void http_answer(struct http_request *request, const struct http_reply *reply)
{
  struct connection *c = (struct connection *)request;
  c->answered = true;
  c->broken = MHD_queue_response(c->mhd, reply->status, reply->response) != MHD_YES;
}

/* Content-Length with Transfer-Encoding, either of them twice, or a coding that
 * is not chunked: where proxies disagree about the end of a request, others get
 * in between (RFC 9112 section 6.1). */
struct framing {
  unsigned lengths, codings;
  bool strange;
};

static enum MHD_Result see_header(void *closure, enum MHD_ValueKind kind, const char *name, const char *value)
{
  struct framing *framing = closure;
  (void)kind;
  size_t length = strlen(name);
  if (length == 14 && g_ascii_strcasecmp(name, "Content-Length") == 0) framing->lengths++;
  if (length == 17 && g_ascii_strcasecmp(name, "Transfer-Encoding") == 0) {
    framing->codings++;
    if (!value || g_ascii_strcasecmp(value, "chunked") != 0) framing->strange = true;
  }
  return MHD_YES;
}

static bool has_good_framing(const struct connection *c)
{
  struct framing framing = {0};
  MHD_get_connection_values(c->mhd, MHD_HEADER_KIND, see_header, &framing);
  return !framing.strange && framing.lengths + framing.codings <= 1;
}

static bool announces_too_much(const struct connection *c)
{
  const char *length = MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, "Content-Length");
  return length && g_ascii_strtoull(length, NULL, 10) > HTTP_MAX_BODY;
}

/* The headers are there. An answer now refuses the body and ends the connection. */
static void begin(struct connection *c, const char *path, const char *method)
{
  c->begun = true;
  c->request.path = path;
  c->request.method = method;
  if (!has_good_framing(c))
    http_answer(&c->request, c->http->handler.bad);
  else if (announces_too_much(c))
    http_answer(&c->request, c->http->handler.too_large);
}

/* Keeps a piece of the body; false when it is time to hang up. */
static bool take_body(struct connection *c, const char *data, size_t length)
{
  if (!c->body) c->body = g_byte_array_new();
  c->swallowed += length;
  if (c->swallowed <= HTTP_MAX_BODY) g_byte_array_append(c->body, (const guint8 *)data, (guint)length);
  return c->swallowed <= MAX_SWALLOW;
}

/* The request is there; called again in each round until it is answered. */
static void complete(struct connection *c)
{
  struct http *http = c->http;
  if (c->body) {
    c->request.body = (const char *)c->body->data;
    c->request.body_length = c->body->len;
  }
  if (c->swallowed > HTTP_MAX_BODY)
    http_answer(&c->request, http->handler.too_large);
  else
    http->handler.handle(http->user, &c->request);
  if (c->waits != !c->answered) {
    c->waits = !c->answered;
    http->waiting += c->waits ? 1 : (size_t)-1;
  }
}

/* libmicrohttpd calls this when the headers are there, for each piece of the
 * body, and when the request is there. An answer on the first of these calls
 * would end the connection. */
static enum MHD_Result on_access(void *closure, struct MHD_Connection *mhd, const char *path,
                                 const char *method, const char *version, const char *data, size_t *length,
                                 void **context)
{
  struct connection *c = *context;
  (void)closure, (void)mhd, (void)version;
  if (!c->begun) {
    begin(c, path, method);
    return MHD_YES;
  }
  if (*length) {
    bool good = take_body(c, data, *length);
    *length = 0;
    return good ? MHD_YES : MHD_NO;
  }
  complete(c);
  return c->broken ? MHD_NO : MHD_YES;
}

/* Called for each request line, before the path is taken apart: the place to
 * tie the request to its connection. */
static void *on_request(void *closure, const char *uri, struct MHD_Connection *mhd)
{
  (void)closure, (void)uri;
  return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static void on_completed(void *closure, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
  struct http *http = closure;
  struct connection *c = *context;
  (void)mhd, (void)code;
  if (!c) return;
  http->handler.forget(http->user, &c->request);
  http->waiting -= c->waits;
  c->begun = c->waits = c->answered = false;
  c->swallowed = 0;
  c->request.note = NULL;
  c->request.body = NULL;
  c->request.body_length = 0;
  g_clear_pointer(&c->body, g_byte_array_unref);
  c->since = http->tick;
  g_queue_unlink(&http->idle, &c->link);
  g_queue_push_tail_link(&http->idle, &c->link);
}

/* The path stays as it was written: what is not a token of ours letter by letter
 * is nothing. */
static size_t keep_escapes(void *closure, struct MHD_Connection *mhd, char *text)
{
  (void)closure, (void)mhd;
  return strlen(text);
}

/* --- connections --- */

static struct connection *connection_new(struct http *http, struct MHD_Connection *mhd)
{
  struct connection *c = g_new0(struct connection, 1);
  c->http = http;
  c->mhd = mhd;
  c->since = http->tick;
  c->link.data = c;
  c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
  address_of_socket(MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr,
                    &c->request.peer);
  g_queue_push_tail_link(&http->idle, &c->link);
  return c;
}

static void on_connection(void *closure, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
  struct http *http = closure;
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    *context = connection_new(http, mhd);
    return;
  }
  struct connection *c = *context;
  g_queue_unlink(&http->idle, &c->link);
  if (c->body) g_byte_array_unref(c->body);
  g_free(c);
}

/* Ends connections that got nothing through for too long. libmicrohttpd sees
 * the end of the stream and closes them. */
static void sweep(struct http *http)
{
  for (GList *link = http->idle.head; link; link = link->next) {
    const struct connection *c = link->data;
    if (http->tick - c->since <= http->timeout) return;
    shutdown(c->fd, SHUT_RDWR);
  }
}

static void on_timer(struct http *http)
{
  uint64_t ticks;
  if (read(http->timer, &ticks, sizeof ticks) != (ssize_t)sizeof ticks) return;
  http->tick += ticks;
  sweep(http);
}

/* --- replies --- */

struct http_reply *http_reply_new(unsigned status, const void *body, size_t length)
{
  struct http_reply *reply = g_new(struct http_reply, 1);
  reply->status = status;
  reply->response = MHD_create_response_from_buffer(length, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
  if (!reply->response) g_error("out of memory");
  return reply;
}

void http_reply_free(struct http_reply *reply)
{
  if (!reply) return;
  MHD_destroy_response(reply->response);
  g_free(reply);
}

bool http_reply_header(struct http_reply *reply, const char *name, const char *value)
{
  for (const char *p = value; *p; p++)
    if ((unsigned char)*p < ' ' || *p == 0x7f) return false;
  return MHD_add_response_header(reply->response, name, value) == MHD_YES;
}

/* --- the server --- */

static bool fail(GError **error, const char *what)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "%s: %s", what, g_strerror(errno));
  return false;
}

static bool bind_listener(struct http *http, const char *text, GError **error)
{
  struct sockaddr_storage address;
  socklen_t length;
  int on = 1;
  if (!address_listen(text, &address, &length, error)) return false;
  http->listener = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (http->listener < 0) return fail(error, text);
  setsockopt(http->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(http->listener, (struct sockaddr *)&address, length) < 0 || listen(http->listener, SOMAXCONN) < 0)
    return fail(error, text);
  return true;
}

struct http *http_open(const struct http_options *options, const struct http_handler *handler, void *user,
                       GError **error)
{
  struct http *http = g_new0(struct http, 1);
  http->listener = http->epoll = http->timer = http->other = -1;
  http->handler = *handler;
  http->user = user;
  http->connections = options->connections;
  http->per_address = options->per_address;
  http->timeout = options->timeout;
  g_queue_init(&http->idle);
  http->trusted = address_list(options->trusted, error);
  if (http->trusted && bind_listener(http, options->listen, error)) return http;
  http_close(http);
  return NULL;
}

static struct MHD_Daemon *start_daemon(struct http *http)
{
  return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_TURBO, 0, NULL, NULL, on_access, http, //
                          MHD_OPTION_LISTEN_SOCKET, http->listener,                      //
                          MHD_OPTION_CONNECTION_LIMIT, http->connections,                //
                          MHD_OPTION_PER_IP_CONNECTION_LIMIT, http->per_address,         //
                          MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY,            //
                          MHD_OPTION_STRICT_FOR_CLIENT, 1,                               //
                          MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,              //
                          MHD_OPTION_URI_LOG_CALLBACK, on_request, NULL,                 //
                          MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,               //
                          MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,             //
                          MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
}

static bool watch(struct http *http, int fd)
{
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  return epoll_ctl(http->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool http_start(struct http *http, GError **error)
{
  static const struct itimerspec second = {{1, 0}, {1, 0}};
  http->epoll = epoll_create1(EPOLL_CLOEXEC);
  http->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (http->epoll < 0 || http->timer < 0 || timerfd_settime(http->timer, 0, &second, NULL) < 0)
    return fail(error, "http server");
  http->daemon = start_daemon(http);
  if (!http->daemon) return fail(error, "libmicrohttpd");
  http->inner = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
  if (!watch(http, http->timer) || !watch(http, http->inner)) return fail(error, "http server");
  return true;
}

/* Clients that were just answered often ask again at once, and half of them
 * would then wait for one commit and half for the next. While fewer wait than a
 * round ago, look for the others a few times before the commit. Alone, nobody
 * waits. */
static void gather(struct http *http, size_t asked)
{
  const struct timespec patience = {0, GATHER_NS};
  struct pollfd p = {.fd = http->inner, .events = POLLIN};
  for (int i = 0; i < GATHER_LOOKS && asked > 1 && http->waiting > 0 && http->waiting < asked; i++) {
    if (ppoll(&p, 1, &patience, NULL) <= 0) return;
    MHD_run(http->daemon);
  }
}

bool http_round(struct http *http, int other)
{
  struct epoll_event events[3];
  MHD_UNSIGNED_LONG_LONG timeout;
  bool other_ready = false;
  if (other != http->other) {
    http->other = other;
    watch(http, other);
  }
  bool busy = http->waiting > 0 || (MHD_get_timeout(http->daemon, &timeout) == MHD_YES && timeout == 0);
  int n = epoll_wait(http->epoll, events, G_N_ELEMENTS(events), busy ? 0 : -1);
  for (int i = 0; i < n; i++) {
    if (events[i].data.fd == http->timer) on_timer(http);
    if (events[i].data.fd == other) other_ready = true;
  }
  size_t asked = http->waiting;
  MHD_run(http->daemon);
  gather(http, asked);
  http->handler.settle(http->user);
  return other_ready;
}

static void drain(struct http *http)
{
  MHD_quiesce_daemon(http->daemon);
  for (int i = 0; i < DRAIN_ROUNDS && (i == 0 || http->waiting); i++) {
    MHD_run(http->daemon);
    http->handler.settle(http->user);
  }
}

static void close_fd(int fd)
{
  if (fd >= 0) close(fd);
}

void http_close(struct http *http)
{
  if (!http) return;
  if (http->daemon) {
    drain(http);
    MHD_stop_daemon(http->daemon);
  }
  close_fd(http->listener);
  close_fd(http->epoll);
  close_fd(http->timer);
  if (http->trusted) g_array_unref(http->trusted);
  g_free(http);
}
