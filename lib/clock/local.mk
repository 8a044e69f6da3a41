lib_libtidings_a_SOURCES += lib/clock/clock.c lib/clock/clock.h

UNIT_TESTS += tests/unit/clock-clock
check_PROGRAMS += tests/unit/clock-clock
tests_unit_clock_clock_SOURCES = tests/unit/clock/clock.c
tests_unit_clock_clock_LDADD = $(TEST_LIBS)
