lib_libtidings_a_SOURCES += lib/event/event.c lib/event/event.h lib/event/kinds.def lib/event/write.c lib/event/write.h

UNIT_TESTS += tests/unit/event-write
check_PROGRAMS += tests/unit/event-write
tests_unit_event_write_SOURCES = tests/unit/event/write.c
tests_unit_event_write_LDADD = $(TEST_LIBS)
