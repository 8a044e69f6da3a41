lib_libtidings_a_SOURCES += lib/verdict/verdict.c lib/verdict/verdict.h lib/verdict/reasons.def \
  lib/verdict/agents.def

UNIT_TESTS += tests/unit/verdict-verdict
check_PROGRAMS += tests/unit/verdict-verdict
tests_unit_verdict_verdict_SOURCES = tests/unit/verdict/verdict.c
tests_unit_verdict_verdict_LDADD = $(TEST_LIBS)
