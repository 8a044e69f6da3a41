lib_libtidings_a_SOURCES += lib/dkim/keys.c lib/dkim/keys.h lib/dkim/sign.c lib/dkim/sign.h \
  lib/dkim/field.c lib/dkim/record.c lib/dkim/record.h lib/dkim/signed.def

UNIT_TESTS += tests/unit/dkim-keys tests/unit/dkim-record tests/unit/dkim-sign
check_PROGRAMS += tests/unit/dkim-keys tests/unit/dkim-record tests/unit/dkim-sign
tests_unit_dkim_record_SOURCES = tests/unit/dkim/record.c
tests_unit_dkim_record_LDADD = $(TEST_LIBS)
tests_unit_dkim_keys_SOURCES = tests/unit/dkim/keys.c tests/unit/db/scratch.h
tests_unit_dkim_keys_LDADD = $(TEST_LIBS)
tests_unit_dkim_sign_SOURCES = tests/unit/dkim/sign.c tests/unit/db/scratch.h
tests_unit_dkim_sign_LDADD = $(TEST_LIBS)

CONFORMANCE_TESTS += tests/conformance/dkim_sign.py
EXTRA_DIST += tests/conformance/dkim_sign.py tests/conformance/dkim_verify.py
check_PROGRAMS += tests/conformance/dkim-run
tests_conformance_dkim_run_SOURCES = tests/conformance/dkim-run.c
tests_conformance_dkim_run_LDADD = $(TEST_LIBS)
