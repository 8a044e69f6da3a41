lib_libtidings_a_SOURCES += lib/token/siv.c lib/token/siv.h lib/token/text.c lib/token/text.h \
  lib/token/token.c lib/token/token.h

UNIT_TESTS += tests/unit/token-token
check_PROGRAMS += tests/unit/token-token
tests_unit_token_token_SOURCES = tests/unit/token/token.c
tests_unit_token_token_LDADD = $(TEST_LIBS)

FUZZ_TARGETS += tests/fuzz/token
tests_fuzz_token_SOURCES = tests/fuzz/token.c $(FUZZ_MAIN)
tests_fuzz_token_LDADD = $(FUZZ_LIBS)

BENCHES += tests/bench/token
tests_bench_token_SOURCES = tests/bench/token.c
tests_bench_token_LDADD = $(PROGRAM_LIBS)
