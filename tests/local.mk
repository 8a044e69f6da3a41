# What the tests share; each module declares its own in its local.mk.
include tests/fuzz/local.mk
include tests/lint/local.mk
include tests/e2e/local.mk

EXTRA_DIST += .ci/run tests/coverage

# The unit tests alone: quick, for every save.
check-unit: $(check_PROGRAMS)
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(UNIT_TESTS)'
.PHONY: check-unit

# How much of each folder the unit and conformance tests run, in a build of its
# own. gcovr reads gcc's counts; tests/coverage adds them up by folder.
coverage:
	$(MKDIR_P) coverage-build
	cd coverage-build && { test -f Makefile || $(abs_top_srcdir)/configure --enable-coverage >configure.out; }
	find coverage-build -name '*.gcda' -exec rm -f {} +
	$(MAKE) -C coverage-build check TESTS='$(UNIT_TESTS) $(CONFORMANCE_TESTS)'
	gcovr --root $(abs_top_srcdir) --object-directory coverage-build --exclude '.*tests/.*' \
	  --json-summary coverage-build/summary.json coverage-build
	$(PYTHON) $(srcdir)/tests/coverage coverage-build/summary.json
.PHONY: coverage

# Benches, one at a time: programs (BENCHES) and Python scripts (PYTHON_BENCHES).
# Each prints what it measured beside what it compares with.
bench: all $(BENCHES)
	@$(AM_TESTS_ENVIRONMENT) \
	ran() { test $$1 = 0 || test $$1 = 77 || exit 1; }; \
	for b in $(BENCHES); do echo "bench: $$b"; ./$$b; ran $$?; done; \
	for b in $(PYTHON_BENCHES); do echo "bench: $$b"; $(PYTHON) $(srcdir)/$$b; ran $$?; done
.PHONY: bench

PYTHON_BENCHES += tests/bench/idle.py
EXTRA_DIST += tests/bench/idle.py
