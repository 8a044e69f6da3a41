lib_libtidings_a_SOURCES += lib/submit/submit.c lib/submit/submit.h \
  lib/submit/session.c lib/submit/session.h

UNIT_TESTS += tests/unit/submit-submit
check_PROGRAMS += tests/unit/submit-submit
tests_unit_submit_submit_SOURCES = tests/unit/submit/submit.c
tests_unit_submit_submit_LDADD = $(TEST_LIBS)

# For the end-to-end tests and the bench: hands messages over as policyd does.
check_PROGRAMS += tests/e2e/submit-tool
tests_e2e_submit_tool_SOURCES = tests/e2e/submit-tool.c
tests_e2e_submit_tool_LDADD = $(PROGRAM_LIBS)
EXTRA_DIST += tests/e2e/test_submit.py tests/bench/submit.py
PYTHON_BENCHES += tests/bench/submit.py
bench: tests/e2e/submit-tool$(EXEEXT)
