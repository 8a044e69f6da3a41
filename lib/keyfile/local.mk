lib_libtidings_a_SOURCES += lib/keyfile/keyfile.c lib/keyfile/keyfile.h

UNIT_TESTS += tests/unit/keyfile-keyfile
check_PROGRAMS += tests/unit/keyfile-keyfile
tests_unit_keyfile_keyfile_SOURCES = tests/unit/keyfile/keyfile.c tests/unit/db/scratch.h
tests_unit_keyfile_keyfile_LDADD = $(TEST_LIBS)
