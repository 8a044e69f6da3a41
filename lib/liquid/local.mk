lib_libtidings_a_SOURCES += \
  lib/liquid/liquid.h lib/liquid/node.h lib/liquid/filters.def \
  lib/liquid/template.c lib/liquid/expr.c lib/liquid/filters.c lib/liquid/value.c

UNIT_TESTS += tests/unit/liquid-template
check_PROGRAMS += tests/unit/liquid-template
tests_unit_liquid_template_SOURCES = tests/unit/liquid/template.c
tests_unit_liquid_template_LDADD = $(TEST_LIBS)

CONFORMANCE_TESTS += tests/conformance/liquid
check_PROGRAMS += tests/conformance/liquid
tests_conformance_liquid_SOURCES = tests/conformance/liquid.c
tests_conformance_liquid_LDADD = $(TEST_LIBS)

FUZZ_TARGETS += tests/fuzz/liquid
tests_fuzz_liquid_SOURCES = tests/fuzz/liquid.c $(FUZZ_MAIN)
tests_fuzz_liquid_LDADD = $(FUZZ_LIBS)
