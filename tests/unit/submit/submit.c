/* Every way a hand-over can go wrong, against a small scripted server: it goes
 * wrong at one point of one connection, and counts what it took. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/error.h"
#include "submit/submit.h"

/* -- the server ---------------------------------------------------------- */

enum point { NOWHERE, GREETING, EHLO, HELO, MAIL, RCPT, DATA, BODY, DOT, IDLE };

/* What it does there instead of its good reply: these, or says this text. */
#define CLOSE  ((const char *)1)
#define RESET  ((const char *)2)
#define SILENT ((const char *)3)
#define SLOW   ((const char *)4) /* the good reply after 300 ms */

struct server {
  int listener;
  uint16_t port;
  pthread_t thread;
  enum point point;
  const char *fault;
  unsigned fault_connection; /* only on this connection, counted from 1; 0: on all */
  unsigned connections;
  unsigned taken;
  unsigned quits;
  char mail[600], rcpt[600];
  GByteArray *message; /* the last one taken, dots unstuffed */
};

struct talk {
  struct server *server;
  int socket;
  FILE *in;
  bool over;
};

static void say(struct talk *talk, const char *text)
{
  g_autofree char *line = g_strconcat(text, "\r\n", NULL);
  if (send(talk->socket, line, strlen(line), MSG_NOSIGNAL) < 0) talk->over = true;
}

static void reset_on_close(int socket)
{
  setsockopt(socket, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
}

static void wait_for_the_client(struct talk *talk)
{
  char gone;
  while (recv(talk->socket, &gone, 1, 0) > 0)
    continue;
}

/* Does the fault if this is the point for it, else says GOOD. */
static bool go(struct talk *talk, enum point point, const char *good)
{
  struct server *server = talk->server;
  bool here = server->point == point &&
              (server->fault_connection == 0 || server->fault_connection == server->connections);
  if (!here) {
    if (good) say(talk, good);
    return true;
  }
  if (server->fault == SLOW) {
    g_usleep(300000);
    say(talk, good);
    return true;
  }
  if (server->fault != CLOSE && server->fault != RESET && server->fault != SILENT) {
    say(talk, server->fault);
    bool closing = g_str_has_prefix(server->fault, "421") || g_str_has_prefix(server->fault, "half");
    talk->over = closing;
    return false;
  }
  if (server->fault == SILENT) wait_for_the_client(talk);
  if (server->fault == RESET) reset_on_close(talk->socket);
  talk->over = true;
  return false;
}

static void take_body(struct talk *talk)
{
  struct server *server = talk->server;
  char line[70000];
  g_byte_array_set_size(server->message, 0);
  for (unsigned lines = 0; fgets(line, sizeof line, talk->in); lines++) {
    if (strcmp(line, ".\r\n") == 0) {
      if (go(talk, DOT, "250 2.0.0 Ok: queued as 4XYZ")) server->taken++;
      return;
    }
    const char *text = line[0] == '.' ? line + 1 : line;
    g_byte_array_append(server->message, (const guint8 *)text, (guint)strlen(text));
    if (lines == 10 && !go(talk, BODY, NULL)) return;
  }
  talk->over = true;
}

static void obey(struct talk *talk, const char *line)
{
  struct server *server = talk->server;
  if (g_str_has_prefix(line, "EHLO")) {
    if (go(talk, EHLO, "250-test\r\n250-PIPELINING\r\n250-SIZE\r\n250 SMTPUTF8")) return;
  } else if (g_str_has_prefix(line, "HELO")) {
    go(talk, HELO, "250 test");
  } else if (g_str_has_prefix(line, "MAIL FROM:")) {
    g_strlcpy(server->mail, line + 10, sizeof server->mail);
    go(talk, MAIL, "250 ok");
  } else if (g_str_has_prefix(line, "RCPT TO:")) {
    g_strlcpy(server->rcpt, line + 8, sizeof server->rcpt);
    go(talk, RCPT, "250 ok");
  } else if (g_str_has_prefix(line, "DATA")) {
    if (!go(talk, DATA, "354 go on")) return;
    take_body(talk);
    if (!talk->over) go(talk, IDLE, NULL);
  } else if (g_str_has_prefix(line, "QUIT")) {
    server->quits++;
    say(talk, "221 bye");
    talk->over = true;
  } else {
    say(talk, "500 what?");
  }
}

static void converse(struct talk *talk)
{
  char line[2000];
  go(talk, GREETING, "220 test ESMTP");
  while (!talk->over && fgets(line, sizeof line, talk->in)) {
    g_strchomp(line);
    obey(talk, line);
  }
}

static void *serve(void *user)
{
  struct server *server = user;
  for (;;) {
    int socket = accept(server->listener, NULL, NULL);
    if (socket < 0) return NULL;
    server->connections++;
    struct talk talk = {.server = server, .socket = socket, .in = fdopen(socket, "r")};
    converse(&talk);
    fclose(talk.in);
  }
}

static void server_start(struct server *server)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  server->message = g_byte_array_new();
  server->listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &length), 0);
  server->port = ntohs(address.sin_port);
  assert_int_equal(listen(server->listener, 8), 0);
  assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

