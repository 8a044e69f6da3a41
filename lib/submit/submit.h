#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

/* Hands messages to the local MTA by SMTP, over a few connections that are kept
 * open, each with its own thread. What matters is that the outcome of every job
 * is told exactly: a message that may have been accepted is never called failed,
 * and one that was not is never called accepted. */
struct submit;

struct submit_options {
  const char *host; /* name or address */
  uint16_t port;
  const char *helo;     /* how we greet; NULL: "localhost" */
  unsigned connections; /* 1…64 */
  unsigned queue;       /* jobs waiting, in flight, and results not yet fetched, at most */
  int connect_seconds;  /* until we have been greeted; 0: 10 */
  int reply_seconds;    /* for one job from its start to its last reply; 0: 300 */
};

/* Starts the threads. Nothing is connected before the first job. OPTIONS are
 * copied. Errors: SYS. */
struct submit *submit_new(const struct submit_options *options, GError **error);

/* One message to one recipient. */
struct submit_job {
  int64_t id;            /* the caller's, given back with the result */
  const char *sender;    /* return path, without <>; "" is the null sender */
  const char *recipient; /* without <> */
  GBytes *message;       /* RFC 5322 with CRLF; a reference is kept until the result */
  void *data;            /* the caller's, given back with the result */
};

/* Queues JOB (copied). Any thread. False if the queue is full or stopping: nothing
 * was queued, and a result fetched makes room. Errors: LIMIT (full), INPUT (an
 * address that SMTP cannot carry, or a message with a NUL or a bare CR or LF),
 * TEMP (stopping). */
bool submit_send(struct submit *submit, const struct submit_job *job, GError **error);

/* What became of a job. */
enum submit_outcome {
  SUBMIT_ACCEPTED,  /* 2xx after the final dot: the MTA has it */
  SUBMIT_TEMPORARY, /* not accepted: 4xx, no connection, one lost before the final dot, or
                       a server that does not greet us (also with 5xx) */
  SUBMIT_PERMANENT, /* not accepted: 5xx to the sender, the recipient or the message */
  SUBMIT_UNKNOWN,   /* in doubt: the final dot may have been sent and no reply came */
};

/* The word for OUTCOME: "accepted", "temporary", "permanent", "unknown". Static. */
const char *submit_outcome_name(enum submit_outcome outcome);

struct submit_result {
  int64_t id;
  void *data;
  enum submit_outcome outcome;
  int code;        /* SMTP reply code; 0 without a reply */
  char reply[512]; /* the reply's last line without its end, or what went wrong */
};

/* A descriptor that is readable while results wait; for poll(). Owned by SUBMIT. */
int submit_fd(const struct submit *submit);

/* Takes the next result; false if none waits. Any thread. */
bool submit_next(struct submit *submit, struct submit_result *result);

/* Jobs queued or in flight whose result has not been taken. */
unsigned submit_pending(struct submit *submit);

/* Ends: no new jobs; jobs that no thread has begun come back as TEMPORARY; returns
 * when those in flight have their outcome. Results can still be taken. One thread
 * at a time. */
void submit_stop(struct submit *submit);

/* Stops, closes the connections and frees. SUBMIT may be NULL. */
void submit_free(struct submit *submit);
