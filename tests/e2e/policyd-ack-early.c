/* A policyd that does not wait for the disk: the mistake that test_order.py must
 * be able to see. Linked with --wrap=db_open into tests/e2e/policyd-ack-early,
 * which is never installed. */

#include "db/db.h"

struct db *__real_db_open(const char *path, unsigned flags, mode_t mode, int busy_ms, enum db_fault *fault,
                          GError **error);
struct db *__wrap_db_open(const char *path, unsigned flags, mode_t mode, int busy_ms, enum db_fault *fault,
                          GError **error);

struct db *__wrap_db_open(const char *path, unsigned flags, mode_t mode, int busy_ms, enum db_fault *fault,
                          GError **error)
{
  struct db *db = __real_db_open(path, flags, mode, busy_ms, fault, error);
  if (db && (flags & DB_CREATE)) db_script(db, "PRAGMA synchronous = OFF;", NULL);
  return db;
}
