/* When a mail is split, and that a fault at any step leaves it whole and nothing
 * behind. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "milter/split.h"
#include "spool/spool.h"
#include "tests/unit/db/scratch.h"

static char *top;
static struct conf conf;
static struct engine engine = {.conf = &conf};

#define MESSAGE "From: a@shop.test\r\n\r\nbody\r\n"

/* -- faults -------------------------------------------------------------- */

static enum { NONE, SPOOL, SYNC, JOURNAL } failing;
static int spool_calls;

static bool fault(GError **error)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS, "a fault");
  return false;
}

bool __real_spool_write(const char *dir, const struct spool_copy *copy, GError **error);
bool __wrap_spool_write(const char *dir, const struct spool_copy *copy, GError **error);
bool __wrap_spool_write(const char *dir, const struct spool_copy *copy, GError **error)
{
  if (failing == SPOOL && ++spool_calls == 2) return fault(error);
  return __real_spool_write(dir, copy, error);
}

bool __real_spool_sync(const char *dir, GError **error);
bool __wrap_spool_sync(const char *dir, GError **error);
bool __wrap_spool_sync(const char *dir, GError **error)
{
  return failing == SYNC ? fault(error) : __real_spool_sync(dir, error);
}

bool __real_journal_write(struct journal *journal, const struct event *events, size_t n, GError **error);
bool __wrap_journal_write(struct journal *journal, const struct event *events, size_t n, GError **error);
bool __wrap_journal_write(struct journal *journal, const struct event *events, size_t n, GError **error)
{
  return failing == JOURNAL ? fault(error) : __real_journal_write(journal, events, n, error);
}

/* ------------------------------------------------------------------------ */

static GPtrArray *recipients(const char *words)
{
  GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
  g_auto(GStrv) all = g_strsplit(words, " ", -1);
  for (char **one = all; *one; one++)
    g_ptr_array_add(list, g_strdup(*one));
  return list;
}

static void test_hindrance(void **state)
{
  (void)state;
  static const struct {
    const char *name, *to, *sender, *message, *hindrance;
    size_t missing; /* bytes of the message that were not kept */
    bool parameters, closed;
  } rows[] = {
      {.name = "plain", .to = "a@x b@x", .sender = "s@x", .message = MESSAGE},
      {.name = "null sender", .to = "a@x b@x", .sender = "", .message = MESSAGE},
      {.name = "8 bit", .to = "a@x b@x", .sender = "s@x", .message = "A: b\r\n\r\n\303\266\r\n"},
      {.name = "parameters",
       .to = "a@x b@x",
       .sender = "s@x",
       .message = MESSAGE,
       .hindrance = "envelope",
       .parameters = true},
      {.name = "no journal",
       .to = "a@x b@x",
       .sender = "s@x",
       .message = MESSAGE,
       .hindrance = "journal",
       .closed = true},
      {.name = "recipient",
       .to = "a@x \303\266@x",
       .sender = "s@x",
       .message = MESSAGE,
       .hindrance = "addresses"},
      {.name = "a control",
       .to = "a@x b\001@x",
       .sender = "s@x",
       .message = MESSAGE,
       .hindrance = "addresses"},
      {.name = "sender",
       .to = "a@x b@x",
       .sender = "\303\266@x",
       .message = MESSAGE,
       .hindrance = "addresses"},
      {.name = "bare LF",
       .to = "a@x b@x",
       .sender = "s@x",
       .message = "A: b\r\n\r\nx\ny\r\n",
       .hindrance = "line-ends"},
      {.name = "bare CR",
       .to = "a@x b@x",
       .sender = "s@x",
       .message = "A: b\r\n\r\nx\ry\r\n",
       .hindrance = "line-ends"},
      {.name = "CR at the end",
       .to = "a@x b@x",
       .sender = "s@x",
       .message = "A: b\r\n\r\nx\r",
       .hindrance = "line-ends"},
      {.name = "cut off",
       .to = "a@x b@x",
       .sender = "s@x",
       .message = MESSAGE,
       .hindrance = "too-large",
       .missing = 1},
  };
  g_autofree char *dir = g_strconcat(top, "/hindrance", NULL);
  struct journal *journal = journal_open(dir, 1, ID_MILTER, NULL);
  g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(size_t));
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("%s\n", rows[i].name);
    g_autoptr(GPtrArray) to = recipients(rows[i].to);
    size_t length = strlen(rows[i].message);
    struct engine_mail mail = {.sender = rows[i].sender,
                               .recipients = to,
                               .message = rows[i].message,
                               .length = length,
                               .total = length + rows[i].missing,
                               .parameters = rows[i].parameters};
    struct split split = {
        .engine = &engine, .mail = &mail, .remove = none, .journal = rows[i].closed ? NULL : journal};
    const char *said = split_hindrance(&split);
    if (g_strcmp0(said, rows[i].hindrance) != 0) fail_msg("%s: %s", rows[i].name, said ? said : "none");
  }
  /* Room for 256 MB, and a thousand. */
  g_autoptr(GString) many = g_string_new("r@x");
  for (int i = 1; i < 1000; i++)
    g_string_append_printf(many, " r%d@x", i);
  g_autoptr(GPtrArray) thousand = recipients(many->str);
  g_string_append(many, " last@x");
  g_autoptr(GPtrArray) more = recipients(many->str);
  g_autofree char *big = g_strnfill(300000, 'x');
  struct engine_mail mail = {
      .sender = "s@x", .recipients = thousand, .message = big, .length = 1000, .total = 1000};
  struct split split = {.engine = &engine, .mail = &mail, .remove = none, .journal = journal};
  assert_null(split_hindrance(&split));
  mail.length = mail.total = 300000;
  assert_string_equal(split_hindrance(&split), "too-large");
  mail.length = mail.total = 1000;
  mail.recipients = more;
  assert_string_equal(split_hindrance(&split), "too-many");
  journal_close(journal);
}

