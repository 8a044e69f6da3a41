lib_libtidings_a_SOURCES += lib/maillog/maillog.c lib/maillog/maillog.h
