lib_libtidings_a_SOURCES += lib/rewrite/reason.c lib/rewrite/reason.h lib/rewrite/reasons.def \
  lib/rewrite/control.c lib/rewrite/control.h lib/rewrite/optout.c lib/rewrite/optout.h lib/rewrite/optout.def lib/rewrite/utm.c lib/rewrite/utm.h lib/rewrite/plain.c lib/rewrite/plain.h lib/rewrite/link.c lib/rewrite/link.h \
  lib/rewrite/page.c lib/rewrite/page.h lib/rewrite/policy.c lib/rewrite/policy.h \
  lib/rewrite/rewrite.c lib/rewrite/rewrite.h lib/rewrite/apply.c lib/rewrite/json.c

man_MANS += lib/rewrite/tidings-headers.5
CLEANFILES += lib/rewrite/tidings-headers.5
EXTRA_DIST += lib/rewrite/tidings-headers.5.in
lib/rewrite/tidings-headers.5: lib/conf/tables lib/rewrite/tidings-headers.5.in lib/rewrite/optout.def
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(TABLES) $(srcdir)/lib/rewrite/tidings-headers.5.in $(TABLE_VALUES) >$@.new && mv $@.new $@

UNIT_TESTS += tests/unit/rewrite-optout tests/unit/rewrite-utm tests/unit/rewrite-plain
check_PROGRAMS += tests/unit/rewrite-optout tests/unit/rewrite-utm tests/unit/rewrite-plain
tests_unit_rewrite_plain_SOURCES = tests/unit/rewrite/plain.c
tests_unit_rewrite_plain_LDADD = $(TEST_LIBS)
tests_unit_rewrite_utm_SOURCES = tests/unit/rewrite/utm.c
tests_unit_rewrite_utm_LDADD = $(TEST_LIBS)
tests_unit_rewrite_optout_SOURCES = tests/unit/rewrite/optout.c
tests_unit_rewrite_optout_LDADD = $(TEST_LIBS)
UNIT_TESTS += tests/unit/rewrite-link tests/unit/rewrite-page tests/unit/rewrite-rewrite
check_PROGRAMS += tests/unit/rewrite-link tests/unit/rewrite-page tests/unit/rewrite-rewrite
tests_unit_rewrite_link_SOURCES = tests/unit/rewrite/link.c
tests_unit_rewrite_link_LDADD = $(TEST_LIBS)
tests_unit_rewrite_page_SOURCES = tests/unit/rewrite/page.c
tests_unit_rewrite_page_LDADD = $(TEST_LIBS)
tests_unit_rewrite_rewrite_SOURCES = tests/unit/rewrite/rewrite.c
tests_unit_rewrite_rewrite_LDADD = $(TEST_LIBS)

CONFORMANCE_TESTS += tests/conformance/rewrite.py
EXTRA_DIST += tests/conformance/rewrite.py
check_PROGRAMS += tests/conformance/rewrite-run
tests_conformance_rewrite_run_SOURCES = tests/conformance/rewrite-run.c
tests_conformance_rewrite_run_LDADD = $(TEST_LIBS)

FUZZ_TARGETS += tests/fuzz/rewrite
tests_fuzz_rewrite_SOURCES = tests/fuzz/rewrite.c $(FUZZ_MAIN)
tests_fuzz_rewrite_LDADD = $(FUZZ_LIBS)
