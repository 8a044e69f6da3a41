/* State keeps what is committed, forgets what is rolled back, and its queues
 * give things in order. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include <glib.h>
#include <glib/gstdio.h>

#include "base/error.h"
#include "db/db.h"
#include "store/schema.h"
#include "store/store.h"

static const int64_t now = INT64_C(1795348800000000); /* 2026-11-22T12:00:00Z */
static const int64_t hour = INT64_C(3600) * 1000000;

static char *folder;

static struct store *fresh(void)
{
  g_autofree char *path = g_build_filename(folder, "state.db", NULL);
  static const char *const sides[] = {"", "-wal", "-shm"};
  for (size_t i = 0; i < G_N_ELEMENTS(sides); i++) {
    g_autofree char *file = g_strconcat(path, sides[i], NULL);
    unlink(file);
  }
  GError *error = NULL;
  struct store *store = store_open(path, 1, &error);
  if (!store) fail_msg("%s", error->message);
  return store;
}

static struct store *again(struct store *store)
{
  g_autofree char *path = g_build_filename(folder, "state.db", NULL);
  store_close(store);
  store = store_open(path, 1, NULL);
  assert_non_null(store);
  return store;
}

static int64_t add_tenant(struct store *store, const char *name)
{
  struct store_tenant tenant = {.name = g_strdup(name),
                                .title = g_strdup("Title"),
                                .url = g_strdup("https://t.example.com"),
                                .zone = g_strdup("Europe/Oslo"),
                                .track = 3};
  assert_true(store_tenant_add(store, &tenant, now, NULL));
  int64_t id = tenant.id;
  store_tenant_clear(&tenant);
  return id;
}

