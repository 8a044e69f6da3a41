/* One connection to the MTA, and the truth about each message handed over it.
 *
 * libcurl speaks SMTP; three of its callbacks tell how far a message came, in
 * this order: on_ready() when greeting and HELO are done and MAIL is next,
 * on_read() until it has given the last byte of the message (only then does
 * libcurl send the final dot, and only if every byte before it was sent), and
 * on_reply() with each line of the server's replies. What always holds: `code` is
 * the reply to the phase we are in, since entering a phase forgets the one before;
 * the first refusal of a message is its last word.
 *
 * libcurl does not send an upload to an SMTP server twice by itself. What is done
 * here is one new attempt when a connection that was kept from an earlier message
 * turns out to be dead before this message's final dot was sent.
 *
 * The length of the message is not told to libcurl: it would compare it with the
 * bytes sent, which stuffed dots make more, and might stop short. */

#include "submit/session.h"

#include <string.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "base/error.h"

enum { CONNECT_SECONDS = 10, REPLY_SECONDS = 300, UPLOAD_BUFFER = 32 << 10 };

struct submit_session {
  char *url;
  long connect_ms;
  int64_t reply_us;
  CURL *curl; /* NULL until needed; it keeps the connection */
  char fault[CURL_ERROR_SIZE];

  /* of the attempt under way */
  const char *bytes;
  size_t size;
  size_t given;
  bool ready;       /* the next command is MAIL */
  bool whole;       /* the final dot may have been sent */
  int code;         /* of the last reply in this phase; 0: none yet */
  char reply[512];  /* its last line */
  int64_t deadline; /* monotonic */
};

static void enter(struct submit_session *session, bool *phase)
{
  *phase = true;
  session->code = 0;
  session->reply[0] = '\0';
}

static int on_ready(void *user, char *peer, char *local, int peer_port, int local_port)
{
  (void)peer, (void)local, (void)peer_port, (void)local_port;
  struct submit_session *session = user;
  enter(session, &session->ready);
  return CURL_PREREQFUNC_OK;
}

static size_t on_read(char *buffer, size_t size, size_t count, void *user)
{
  struct submit_session *session = user;
  size_t length = MIN(size * count, session->size - session->given);
  if (length == 0) {
    enter(session, &session->whole);
    return 0;
  }
  memcpy(buffer, session->bytes + session->given, length);
  session->given += length;
  return length;
}

/* The code of a reply's last line; 0 for the lines before it. */
static int final_code(const char *line, size_t length)
{
  if (length < 3 || (length > 3 && line[3] != ' ')) return 0;
  for (size_t i = 0; i < 3; i++)
    if (!g_ascii_isdigit(line[i])) return 0;
  return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

/* Foreign text that ends up in logs. */
static void keep_text(char kept[512], const char *text, size_t length)
{
  length = MIN(length, 511);
  for (size_t i = 0; i < length; i++)
    kept[i] = g_ascii_isprint(text[i]) ? text[i] : '?';
  kept[length] = '\0';
}

static size_t on_reply(char *line, size_t size, size_t count, void *user)
{
  struct submit_session *session = user;
  size_t length = size * count;
  while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
    length--;
  int code = final_code(line, length);
  /* Behind a refusal comes libcurl's QUIT, whose reply is not the message's. */
  bool refused = session->code >= 400 && (session->ready || code == 221);
  if (!refused) {
    keep_text(session->reply, line, length);
    session->code = code;
  }
  return size * count;
}

/* For the farewell after a refusal, which libcurl's own time-out does not bound. */
static int on_progress(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
  (void)a, (void)b, (void)c, (void)d;
  const struct submit_session *session = user;
  return g_get_monotonic_time() > session->deadline;
}

static bool is_fit(const char *text, const char *also)
{
  if (!*text || strlen(text) > 255) return false;
  for (; *text; text++)
    if (!g_ascii_isalnum(*text) && !strchr(also, *text)) return false;
  return true;
}

struct submit_session *submit_session_new(const struct submit_options *options, GError **error)
{
  const char *helo = options->helo ? options->helo : "localhost";
  if (!options->host || !is_fit(options->host, ".-:_") || options->port == 0 || !is_fit(helo, ".-:_[]")) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "no SMTP server: host '%s', port %u, helo '%s'",
                options->host ? options->host : "", options->port, helo);
    return NULL;
  }
  struct submit_session *session = g_new0(struct submit_session, 1);
  bool six = strchr(options->host, ':');
  g_autofree char *name = g_uri_escape_string(helo, NULL, FALSE);
  session->url = g_strdup_printf("smtp://%s%s%s:%u/%s", six ? "[" : "", options->host, six ? "]" : "",
                                 options->port, name);
  session->connect_ms = 1000L * (options->connect_seconds > 0 ? options->connect_seconds : CONNECT_SECONDS);
  session->reply_us = G_USEC_PER_SEC * (options->reply_seconds > 0 ? options->reply_seconds : REPLY_SECONDS);
  return session;
}

static bool configure(struct submit_session *session)
{
  CURL *curl = session->curl;
  return curl_easy_setopt(curl, CURLOPT_URL, session->url) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp") == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK && /* nor one from the environment */
         curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, session->connect_ms) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT,
                          (long)(session->reply_us / G_USEC_PER_SEC)) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, session->fault) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, on_ready) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_PREREQDATA, session) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_READDATA, session) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_reply) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_HEADERDATA, session) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_XFERINFODATA, session) == CURLE_OK;
}

