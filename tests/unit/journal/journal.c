/* The journal: what was acknowledged is there, once and in order, whatever dies
 * or fails on the way. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include "base/error.h"
#include "db/db.h"
#include "journal/journal.h"
#include "tests/unit/db/scratch.h"

static const int64_t noon = INT64_C(1795348800000000);

static char *top;

static char *fresh(const char *name)
{
  return g_strdup_printf("%s/%s", top, name);
}

static struct event numbered(int64_t n)
{
  return (struct event){
      .id = n, .at = noon + n, .kind = EVENT_CLICK, .tenant = 2, .mail = n + 1, .data = NULL};
}

static void clear_event(void *event)
{
  event_clear(event);
}

static GArray *events_new(void)
{
  GArray *events = g_array_new(false, false, sizeof(struct event));
  g_array_set_clear_func(events, clear_event);
  return events;
}

static struct journal *open_at(const char *dir)
{
  g_autoptr(GError) error = NULL;
  struct journal *journal = journal_open(dir, 1, ID_TRACKER, &error);
  if (!journal) print_error("%s\n", error->message);
  assert_non_null(journal);
  return journal;
}

/* Reads all that is new, in bites of MAX. */
static void drain(struct journal_reader *reader, struct journal_position *position, size_t max,
                  GArray *events)
{
  for (;;) {
    g_autoptr(GError) error = NULL;
    guint before = events->len;
    bool good = journal_read(reader, position, max, events, &error);
    if (!good) print_error("%s\n", error->message);
    assert_true(good);
    if (events->len == before) return;
    assert_true(events->len - before <= max);
  }
}

static GArray *read_all(const char *dir)
{
  struct journal_reader *reader = journal_reader_open(dir, NULL);
  struct journal_position position = {0};
  GArray *events = events_new();
  drain(reader, &position, 100, events);
  journal_reader_close(reader);
  return events;
}

static int64_t id_at(const GArray *events, guint i)
{
  return g_array_index(events, struct event, i).id;
}

static char *file_in(const char *dir, int64_t segment, const char *suffix)
{
  return g_strdup_printf("%s/%012" PRId64 ".db%s", dir, segment, suffix);
}

/* -- one producer, one reader ------------------------------------------- */

static void test_round_trip(void **state)
{
  (void)state;
  g_autofree char *dir = fresh("round");
  struct journal_reader *reader = journal_reader_open(dir, NULL);
  struct journal_position position = {0};
  g_autoptr(GArray) events = events_new();
  assert_true(journal_read(reader, &position, 10, events, NULL)); /* no folder yet */
  assert_int_equal(events->len, 0);

  struct journal *journal = open_at(dir);
  struct event in[] = {{.id = 5,
                        .at = -1,
                        .kind = EVENT_MAIL,
                        .tenant = INT64_MAX,
                        .mail = 5,
                        .data = (char *)"{\"to\":\"é\"}"},
                       {.id = 6, .at = noon, .kind = EVENT_OPEN, .tenant = 0, .mail = 0, .data = NULL}};
  assert_true(journal_write(journal, in, 2, NULL));
  assert_true(journal_write(journal, NULL, 0, NULL));
  assert_true(journal_read(reader, &position, 1, events, NULL));
  assert_int_equal(events->len, 1);
  assert_int_equal(position.seq, 1);
  assert_true(journal_read(reader, &position, 10, events, NULL));
  assert_true(journal_read(reader, &position, 10, events, NULL));
  assert_int_equal(events->len, 2);
  for (guint i = 0; i < 2; i++) {
    struct event *out = &g_array_index(events, struct event, i);
    assert_int_equal(out->id, in[i].id);
    assert_int_equal(out->at, in[i].at);
    assert_int_equal(out->kind, in[i].kind);
    assert_int_equal(out->tenant, in[i].tenant);
    assert_int_equal(out->mail, in[i].mail);
    if (in[i].data)
      assert_string_equal(out->data, in[i].data);
    else
      assert_null(out->data);
  }
  journal_close(journal);
  journal_reader_close(reader);
}

