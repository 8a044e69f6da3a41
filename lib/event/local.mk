lib_libtidings_a_SOURCES += lib/event/event.c lib/event/event.h lib/event/kinds.def
