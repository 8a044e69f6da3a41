lib_libtidings_a_SOURCES += lib/doc/doc.c lib/doc/doc.h lib/doc/tree.h lib/doc/yaml.c lib/doc/json.c

UNIT_TESTS += tests/unit/doc-doc
check_PROGRAMS += tests/unit/doc-doc
tests_unit_doc_doc_SOURCES = tests/unit/doc/doc.c
tests_unit_doc_doc_LDADD = $(TEST_LIBS)

FUZZ_TARGETS += tests/fuzz/yaml
tests_fuzz_yaml_SOURCES = tests/fuzz/yaml.c $(FUZZ_MAIN)
tests_fuzz_yaml_LDADD = $(FUZZ_LIBS)
