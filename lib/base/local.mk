lib_libtidings_a_SOURCES += lib/base/error.c lib/base/error.h lib/base/id.c lib/base/id.h

UNIT_TESTS += tests/unit/base-id
check_PROGRAMS += tests/unit/base-id
tests_unit_base_id_SOURCES = tests/unit/base/id.c
tests_unit_base_id_LDADD = $(TEST_LIBS)
