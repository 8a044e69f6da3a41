# make lint: the rules that a compiler does not know.
UNIT_TESTS += tests/lint/words-test.py
EXTRA_DIST += tests/lint/layers tests/lint/words tests/lint/manuals tests/lint/options tests/lint/words-test.py

lint: $(man_MANS) ctl/tidings$(EXEEXT)
	$(PYTHON) $(srcdir)/tests/lint/layers $(top_srcdir)
	$(PYTHON) $(srcdir)/tests/lint/words $(top_srcdir)
	$(PYTHON) $(srcdir)/tests/lint/manuals $(dist_man_MANS:%=$(top_srcdir)/%) $(man_MANS)
	$(PYTHON) $(srcdir)/tests/lint/options ctl/tidings$(EXEEXT) $(top_srcdir)/ctl
.PHONY: lint

format:
	cd $(top_srcdir) && git ls-files '*.c' '*.h' | xargs clang-format -i
.PHONY: format