/* Events of the journal in DIR. */
static GArray *events_in(const char *dir)
{
  GArray *events = g_array_new(FALSE, FALSE, sizeof(struct event));
  g_array_set_clear_func(events, (GDestroyNotify)event_clear);
  struct journal_reader *reader = journal_reader_open(dir, NULL);
  struct journal_position position = {0};
  assert_true(journal_read(reader, &position, 100, events, NULL));
  journal_reader_close(reader);
  return events;
}

static void test_make(void **state)
{
  (void)state;
  static const struct {
    const char *name, *to;
    int fault;
    size_t removed; /* index */
    guint copies;   /* 0: none, and nothing left */
  } rows[] = {{"two", "a@x b@x", NONE, 99, 2},
              {"one of three is removed", "a@x b@x c@x", NONE, 1, 2},
              {"the same, in capitals", "a@x A@X b@x", NONE, 99, 2},
              {"the second file", "a@x b@x", SPOOL, 99, 0},
              {"the folder", "a@x b@x", SYNC, 99, 0},
              {"the journal", "a@x b@x", JOURNAL, 99, 0}};
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("%s\n", rows[i].name);
    g_autofree char *spool = g_strdup_printf("%s/spool%zu/milter", top, i);
    g_autofree char *dir = g_strdup_printf("%s/journal%zu", top, i);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) to = recipients(rows[i].to);
    g_autoptr(GArray) remove = g_array_new(FALSE, FALSE, sizeof(size_t));
    if (rows[i].removed != 99) g_array_append_val(remove, rows[i].removed);
    conf.milter_spool = spool;
    struct journal *journal = journal_open(dir, 1, ID_MILTER, NULL);
    struct engine_mail mail = {.sender = "s@x",
                               .recipients = to,
                               .queue_id = "4Q",
                               .message = MESSAGE,
                               .length = strlen(MESSAGE),
                               .total = strlen(MESSAGE)};
    struct split split = {.engine = &engine,
                          .mail = &mail,
                          .remove = remove,
                          .journal = journal,
                          .tenant = 3,
                          .now = INT64_C(1795348800000000)};
    failing = rows[i].fault;
    spool_calls = 0;
    bool made = split_make(&split, &error);
    failing = NONE;
    assert_int_equal(made, rows[i].copies > 0);
    assert_int_equal(error == NULL, made);
    g_autoptr(GArray) files = spool_list(spool, 100, NULL);
    assert_int_equal(files->len, rows[i].copies);
    g_autoptr(GArray) events = events_in(dir);
    assert_int_equal(events->len, rows[i].copies);
    for (guint k = 0; k < events->len; k++) {
      const struct event *event = &g_array_index(events, struct event, k);
      struct spool_file file;
      assert_int_equal(event->kind, EVENT_SPOOLED);
      assert_true(spool_read(spool, 3, event->mail, &file, NULL));
      assert_memory_equal(file.copy.message, MESSAGE, strlen(MESSAGE));
      assert_string_equal(file.copy.recipient, k == 0 ? "a@x" : rows[i].removed == 1 ? "c@x" : "b@x");
      assert_string_equal(file.copy.sender, "s@x");
      spool_file_clear(&file);
    }
    journal_close(journal);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_hindrance), cmocka_unit_test(test_make)};
  top = scratch_new();
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  scratch_free(top);
  return failed;
}
