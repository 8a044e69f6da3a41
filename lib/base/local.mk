lib_libtidings_a_SOURCES += lib/base/error.c lib/base/error.h
