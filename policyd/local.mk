# All of policyd but main(), for the program and for the tests and benches that
# look inside.
noinst_LIBRARIES += policyd/libpolicyd.a
policyd_libpolicyd_a_SOURCES = policyd/serve.c policyd/serve.h policyd/policyd.c policyd/policyd.h \
  policyd/fold.c policyd/fold.h policyd/engine.c policyd/engine.h \
  policyd/timers.c policyd/timers.h policyd/sender.c policyd/sender.h \
  policyd/copies.c policyd/copies.h \
  policyd/publish.c policyd/publish.h policyd/workflows.c policyd/workflows.h \
  policyd/control.c policyd/control.h policyd/commands.c policyd/commands.h \
  policyd/commands_tenant.c policyd/commands_contact.c policyd/commands_link.c policyd/commands_workflow.c \
  policyd/commands_report.c

sbin_PROGRAMS += policyd/tidings-policyd
policyd_tidings_policyd_SOURCES = policyd/main.c
policyd_tidings_policyd_LDADD = policyd/libpolicyd.a $(PROGRAM_LIBS)
dist_man_MANS += policyd/tidings-policyd.8

UNIT_TESTS += tests/unit/policyd-timers
check_PROGRAMS += tests/unit/policyd-timers
tests_unit_policyd_timers_SOURCES = tests/unit/policyd/timers.c
tests_unit_policyd_timers_LDADD = policyd/libpolicyd.a $(TEST_LIBS)

UNIT_TESTS += tests/unit/policyd-fold
check_PROGRAMS += tests/unit/policyd-fold
tests_unit_policyd_fold_SOURCES = tests/unit/policyd/fold.c
tests_unit_policyd_fold_LDADD = policyd/libpolicyd.a $(TEST_LIBS)

BENCHES += tests/bench/policyd
tests_bench_policyd_SOURCES = tests/bench/policyd.c
tests_bench_policyd_LDADD = policyd/libpolicyd.a $(PROGRAM_LIBS)

# For the end-to-end tests: the policyd that does not wait for the disk.
check_PROGRAMS += tests/e2e/policyd-ack-early
tests_e2e_policyd_ack_early_SOURCES = policyd/main.c tests/e2e/policyd-ack-early.c
tests_e2e_policyd_ack_early_LDADD = $(policyd_tidings_policyd_LDADD)
tests_e2e_policyd_ack_early_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=db_open
check-e2e: tests/e2e/policyd-ack-early
