# End-to-end tests: one entry of `make check`, many tests of pytest inside.
E2E_TESTS += tests/e2e/run.sh
EXTRA_DIST += tests/e2e/aside.sh tests/e2e/prepare.sh tests/e2e/run.sh \
  tests/e2e/conftest.py tests/e2e/postfix.py tests/e2e/sink.py \
  tests/e2e/tidings.py tests/e2e/house.py tests/e2e/test_disk.py tests/e2e/test_bad_input.py tests/e2e/test_postfix.py tests/e2e/test_harness.py tests/e2e/test_ctl.py tests/e2e/test_dkim.py \
  tests/e2e/circle.py tests/e2e/test_circle.py tests/e2e/test_circle_unsubscribe.py \
  tests/e2e/test_circle_workflow.py tests/e2e/test_circle_tenants.py \
  tests/e2e/test_circle_reload.py tests/e2e/test_controls.py tests/e2e/test_demo.py \
  tests/e2e/killing.py tests/e2e/test_kill.py tests/e2e/test_order.py
EXTRA_DIST += tests/e2e/exim.py tests/e2e/test_exim.py tests/e2e/test_setup.py

# The end-to-end tests alone; ARGS are pytest's.
check-e2e: all
	TIDINGS_BUILD='$(abs_top_builddir)' $(srcdir)/tests/e2e/run.sh $(ARGS)
.PHONY: check-e2e

# What was unpacked aside. Exported, as the corpora are, so that `make distcheck`
# tests with those of the build it was called in.
TIDINGS_ASIDE ?= $(abs_top_builddir)/aside
export TIDINGS_ASIDE TIDINGS_CORPORA

mostlyclean-local:
	rm -rf tests/e2e/kept
distclean-local:
	rm -rf aside coverage-build fuzz-build
