# tidings(1): one file a sub-command.
bin_PROGRAMS += ctl/tidings
ctl_common = ctl/app.c ctl/app.h ctl/usage.c ctl/usage.h ctl/nearest.c ctl/nearest.h \
  ctl/text.c ctl/text.h ctl/table.c ctl/table.h ctl/pair.c ctl/pair.h ctl/file.c ctl/file.h
ctl_tidings_SOURCES = ctl/main.c ctl/commands.c ctl/commands.h ctl/commands.def $(ctl_common) \
  ctl/tenant.c ctl/tenant.h ctl/list.c ctl/contact.c ctl/import.c ctl/page.c ctl/event.c \
  ctl/events.c ctl/report.c ctl/when.c ctl/config.c ctl/status.c \
  ctl/token.c ctl/key.c
ctl_tidings_LDADD = $(PROGRAM_LIBS)