/* Gives the connection up. libcurl would say QUIT and wait two minutes for an
 * answer; a socket that is shut down already ends that at once. */
static void drop(struct submit_session *session, bool politely)
{
  if (!session->curl) return;
  curl_socket_t socket = CURL_SOCKET_BAD;
  if (curl_easy_getinfo(session->curl, CURLINFO_ACTIVESOCKET, &socket) == CURLE_OK &&
      socket != CURL_SOCKET_BAD) {
    if (politely) (void)!send(socket, "QUIT\r\n", 6, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(socket, SHUT_RDWR);
  }
  curl_easy_cleanup(session->curl);
  session->curl = NULL;
}

static bool prepare(struct submit_session *session, const struct submit_job *job,
                    struct curl_slist *recipients)
{
  if (!session->curl) {
    session->curl = curl_easy_init();
    if (!session->curl || !configure(session)) return false;
  }
  int64_t left = (session->deadline - g_get_monotonic_time()) / 1000;
  return recipients && curl_easy_setopt(session->curl, CURLOPT_MAIL_FROM, job->sender) == CURLE_OK &&
         curl_easy_setopt(session->curl, CURLOPT_MAIL_RCPT, recipients) == CURLE_OK &&
         curl_easy_setopt(session->curl, CURLOPT_TIMEOUT_MS, (long)MAX(left, 1)) == CURLE_OK;
}

static void begin(struct submit_session *session, const struct submit_job *job)
{
  session->bytes = g_bytes_get_data(job->message, &session->size);
  session->given = 0;
  session->ready = session->whole = false;
  session->code = 0;
  session->reply[0] = session->fault[0] = '\0';
}

static CURLcode attempt(struct submit_session *session, const struct submit_job *job)
{
  begin(session, job);
  struct curl_slist *recipients = curl_slist_append(NULL, job->recipient);
  CURLcode done = CURLE_OUT_OF_MEMORY;
  if (prepare(session, job, recipients)) done = curl_easy_perform(session->curl);
  if (session->curl) curl_easy_setopt(session->curl, CURLOPT_MAIL_RCPT, NULL);
  curl_slist_free_all(recipients);
  return done;
}

static enum submit_outcome outcome_at_end(const struct submit_session *session, CURLcode done)
{
  switch (session->code / 100) {
  case 2:
    return SUBMIT_ACCEPTED;
  case 4:
    return SUBMIT_TEMPORARY;
  case 5:
    return SUBMIT_PERMANENT;
  }
  /* The kernel refused the dot itself: the connection was lost before it. */
  return session->code == 0 && done == CURLE_SEND_ERROR ? SUBMIT_TEMPORARY : SUBMIT_UNKNOWN;
}

static enum submit_outcome outcome_of(const struct submit_session *session, CURLcode done)
{
  if (session->whole) return outcome_at_end(session, done);
  if (done == CURLE_OK) return SUBMIT_UNKNOWN; /* a dot behind half a message: never seen */
  /* 5xx to the greeting or HELO speaks of us, not of the message. */
  return session->ready && session->code / 100 == 5 ? SUBMIT_PERMANENT : SUBMIT_TEMPORARY;
}

/* Did the server decide, or did we lose it? */
static bool is_decided(const struct submit_session *session)
{
  return session->code >= 400 || (session->whole && session->code / 100 == 2);
}

static bool is_late(CURLcode done)
{
  return done == CURLE_OPERATION_TIMEDOUT || done == CURLE_ABORTED_BY_CALLBACK;
}

/* A connection kept from an earlier message that died while it was idle: nobody
 * has seen this message whole. */
static bool is_stale(const struct submit_session *session, CURLcode done)
{
  long connects = 0;
  if (done == CURLE_OK || !session->ready || session->whole || is_late(done)) return false;
  if (is_decided(session) && session->code != 421) return false;
  return curl_easy_getinfo(session->curl, CURLINFO_NUM_CONNECTS, &connects) == CURLE_OK && connects == 0;
}

static const char *explain(const struct submit_session *session, CURLcode done)
{
  if (is_late(done)) return "no reply in time";
  if (done == CURLE_RECV_ERROR) return "connection lost while waiting for a reply";
  return session->fault[0] ? session->fault : curl_easy_strerror(done);
}

void submit_session_deliver(struct submit_session *session, const struct submit_job *job,
                            struct submit_result *result)
{
  session->deadline = g_get_monotonic_time() + session->reply_us;
  CURLcode done = attempt(session, job);
  if (is_stale(session, done)) {
    drop(session, false);
    done = attempt(session, job);
  }
  bool decided = is_decided(session);
  const char *text = decided ? session->reply : explain(session, done);
  result->id = job->id;
  result->data = job->data;
  result->outcome = outcome_of(session, done);
  result->code = decided ? session->code : 0;
  keep_text(result->reply, text, strlen(text));
  if (!decided || !session->ready || session->code == 421) drop(session, false);
}

void submit_session_rest(struct submit_session *session)
{
  drop(session, true);
}

void submit_session_free(struct submit_session *session)
{
  if (!session) return;
  submit_session_rest(session);
  g_free(session->url);
  g_free(session);
}
