/* The control protocol's lines: cut a stream into them, read one, write one.
 *
 * Only the beginning of an unfinished line is ever kept, at most `max` bytes of
 * it; a line that comes whole is handed on without a copy. */

#include "control/frame.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

struct control_frame {
  GString *begun; /* an unfinished line */
  size_t max;
};

struct control_frame *control_frame_new(size_t max)
{
  struct control_frame *frame = g_new0(struct control_frame, 1);
  frame->begun = g_string_new(NULL);
  frame->max = max;
  return frame;
}

void control_frame_free(struct control_frame *frame)
{
  if (!frame) return;
  g_string_free(frame->begun, TRUE);
  g_free(frame);
}

bool control_frame_is_partial(const struct control_frame *frame)
{
  return frame->begun->len > 0;
}

static bool check_length(const struct control_frame *frame, size_t more, GError **error)
{
  if (more <= frame->max - frame->begun->len) return true;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "a line of the control protocol is over %zu bytes",
              frame->max);
  return false;
}

static bool emit(const char *line, size_t length, control_line_fn *fn, void *data, GError **error)
{
  if (length && line[length - 1] == '\r') length--;
  return !length || fn(data, line, length, error);
}

/* The line that ends after LENGTH more bytes. */
static bool finish(struct control_frame *frame, const char *bytes, size_t length, control_line_fn *fn,
                   void *data, GError **error)
{
  if (!frame->begun->len) return emit(bytes, length, fn, data, error);
  g_string_append_len(frame->begun, bytes, (gssize)length);
  bool good = emit(frame->begun->str, frame->begun->len, fn, data, error);
  g_string_truncate(frame->begun, 0);
  return good;
}

bool control_frame_feed(struct control_frame *frame, const char *bytes, size_t length, control_line_fn *fn,
                        void *data, GError **error)
{
  const char *end = bytes + length;
  while (bytes < end) {
    const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
    size_t n = (size_t)((newline ? newline : end) - bytes);
    if (!check_length(frame, n, error)) return false;
    if (!newline) {
      g_string_append_len(frame->begun, bytes, (gssize)n);
      return true;
    }
    if (!finish(frame, bytes, n, fn, data, error)) return false;
    bytes = newline + 1;
  }
  return true;
}

json_t *control_parse(const char *line, size_t length, GError **error)
{
  json_error_t fault;
  json_t *value = json_loadb(line, length, JSON_REJECT_DUPLICATES, &fault);
  if (value && json_is_object(value)) return value;
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "not a line of the control protocol: %s",
              value ? "a JSON object is expected" : fault.text);
  json_decref(value);
  return NULL;
}

void control_put(GString *out, const char *member, json_t *value)
{
  json_t *object = json_pack("{s:o}", member, value ? value : json_object());
  char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
  json_decref(object);
  if (!text) g_error("control: %s cannot be written as JSON", member);
  g_string_append(out, text);
  g_string_append_c(out, '\n');
  free(text);
}

void control_put_error(GString *out, const GError *error)
{
  /* A message may quote foreign bytes, and JSON is UTF-8. */
  g_autofree char *message = g_utf8_make_valid(error->message, -1);
  control_put(out, "error", json_pack("{s:s, s:s}", "kind", tidings_error_kind(error), "message", message));
}

static int kind_of(const char *word)
{
  for (int code = TIDINGS_ERROR_INPUT; word && code <= TIDINGS_ERROR_DENIED; code++) {
    GError error = {.domain = TIDINGS_ERROR, .code = code};
    if (strcmp(word, tidings_error_kind(&error)) == 0) return code;
  }
  return TIDINGS_ERROR_SYS;
}

void control_take_error(const json_t *value, GError **error)
{
  const char *kind = json_string_value(json_object_get(value, "kind"));
  const char *message = json_string_value(json_object_get(value, "message"));
  g_set_error_literal(error, TIDINGS_ERROR, kind_of(kind), message ? message : "policyd gave no reason");
}
