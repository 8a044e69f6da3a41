lib_libtidings_a_SOURCES += lib/zoneinfo/zoneinfo.c lib/zoneinfo/zoneinfo.h

CONFORMANCE_TESTS += tests/conformance/zones.py
EXTRA_DIST += tests/conformance/zones.py
check_PROGRAMS += tests/conformance/tz-dump
tests_conformance_tz_dump_SOURCES = tests/conformance/tz-dump.c
tests_conformance_tz_dump_LDADD = $(TEST_LIBS)

UNIT_TESTS += tests/unit/zoneinfo-zoneinfo
check_PROGRAMS += tests/unit/zoneinfo-zoneinfo
tests_unit_zoneinfo_zoneinfo_SOURCES = tests/unit/zoneinfo/zoneinfo.c
tests_unit_zoneinfo_zoneinfo_LDADD = $(TEST_LIBS)
