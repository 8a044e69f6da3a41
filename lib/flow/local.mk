lib_libtidings_a_SOURCES += \
  lib/flow/flow.h lib/flow/steps.def lib/flow/patterns.def lib/flow/table.h lib/flow/reader.h \
  lib/flow/compile.c lib/flow/reader.c lib/flow/patterns.c lib/flow/steps.c lib/flow/check.c \
  lib/flow/json.c lib/flow/match.c lib/flow/advance.c

UNIT_TESTS += tests/unit/flow-compile tests/unit/flow-advance
check_PROGRAMS += tests/unit/flow-compile tests/unit/flow-advance
tests_unit_flow_compile_SOURCES = tests/unit/flow/compile.c
tests_unit_flow_compile_LDADD = $(TEST_LIBS)
tests_unit_flow_advance_SOURCES = tests/unit/flow/advance.c
tests_unit_flow_advance_LDADD = $(TEST_LIBS)

dist_man_MANS += policyd/tidings-workflow.5
UNIT_TESTS += tests/unit/flow-manual
check_PROGRAMS += tests/unit/flow-manual
tests_unit_flow_manual_SOURCES = tests/unit/flow/manual.c
tests_unit_flow_manual_LDADD = $(TEST_LIBS)

FUZZ_TARGETS += tests/fuzz/flow
tests_fuzz_flow_SOURCES = tests/fuzz/flow.c $(FUZZ_MAIN)
tests_fuzz_flow_LDADD = $(FUZZ_LIBS)