/* After this the server's counts may be read: its thread has ended. */
static void server_stop(struct server *server)
{
  shutdown(server->listener, SHUT_RDWR);
  pthread_join(server->thread, NULL);
  close(server->listener);
}

static void server_clear(struct server *server)
{
  g_byte_array_unref(server->message);
}

/* -- the client ---------------------------------------------------------- */

static const char letter[] = "Subject: x\r\n\r\n.\r\n..two\r\n.three\r\n\r\nend\r\n";

/* Waits short where nothing will come, else long enough for a busy machine. */
static struct submit *client(const struct server *server, unsigned queue)
{
  struct submit_options options = {.host = "127.0.0.1",
                                   .port = server->port,
                                   .connections = 1,
                                   .queue = queue,
                                   .connect_seconds = server->fault == SILENT ? 1 : 20,
                                   .reply_seconds = server->fault == SILENT ? 1 : 20};
  struct submit *submit = submit_new(&options, NULL);
  assert_non_null(submit);
  return submit;
}

static bool post(struct submit *submit, int64_t id, GBytes *message)
{
  struct submit_job job = {
      .id = id, .sender = "s@shop.test", .recipient = "r@example.org", .message = message, .data = &job};
  return submit_send(submit, &job, NULL);
}

static struct submit_result result_of(struct submit *submit)
{
  struct submit_result result;
  struct pollfd wait = {.fd = submit_fd(submit), .events = POLLIN};
  assert_int_equal(poll(&wait, 1, 10000), 1);
  assert_true(submit_next(submit, &result));
  return result;
}

/* 8 MB: more than the kernel would take without a reader. */
static GBytes *large(void)
{
  GString *text = g_string_new("Subject: large\r\n\r\n");
  while (text->len < 8 << 20)
    g_string_append(text, "a line of a large message that ends like every other\r\n");
  return g_string_free_to_bytes(text);
}

/* -- one message, one fault ---------------------------------------------- */

