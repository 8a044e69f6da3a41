/* The control protocol: however a stream is cut, its lines are the same, none is
 * over the maximum, and what is a line of ours can be written and read again. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "base/error.h"
#include "control/frame.h"

enum { MAX = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(json_t *value)
{
  g_autoptr(GString) out = g_string_new(NULL);
  control_put(out, "ok", json_incref(value));
  g_assert(out->len && strlen(out->str) == out->len && strcspn(out->str, "\n") == out->len - 1);
  json_t *again = control_parse(out->str, out->len - 1, NULL);
  g_assert(again && json_equal(json_object_get(again, "ok"), value));
  json_decref(again);
}

static bool take(void *data, const char *line, size_t length, GError **error)
{
  (void)error;
  g_assert(length > 0 && length <= MAX && !memchr(line, '\n', length));
  g_string_append_len(data, line, (gssize)length);
  g_string_append_c(data, '\n');
  json_t *value = control_parse(line, length, NULL);
  if (value) {
    g_autoptr(GError) taken = NULL;
    control_take_error(value, &taken);
    g_assert(taken);
    check_again(value);
  }
  json_decref(value);
  return true;
}

static GString *lines_of(const char *bytes, size_t size, size_t cut, bool *good)
{
  GString *lines = g_string_new(NULL);
  g_autoptr(control_frame) frame = control_frame_new(MAX);
  *good = control_frame_feed(frame, bytes, cut, take, lines, NULL) &&
          control_frame_feed(frame, bytes + cut, size - cut, take, lines, NULL);
  return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  bool whole_good, parts_good;
  const char *bytes = (const char *)data;
  size_t cut = size ? data[size - 1] % (size + 1) : 0;
  GString *whole = lines_of(bytes, size, size, &whole_good), *parts = lines_of(bytes, size, cut, &parts_good);
  g_assert(whole_good == parts_good && g_string_equal(whole, parts));
  g_string_free(whole, TRUE);
  g_string_free(parts, TRUE);
  return 0;
}
