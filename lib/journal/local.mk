lib_libtidings_a_SOURCES += lib/journal/journal.c lib/journal/journal.h lib/journal/reader.c \
  lib/journal/segment.c lib/journal/segment.h

UNIT_TESTS += tests/unit/journal-journal
check_PROGRAMS += tests/unit/journal-journal
tests_unit_journal_journal_SOURCES = tests/unit/journal/journal.c tests/unit/db/scratch.h
tests_unit_journal_journal_LDADD = $(TEST_LIBS)

BENCHES += tests/bench/journal
tests_bench_journal_SOURCES = tests/bench/journal.c tests/unit/db/scratch.h
tests_bench_journal_LDADD = $(PROGRAM_LIBS)

CONFORMANCE_TESTS += tests/conformance/journal-io.py
EXTRA_DIST += tests/conformance/journal-io.py
check_PROGRAMS += tests/conformance/journal-io
tests_conformance_journal_io_SOURCES = tests/conformance/journal-io.c
tests_conformance_journal_io_LDADD = $(PROGRAM_LIBS)
