/* Any bytes as a message file: refused with a line, or rendered into lines that mail can
 * carry; and a hostile value leaves as many header fields as a harmless one. */

#include <stdint.h>
#include <string.h>

#include "message/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static const char *const values[] = {"x", "\r\n\r\n<\">'--\nBcc: a@b,<c@d>;\"\\={{",
                                     "=?utf-8?q?\xc3\xa5?= \xc3\xa5", "javascript:x", ""};

/* How many lines of the header begin a field. */
static int count_fields(const GByteArray *message)
{
  int count = 0;
  const char *p = (const char *)message->data, *end = strstr(p, "\r\n\r\n");
  g_assert(end);
  for (; p < end; p = strstr(p, "\r\n") + 2)
    count += *p != ' ' && *p != '\t';
  return count;
}

static void check_lines(const GByteArray *message)
{
  size_t column = 0;
  for (guint i = 0; i + 1 < message->len; i++) { /* the last byte is the NUL that was added */
    uint8_t c = message->data[i];
    g_assert(c < 0x7f && (c >= 0x20 || c == '\t' || c == '\r' || c == '\n'));
    g_assert((c == '\r') == (message->data[i + 1] == '\n'));
    column = c == '\n' ? 0 : column + 1;
    g_assert(column <= 999);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(message_auto) message = message_compile(bytes, length, "m", &error);
  if (!message) {
    g_assert(g_str_has_prefix(error->message, "m:"));
    return 0;
  }
  int fields = 0;
  for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
    json_auto_t *data = json_pack("{s:s, s:{s:s}}", "a", values[i], "b", "c", values[i]);
    struct message_facts facts = {.data = data,
                                  .to = "k@example.com",
                                  .to_name = values[i],
                                  .from = "a@example.com",
                                  .message_id = "<1@example.com>",
                                  .unsubscribe_url = "https://example.com/"};
    g_autoptr(GByteArray) out = g_byte_array_new();
    if (!message_render(message, &facts, out, NULL)) continue; /* no address */
    g_byte_array_append(out, (const uint8_t *)"", 1);
    check_lines(out);
    g_assert(fields == 0 || fields == count_fields(out));
    fields = count_fields(out);
  }
  return 0;
}
