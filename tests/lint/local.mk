# make lint: the rules that a compiler does not know.
EXTRA_DIST += tests/lint/layers

lint:
	$(PYTHON) $(srcdir)/tests/lint/layers $(top_srcdir)
	@for m in $(dist_man_MANS); do echo "mandoc $$m"; mandoc -Tlint -Wstyle $(top_srcdir)/$$m || exit 1; done
.PHONY: lint

format:
	cd $(top_srcdir) && git ls-files '*.c' '*.h' | xargs clang-format -i
.PHONY: format
