lib_libtidings_a_SOURCES += lib/log/log.c lib/log/log.h lib/log/events.def

UNIT_TESTS += tests/unit/log-log
check_PROGRAMS += tests/unit/log-log
tests_unit_log_log_SOURCES = tests/unit/log/log.c
tests_unit_log_log_LDADD = $(TEST_LIBS)
