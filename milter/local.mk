sbin_PROGRAMS += milter/tidings-milter
milter_tidings_milter_SOURCES = milter/main.c milter/serve.c milter/serve.h milter/session.c milter/session.h \
  milter/apply.c milter/apply.h milter/engine.c milter/engine.h milter/tenant.c milter/tenant.h \
  milter/sign.c milter/sign.h milter/split.c milter/split.h
milter_tidings_milter_LDADD = $(PROGRAM_LIBS) $(MILTER_LIBS)

bin_PROGRAMS += milter/tidings-filter
milter_tidings_filter_SOURCES = milter/filter.c milter/engine.c milter/engine.h milter/tenant.c milter/tenant.h \
  milter/sign.c milter/sign.h milter/split.c milter/split.h
milter_tidings_filter_LDADD = $(PROGRAM_LIBS)

dist_man_MANS += milter/tidings-filter.1
man_MANS += milter/tidings-milter.8
CLEANFILES += milter/tidings-milter.8
EXTRA_DIST += milter/tidings-milter.8.in
milter/tidings-milter.8: lib/conf/tables milter/tidings-milter.8.in lib/rewrite/reasons.def
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(TABLES) $(srcdir)/milter/tidings-milter.8.in $(TABLE_VALUES) >$@.new && mv $@.new $@

# The milter that lets the MTA accept too early.
check_PROGRAMS += tests/e2e/milter-ack-early
tests_e2e_milter_ack_early_SOURCES = $(milter_tidings_milter_SOURCES) tests/e2e/milter-ack-early.c
tests_e2e_milter_ack_early_LDADD = $(milter_tidings_milter_LDADD)
tests_e2e_milter_ack_early_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=journal_append
check-e2e: tests/e2e/milter-ack-early

check_PROGRAMS += tests/e2e/publish
tests_e2e_publish_SOURCES = tests/e2e/publish.c
tests_e2e_publish_LDADD = $(TEST_LIBS)
EXTRA_DIST += tests/e2e/test_milter.py tests/e2e/test_split.py

PYTHON_BENCHES += tests/bench/milter.py
EXTRA_DIST += tests/bench/milter.py
check_PROGRAMS += tests/bench/noop-milter
tests_bench_noop_milter_SOURCES = tests/bench/noop-milter.c
tests_bench_noop_milter_LDADD = $(MILTER_LIBS)

UNIT_TESTS += tests/unit/milter-tenant
check_PROGRAMS += tests/unit/milter-tenant
tests_unit_milter_tenant_SOURCES = tests/unit/milter/tenant.c milter/tenant.c
tests_unit_milter_tenant_LDADD = $(TEST_LIBS)

UNIT_TESTS += tests/unit/milter-split
check_PROGRAMS += tests/unit/milter-split
tests_unit_milter_split_SOURCES = tests/unit/milter/split.c milter/split.c tests/unit/db/scratch.h
tests_unit_milter_split_LDADD = $(TEST_LIBS)
# Faults at each step.
tests_unit_milter_split_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=spool_write,--wrap=spool_sync,--wrap=journal_write