static const struct {
  const char *name;
  enum point point;
  const char *fault;
  enum submit_outcome outcome;
  int code;
  const char *reply; /* found in it */
  unsigned taken;
  bool large;
} rows[] = {
    {"all is well", NOWHERE, NULL, SUBMIT_ACCEPTED, 250, "250 2.0.0 Ok: queued as 4XYZ", 1, false},
    {"large", NOWHERE, NULL, SUBMIT_ACCEPTED, 250, "4XYZ", 1, true},
    {"greeting 421", GREETING, "421 busy", SUBMIT_TEMPORARY, 421, "421 busy", 0, false},
    {"greeting 554", GREETING, "554 go away", SUBMIT_TEMPORARY, 554, "554 go away", 0, false},
    {"greeting lost", GREETING, CLOSE, SUBMIT_TEMPORARY, 0, "", 0, false},
    {"no greeting", GREETING, SILENT, SUBMIT_TEMPORARY, 0, "no reply in time", 0, false},
    {"EHLO 502, HELO", EHLO, "502 old", SUBMIT_ACCEPTED, 250, "4XYZ", 1, false},
    {"EHLO lost", EHLO, CLOSE, SUBMIT_TEMPORARY, 0, "", 0, false},
    {"MAIL 450", MAIL, "450 4.7.1 later", SUBMIT_TEMPORARY, 450, "450 4.7.1 later", 0, false},
    {"MAIL 550", MAIL, "550 5.7.1 no", SUBMIT_PERMANENT, 550, "550 5.7.1 no", 0, false},
    {"MAIL 421", MAIL, "421 4.3.2 bye", SUBMIT_TEMPORARY, 421, "421 4.3.2 bye", 0, false},
    {"MAIL lost", MAIL, CLOSE, SUBMIT_TEMPORARY, 0, "", 0, false},
    {"MAIL no reply", MAIL, SILENT, SUBMIT_TEMPORARY, 0, "no reply in time", 0, false},
    {"MAIL many lines", MAIL, "550-one\r\n550-two\r\n550 three", SUBMIT_PERMANENT, 550, "550 three", 0,
     false},
    {"RCPT 450", RCPT, "450 4.1.1 later", SUBMIT_TEMPORARY, 450, "450 4.1.1 later", 0, false},
    {"RCPT 550", RCPT, "550 5.1.1 who?", SUBMIT_PERMANENT, 550, "550 5.1.1 who?", 0, false},
    {"RCPT lost", RCPT, CLOSE, SUBMIT_TEMPORARY, 0, "", 0, false},
    {"RCPT reset", RCPT, RESET, SUBMIT_TEMPORARY, 0, "", 0, false},
    {"RCPT no reply", RCPT, SILENT, SUBMIT_TEMPORARY, 0, "no reply in time", 0, false},
    {"RCPT control bytes", RCPT, "550 \x1b[2J\xff", SUBMIT_PERMANENT, 550, "550 ?[2J?", 0, false},
    {"DATA 451", DATA, "451 full", SUBMIT_TEMPORARY, 451, "451 full", 0, false},
    {"DATA 554", DATA, "554 none", SUBMIT_PERMANENT, 554, "554 none", 0, false},
    {"DATA 250", DATA, "250 what?", SUBMIT_TEMPORARY, 0, "", 0, false},
    {"DATA lost", DATA, CLOSE, SUBMIT_TEMPORARY, 0, "", 0, false},
    {"DATA no reply", DATA, SILENT, SUBMIT_TEMPORARY, 0, "no reply in time", 0, false},
    {"lost before the dot", BODY, RESET, SUBMIT_TEMPORARY, 0, "", 0, true},
    {"dot 451", DOT, "451 4.3.0 disk", SUBMIT_TEMPORARY, 451, "451 4.3.0 disk", 0, false},
    {"dot 554", DOT, "554 5.7.1 spam", SUBMIT_PERMANENT, 554, "554 5.7.1 spam", 0, false},
    {"dot 421", DOT, "421 4.3.0 down", SUBMIT_TEMPORARY, 421, "421 4.3.0 down", 0, false},
    {"dot 252", DOT, "252 taken", SUBMIT_ACCEPTED, 252, "252 taken", 0, false},
    {"dot 354", DOT, "354 more?", SUBMIT_UNKNOWN, 0, "", 0, false},
    {"dot 250 in lines", DOT, "250-one\r\n250 two", SUBMIT_ACCEPTED, 250, "250 two", 0, false},
    {"dot half a reply", DOT, "half", SUBMIT_UNKNOWN, 0, "", 0, false},
    {"dot lost", DOT, CLOSE, SUBMIT_UNKNOWN, 0, "", 0, false},
    {"dot reset", DOT, RESET, SUBMIT_UNKNOWN, 0, "", 0, false},
    {"dot no reply", DOT, SILENT, SUBMIT_UNKNOWN, 0, "no reply in time", 0, false},
    {"dot slow reply", DOT, SLOW, SUBMIT_ACCEPTED, 250, "4XYZ", 1, false},
    {"large, dot lost", DOT, CLOSE, SUBMIT_UNKNOWN, 0, "", 0, true},
};

