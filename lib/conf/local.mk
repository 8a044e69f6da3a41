lib_libtidings_a_SOURCES += lib/conf/conf.c lib/conf/conf.h lib/conf/keys.def \
  lib/conf/scan.c lib/conf/scan.h lib/conf/value.c lib/conf/value.h

UNIT_TESTS += tests/unit/conf-conf
check_PROGRAMS += tests/unit/conf-conf
tests_unit_conf_conf_SOURCES = tests/unit/conf/conf.c
tests_unit_conf_conf_LDADD = $(TEST_LIBS)

# Pages that are filled from tables, so that no row is missing from its page.
TABLES = $(PYTHON) $(srcdir)/lib/conf/tables
TABLE_VALUES = TIDINGS_SYSCONFDIR='$(sysconfdir)/tidings' \
  TIDINGS_STATEDIR='$(localstatedir)/lib/tidings' TIDINGS_RUNDIR=/run/tidings
TABLE_PAGES = lib/conf/tidings.conf.5 lib/log/tidings-log.7
man_MANS += $(TABLE_PAGES)
CLEANFILES += $(TABLE_PAGES)
EXTRA_DIST += lib/conf/tables lib/conf/tidings.conf.5.in lib/log/tidings-log.7.in

lib/conf/tidings.conf.5: lib/conf/tables lib/conf/tidings.conf.5.in lib/conf/keys.def
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(TABLES) $(srcdir)/lib/conf/tidings.conf.5.in $(TABLE_VALUES) >$@.new && mv $@.new $@
lib/log/tidings-log.7: lib/conf/tables lib/log/tidings-log.7.in lib/log/events.def lib/metrics/counters.def
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(TABLES) $(srcdir)/lib/log/tidings-log.7.in $(TABLE_VALUES) >$@.new && mv $@.new $@
