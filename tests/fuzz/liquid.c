/* Any bytes as a template: refused with a line, or rendered, the same twice and within
 * its cap; and no value breaks out of HTML text. */

#include <stdint.h>
#include <string.h>

#include "liquid/liquid.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static liquid_escape *html(void *user, const char *text, size_t size, const char **why)
{
  (void)user, (void)text, (void)size, (void)why;
  return liquid_escape_html;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(liquid_auto) template = liquid_parse((const char *)bytes, length, "t", 1, html, NULL, &error);
  if (!template) {
    g_assert(g_str_has_prefix(error->message, "t:"));
    return 0;
  }
  json_auto_t *data =
      json_pack("{s:{s:s, s:i}, s:[i,i], s:f}", "a", "b", "<\"'>", "c", 7, "d", 1, 2, "e", 1.5);
  g_autoptr(GString) one = g_string_new(NULL), two = g_string_new(NULL);
  bool is_whole = liquid_render(template, data, 10000, one, NULL);
  g_assert(liquid_render(template, data, 10000, two, NULL) == is_whole && g_string_equal(one, two));
  g_assert(one->len <= 10000);
  if (memchr(bytes, '<', length) == NULL) g_assert(memchr(one->str, '<', one->len) == NULL);
  return 0;
}
