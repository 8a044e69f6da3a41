#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

/* The one configuration file, tidings.conf(5). Its keys are the rows of keys.def. */

#define CONF_FILE TIDINGS_SYSCONFDIR "/tidings.conf"

/* The C member of a key of each type. Strings are owned by the conf. */
typedef char *conf_STRING;     /* any text; NULL: not set */
typedef char *conf_PATH;       /* an absolute path; NULL: not set */
typedef char *conf_SOCKET;     /* "unix:/path" or "inet:port@address" */
typedef char *conf_LISTEN;     /* "address:port" or "[address]:port" */
typedef char **conf_LIST;      /* ends with NULL; never itself NULL */
typedef int64_t conf_INT;      /* */
typedef int64_t conf_SIZE;     /* bytes */
typedef int64_t conf_DURATION; /* microseconds */
typedef int64_t conf_MODE;     /* permission bits */
typedef bool conf_BOOL;
typedef int conf_ENUM; /* index into the words of its range */

struct conf {
#define TOP(name, type, default_, range, text)          conf_##type name;
#define KEY(section, name, type, default_, range, text) conf_##type section##_##name;
#include "conf/keys.def"
#undef TOP
#undef KEY
  char *file; /* where it was read from; NULL: defaults alone */
  int *lines; /* of each key, by its row; 0: default */
};

/* Reads FILE. A file that has any fault is refused whole, and the one error
 * tells them all, each on a line "FILE:LINE: what is wrong: what to write".
 * Errors: SYS (cannot be read), INPUT. Caller frees with conf_free(). One thread
 * at a time (libconfuse). */
struct conf *conf_load(const char *file, GError **error);

/* The same from TEXT; FILE is its name in messages. */
struct conf *conf_parse(const char *file, const char *text, size_t length, GError **error);

void conf_free(struct conf *conf);

/* Appends the effective settings in the file's own form, each with where it
 * comes from (FILE:LINE or "default") as a comment. */
void conf_dump(const struct conf *conf, GString *out);

/* Where the key NAME ("milter.socket") was set: its line, 0 for a default, -1 if
 * there is no such key. */
int conf_line(const struct conf *conf, const char *name);
