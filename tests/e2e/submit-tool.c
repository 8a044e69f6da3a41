/* Hands messages to an MTA as policyd does, and says what became of each.
 *
 *   submit-tool [-c CONNECTIONS] [-n COUNT] [-s SIZE] [-t RECIPIENT] [-r] [-q] PORT [FILE...]
 *
 * Message I (0…) is the file I modulo the number of files, as it is, or SIZE bytes
 * made up with "X-Number: I"; it goes to RECIPIENT, or rI@example.test. A line
 * "I OUTCOME CODE REPLY" for each result as it comes. -r sends what was TEMPORARY
 * again after a moment, until it has another outcome; -q prints only the summary:
 * "N accepted of M in S seconds, C seconds of CPU". Exit 0 if every message was
 * accepted, 2 if not. */

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "submit/submit.h"

static struct {
  struct submit_options options;
  int64_t count;
  size_t size;
  const char *recipient;
  bool again, quiet;
  char **files;
  int file_count;
} our = {.options = {.host = "127.0.0.1", .helo = "client.test", .connections = 8, .queue = 256},
         .count = -1,
         .size = 2000};

static void fail(const char *what, const GError *error)
{
  fprintf(stderr, "submit-tool: %s: %s\n", what, error->message);
  exit(1);
}

static GBytes *made_up(int64_t number)
{
  GString *text = g_string_new(NULL);
  g_string_printf(text,
                  "From: s@sender.test\r\nTo: r@example.test\r\nSubject: number %" PRId64 "\r\n"
                  "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <%" PRId64 "@sender.test>\r\n"
                  "X-Number: %" PRId64 "\r\n\r\n",
                  number, number, number);
  static const char line[] = "A line of text that is as long as most lines of most messages are today.\r\n";
  while (text->len + sizeof line < our.size)
    g_string_append(text, line);
  return g_string_free_to_bytes(text);
}

static GBytes *message(int64_t number)
{
  if (our.file_count == 0) return made_up(number);
  g_autoptr(GError) error = NULL;
  char *bytes;
  gsize length;
  const char *file = our.files[number % our.file_count];
  if (!g_file_get_contents(file, &bytes, &length, &error)) fail(file, error);
  return g_bytes_new_take(bytes, length);
}

/* False: the queue is full. */
static bool post(struct submit *submit, int64_t number)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) bytes = message(number);
  g_autofree char *own = g_strdup_printf("r%" PRId64 "@example.test", number);
  struct submit_job job = {.id = number,
                           .sender = "s@sender.test",
                           .recipient = our.recipient ? our.recipient : own,
                           .message = bytes};
  if (submit_send(submit, &job, &error)) return true;
  if (submit_pending(submit) < our.options.queue) fail("send", error);
  return false;
}

static void print(const struct submit_result *result)
{
  if (our.quiet) return;
  printf("%" PRId64 " %s %d %s\n", result->id, submit_outcome_name(result->outcome), result->code,
         result->reply);
  fflush(stdout);
}

static int64_t run(struct submit *submit)
{
  g_autoptr(GArray) again = g_array_new(FALSE, FALSE, sizeof(int64_t));
  int64_t next = 0, settled = 0, accepted = 0;
  while (settled < our.count) {
    while (next < our.count && submit_pending(submit) < our.options.queue && post(submit, next))
      next++;
    while (again->len > 0 && post(submit, g_array_index(again, int64_t, again->len - 1)))
      g_array_set_size(again, again->len - 1);
    poll(&(struct pollfd){.fd = submit_fd(submit), .events = POLLIN}, 1, -1);
    bool paused = false;
    for (struct submit_result result; submit_next(submit, &result);) {
      print(&result);
      if (our.again && result.outcome == SUBMIT_TEMPORARY) {
        g_array_append_val(again, result.id);
        paused = true;
        continue;
      }
      settled++;
      accepted += result.outcome == SUBMIT_ACCEPTED;
    }
    if (paused) g_usleep(50000); /* the MTA is away: do not storm it */
  }
  return accepted;
}

static void read_options(int argc, char **argv)
{
  for (int option; (option = getopt(argc, argv, "c:n:s:t:rq")) != -1;) {
    switch (option) {
    case 'c':
      our.options.connections = (unsigned)strtoul(optarg, NULL, 10);
      break;
    case 'n':
      our.count = strtoll(optarg, NULL, 10);
      break;
    case 's':
      our.size = (size_t)strtoul(optarg, NULL, 10);
      break;
    case 't':
      our.recipient = optarg;
      break;
    case 'r':
      our.again = true;
      break;
    case 'q':
      our.quiet = true;
      break;
    default:
      exit(64);
    }
  }
  if (optind >= argc) exit(64);
  our.options.port = (uint16_t)strtoul(argv[optind], NULL, 10);
  our.files = argv + optind + 1;
  our.file_count = argc - optind - 1;
  if (our.count < 0) our.count = our.file_count;
}

int main(int argc, char **argv)
{
  g_autoptr(GError) error = NULL;
  read_options(argc, argv);
  struct submit *submit = submit_new(&our.options, &error);
  if (!submit) fail("start", error);
  int64_t start = g_get_monotonic_time();
  int64_t accepted = run(submit);
  double seconds = (double)(g_get_monotonic_time() - start) / 1e6;
  submit_free(submit);
  struct timespec cpu;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  printf("%" PRId64 " accepted of %" PRId64 " in %.3f seconds, %.3f seconds of CPU\n", accepted, our.count,
         seconds, (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
  return accepted == our.count ? 0 : 2;
}
