# What the tests share; each module declares its own in its local.mk.
include tests/fuzz/local.mk
include tests/lint/local.mk
include tests/e2e/local.mk

# The unit tests alone: quick, for every save.
check-unit: $(check_PROGRAMS)
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(UNIT_TESTS)'
.PHONY: check-unit