static void test_files_and_lock(void **state)
{
  (void)state;
  g_autofree char *dir = fresh("files");
  mode_t before = umask(077);
  struct journal *journal = open_at(dir);
  struct event one = numbered(1);
  assert_true(journal_append(journal, &one, NULL));
  umask(before);
  static const struct {
    const char *name;
    mode_t mode;
  } rows[] = {{"", 02770},
              {"/000000000001.db", 0660},
              {"/000000000001.db-wal", 0660},
              {"/000000000001.db-shm", 0660}};
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *path = g_strconcat(dir, rows[i].name, NULL);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    if ((st.st_mode & 07777) != rows[i].mode) print_error("%s: %o\n", path, st.st_mode & 07777);
    assert_int_equal(st.st_mode & 07777, rows[i].mode);
  }
  g_autoptr(GError) error = NULL;
  assert_null(journal_open(dir, 1, ID_TRACKER, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_TEMP));
  journal_close(journal);
  journal_close(open_at(dir));
}

static void test_ids_go_on(void **state)
{
  (void)state;
  g_autofree char *dir = fresh("ids");
  struct journal *journal = open_at(dir);
  struct event one = numbered(journal_next_id(journal, noon));
  int64_t given = journal_next_id(journal, noon); /* not in a row of its own */
  assert_true(journal_append(journal, &one, NULL));
  journal_close(journal);

  journal = open_at(dir);
  int64_t after = journal_next_id(journal, noon - INT64_C(3600000000)); /* the clock stepped back */
  assert_true(after > given);
  /* The same across a segment that nothing was written to. */
  journal_set_segment_size(journal, 1);
  one.id = after;
  assert_true(journal_append(journal, &one, NULL));
  one.id = journal_next_id(journal, noon);
  assert_true(journal_append(journal, &one, NULL));
  journal_close(journal);
  journal = open_at(dir);
  assert_true(journal_next_id(journal, 0) > one.id);
  journal_close(journal);
}

static void test_all_or_none(void **state)
{
  (void)state;
  g_autofree char *dir = fresh("all");
  struct journal *journal = open_at(dir);
  g_autofree char *huge = g_strnfill(JOURNAL_MAX_DATA + 1, 'x');
  struct event events[] = {numbered(1), numbered(2), numbered(3)};
  events[2].data = huge;
  g_autoptr(GError) error = NULL;
  assert_false(journal_write(journal, events, 3, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT));
  huge[JOURNAL_MAX_DATA] = '\0';
  assert_true(journal_write(journal, &events[2], 1, NULL));
  journal_close(journal);
  g_autoptr(GArray) all = read_all(dir);
  assert_int_equal(all->len, 1);
  assert_int_equal(id_at(all, 0), 3);
}

static void test_segments(void **state)
{
  (void)state;
  g_autofree char *dir = fresh("segments");
  struct journal *journal = open_at(dir);
  journal_set_segment_size(journal, 20000);
  enum { EVENTS = 3000 };
  for (int64_t n = 1; n <= EVENTS; n += 10) {
    struct event ten[10];
    for (int i = 0; i < 10; i++)
      ten[i] = numbered(n + i);
    assert_true(journal_write(journal, ten, 10, NULL));
  }
  g_autofree char *first = file_in(dir, 1, ""), *second = file_in(dir, 2, ""), *third = file_in(dir, 3, "");
  assert_int_equal(access(third, F_OK), 0);

  struct journal_reader *reader = journal_reader_open(dir, NULL);
  struct journal_position position = {0};
  g_autoptr(GArray) events = events_new();
  assert_true(journal_read(reader, &position, 7, events, NULL));
  assert_true(journal_discard(reader, &position, NULL));
  assert_int_equal(access(first, F_OK), 0); /* not yet read to its end */
  drain(reader, &position, 7, events);
  assert_int_equal(events->len, EVENTS);
  for (guint i = 0; i < events->len; i++)
    assert_int_equal(id_at(events, i), i + 1);
  assert_true(journal_discard(reader, &position, NULL));
  assert_int_not_equal(access(first, F_OK), 0);
  assert_int_not_equal(access(second, F_OK), 0);
  g_autofree char *newest = file_in(dir, position.segment, "");
  struct journal_position beyond = {.segment = 999};
  assert_true(journal_discard(reader, &beyond, NULL));
  assert_int_equal(access(newest, F_OK), 0); /* never the newest */

  /* A position beyond all that is there would never read again: said, not silent. */
  g_autoptr(GError) error = NULL;
  assert_false(journal_read(reader, &beyond, 7, events, &error));
  assert_non_null(strstr(error->message, "999"));
  journal_reader_close(reader);
  journal_close(journal);
}

