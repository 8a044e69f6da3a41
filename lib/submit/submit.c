/* The queue of messages on their way to the MTA, and the threads that empty it.
 *
 * submit_new(), submit_send() and submit_next() from any thread, submit_stop(),
 * submit_free(). What always holds under the lock: `pending` counts the jobs that
 * wait, are in flight, or are done and not fetched, and never passes `limit`; the
 * eventfd is readable exactly while `done` is not empty. A connection belongs to
 * its thread alone (session.c). */

#include "submit/submit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/error.h"
#include "submit/session.h"

/* Postfix closes a silent connection after 300 s; we are gone long before. */
enum { MOST_CONNECTIONS = 64, LONGEST_ADDRESS = 512, STACK = 256 << 10, IDLE_SECONDS = 30 };

struct job {
  struct submit_job job;
  struct submit_result result;
  GList link; /* in `waiting`, then in `done`; its data is this job */
};

struct worker {
  struct submit *submit;
  struct submit_session *session;
  pthread_t thread;
};

struct submit {
  GMutex lock;
  GCond changed; /* a job waits, or we are stopping */
  GQueue waiting;
  GQueue done;
  unsigned pending;
  unsigned limit;
  bool stopping;
  int event;
  unsigned started; /* threads that run and are not joined */
  unsigned count;   /* of workers */
  struct worker workers[];
};

const char *submit_outcome_name(enum submit_outcome outcome)
{
  static const char *const names[] = {
      [SUBMIT_ACCEPTED] = "accepted",
      [SUBMIT_TEMPORARY] = "temporary",
      [SUBMIT_PERMANENT] = "permanent",
      [SUBMIT_UNKNOWN] = "unknown",
  };
  return names[outcome];
}

/* -- jobs ---------------------------------------------------------------- */

static struct job *job_new(const struct submit_job *from)
{
  struct job *job = g_new0(struct job, 1);
  job->job = *from;
  job->job.sender = g_strdup(from->sender);
  job->job.recipient = g_strdup(from->recipient);
  g_bytes_ref(job->job.message);
  job->link.data = job;
  return job;
}

/* What only the way to the server needs, given back as soon as it is over. */
static void job_empty(struct job *job)
{
  g_clear_pointer((char **)&job->job.sender, g_free);
  g_clear_pointer((char **)&job->job.recipient, g_free);
  g_clear_pointer(&job->job.message, g_bytes_unref);
}

static void job_free(struct job *job)
{
  job_empty(job);
  g_free(job);
}

static void not_begun(struct job *job)
{
  job->result = (struct submit_result){
      .id = job->job.id, .data = job->job.data, .outcome = SUBMIT_TEMPORARY, .reply = "not begun: stopping"};
}

/* Under the lock. */
static void finish(struct submit *submit, struct job *job)
{
  job_empty(job);
  if (g_queue_is_empty(&submit->done)) (void)!write(submit->event, &(uint64_t){1}, sizeof(uint64_t));
  g_queue_push_tail_link(&submit->done, &job->link);
}

/* -- threads ------------------------------------------------------------- */

/* The next job, or NULL when we are stopping. Under the lock. An idle worker
 * gives its connection back to the MTA, whose processes are few. */
static struct job *await(struct worker *worker)
{
  struct submit *submit = worker->submit;
  int64_t idle = g_get_monotonic_time() + (int64_t)IDLE_SECONDS * G_USEC_PER_SEC;
  bool resting = false;
  while (g_queue_is_empty(&submit->waiting) && !submit->stopping) {
    if (resting) {
      g_cond_wait(&submit->changed, &submit->lock);
    } else if (!g_cond_wait_until(&submit->changed, &submit->lock, idle)) {
      resting = true;
      g_mutex_unlock(&submit->lock);
      submit_session_rest(worker->session);
      g_mutex_lock(&submit->lock);
    }
  }
  GList *link = g_queue_pop_head_link(&submit->waiting);
  return link ? link->data : NULL;
}

static void *work(void *user)
{
  struct worker *worker = user;
  struct submit *submit = worker->submit;
  struct job *job;
  g_mutex_lock(&submit->lock);
  while ((job = await(worker))) {
    g_mutex_unlock(&submit->lock);
    submit_session_deliver(worker->session, &job->job, &job->result);
    g_mutex_lock(&submit->lock);
    finish(submit, job);
  }
  g_mutex_unlock(&submit->lock);
  submit_session_rest(worker->session);
  return NULL;
}

/* Signals are for the program's own threads. */
static int start_workers(struct submit *submit)
{
  pthread_attr_t attributes;
  sigset_t all, before;
  int failed = pthread_attr_init(&attributes);
  if (failed) return failed;
  sigfillset(&all);
  pthread_attr_setstacksize(&attributes, STACK);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (submit->started < submit->count && !failed) {
    struct worker *worker = &submit->workers[submit->started];
    failed = pthread_create(&worker->thread, &attributes, work, worker);
    if (!failed) submit->started++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return failed;
}

/* -- the face ------------------------------------------------------------ */

static bool make_sessions(struct submit *submit, const struct submit_options *options, GError **error)
{
  for (; submit->count < options->connections; submit->count++) {
    struct worker *worker = &submit->workers[submit->count];
    worker->submit = submit;
    worker->session = submit_session_new(options, error);
    if (!worker->session) return false;
  }
  return true;
}

static bool start(struct submit *submit, const struct submit_options *options, GError **error)
{
  if (submit->event < 0) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "eventfd: %s", g_strerror(errno));
    return false;
  }
  if (!make_sessions(submit, options, error)) return false;
  int failed = start_workers(submit);
  if (failed == 0) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "cannot start a thread: %s", g_strerror(failed));
  return false;
}