static void test_faults(void **state)
{
  (void)state;
  g_autoptr(GBytes) small = g_bytes_new_static(letter, strlen(letter));
  g_autoptr(GBytes) big = large();
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("<%s>\n", rows[i].name);
    struct server server = {.point = rows[i].point, .fault = rows[i].fault};
    server_start(&server);
    struct submit *submit = client(&server, 1);
    assert_true(post(submit, 7, rows[i].large ? big : small));
    struct submit_result result = result_of(submit);
    submit_free(submit);
    server_stop(&server);
    print_message("  %s %d '%s'\n", submit_outcome_name(result.outcome), result.code, result.reply);
    assert_int_equal(result.id, 7);
    assert_non_null(result.data);
    assert_int_equal(result.outcome, rows[i].outcome);
    assert_int_equal(result.code, rows[i].code);
    assert_non_null(strstr(result.reply, rows[i].reply));
    assert_true(result.reply[0] != '\0');
    assert_int_equal(server.taken, rows[i].taken);
    assert_int_equal(server.connections, 1);
    server_clear(&server);
  }
}

static void test_refused(void **state)
{
  (void)state;
  struct server server = {0};
  server_start(&server);
  server_stop(&server);
  server_clear(&server);
  struct submit *submit = client(&server, 1);
  g_autoptr(GBytes) message = g_bytes_new_static(letter, strlen(letter));
  assert_true(post(submit, 1, message));
  struct submit_result result = result_of(submit);
  assert_int_equal(result.outcome, SUBMIT_TEMPORARY);
  assert_int_equal(result.code, 0);
  submit_free(submit);
}

/* -- a second message on the same connection ------------------------------ */

static const struct {
  const char *name;
  enum point point; /* where the first connection breaks; only its second message gets there, or IDLE */
  const char *fault;
  enum submit_outcome outcome; /* of the second message */
  unsigned connections, taken;
} second[] = {
    {"kept", NOWHERE, NULL, SUBMIT_ACCEPTED, 1, 2},
    {"closed while idle", IDLE, CLOSE, SUBMIT_ACCEPTED, 2, 2},
    {"reset while idle", IDLE, RESET, SUBMIT_ACCEPTED, 2, 2},
    {"421 while idle", IDLE, "421 4.4.2 time", SUBMIT_ACCEPTED, 2, 2},
    {"lost at MAIL", MAIL, CLOSE, SUBMIT_ACCEPTED, 2, 2},
    {"421 at MAIL", MAIL, "421 4.4.2 time", SUBMIT_ACCEPTED, 2, 2},
    {"lost at RCPT", RCPT, RESET, SUBMIT_ACCEPTED, 2, 2},
    {"lost at DATA", DATA, CLOSE, SUBMIT_ACCEPTED, 2, 2},
    {"450 at MAIL is no death", MAIL, "450 later", SUBMIT_TEMPORARY, 1, 1},
    {"550 at RCPT is no death", RCPT, "550 who?", SUBMIT_PERMANENT, 1, 1},
    {"silence is no death", MAIL, SILENT, SUBMIT_TEMPORARY, 1, 1},
    {"lost after the dot: never again", DOT, CLOSE, SUBMIT_UNKNOWN, 1, 1},
    {"reset after the dot: never again", DOT, RESET, SUBMIT_UNKNOWN, 1, 1},
    {"421 after the dot: never again", DOT, "421 down", SUBMIT_TEMPORARY, 1, 1},
};

