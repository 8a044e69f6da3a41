lib_libtidings_a_SOURCES += lib/spool/spool.c lib/spool/spool.h

UNIT_TESTS += tests/unit/spool-spool
check_PROGRAMS += tests/unit/spool-spool
tests_unit_spool_spool_SOURCES = tests/unit/spool/spool.c tests/unit/db/scratch.h
tests_unit_spool_spool_LDADD = $(TEST_LIBS)
# Faults of the disk, one after the other.
tests_unit_spool_spool_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=write,--wrap=fsync,--wrap=rename,--wrap=close