/* -- several at a time --------------------------------------------------- */

enum { THREADS = 8, EACH = 200 };

struct appender {
  struct journal *journal;
  int64_t base;
};

static void *append_many(void *data)
{
  struct appender *appender = data;
  for (int i = 0; i < EACH; i++) {
    struct event event = numbered(appender->base + i);
    if (!journal_append(appender->journal, &event, NULL)) abort();
  }
  return NULL;
}

static void test_group_commit(void **state)
{
  (void)state;
  g_autofree char *dir = fresh("group");
  struct journal *journal = open_at(dir);
  journal_set_segment_size(journal, 30000);
  struct appender appenders[THREADS];
  GThread *threads[THREADS];
  for (int i = 0; i < THREADS; i++) {
    appenders[i] = (struct appender){journal, 1 + (int64_t)i * EACH};
    threads[i] = g_thread_new("append", append_many, &appenders[i]);
  }
  /* A reader meanwhile sees each once, and each thread's in its order. */
  struct journal_reader *reader = journal_reader_open(dir, NULL);
  struct journal_position position = {0};
  g_autoptr(GArray) events = events_new();
  for (int i = 0; i < 200; i++)
    drain(reader, &position, 50, events);
  for (int i = 0; i < THREADS; i++)
    g_thread_join(threads[i]);
  drain(reader, &position, 50, events);
  journal_reader_close(reader);

  struct journal_counts counts;
  journal_count(journal, &counts);
  journal_close(journal);
  assert_int_equal(counts.events, THREADS * EACH);
  assert_true(counts.transactions < counts.events / 2);
  assert_int_equal(events->len, THREADS * EACH);
  int64_t seen[THREADS] = {0};
  for (guint i = 0; i < events->len; i++) {
    int64_t n = id_at(events, i) - 1;
    assert_int_equal(n % EACH, seen[n / EACH]++);
  }
  print_message("count: %d threads wrote %d events in %d transactions\n", THREADS, THREADS * EACH,
                (int)counts.transactions);
}

/* -- death --------------------------------------------------------------- */

static void write_until_killed(const char *dir, _Atomic int64_t *acknowledged)
{
  struct journal *journal = journal_open(dir, 1, ID_TRACKER, NULL);
  if (!journal) _exit(1);
  journal_set_segment_size(journal, 40000);
  for (;;) {
    struct event three[3];
    for (int i = 0; i < 3; i++)
      three[i] = numbered(*acknowledged + 1 + i);
    if (!journal_write(journal, three, 3, NULL)) _exit(2);
    *acknowledged += 3;
  }
}

/* Each child goes on from what the one before it had acknowledged. An event that
 * was on disk but not yet acknowledged when the child died may be there twice
 * with different seq; what was acknowledged must be there, and in order. */
