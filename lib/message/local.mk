lib_libtidings_a_SOURCES += \
  lib/message/message.h lib/message/fields.def lib/message/field.h lib/message/context.h lib/message/text.h \
  lib/message/message.c lib/message/field.c lib/message/context.c lib/message/text.c

CONFORMANCE_TESTS += tests/conformance/message.py
check_PROGRAMS += tests/conformance/message-dump
tests_conformance_message_dump_SOURCES = tests/conformance/message-dump.c
tests_conformance_message_dump_LDADD = $(TEST_LIBS)
EXTRA_DIST += tests/conformance/message.py

UNIT_TESTS += tests/unit/message-parts
check_PROGRAMS += tests/unit/message-parts
tests_unit_message_parts_SOURCES = tests/unit/message/parts.c
tests_unit_message_parts_LDADD = $(TEST_LIBS)

FUZZ_TARGETS += tests/fuzz/message
tests_fuzz_message_SOURCES = tests/fuzz/message.c $(FUZZ_MAIN)
tests_fuzz_message_LDADD = $(FUZZ_LIBS)
