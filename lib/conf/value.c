/* Single values of the configuration: text to number and back. Every function
 * reads the whole of its text or refuses it. */

#include "conf/value.h"

#include <string.h>

#include <glib.h>

#include "base/error.h"

struct unit {
  const char *name;
  int64_t factor;
};

/* Largest last: the text of a value uses the largest unit that divides it. */
static const struct unit sizes[] = {{"", 1}, {"K", 1024}, {"M", 1024 * 1024}, {"G", 1024 * 1024 * 1024}};
static const struct unit durations[] = {{"us", 1},
                                        {"ms", 1000},
                                        {"s", 1000000},
                                        {"min", 60 * INT64_C(1000000)},
                                        {"h", 3600 * INT64_C(1000000)},
                                        {"d", 86400 * INT64_C(1000000)}};

static bool digits(const char **text, int64_t *value)
{
  const char *p = *text;
  int64_t n = 0;
  if (!g_ascii_isdigit(*p)) return false;
  for (; g_ascii_isdigit(*p); p++)
    if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n)) return false;
  *text = p;
  *value = n;
  return true;
}

static bool with_unit(const char *text, const struct unit *units, size_t n, int64_t *value)
{
  int64_t number;
  if (!digits(&text, &number)) return false;
  while (*text == ' ')
    text++;
  for (size_t i = 0; i < n; i++)
    if (strcmp(text, units[i].name) == 0) return !__builtin_mul_overflow(number, units[i].factor, value);
  return false;
}

bool value_int(const char *text, int64_t *value)
{
  return digits(&text, value) && *text == '\0';
}

bool value_size(const char *text, int64_t *value)
{
  return with_unit(text, sizes, G_N_ELEMENTS(sizes), value);
}

bool value_duration(const char *text, int64_t *value)
{
  return with_unit(text, durations, G_N_ELEMENTS(durations), value);
}

bool value_mode(const char *text, int64_t *value)
{
  int64_t mode = 0;
  size_t n = strspn(text, "01234567");
  if (n < 3 || n > 4 || text[n]) return false;
  for (; *text; text++)
    mode = mode * 8 + (*text - '0');
  *value = mode;
  return mode <= 0777;
}

bool value_bool(const char *text, bool *value)
{
  int word = value_word("no|yes|false|true|off|on", text);
  *value = word & 1;
  return word >= 0;
}

static bool is_port(const char *text, size_t length)
{
  g_autofree char *copy = g_strndup(text, length);
  int64_t port;
  return value_int(copy, &port) && port > 0 && port <= 65535;
}

bool value_is_socket(const char *text)
{
  if (g_str_has_prefix(text, "unix:/")) return true;
  if (!g_str_has_prefix(text, "inet:")) return false;
  const char *at = strchr(text, '@');
  return at && at[1] && is_port(text + 5, (size_t)(at - text) - 5);
}

bool value_is_listen(const char *text)
{
  const char *colon = strrchr(text, ':');
  if (!colon || colon == text || !is_port(colon + 1, strlen(colon + 1))) return false;
  if (*text == '[') return colon[-1] == ']';
  return memchr(text, ':', (size_t)(colon - text)) == NULL;
}

int value_word(const char *words, const char *text)
{
  size_t length = strlen(text);
  for (int i = 0;; i++) {
    size_t n = strcspn(words, "|");
    if (n == length && memcmp(words, text, n) == 0) return i;
    if (!words[n]) return -1;
    words += n + 1;
  }
}

static char *unit_text(int64_t value, const struct unit *units, size_t n, const char *space)
{
  size_t best = 0;
  for (size_t i = 1; i < n; i++)
    if (value && value % units[i].factor == 0) best = i;
  if (!units[best].name[0]) space = "";
  return g_strdup_printf("%" G_GINT64_FORMAT "%s%s", value / units[best].factor, space, units[best].name);
}

char *value_size_text(int64_t value)
{
  return unit_text(value, sizes, G_N_ELEMENTS(sizes), "");
}

char *value_duration_text(int64_t value)
{
  return unit_text(value, durations, G_N_ELEMENTS(durations), " ");
}

char *value_mode_text(int64_t value)
{
  return g_strdup_printf("%04o", (unsigned)value);
}
