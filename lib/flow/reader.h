#pragma once

/* Reading a definition: values with their places, and every problem told with its
 * place. Not for other modules. */

#include "flow/table.h"

/* The longest text that a definition may hold, in bytes. */
#define FLOW_TEXT_MAX 300

struct reader {
  const struct doc *doc; /* NULL: from JSON, which has no lines */
  const char *file;
  GPtrArray *problems; /* or NULL */
  char *first;         /* the first error */
  int errors;
};

/* A value and where it stands; the path is a JSON pointer ("/steps/2/at"). */
struct place {
  const json_t *value; /* NULL: not there */
  char *path;
};

/* The line of PATH, or of what holds it; 0 without lines. */
int reader_line(const struct reader *reader, const char *path);

/* Tells a problem at PATH; the first error becomes the GError's text. */
void reader_error(struct reader *reader, const char *path, const char *format, ...) G_GNUC_PRINTF(3, 4);
void reader_problem(struct reader *reader, bool is_error, int line, const char *text);

/* Member KEY of the object at PARENT, and item INDEX of its array. Free the path. */
struct place reader_member(const struct place *parent, const char *key);
struct place reader_item(const struct place *parent, size_t index);

/* Tells every key of the object at PLACE that is not among KEYS (separated by
 * blanks); WHAT says what the object is ("a step that sends"). */
void reader_check_keys(struct reader *reader, const struct place *place, const char *keys, const char *what);

/* Whether KEY is one of KEYS. */
bool reader_has_key(const char *keys, const char *key);

/* The nearest of KEYS to KEY, if it is near enough to be meant. Caller frees; or NULL. */
char *reader_nearest(const char *keys, const char *key);

/* The text at PLACE, or NULL if it is not there or not a text (which is told; WANTED
 * says what to write, such as "09:00"). Borrowed. */
const char *reader_text(struct reader *reader, const struct place *place, const char *wanted);

/* The same, and it must be a name: [a-z0-9-], at most 64 bytes. */
const char *reader_name(struct reader *reader, const struct place *place, const char *wanted);

/* The keys of the patterns with any of USE, separated by blanks; caller frees. */
char *flow_pattern_keys(int use);

/* The row of KEY, if it may be used so; or NULL. */
const struct flow_pattern_row *flow_find_pattern(const char *key, int use);

/* Reads what follows the key of ROW at PLACE: null, a plain text or an object. */
void flow_read_pattern_row(struct reader *reader, const struct place *place,
                           const struct flow_pattern_row *row, int use, struct flow_pattern *pattern);

/* Reads the object {KEY: …} at PLACE, whose one KEY says which kind of event is meant.
 * WHAT names the object in messages. NULL if there is none. */
const struct flow_pattern_row *flow_read_pattern(struct reader *reader, const struct place *place, int use,
                                                 const char *what, struct flow_pattern *pattern);

/* Reads the steps of ROOT into FLOW, whose steps are empty. */
void flow_read_steps(struct reader *reader, const struct place *root, struct flow *flow);