static void test_killed(void **state)
{
  (void)state;
  enum { KILLS = 50 };
  g_autofree char *dir = fresh("killed");
  _Atomic int64_t *acknowledged = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct journal_reader *reader = journal_reader_open(dir, NULL);
  struct journal_position position = {0};
  g_autoptr(GArray) events = events_new();
  int in_flight = 0;
  srandom(1);
  for (int kill_number = 0; kill_number < KILLS; kill_number++) {
    int64_t before = *acknowledged;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) write_until_killed(dir, acknowledged);
    if (kill_number % 5 == 4) { /* some die while they open */
      usleep((useconds_t)(random() % 5000));
    } else {
      while (*acknowledged < before + 3)
        usleep(200);
      usleep((useconds_t)(random() % 20000));
    }
    kill(child, SIGKILL);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    in_flight += *acknowledged > before;
    if (kill_number % 2) { /* every other time the dead one's log is recovered by the reader */
      drain(reader, &position, 64, events);
      assert_true(journal_discard(reader, &position, NULL));
    }
  }
  drain(reader, &position, 64, events);
  journal_reader_close(reader);
  int64_t expected = 1;
  int twice = 0;
  for (guint i = 0; i < events->len; i++) {
    int64_t id = id_at(events, i);
    if (id < expected) {
      twice++;
      assert_true(id >= expected - 3); /* the one transaction in doubt, written anew */
      continue;
    }
    assert_int_equal(id, expected);
    expected++;
  }
  assert_true(expected > *acknowledged);
  assert_true(expected <= *acknowledged + 4);
  assert_true(in_flight >= KILLS / 2);
  print_message(
      "count: %d kills (%d under load), %d events acknowledged, all there; %d in doubt were written anew\n",
      KILLS, in_flight, (int)*acknowledged, twice);
  munmap((void *)acknowledged, 4096);
}

/* -- bad disks ----------------------------------------------------------- */

static void damage(const char *path, off_t at)
{
  int fd = open(path, O_WRONLY);
  assert_true(fd >= 0);
  char junk[8192];
  memset(junk, 0xa5, sizeof junk);
  assert_int_equal(pwrite(fd, junk, sizeof junk, at), sizeof junk);
  close(fd);
}

static void test_corrupt_newest(void **state)
{
  (void)state;
  g_autofree char *dir = fresh("corrupt");
  struct journal *journal = open_at(dir);
  journal_set_segment_size(journal, 1); /* a segment an event: 2, 3 */
  struct event event = numbered(0);
  int64_t first = journal_next_id(journal, noon);
  for (int i = 0; i < 2; i++) {
    event.id = journal_next_id(journal, noon);
    assert_true(journal_append(journal, &event, NULL));
  }
  journal_close(journal);
  g_autofree char *third = file_in(dir, 3, ""), *aside = file_in(dir, 3, ".corrupt");
  damage(third, 0);

  journal = open_at(dir);
  assert_int_equal(access(aside, F_OK), 0);
  assert_true(journal_next_id(journal, 0) > first); /* goes on from segment 2 */
  event.id = 77;
  assert_true(journal_append(journal, &event, NULL));
  journal_close(journal);

  struct journal_reader *reader = journal_reader_open(dir, NULL);
  struct journal_position position = {0};
  g_autoptr(GArray) events = events_new();
  int errors = 0;
  for (int i = 0; i < 10; i++) {
    g_autoptr(GError) error = NULL;
    if (journal_read(reader, &position, 10, events, &error)) continue;
    assert_non_null(strstr(error->message, "000000000003.db.corrupt"));
    errors++;
  }
  assert_int_equal(errors, 1);
  assert_int_equal(events->len, 2);
  assert_int_equal(id_at(events, 1), 77);
  assert_int_equal(position.segment, 4);
  journal_reader_close(reader);
}

static void test_corrupt_while_writing(void **state)
{
  (void)state;
  g_autofree char *dir = fresh("corrupting");
  struct journal *journal = open_at(dir);
  struct event many[2000];
  for (int i = 0; i < 2000; i++)
    many[i] = numbered(i + 1);
  assert_true(journal_write(journal, many, 2000, NULL));
  g_autofree char *path = file_in(dir, 1, ""), *aside = file_in(dir, 1, ".corrupt");
  /* A stranger's commit empties the producer's page cache: it has to read again. */
  struct db *stranger = db_open(path, DB_WAL, 0, 1000, NULL, NULL);
  assert_non_null(stranger);
  assert_true(db_script(stranger, "UPDATE start SET last = last; PRAGMA wal_checkpoint(TRUNCATE)", NULL));
  db_close(stranger);
  damage(path, 4096); /* the root of the table */

  struct event next = numbered(5000);
  g_autoptr(GError) error = NULL;
  assert_false(journal_append(journal, &next, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS));
  assert_non_null(strstr(error->message, "put aside as 000000000001.db.corrupt"));
  assert_int_equal(access(aside, F_OK), 0);
  assert_true(journal_append(journal, &next, NULL));
  assert_true(journal_next_id(journal, 0) > 5000);
  journal_close(journal);
  g_autofree char *second = file_in(dir, 2, "");
  assert_int_equal(access(second, F_OK), 0);
}

