/* Renders messages for message.py. Each line of the input is {"file", "name", "facts"};
 * each of the output {"message"} or {"error"}. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message/message.h"

static const char *text(const json_t *facts, const char *key)
{
  return json_string_value(json_object_get(facts, key));
}

static json_t *render(const json_t *request)
{
  const json_t *file = json_object_get(request, "file"), *given = json_object_get(request, "facts");
  g_autoptr(GError) error = NULL;
  g_autoptr(message_auto) message = message_compile((const uint8_t *)json_string_value(file),
                                                    json_string_length(file), text(request, "name"), &error);
  if (!message) return json_pack("{s:s}", "error", error->message);
  struct message_facts facts = {
      .data = json_object_get(given, "data"),
      .to = text(given, "to"),
      .to_name = text(given, "to_name"),
      .from = text(given, "from"),
      .date = json_integer_value(json_object_get(given, "date")),
      .message_id = text(given, "message_id"),
      .list = text(given, "list"),
      .list_id = text(given, "list_id"),
      .send = text(given, "send"),
      .unsubscribe_url = text(given, "unsubscribe_url"),
  };
  g_autoptr(GByteArray) out = g_byte_array_new();
  if (!message_render(message, &facts, out, &error)) return json_pack("{s:s}", "error", error->message);
  return json_pack("{s:s%}", "message", (const char *)out->data, (size_t)out->len);
}

int main(void)
{
  char *line = NULL;
  size_t size = 0;
  while (getline(&line, &size, stdin) > 0) {
    json_auto_t *request = json_loads(line, 0, NULL);
    json_auto_t *answer = render(request);
    if (!answer) return 1;
    json_dumpf(answer, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
  }
  free(line);
  return 0;
}
