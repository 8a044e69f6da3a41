lib_libtidings_a_SOURCES += lib/directory/directory.c lib/directory/directory.h lib/directory/files.c \
  lib/directory/files.h lib/directory/writer.c lib/directory/stop.c lib/directory/stop.h

UNIT_TESTS += tests/unit/directory-stop
check_PROGRAMS += tests/unit/directory-stop
tests_unit_directory_stop_SOURCES = tests/unit/directory/stop.c
tests_unit_directory_stop_LDADD = $(TEST_LIBS)

UNIT_TESTS += tests/unit/directory-directory
check_PROGRAMS += tests/unit/directory-directory
tests_unit_directory_directory_SOURCES = tests/unit/directory/directory.c tests/unit/db/scratch.h
tests_unit_directory_directory_LDADD = $(TEST_LIBS)
