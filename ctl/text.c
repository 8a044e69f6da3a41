/* Text for a terminal. */

#include "ctl/text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tz/civil.h"

/* Marks and overrides that make a line read other than it is (Unicode TR 36). */
static bool turns_direction(gunichar c)
{
  return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069);
}

static void append_safe(GString *out, gunichar c)
{
  if (c < 0x20 || (c >= 0x7f && c <= 0x9f))
    g_string_append_printf(out, "\\x%02x", c);
  else if (turns_direction(c) || c == 0x2028 || c == 0x2029)
    g_string_append_printf(out, "\\u%04x", c);
  else
    g_string_append_unichar(out, c);
}

static char *make_safe(const char *text, bool lines)
{
  GString *out = g_string_new(NULL);
  while (text && *text) {
    gunichar c = g_utf8_get_char_validated(text, -1);
    if (c == (gunichar)-1 || c == (gunichar)-2) {
      g_string_append_printf(out, "\\x%02x", (unsigned char)*text++);
      continue;
    }
    if (lines && c == '\n')
      g_string_append_c(out, '\n');
    else
      append_safe(out, c);
    text = g_utf8_next_char(text);
  }
  return g_string_free(out, FALSE);
}

char *text_safe(const char *text)
{
  return make_safe(text, false);
}

char *text_safe_lines(const char *text)
{
  return make_safe(text, true);
}

size_t text_width(const char *text)
{
  size_t width = 0;
  for (; *text; text = g_utf8_next_char(text)) {
    gunichar c = g_utf8_get_char(text);
    if (!g_unichar_iszerowidth(c)) width += g_unichar_iswide(c) ? 2 : 1;
  }
  return width;
}

static char *date_text(const struct tz_civil *t)
{
  return g_strdup_printf("%04d-%02d-%02d", t->year, t->month, t->day);
}

char *text_time(int64_t instant, const struct tz_zone *zone)
{
  const char *abbreviation;
  struct tz_civil local = tz_local(zone, instant), utc = tz_local(tz_zone_utc(), instant);
  tz_zone_offset(zone, instant, NULL, NULL, &abbreviation);
  g_autofree char *local_date = date_text(&local), *utc_date = date_text(&utc);
  bool same = strcmp(local_date, utc_date) == 0;
  if (zone == tz_zone_utc())
    return g_strdup_printf("%s %02d:%02d:%02dZ", utc_date, utc.hour, utc.minute, utc.second);
  return g_strdup_printf("%s %02d:%02d:%02d %s (%s%s%02d:%02d:%02dZ)", local_date, local.hour, local.minute,
                         local.second, abbreviation, same ? "" : utc_date, same ? "" : " ", utc.hour,
                         utc.minute, utc.second);
}

char *text_value(const json_t *value)
{
  if (!value || json_is_null(value)) return NULL;
  if (json_is_string(value)) return g_strdup(json_string_value(value));
  if (json_is_integer(value)) return g_strdup_printf("%" PRId64, (int64_t)json_integer_value(value));
  if (json_is_boolean(value)) return g_strdup(json_is_true(value) ? "yes" : "no");
  char *dumped = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
  char *text = g_strdup(dumped);
  free(dumped);
  return text;
}

static int compare_keys(const void *a, const void *b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *text_pairs(const json_t *object)
{
  g_autoptr(GPtrArray) keys = g_ptr_array_new();
  for (void *i = json_object_iter((json_t *)(uintptr_t)object); i;
       i = json_object_iter_next((json_t *)(uintptr_t)object, i))
    g_ptr_array_add(keys, (void *)(uintptr_t)json_object_iter_key(i));
  g_ptr_array_sort(keys, compare_keys);
  GString *out = g_string_new(NULL);
  for (unsigned i = 0; i < keys->len; i++) {
    const json_t *value = json_object_get(object, keys->pdata[i]);
    g_autofree char *text = text_value(value);
    bool quote = json_is_string(value) && (!*text || strpbrk(text, " \t\""));
    g_string_append_printf(out, quote ? "%s%s=\"%s\"" : "%s%s=%s", i ? " " : "", (char *)keys->pdata[i],
                           text ? text : "null");
  }
  return g_string_free(out, FALSE);
}

char *text_verdict(const json_t *event)
{
  const char *verdict = text_of(event, "verdict"), *reason = text_of(event, "reason");
  if (!verdict || !reason || strcmp(reason, "none") == 0) return g_strdup(verdict);
  return g_strdup_printf("%s (%s)", verdict, reason);
}

char *text_about(const json_t *event)
{
  static const char *const left_out[] = {"address", "subject", "to",   "mid",     "links", "pixel",
                                         "per",     "size",    "send", "journey", "visit", "method"};
  json_t *data = json_copy(json_object_get(event, "data"));
  for (size_t i = 0; data && i < G_N_ELEMENTS(left_out); i++)
    json_object_del(data, left_out[i]);
  if (g_strcmp0(text_of(json_object_get(event, "data"), "per"), "message") == 0 &&
      g_strcmp0(text_of(data, "action"), "tracked") == 0)
    json_object_set_new(data, "per", json_string("message")); /* its hits name no recipient */
  if (g_strcmp0(text_of(data, "action"), text_of(data, "reason")) == 0) json_object_del(data, "reason");
  char *pairs = text_pairs(data);
  json_decref(data);
  const char *subject = text_of(event, "subject");
  if (!subject) return pairs;
  char *text = g_strdup_printf("\"%s\"%s%s", subject, *pairs ? " " : "", pairs);
  g_free(pairs);
  return text;
}

const char *text_of(const json_t *object, const char *key)
{
  return json_string_value(json_object_get(object, key));
}

int64_t text_int(const json_t *object, const char *key)
{
  return json_integer_value(json_object_get(object, key));
}
