lib_libtidings_a_SOURCES += lib/html/scan.c lib/html/scan.h lib/html/entity.c lib/html/entity.h

# The names of the character references, from Python's own table of them.
BUILT_SOURCES += lib/html/entities.h
CLEANFILES += lib/html/entities.h
EXTRA_DIST += lib/html/entities.py
lib/html/entities.h: lib/html/entities.py
	$(AM_V_GEN)$(MKDIR_P) lib/html && $(PYTHON) $(srcdir)/lib/html/entities.py >$@.new && mv $@.new $@
lib/html/entity.$(OBJEXT): lib/html/entities.h

UNIT_TESTS += tests/unit/html-scan tests/unit/html-entity
check_PROGRAMS += tests/unit/html-scan tests/unit/html-entity
tests_unit_html_scan_SOURCES = tests/unit/html/scan.c
tests_unit_html_scan_LDADD = $(TEST_LIBS)
tests_unit_html_entity_SOURCES = tests/unit/html/entity.c
tests_unit_html_entity_LDADD = $(TEST_LIBS)

CONFORMANCE_TESTS += tests/conformance/html5lib
check_PROGRAMS += tests/conformance/html5lib
tests_conformance_html5lib_SOURCES = tests/conformance/html5lib.c
tests_conformance_html5lib_LDADD = $(TEST_LIBS)

FUZZ_TARGETS += tests/fuzz/html
tests_fuzz_html_SOURCES = tests/fuzz/html.c $(FUZZ_MAIN)
tests_fuzz_html_LDADD = $(FUZZ_LIBS)

EXTRA_DIST += tests/conformance/no-gumbo.sh
if HAVE_GUMBO
CONFORMANCE_TESTS += tests/conformance/gumbo
check_PROGRAMS += tests/conformance/gumbo
tests_conformance_gumbo_SOURCES = tests/conformance/gumbo.c
tests_conformance_gumbo_CFLAGS = $(AM_CFLAGS) $(GUMBO_CFLAGS)
tests_conformance_gumbo_LDADD = $(TEST_LIBS) $(GUMBO_LIBS)

BENCHES += tests/bench/html
tests_bench_html_SOURCES = tests/bench/html.c
tests_bench_html_CFLAGS = $(AM_CFLAGS) $(GUMBO_CFLAGS)
tests_bench_html_LDADD = $(PROGRAM_LIBS) $(GUMBO_LIBS)
else
CONFORMANCE_TESTS += tests/conformance/no-gumbo.sh
endif