static void test_second(void **state)
{
  (void)state;
  g_autoptr(GBytes) message = g_bytes_new_static(letter, strlen(letter));
  for (size_t i = 0; i < G_N_ELEMENTS(second); i++) {
    print_message("<%s>\n", second[i].name);
    bool idle = second[i].point == IDLE;
    struct server server = {.point = idle ? IDLE : NOWHERE, .fault = second[i].fault, .fault_connection = 1};
    server_start(&server);
    struct submit *submit = client(&server, 1);
    assert_true(post(submit, 1, message));
    assert_int_equal(result_of(submit).outcome, SUBMIT_ACCEPTED);
    if (idle) g_usleep(50000); /* the fault is on its way; either way the result is the same */
    server.point = idle ? IDLE : second[i].point;
    assert_true(post(submit, 2, message));
    struct submit_result result = result_of(submit);
    submit_free(submit);
    server_stop(&server);
    print_message("  %s %d '%s'\n", submit_outcome_name(result.outcome), result.code, result.reply);
    assert_int_equal(result.outcome, second[i].outcome);
    assert_int_equal(server.connections, second[i].connections);
    assert_int_equal(server.taken, second[i].taken);
    server_clear(&server);
  }
}

static void test_reuse(void **state)
{
  (void)state;
  enum { MANY = 200 };
  struct server server = {0};
  server_start(&server);
  struct submit *submit = client(&server, MANY);
  g_autoptr(GBytes) message = g_bytes_new_static(letter, strlen(letter));
  for (int i = 0; i < MANY; i++)
    assert_true(post(submit, i, message));
  for (int i = 0; i < MANY; i++) {
    struct submit_result result = result_of(submit);
    assert_int_equal(result.id, i);
    assert_int_equal(result.outcome, SUBMIT_ACCEPTED);
  }
  assert_int_equal(submit_pending(submit), 0);
  submit_free(submit);
  server_stop(&server);
  assert_int_equal(server.taken, MANY);
  assert_int_equal(server.connections, 1);
  assert_int_equal(server.quits, 1);
  server_clear(&server);
  print_message("%d messages over 1 connection\n", MANY);
}

/* A refusal does not spoil what comes after it. */
static void test_after_refusal(void **state)
{
  (void)state;
  struct server server = {.point = RCPT, .fault = "550 who?"};
  server_start(&server);
  struct submit *submit = client(&server, 4);
  g_autoptr(GBytes) message = g_bytes_new_static(letter, strlen(letter));
  assert_true(post(submit, 1, message));
  assert_int_equal(result_of(submit).outcome, SUBMIT_PERMANENT);
  server.point = DOT;
  server.fault = "554 spam";
  assert_true(post(submit, 2, message));
  assert_int_equal(result_of(submit).outcome, SUBMIT_PERMANENT);
  server.point = NOWHERE;
  assert_true(post(submit, 3, message));
  assert_int_equal(result_of(submit).outcome, SUBMIT_ACCEPTED);
  submit_free(submit);
  server_stop(&server);
  assert_int_equal(server.taken, 1);
  server_clear(&server);
}

/* -- what is said --------------------------------------------------------- */

static const struct {
  const char *sender, *recipient;
  const char *mail, *rcpt; /* NULL: refused with INPUT */
} envelopes[] = {
    {"s@shop.test", "r@example.org", "<s@shop.test>", "<r@example.org>"},
    {"", "r@example.org", "<>", "<r@example.org>"},
    {"s+a=b@shop.test", "\"a@b\"@example.org", "<s+a=b@shop.test>", "<\"a@b\"@example.org>"},
    {"s@shop.test", "postmaster", "<s@shop.test>", "<postmaster>"},
    {"s@shop.test", "j\xc3\xb6rg@example.org", "<s@shop.test> SMTPUTF8", "<j\xc3\xb6rg@example.org>"},
    {"s@shop.test", "", NULL, NULL},
    {"s@shop.test", "r@example.org>\r\nDATA", NULL, NULL},
    {"s@shop.test\r\nRSET", "r@example.org", NULL, NULL},
    {"s@shop.test\n", "r@example.org", NULL, NULL},
    {"s@shop.test", "r@exam\rple.org", NULL, NULL},
    {"s@shop.test", "<r@example.org>", NULL, NULL},
    {"s@shop.test", "r@example.org SIZE=1", NULL, NULL},
    {"s@shop.test> BODY=8BITMIME", "r@example.org", NULL, NULL},
    {"s@shop.test", "r\t@example.org", NULL, NULL},
    {"s@shop.test", "r\x7f@example.org", NULL, NULL},
    {"s@shop.test", "r\x01@example.org", NULL, NULL},
    {"s@shop.test", "r\xff@example.org", NULL, NULL},
};