static void test_unreadable_older(void **state)
{
  (void)state;
  g_autofree char *dir = fresh("older");
  struct journal *journal = open_at(dir);
  journal_set_segment_size(journal, 1);
  for (int64_t i = 1; i <= 3; i++) {
    struct event event = numbered(i);
    assert_true(journal_append(journal, &event, NULL)); /* to segments 2, 3, 4 */
  }
  g_autofree char *third = file_in(dir, 3, "");
  damage(third, 0);
  struct journal_reader *reader = journal_reader_open(dir, NULL);
  struct journal_position position = {0};
  g_autoptr(GArray) events = events_new();
  assert_true(journal_read(reader, &position, 10, events, NULL));
  /* Put aside by the reader, said once, and then passed over. */
  g_autoptr(GError) error = NULL;
  assert_false(journal_read(reader, &position, 10, events, &error));
  assert_non_null(strstr(error->message, "000000000003.db.corrupt"));
  assert_false(journal_reader_is_damaged(reader));
  assert_int_not_equal(access(third, F_OK), 0);
  drain(reader, &position, 10, events);
  assert_int_equal(events->len, 2);
  /* The newest is its producer's. */
  g_autofree char *fourth = file_in(dir, 4, "");
  damage(fourth, 0);
  struct journal_position again = {0};
  struct journal_reader *fresh_reader = journal_reader_open(dir, NULL);
  for (int i = 0; i < 3; i++) {
    g_autoptr(GError) fault = NULL;
    while (journal_read(fresh_reader, &again, 10, events, &fault))
      continue;
    assert_non_null(strstr(fault->message, i ? "000000000004.db" : "000000000003.db.corrupt"));
  }
  assert_true(journal_reader_is_damaged(fresh_reader));
  assert_int_equal(access(fourth, F_OK), 0);
  journal_reader_close(fresh_reader);
  journal_reader_close(reader);
  journal_close(journal);
}

static void test_half_made(void **state)
{
  (void)state;
  g_autofree char *dir = fresh("half");
  journal_close(open_at(dir));
  g_autofree char *making = g_strconcat(dir, "/making", NULL), *wal = g_strconcat(making, "-wal", NULL);
  g_autofree char *first = file_in(dir, 1, "");
  assert_int_equal(unlink(first), 0);
  assert_true(g_file_set_contents(making, "half", 4, NULL));
  assert_true(g_file_set_contents(wal, "half", 4, NULL));
  g_autoptr(GArray) none = read_all(dir);
  assert_int_equal(none->len, 0);
  journal_close(open_at(dir));
  assert_int_not_equal(access(making, F_OK), 0);
}

static void test_full_disk(void **state)
{
  (void)state;
  g_autofree char *disk = fresh("disk"), *dir = fresh("disk/journal");
  assert_int_equal(mkdir(disk, 0755), 0);
  if (mount("tmpfs", disk, "tmpfs", 0, "size=1m") != 0) {
    print_message("SKIP: a small tmpfs cannot be mounted here\n");
    skip();
  }
  struct journal *journal = open_at(dir);
  g_autofree char *data = g_strnfill(1000, 'x');
  int64_t written = 0;
  g_autoptr(GError) error = NULL;
  for (;;) {
    struct event event = numbered(written + 1);
    event.data = data;
    if (!journal_append(journal, &event, &error)) break;
    written++;
    assert_true(written < 5000);
  }
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS));
  assert_non_null(strstr(error->message, "make room"));
  /* Room is made: it goes on without a restart. */
  assert_int_equal(mount("tmpfs", disk, "tmpfs", MS_REMOUNT, "size=4m"), 0);
  for (int i = 0; i < 10; i++) {
    struct event event = numbered(written + 1);
    assert_true(journal_append(journal, &event, NULL));
    written++;
  }
  g_autoptr(GArray) all = read_all(dir);
  assert_int_equal(all->len, written);
  for (guint i = 0; i < all->len; i++)
    assert_int_equal(id_at(all, i), i + 1);
  journal_close(journal);
  umount2(disk, MNT_DETACH);
  print_message("count: %d events until a disk of 1 MB was full, all readable\n", (int)written - 10);
}

