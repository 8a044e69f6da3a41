lib_libtidings_a_SOURCES += lib/metrics/metrics.c lib/metrics/metrics.h lib/metrics/counters.def

UNIT_TESTS += tests/unit/metrics-metrics
check_PROGRAMS += tests/unit/metrics-metrics
tests_unit_metrics_metrics_SOURCES = tests/unit/metrics/metrics.c
tests_unit_metrics_metrics_LDADD = $(TEST_LIBS)
