lib_libtidings_a_SOURCES += lib/store/store.c lib/store/store.h lib/store/internal.h \
  lib/store/schema.c lib/store/schema.h lib/store/tenant.c lib/store/contact.c \
  lib/store/mail.c lib/store/journey.c lib/store/link.c

UNIT_TESTS += tests/unit/store-store
check_PROGRAMS += tests/unit/store-store
tests_unit_store_store_SOURCES = tests/unit/store/store.c
tests_unit_store_store_LDADD = $(TEST_LIBS)
