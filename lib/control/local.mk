lib_libtidings_a_SOURCES += lib/control/frame.c lib/control/frame.h lib/control/client.c lib/control/client.h

UNIT_TESTS += tests/unit/control-frame tests/unit/control-client
check_PROGRAMS += tests/unit/control-frame tests/unit/control-client
tests_unit_control_frame_SOURCES = tests/unit/control/frame.c
tests_unit_control_frame_LDADD = $(TEST_LIBS)
tests_unit_control_client_SOURCES = tests/unit/control/client.c
tests_unit_control_client_LDADD = $(TEST_LIBS)

FUZZ_TARGETS += tests/fuzz/control
tests_fuzz_control_SOURCES = tests/fuzz/control.c $(FUZZ_MAIN)
tests_fuzz_control_LDADD = $(FUZZ_LIBS)
