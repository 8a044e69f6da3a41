# make lint: the rules that a compiler does not know.
UNIT_TESTS += tests/lint/words-test.py
EXTRA_DIST += tests/lint/layers tests/lint/words tests/lint/words-test.py

lint:
	$(PYTHON) $(srcdir)/tests/lint/layers $(top_srcdir)
	$(PYTHON) $(srcdir)/tests/lint/words $(top_srcdir)
	@for m in $(dist_man_MANS); do echo "mandoc $$m"; mandoc -Tlint -Wstyle $(top_srcdir)/$$m || exit 1; done
.PHONY: lint

format:
	cd $(top_srcdir) && git ls-files '*.c' '*.h' | xargs clang-format -i
.PHONY: format
