lib_libtidings_a_SOURCES += \
  lib/mail/ambiguity.def lib/mail/range.h \
  lib/mail/address.c lib/mail/address.h \
  lib/mail/boundary.c lib/mail/boundary.h \
  lib/mail/charset.c lib/mail/charset.h \
  lib/mail/content.c lib/mail/content.h \
  lib/mail/date.c lib/mail/date.h \
  lib/mail/edit.c lib/mail/edit.h \
  lib/mail/encoding.c lib/mail/encoding.h \
  lib/mail/header.c lib/mail/header.h \
  lib/mail/leaf.c lib/mail/leaf.h \
  lib/mail/line.c lib/mail/line.h \
  lib/mail/qp.c lib/mail/qp.h \
  lib/mail/text.c lib/mail/text.h \
  lib/mail/walk.c lib/mail/walk.h

UNIT_TESTS += tests/unit/mail-walk tests/unit/mail-encoding tests/unit/mail-text
check_PROGRAMS += tests/unit/mail-walk tests/unit/mail-encoding tests/unit/mail-text
tests_unit_mail_walk_SOURCES = tests/unit/mail/walk.c
tests_unit_mail_walk_LDADD = $(TEST_LIBS)
tests_unit_mail_encoding_SOURCES = tests/unit/mail/encoding.c
tests_unit_mail_encoding_LDADD = $(TEST_LIBS)
tests_unit_mail_text_SOURCES = tests/unit/mail/text.c
tests_unit_mail_text_LDADD = $(TEST_LIBS)

FUZZ_TARGETS += tests/fuzz/mail
tests_fuzz_mail_SOURCES = tests/fuzz/mail.c $(FUZZ_MAIN)
tests_fuzz_mail_LDADD = $(FUZZ_LIBS)

BENCHES += tests/bench/mail
tests_bench_mail_SOURCES = tests/bench/mail.c
tests_bench_mail_LDADD = $(PROGRAM_LIBS)

check_PROGRAMS += tests/conformance/mail-dump
tests_conformance_mail_dump_SOURCES = tests/conformance/mail-dump.c
tests_conformance_mail_dump_LDADD = $(TEST_LIBS)
CONFORMANCE_TESTS += tests/conformance/stalwart.py tests/conformance/email_oracle.py
EXTRA_DIST += tests/conformance/stalwart.py tests/conformance/email_oracle.py

EXTRA_DIST += tests/conformance/no-gmime.sh
if HAVE_GMIME
CONFORMANCE_TESTS += tests/conformance/gmime
check_PROGRAMS += tests/conformance/gmime
tests_conformance_gmime_SOURCES = tests/conformance/gmime.c
tests_conformance_gmime_CFLAGS = $(AM_CFLAGS) $(GMIME_CFLAGS)
tests_conformance_gmime_LDADD = $(TEST_LIBS) $(GMIME_LIBS)
else
CONFORMANCE_TESTS += tests/conformance/no-gmime.sh
endif
