lib_libtidings_a_SOURCES += lib/directory/directory.c lib/directory/directory.h lib/directory/files.c \
  lib/directory/files.h lib/directory/writer.c

UNIT_TESTS += tests/unit/directory-directory
check_PROGRAMS += tests/unit/directory-directory
tests_unit_directory_directory_SOURCES = tests/unit/directory/directory.c tests/unit/db/scratch.h
tests_unit_directory_directory_LDADD = $(TEST_LIBS)
