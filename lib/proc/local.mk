lib_libtidings_a_SOURCES += lib/proc/proc.c lib/proc/proc.h lib/proc/identity.c lib/proc/identity.h

UNIT_TESTS += tests/unit/proc-proc
check_PROGRAMS += tests/unit/proc-proc
tests_unit_proc_proc_SOURCES = tests/unit/proc/proc.c
tests_unit_proc_proc_LDADD = $(TEST_LIBS)