static void test_tenants(void **state)
{
  (void)state;
  struct store *store = fresh();
  g_autoptr(GError) error = NULL;
  assert_true(store_begin(store, NULL));
  int64_t one = add_tenant(store, "one"), two = add_tenant(store, "two");
  struct store_tenant twin = {
      .name = (char *)"one", .title = (char *)"", .url = (char *)"", .zone = (char *)""};
  assert_false(store_tenant_add(store, &twin, now, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
  assert_string_equal(error->message, "tenant one exists already");
  g_clear_error(&error);
  assert_true(store_tenant_domain(store, one, "Example.COM", NULL));
  assert_true(store_tenant_domain(store, one, "example.com", NULL));
  assert_false(store_tenant_domain(store, two, "example.com", &error));
  assert_non_null(strstr(error->message, "another tenant"));
  assert_true(store_commit(store, NULL));
  g_clear_error(&error);
  struct store_tenant row = {0};
  store = again(store);
  assert_true(store_tenant_get(store, "two", 0, &row, NULL));
  assert_int_equal(row.id, two);
  assert_string_equal(row.zone, "Europe/Oslo");
  assert_false(row.split);
  row.split = true;
  assert_true(store_begin(store, NULL) && store_tenant_update(store, &row, NULL) &&
              store_commit(store, NULL));
  store_tenant_clear(&row);
  assert_true(store_tenant_get(store, NULL, two, &row, NULL) && row.split);
  store_tenant_clear(&row);
  assert_false(store_tenant_get(store, "three", 0, &row, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND));
  store_close(store);
}

/* A list's own ceiling and tags, and a tenant's plain text. */
static void test_list_settings(void **state)
{
  (void)state;
  struct store *store = fresh();
  assert_true(store_begin(store, NULL));
  int64_t one = add_tenant(store, "one");
  struct store_list plain = {.tenant = one, .name = (char *)"plain", .title = (char *)""};
  struct store_list quiet = {
      .tenant = one, .name = (char *)"quiet", .title = (char *)"", .limited = true, .track = 0, .utm = true};
  assert_true(store_list_add(store, &plain, now, NULL) && store_list_add(store, &quiet, now, NULL));
  struct store_tenant tenant = {0};
  assert_true(store_tenant_get(store, "one", 0, &tenant, NULL));
  assert_false(tenant.text_links);
  tenant.text_links = true;
  assert_true(store_tenant_update(store, &tenant, NULL));
  store_tenant_clear(&tenant);
  assert_true(store_commit(store, NULL));
  store = again(store);
  struct store_list row = {0};
  assert_true(store_list_get(store, one, "plain", 0, &row, NULL));
  assert_false(row.limited || row.utm);
  store_list_clear(&row);
  assert_true(store_list_get(store, one, "quiet", 0, &row, NULL));
  assert_true(row.limited && row.utm);
  assert_int_equal(row.track, 0);
  row.limited = row.utm = false;
  assert_true(store_begin(store, NULL) && store_list_update(store, &row, NULL) && store_commit(store, NULL));
  store_list_clear(&row);
  assert_true(store_list_get(store, one, "quiet", 0, &row, NULL));
  assert_false(row.limited || row.utm);
  store_list_clear(&row);
  assert_true(store_tenant_get(store, "one", 0, &tenant, NULL));
  assert_true(tenant.text_links);
  store_tenant_clear(&tenant);
  store_close(store);
}

/* What an older version wrote is there after it was brought up to date. */
static void test_migration(void **state)
{
  (void)state;
  g_autofree char *path = g_build_filename(folder, "older.db", NULL);
  struct db *db = db_open(path, DB_CREATE | DB_WAL, 0600, 0, NULL, NULL);
  assert_non_null(db);
  assert_true(db_script(db, store_schema[0], NULL));
  assert_true(db_script(db,
                        "INSERT INTO tenant VALUES(1, 'one', 'One', 3, 'https://t.example.com', '', 0);"
                        "INSERT INTO list VALUES(1, 5, 'news', 'News', NULL, 1);",
                        NULL));
  assert_true(db_begin(db, NULL) && db_set_version(db, 0x54696469, 1, NULL) && db_commit(db, NULL));
  db_close(db);
  g_autoptr(GError) error = NULL;
  struct store *store = store_open(path, 1, &error);
  if (!store) fail_msg("%s", error->message);
  struct store_list list = {0};
  struct store_tenant tenant = {0};
  assert_true(store_list_get(store, 1, "news", 0, &list, NULL));
  assert_true(list.unsubscribe && !list.limited && !list.utm);
  assert_true(store_tenant_get(store, "one", 0, &tenant, NULL));
  assert_int_equal(tenant.track, 3);
  assert_false(tenant.text_links);
  store_list_clear(&list);
  store_tenant_clear(&tenant);
  store_close(store);
  unlink(path);
}

static void test_contacts(void **state)
{
  (void)state;
  struct store *store = fresh();
  assert_true(store_begin(store, NULL));
  int64_t one = add_tenant(store, "one"), two = add_tenant(store, "two");
  struct store_contact contact = {
      .tenant = one, .address = (char *)"Ann@Example.com", .fields = (char *)"{\"a\":1,\"b\":2}"};
  bool added;
  assert_true(store_contact_put(store, &contact, &added, now, NULL));
  assert_true(added);
  struct store_contact update = {.tenant = one,
                                 .address = (char *)"ann@example.com",
                                 .zone = (char *)"Asia/Kathmandu",
                                 .fields = (char *)"{\"b\":3}"};
  assert_true(store_contact_put(store, &update, &added, now, NULL));
  assert_false(added);
  assert_int_equal(update.id, contact.id);
  struct store_contact row = {0};
  assert_true(store_contact_get(store, one, "ANN@example.com", 0, &row, NULL));
  assert_string_equal(row.address, "Ann@Example.com");
  assert_string_equal(row.fields, "{\"a\":1,\"b\":3}");
  assert_string_equal(row.zone, "Asia/Kathmandu");
  store_contact_clear(&row);
  assert_int_equal(store_contact_id(store, two, "ann@example.com", NULL), 0);
  assert_true(store_commit(store, NULL));
  store_close(store);
}

static void test_rollback_forgets(void **state)
{
  (void)state;
  struct store *store = fresh();
  assert_true(store_begin(store, NULL));
  int64_t tenant = add_tenant(store, "one");
  assert_true(store_commit(store, NULL));
  assert_true(store_begin(store, NULL));
  store_tally(store, tenant, "tenant", "opens", now, 5);
  assert_true(store_set_position(store, "tracker", 3, 17, NULL));
  store_rollback(store);
  int64_t segment, seq;
  assert_true(store_position(store, "tracker", &segment, &seq, NULL));
  assert_int_equal(segment, 0);
  assert_true(store_begin(store, NULL));
  int64_t before = store_next_id(store, now);
  store_tally(store, tenant, "tenant", "opens", now, 2);
  store_tally(store, tenant, "tenant", "opens", now, 3);
  assert_true(store_set_position(store, "tracker", 3, 17, NULL));
  assert_true(store_commit(store, NULL));
  store = again(store);
  assert_true(store_position(store, "tracker", &segment, &seq, NULL));
  assert_int_equal(segment, 3);
  assert_int_equal(seq, 17);
  assert_true(store_begin(store, NULL));
  /* Ids go on, whatever the clock says after the restart. */
  assert_true(store_next_id(store, now - 1000 * hour) > before);
  store_rollback(store);
  store_close(store);
}

static bool sum(void *data, const char *scope, const char *metric, int64_t n, GError **error)
{
  (void)error;
  g_string_append_printf(data, "%s %s %d;", scope, metric, (int)n);
  return true;
}

static void test_report(void **state)
{
  (void)state;
  struct store *store = fresh();
  assert_true(store_begin(store, NULL));
  store_tally(store, 1, "tenant", "opens", now, 1);
  store_tally(store, 1, "tenant", "opens", now - 24 * hour, 10);
  store_tally(store, 1, "list:news", "clicks", now, 4);
  store_tally(store, 2, "tenant", "opens", now, 100);
  assert_true(store_commit(store, NULL));
  g_autoptr(GString) text = g_string_new(NULL);
  assert_true(store_report(store, 1, 0, INT64_MAX / 2, sum, text, NULL));
  assert_string_equal(text->str, "list:news clicks 4;tenant opens 11;");
  g_string_truncate(text, 0);
  assert_true(store_report(store, 1, now, now + 1, sum, text, NULL));
  assert_string_equal(text->str, "list:news clicks 4;tenant opens 1;");
  store_close(store);
}

static void test_due(void **state)
{
  (void)state;
  struct store *store = fresh();
  assert_true(store_begin(store, NULL));
  for (int i = 0; i < 10; i++) {
    struct store_due due = {.at = now + i * hour, .tenant = 1, .journey = 100 - i};
    assert_true(store_due_add(store, &due, NULL));
  }
  struct store_due gone = {.at = now + 2 * hour, .tenant = 1, .journey = 98};
  assert_true(store_due_remove(store, &gone, NULL));
  assert_true(store_commit(store, NULL));
  g_autoptr(GArray) due = g_array_new(FALSE, FALSE, sizeof(struct store_due));
  assert_true(store_due_load(store, INT64_MIN, (now + 4 * hour) / STORE_BUCKET, 100, due, NULL));
  assert_int_equal(due->len, 4);
  assert_int_equal(g_array_index(due, struct store_due, 2).at, now + 3 * hour);
  int64_t bucket;
  assert_true(store_due_next_bucket(store, (now + 4 * hour) / STORE_BUCKET, &bucket, NULL));
  assert_int_equal(bucket, (now + 5 * hour) / STORE_BUCKET);
  assert_true(store_due_next_bucket(store, (now + 9 * hour) / STORE_BUCKET, &bucket, NULL));
  assert_true(bucket == INT64_MAX);
  store_close(store);
}

static void test_suppressions(void **state)
{
  (void)state;
  static const uint8_t key[16] = "0123456789abcdef", other[16] = "x";
  static const struct {
    const char *name;
    int64_t tenant, list;
    const uint8_t *key;
    bool suppressed;
  } rows[] = {
      {"the list itself", 1, 7, key, true},        {"another list", 1, 8, key, false},
      {"another address", 1, 7, other, false},     {"another tenant", 2, 7, key, false},
      {"whole tenant, any list", 3, 9, key, true}, {"whole tenant, no list", 3, 0, key, true},
  };
  struct store *store = fresh();
  assert_true(store_begin(store, NULL));
  assert_true(store_suppress(store, 1, 7, key, "test", now, NULL));
  assert_true(store_suppress(store, 1, 7, key, "test", now, NULL));
  assert_true(store_suppress(store, 3, 0, key, "test", now, NULL));
  assert_true(store_commit(store, NULL));
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    bool suppressed;
    print_message("%s\n", rows[i].name);
    assert_true(store_is_suppressed(store, rows[i].tenant, rows[i].list, rows[i].key, &suppressed, NULL));
    assert_int_equal(suppressed, rows[i].suppressed);
  }
  store_close(store);
}

static void test_sends(void **state)
{
  (void)state;
  struct store *store = fresh();
  assert_true(store_begin(store, NULL));
  for (int visit = 1; visit <= 3; visit++) {
    struct store_send send = {.tenant = 1,
                              .journey = 5,
                              .contact = 9,
                              .step = (char *)"hello",
                              .visit = visit,
                              .planned = now,
                              .not_before = now + visit * hour};
    assert_true(store_send_add(store, &send, NULL));
  }
  assert_true(store_commit(store, NULL));
  g_autoptr(GArray) ready = store_sends(store, SEND_PLANNED, now + 2 * hour, 10, NULL);
  assert_int_equal(ready->len, 2);
  assert_int_equal(g_array_index(ready, struct store_send, 0).visit, 1);
  struct store_send send = {0};
  assert_true(store_send_get(store, 1, 5, "hello", 0, &send, NULL));
  assert_int_equal(send.visit, 3); /* 0 asks for the last one */
  send.state = SEND_ACCEPTED;
  assert_true(store_begin(store, NULL));
  assert_true(store_send_update(store, &send, NULL));
  assert_true(store_commit(store, NULL));
  store_send_clear(&send);
  g_autoptr(GArray) left = store_sends(store, SEND_PLANNED, INT64_MAX, 10, NULL);
  assert_int_equal(left->len, 2);
  store_close(store);
}

static void test_foreign_file(void **state)
{
  (void)state;
  g_autofree char *path = g_build_filename(folder, "text.db", NULL);
  assert_true(
      g_file_set_contents(path, "this is no database, but it is long enough to be looked at\n", -1, NULL));
  g_autoptr(GError) error = NULL;
  assert_null(store_open(path, 1, &error));
  assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_SYS));
  assert_non_null(strstr(error->message, path));
}

int main(void)
{
  folder = g_dir_make_tmp("tidings-store-XXXXXX", NULL);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tenants),
      cmocka_unit_test(test_list_settings),
      cmocka_unit_test(test_migration),
      cmocka_unit_test(test_contacts),
      cmocka_unit_test(test_rollback_forgets),
      cmocka_unit_test(test_report),
      cmocka_unit_test(test_due),
      cmocka_unit_test(test_suppressions),
      cmocka_unit_test(test_sends),
      cmocka_unit_test(test_foreign_file),
  };
  int failed = cmocka_run_group_tests_name("store", tests, NULL, NULL);
  g_autofree char *clean = g_strdup_printf("rm -rf '%s'", folder);
  return g_spawn_command_line_sync(clean, NULL, NULL, NULL, NULL) ? failed : 1;
}
