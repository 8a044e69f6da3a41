/* Any bytes as a template: refused with a line, or rendered, the same twice and within
 * its cap; and no value breaks out of HTML text. */

#include <stdint.h>
#include <string.h>

#include "liquid/liquid.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(liquid_auto) template = liquid_parse((const char *)bytes, length, "t", 1, &error);
  if (!template) {
    g_assert(g_str_has_prefix(error->message, "t:"));
    return 0;
  }
  for (size_t i = 0; i < liquid_outputs(template); i++)
    liquid_set_escape(template, i, liquid_escape_html);
  json_auto_t *data =
      json_pack("{s:{s:s, s:i}, s:[i,i], s:f}", "a", "b", "<\"'>", "c", 7, "d", 1, 2, "e", 1.5);
  g_autoptr(GString) one = g_string_new(NULL), two = g_string_new(NULL);
  bool is_whole = liquid_render(template, data, 10000, one, NULL);
  g_assert(liquid_render(template, data, 10000, two, NULL) == is_whole && g_string_equal(one, two));
  g_assert(one->len <= 10000);
  if (memchr(bytes, '<', length) == NULL) g_assert(memchr(one->str, '<', one->len) == NULL);
  return 0;
}
