sbin_PROGRAMS += tracker/tidings-tracker
TRACKER_SOURCES = tracker/main.c tracker/tracker.c tracker/tracker.h tracker/hits.c tracker/hits.h \
  tracker/facts.c tracker/facts.h tracker/replies.c tracker/replies.h tracker/route.c tracker/route.h \
  tracker/durable.h
tracker_tidings_tracker_SOURCES = $(TRACKER_SOURCES) tracker/durable.c
tracker_tidings_tracker_LDADD = $(PROGRAM_LIBS)
dist_man_MANS += tracker/tidings-tracker.8

UNIT_TESTS += tests/unit/tracker-route tests/unit/tracker-facts
check_PROGRAMS += tests/unit/tracker-route tests/unit/tracker-facts
tests_unit_tracker_route_SOURCES = tests/unit/tracker/route.c tracker/route.c
tests_unit_tracker_route_LDADD = $(TEST_LIBS)
tests_unit_tracker_facts_SOURCES = tests/unit/tracker/facts.c tracker/facts.c
tests_unit_tracker_facts_LDADD = $(TEST_LIBS)

FUZZ_TARGETS += tests/fuzz/http
tests_fuzz_http_SOURCES = tests/fuzz/http.c tracker/route.c tracker/facts.c $(FUZZ_MAIN)
tests_fuzz_http_LDADD = $(FUZZ_LIBS)

# For the end-to-end tests: tokens without a milter, a directory without a
# policyd, and the tracker that is wrong.
TRACKER_TOOLS = tests/e2e/token-tool tests/e2e/directory-tool tests/e2e/tracker-ack-early
check_PROGRAMS += $(TRACKER_TOOLS)
tests_e2e_directory_tool_SOURCES = tests/e2e/directory-tool.c
tests_e2e_directory_tool_LDADD = $(PROGRAM_LIBS)
tests_e2e_token_tool_SOURCES = tests/e2e/token-tool.c
tests_e2e_token_tool_LDADD = $(PROGRAM_LIBS)
tests_e2e_tracker_ack_early_SOURCES = $(TRACKER_SOURCES) tests/e2e/ack-early.c
tests_e2e_tracker_ack_early_LDADD = $(PROGRAM_LIBS)
EXTRA_DIST += tests/e2e/test_tracker.py tests/bench/tracker.py
PYTHON_BENCHES += tests/bench/tracker.py

check-e2e bench: $(TRACKER_TOOLS)
