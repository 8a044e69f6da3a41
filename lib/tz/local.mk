lib_libtidings_a_SOURCES += lib/tz/zone.c lib/tz/zone.h lib/tz/table.h lib/tz/tzif.c \
  lib/tz/rule.c lib/tz/rule.h lib/tz/civil.c lib/tz/civil.h lib/tz/text.c lib/tz/text.h \
  lib/tz/plan.c lib/tz/plan.h

UNIT_TESTS += tests/unit/tz-zone tests/unit/tz-text tests/unit/tz-plan
check_PROGRAMS += tests/unit/tz-zone tests/unit/tz-text tests/unit/tz-plan
tests_unit_tz_zone_SOURCES = tests/unit/tz/zone.c tests/unit/tz/tzif.h
tests_unit_tz_zone_LDADD = $(TEST_LIBS)
tests_unit_tz_text_SOURCES = tests/unit/tz/text.c tests/unit/tz/tzif.h
tests_unit_tz_text_LDADD = $(TEST_LIBS)
tests_unit_tz_plan_SOURCES = tests/unit/tz/plan.c tests/unit/tz/tzif.h
tests_unit_tz_plan_LDADD = $(TEST_LIBS)

FUZZ_TARGETS += tests/fuzz/zone
tests_fuzz_zone_SOURCES = tests/fuzz/zone.c $(FUZZ_MAIN)
tests_fuzz_zone_LDADD = $(FUZZ_LIBS)

BENCHES += tests/bench/tz
tests_bench_tz_SOURCES = tests/bench/tz.c
tests_bench_tz_LDADD = $(PROGRAM_LIBS)