struct submit *submit_new(const struct submit_options *options, GError **error)
{
  if (options->connections < 1 || options->connections > MOST_CONNECTIONS || options->queue < 1) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS,
                "submission needs 1 to %d connections and a queue of at least 1", MOST_CONNECTIONS);
    return NULL;
  }
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "libcurl does not start");
    return NULL;
  }
  struct submit *submit = g_malloc0(sizeof *submit + options->connections * sizeof submit->workers[0]);
  g_mutex_init(&submit->lock);
  g_cond_init(&submit->changed);
  g_queue_init(&submit->waiting);
  g_queue_init(&submit->done);
  submit->limit = options->queue;
  submit->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (start(submit, options, error)) return submit;
  submit_free(submit);
  return NULL;
}

/* No control, no space, no angle bracket: nothing that could end the path, or the
 * line, that the address is put into. */
static bool is_address(const char *text)
{
  size_t length = strlen(text);
  if (length > LONGEST_ADDRESS || !g_utf8_validate(text, (gssize)length, NULL)) return false;
  for (const char *c = text; *c; c++)
    if ((unsigned char)*c <= ' ' || *c == '\x7f' || *c == '<' || *c == '>') return false;
  return true;
}

/* A bare CR or LF may end the message for one server and not for the next one:
 * what follows it would be commands. */
static bool is_message(GBytes *message)
{
  size_t size;
  const char *bytes = g_bytes_get_data(message, &size);
  if (size > 0 && memchr(bytes, '\0', size)) return false;
  const char *end = bytes + size, *at = bytes;
  while (at < end) {
    const char *lf = memchr(at, '\n', (size_t)(end - at));
    const char *cr = memchr(at, '\r', (size_t)(lf ? lf - at : end - at));
    if (!lf) return !cr;
    if (!cr || cr + 1 != lf) return false;
    at = lf + 1;
  }
  return true;
}

static bool is_carried(const struct submit_job *job, GError **error)
{
  if (!is_address(job->sender) || !is_address(job->recipient) || !*job->recipient) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "SMTP cannot carry this %s",
                is_address(job->sender) ? "recipient" : "sender");
    return false;
  }
  if (is_message(job->message)) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "the message has a NUL, or a CR or LF on its own");
  return false;
}

bool submit_send(struct submit *submit, const struct submit_job *job, GError **error)
{
  if (!is_carried(job, error)) return false;
  g_mutex_lock(&submit->lock);
  bool stopping = submit->stopping, full = submit->pending >= submit->limit;
  if (!stopping && !full) {
    submit->pending++;
    g_queue_push_tail_link(&submit->waiting, &job_new(job)->link);
    g_cond_signal(&submit->changed);
  }
  g_mutex_unlock(&submit->lock);
  if (stopping)
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_TEMP, "submission is stopping");
  else if (full)
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "the submission queue is full");
  return !stopping && !full;
}

int submit_fd(const struct submit *submit)
{
  return submit->event;
}

bool submit_next(struct submit *submit, struct submit_result *result)
{
  g_mutex_lock(&submit->lock);
  GList *link = g_queue_pop_head_link(&submit->done);
  if (link) {
    submit->pending--;
    if (g_queue_is_empty(&submit->done)) (void)!read(submit->event, &(uint64_t){0}, sizeof(uint64_t));
  }
  g_mutex_unlock(&submit->lock);
  if (!link) return false;
  struct job *job = link->data;
  *result = job->result;
  job_free(job);
  return true;
}

unsigned submit_pending(struct submit *submit)
{
  g_mutex_lock(&submit->lock);
  unsigned pending = submit->pending;
  g_mutex_unlock(&submit->lock);
  return pending;
}

void submit_stop(struct submit *submit)
{
  g_mutex_lock(&submit->lock);
  submit->stopping = true;
  for (GList *link; (link = g_queue_pop_head_link(&submit->waiting));) {
    not_begun(link->data);
    finish(submit, link->data);
  }
  g_cond_broadcast(&submit->changed);
  g_mutex_unlock(&submit->lock);
  while (submit->started > 0)
    pthread_join(submit->workers[--submit->started].thread, NULL);
}

void submit_free(struct submit *submit)
{
  if (!submit) return;
  submit_stop(submit);
  for (unsigned i = 0; i < submit->count; i++)
    submit_session_free(submit->workers[i].session);
  for (GList *link; (link = g_queue_pop_head_link(&submit->done));)
    job_free(link->data);
  if (submit->event >= 0) close(submit->event);
  g_cond_clear(&submit->changed);
  g_mutex_clear(&submit->lock);
  curl_global_cleanup();
  g_free(submit);
}