static int open_readonly(void *data)
{
  g_autoptr(GError) error = NULL;
  if (journal_open(data, 1, ID_TRACKER, &error)) return 1;
  if (!g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS) || !strstr(error->message, data)) return 2;
  return 0;
}

static void test_readonly_folder(void **state)
{
  (void)state;
  g_autofree char *dir = fresh("readonly"), *absent = fresh("absent");
  journal_close(open_at(dir));
  assert_int_equal(chmod(top, 0755), 0);
  assert_int_equal(chmod(dir, 0755), 0);
  assert_int_equal(scratch_as_nobody(open_readonly, dir), 0);
  assert_int_equal(scratch_as_nobody(open_readonly, absent), 0);
}

/* A reader of the group recovers what a dead producer of another user left, and
 * the producer goes on afterwards. */
static int read_as_group(void *data)
{
  g_autoptr(GError) error = NULL;
  struct journal_reader *reader = journal_reader_open(data, NULL);
  struct journal_position position = {0};
  g_autoptr(GArray) events = events_new();
  bool good = journal_read(reader, &position, 100, events, &error);
  if (!good) fprintf(stderr, "%s\n", error->message);
  journal_reader_close(reader);
  return good && events->len == 3 ? 0 : 1;
}

static void test_other_user_recovers(void **state)
{
  (void)state;
  if (geteuid() != 0) skip();
  g_autofree char *dir = fresh("group-reader");
  assert_int_equal(chmod(top, 0755), 0);
  assert_int_equal(mkdir(dir, 0770), 0);
  assert_int_equal(chown(dir, 0, 65534), 0);
  assert_int_equal(chmod(dir, 02770), 0);
  _Atomic int64_t *acknowledged = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t child = fork();
  if (child == 0) {
    struct journal *journal = journal_open(dir, 1, ID_TRACKER, NULL);
    struct event three[] = {numbered(1), numbered(2), numbered(3)};
    if (!journal || !journal_write(journal, three, 3, NULL)) _exit(1);
    *acknowledged = 3;
    for (;;)
      pause();
  }
  while (*acknowledged < 3)
    usleep(500);
  assert_int_equal(scratch_as_nobody(read_as_group, dir), 0); /* alive */
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  assert_int_equal(scratch_as_nobody(read_as_group, dir), 0); /* dead */
  struct journal *journal = open_at(dir);
  struct event four = numbered(4);
  assert_true(journal_append(journal, &four, NULL));
  journal_close(journal);
  g_autoptr(GArray) all = read_all(dir);
  assert_int_equal(all->len, 4);
}

int main(void)
{
  top = scratch_new();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_files_and_lock),
      cmocka_unit_test(test_ids_go_on),
      cmocka_unit_test(test_all_or_none),
      cmocka_unit_test(test_segments),
      cmocka_unit_test(test_group_commit),
      cmocka_unit_test(test_killed),
      cmocka_unit_test(test_corrupt_newest),
      cmocka_unit_test(test_corrupt_while_writing),
      cmocka_unit_test(test_unreadable_older),
      cmocka_unit_test(test_half_made),
      cmocka_unit_test(test_full_disk),
      cmocka_unit_test(test_readonly_folder),
      cmocka_unit_test(test_other_user_recovers),
  };
  int failed = cmocka_run_group_tests_name("journal", tests, NULL, NULL);
  scratch_free(top);
  return failed;
}