static void test_envelopes(void **state)
{
  (void)state;
  g_autoptr(GBytes) message = g_bytes_new_static(letter, strlen(letter));
  for (size_t i = 0; i < G_N_ELEMENTS(envelopes); i++) {
    print_message("<%s> <%s>\n", envelopes[i].sender, envelopes[i].recipient);
    g_autoptr(GError) error = NULL;
    struct server server = {0};
    server_start(&server);
    struct submit *submit = client(&server, 1);
    struct submit_job job = {
        .sender = envelopes[i].sender, .recipient = envelopes[i].recipient, .message = message};
    bool good = submit_send(submit, &job, &error);
    if (good) assert_int_equal(result_of(submit).outcome, SUBMIT_ACCEPTED);
    submit_free(submit);
    server_stop(&server);
    assert_int_equal(good, envelopes[i].mail != NULL);
    if (good) {
      assert_string_equal(server.mail, envelopes[i].mail);
      assert_string_equal(server.rcpt, envelopes[i].rcpt);
    } else {
      assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
      assert_int_equal(server.connections, 0);
    }
    server_clear(&server);
  }
}

#define TEXT(literal) literal, sizeof literal - 1

static const struct {
  const char *text;
  size_t size;
  bool good;
  const char *end; /* what the server has behind it: SMTP's lines are whole */
} messages[] = {
    {TEXT(""), true, ""},
    {TEXT("\r\n"), true, ""},
    {TEXT("a: b\r\n\r\nno end"), true, "\r\n"},
    {TEXT("a: b\r\n\r\n.\r\n"), true, ""},
    {TEXT(".\r\n.\r\n..\r\n...\r\n"), true, ""},
    {TEXT("\r\n\r\n\r\n.\r\n\r\n"), true, ""},
    {TEXT("a: b\r\n\r\nend\r\n."), true, "\r\n"},
    {TEXT("a\n.\nMAIL FROM:<x>\r\n"), false, ""},
    {TEXT("a\r.\r\n"), false, ""},
    {TEXT("a\r\r\n"), false, ""},
    {TEXT("a\r"), false, ""},
    {TEXT("a\n"), false, ""},
    {TEXT("a\r\nb\r"), false, ""},
    {TEXT("a\0b\r\n"), false, ""},
};

static void test_messages(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(messages); i++) {
    print_message("<message %zu>\n", i);
    g_autoptr(GBytes) message = g_bytes_new_static(messages[i].text, messages[i].size);
    struct server server = {0};
    server_start(&server);
    struct submit *submit = client(&server, 1);
    bool good = post(submit, 1, message);
    if (good) assert_int_equal(result_of(submit).outcome, SUBMIT_ACCEPTED);
    submit_free(submit);
    server_stop(&server);
    assert_int_equal(good, messages[i].good);
    if (good) {
      g_autofree char *want = g_strconcat(messages[i].text, messages[i].end, NULL);
      assert_int_equal(server.message->len, strlen(want));
      assert_memory_equal(server.message->data, want, strlen(want));
    }
    server_clear(&server);
  }
}

