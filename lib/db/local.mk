lib_libtidings_a_SOURCES += lib/db/db.c lib/db/db.h

UNIT_TESTS += tests/unit/db-db
check_PROGRAMS += tests/unit/db-db
tests_unit_db_db_SOURCES = tests/unit/db/db.c tests/unit/db/scratch.h
tests_unit_db_db_LDADD = $(TEST_LIBS)
