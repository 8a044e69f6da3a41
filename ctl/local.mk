# tidings(1): one file a sub-command.
bin_PROGRAMS += ctl/tidings
ctl_common = ctl/app.c ctl/app.h ctl/usage.c ctl/usage.h ctl/nearest.c ctl/nearest.h \
  ctl/text.c ctl/text.h ctl/table.c ctl/table.h ctl/pair.c ctl/pair.h ctl/file.c ctl/file.h
ctl_tidings_SOURCES = ctl/main.c ctl/commands.c ctl/commands.h ctl/commands.def $(ctl_common) \
  ctl/tenant.c ctl/tenant.h ctl/list.c ctl/link.c ctl/contact.c ctl/import.c ctl/page.c ctl/event.c \
  ctl/events.c ctl/report.c ctl/when.c ctl/config.c ctl/status.c \
  ctl/workflow.c ctl/check.c ctl/check.h ctl/explain.c ctl/token.c ctl/key.c ctl/dkim.c ctl/txt.c ctl/txt.h \
  ctl/setup.c ctl/setup.h ctl/setup_list.c ctl/setup_plan.c ctl/setup_postconf.c ctl/setup_undo.c
ctl_tidings_LDADD = $(PROGRAM_LIBS) -lresolv

dist_man_MANS += ctl/tidings.1 ctl/tidings-tenant.1 ctl/tidings-list.1 ctl/tidings-link.1 ctl/tidings-contact.1 \
  ctl/tidings-workflow.1 ctl/tidings-event.1 ctl/tidings-events.1 ctl/tidings-report.1 \
  ctl/tidings-explain.1 ctl/tidings-when.1 ctl/tidings-token.1 ctl/tidings-key.1 ctl/tidings-dkim.1 \
  ctl/tidings-config.1 ctl/tidings-status.1 ctl/tidings-setup.1

UNIT_TESTS += tests/unit/ctl-text tests/unit/ctl-words
check_PROGRAMS += tests/unit/ctl-text tests/unit/ctl-words
tests_unit_ctl_text_SOURCES = tests/unit/ctl/text.c ctl/text.c ctl/table.c
tests_unit_ctl_text_LDADD = $(TEST_LIBS)
tests_unit_ctl_words_SOURCES = tests/unit/ctl/words.c $(ctl_common)
tests_unit_ctl_words_LDADD = $(TEST_LIBS)
