lib_libtidings_a_SOURCES += lib/submit/submit.c lib/submit/submit.h \
  lib/submit/session.c lib/submit/session.h

UNIT_TESTS += tests/unit/submit-submit
check_PROGRAMS += tests/unit/submit-submit
tests_unit_submit_submit_SOURCES = tests/unit/submit/submit.c
tests_unit_submit_submit_LDADD = $(TEST_LIBS)
