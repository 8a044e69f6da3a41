lib_libtidings_a_SOURCES += lib/csv/csv.c lib/csv/csv.h

UNIT_TESTS += tests/unit/csv-csv
check_PROGRAMS += tests/unit/csv-csv
tests_unit_csv_csv_SOURCES = tests/unit/csv/csv.c
tests_unit_csv_csv_LDADD = $(TEST_LIBS)

FUZZ_TARGETS += tests/fuzz/csv
tests_fuzz_csv_SOURCES = tests/fuzz/csv.c $(FUZZ_MAIN)
tests_fuzz_csv_LDADD = $(FUZZ_LIBS)
