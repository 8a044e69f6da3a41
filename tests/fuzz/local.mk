# Fuzz targets. A target NAME is tests/fuzz/NAME.c with LLVMFuzzerTestOneInput,
# its seeds are in tests/fuzz/corpus/NAME/, and a module declares it so:
#   FUZZ_TARGETS += tests/fuzz/NAME
#   tests_fuzz_NAME_SOURCES = tests/fuzz/NAME.c $(FUZZ_MAIN)
#   tests_fuzz_NAME_LDADD = $(FUZZ_LIBS)
# In an ordinary build the target replays its seeds (make check); configured
# with --enable-fuzz it is a libFuzzer program (make fuzz).
if FUZZ
FUZZ_MAIN =
else
FUZZ_MAIN = tests/fuzz/replay.c
endif
FUZZ_LIBS = $(PROGRAM_LIBS) $(FUZZ_LDFLAGS)
FUZZ_SECONDS ?= 30

UNIT_TESTS += tests/fuzz/replay.sh
EXTRA_DIST += tests/fuzz/replay.sh tests/fuzz/replay.c tests/fuzz/corpus

fuzz:
	$(MKDIR_P) fuzz-build
	cd fuzz-build && { test -f Makefile || $(abs_top_srcdir)/configure CC=clang --enable-fuzz --enable-sanitize >configure.out; }
	$(MAKE) -C fuzz-build $(FUZZ_TARGETS)
	for t in $(FUZZ_TARGETS); do \
	  n=`basename $$t`; mkdir -p fuzz-build/found/$$n; echo "fuzz: $$n for $(FUZZ_SECONDS) s"; \
	  fuzz-build/$$t -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
	    -artifact_prefix=fuzz-build/found/$$n/crash- \
	    fuzz-build/found/$$n $(abs_top_srcdir)/tests/fuzz/corpus/$$n || exit 1; done
.PHONY: fuzz
