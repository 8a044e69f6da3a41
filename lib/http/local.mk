lib_libtidings_a_SOURCES += lib/http/http.c lib/http/http.h lib/http/address.c lib/http/address.h

UNIT_TESTS += tests/unit/http-address
check_PROGRAMS += tests/unit/http-address
tests_unit_http_address_SOURCES = tests/unit/http/address.c
tests_unit_http_address_LDADD = $(TEST_LIBS)
