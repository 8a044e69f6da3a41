lib_libtidings_a_SOURCES += lib/conf/conf.c lib/conf/conf.h lib/conf/keys.def \
  lib/conf/scan.c lib/conf/scan.h lib/conf/value.c lib/conf/value.h

UNIT_TESTS += tests/unit/conf-conf
check_PROGRAMS += tests/unit/conf-conf
tests_unit_conf_conf_SOURCES = tests/unit/conf/conf.c
tests_unit_conf_conf_LDADD = $(TEST_LIBS)