/* Dots at line starts, at every distance from the ends of libcurl's buffers. */
static void test_dots(void **state)
{
  (void)state;
  g_autoptr(GRand) random = g_rand_new_with_seed(4);
  struct server server = {0};
  server_start(&server);
  struct submit *submit = client(&server, 1);
  for (int i = 0; i < 60; i++) {
    GString *text = g_string_new(NULL);
    gsize size = (gsize)g_rand_int_range(random, 0, 300000);
    while (text->len < size) {
      for (int dots = g_rand_int_range(random, 0, 4); dots > 0; dots--)
        g_string_append_c(text, '.');
      for (int letters = g_rand_int_range(random, 0, 9); letters > 0; letters--)
        g_string_append_c(text, 'x');
      g_string_append(text, "\r\n");
    }
    g_autoptr(GBytes) message = g_string_free_to_bytes(text);
    assert_true(post(submit, i, message));
    assert_int_equal(result_of(submit).outcome, SUBMIT_ACCEPTED);
    gsize length;
    const void *bytes = g_bytes_get_data(message, &length);
    print_message("<%zu bytes>\n", length);
    assert_int_equal(server.message->len, length);
    if (length) assert_memory_equal(server.message->data, bytes, length);
  }
  submit_free(submit);
  server_stop(&server);
  assert_int_equal(server.connections, 1);
  server_clear(&server);
}

/* -- the queue ------------------------------------------------------------ */

static void test_queue(void **state)
{
  (void)state;
  struct server server = {.point = MAIL, .fault = SILENT};
  g_autoptr(GBytes) message = g_bytes_new_static(letter, strlen(letter));
  struct submit_job job = {.sender = "", .recipient = "r@example.org", .message = message};
  g_autoptr(GError) full = NULL, stopped = NULL;
  server_start(&server);
  struct submit *submit = client(&server, 3);
  struct submit_result result;
  assert_false(submit_next(submit, &result));
  for (int i = 0; i < 3; i++)
    assert_true(post(submit, i, message));
  assert_false(submit_send(submit, &job, &full));
  assert_true(g_error_matches(full, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT));
  assert_int_equal(submit_pending(submit), 3);
  submit_stop(submit);
  assert_false(submit_send(submit, &job, &stopped));
  assert_true(g_error_matches(stopped, TIDINGS_ERROR, TIDINGS_ERROR_TEMP));
  unsigned seen = 0;
  while (submit_next(submit, &result)) {
    assert_int_equal(result.outcome, SUBMIT_TEMPORARY);
    seen |= 1u << result.id;
  }
  assert_int_equal(seen, 7);
  assert_int_equal(submit_pending(submit), 0);
  struct pollfd quiet = {.fd = submit_fd(submit), .events = POLLIN};
  assert_int_equal(poll(&quiet, 1, 0), 0);
  submit_free(submit);
  server_stop(&server);
  server_clear(&server);
}

static void test_options(void **state)
{
  (void)state;
  static const struct {
    const char *name;
    struct submit_options options;
  } bad[] = {
      {"no host", {.port = 25, .connections = 1, .queue = 1}},
      {"host with a path", {.host = "a/b", .port = 25, .connections = 1, .queue = 1}},
      {"host with a user", {.host = "a@b", .port = 25, .connections = 1, .queue = 1}},
      {"no port", {.host = "a", .connections = 1, .queue = 1}},
      {"helo with a line end", {.host = "a", .port = 25, .helo = "a\r\nb", .connections = 1, .queue = 1}},
      {"no connections", {.host = "a", .port = 25, .queue = 1}},
      {"too many connections", {.host = "a", .port = 25, .connections = 65, .queue = 1}},
      {"no queue", {.host = "a", .port = 25, .connections = 1}},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(GError) error = NULL;
    print_message("<%s>\n", bad[i].name);
    assert_null(submit_new(&bad[i].options, &error));
    assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS));
  }
  submit_free(NULL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_faults),   cmocka_unit_test(test_refused),       cmocka_unit_test(test_second),
      cmocka_unit_test(test_reuse),    cmocka_unit_test(test_after_refusal), cmocka_unit_test(test_envelopes),
      cmocka_unit_test(test_messages), cmocka_unit_test(test_dots),          cmocka_unit_test(test_queue),
      cmocka_unit_test(test_options),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
