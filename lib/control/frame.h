#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>
#include <jansson.h>

/* The control protocol's lines, for both ends of policyd's socket.
 *
 * A line is one JSON object, UTF-8, ended by LF. tidings(1) asks, one request after
 * the other on a connection:
 *   {"do":"contact.add","args":{…}}
 * and policyd answers each with zero or more
 *   {"row":{…}}    {"progress":{"done":n,"of":m}}
 * and then exactly one of
 *   {"ok":{…}}     {"error":{"kind":"input","message":"…"}}
 *
 * Nothing here touches a socket: bytes go in, lines come out. */

/* The longest line, without its LF. */
#define CONTROL_LINE_MAX ((size_t)4 * 1024 * 1024)

/* Cuts a stream into lines. */
struct control_frame;

/* A splitter that refuses a line over MAX bytes. Free with control_frame_free(). */
struct control_frame *control_frame_new(size_t max);
void control_frame_free(struct control_frame *frame);

/* Takes one line, without its LF (and a CR before it); not NUL-terminated, borrowed.
 * False stops the feeding, with an error set. */
typedef bool control_line_fn(void *data, const char *line, size_t length, GError **error);

/* Feeds LENGTH bytes as they come, however they are cut, and hands every line that
 * they complete to FN; empty lines are left out. Errors: LIMIT (a line is too long:
 * close the connection), and those of FN. After an error nothing more may be fed. */
bool control_frame_feed(struct control_frame *frame, const char *bytes, size_t length, control_line_fn *fn,
                        void *data, GError **error);

/* Is a line begun and not ended? True at the end of a stream: it was cut off. */
bool control_frame_is_partial(const struct control_frame *frame);

/* Reads a line: a JSON object without duplicate members. New reference. Errors:
 * INPUT. */
json_t *control_parse(const char *line, size_t length, GError **error);

/* Appends the line {"MEMBER":VALUE}, such as "row", "progress", "ok". Takes VALUE;
 * NULL is an empty object. */
void control_put(GString *out, const char *member, json_t *value);

/* Appends the line {"error":…} for ERROR. */
void control_put_error(GString *out, const GError *error);

/* Sets ERROR, with its kind and message, from the value of an "error" member; an
 * unknown kind is SYS. */
void control_take_error(const json_t *value, GError **error);

typedef struct control_frame control_frame; /* for g_autoptr */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(control_frame, control_frame_free)
