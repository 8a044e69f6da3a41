#pragma once

/* Makes zone files (TZif version 3) in memory, for tests. */

#include <stdint.h>
#include <string.h>

#include <glib.h>

#include "tz/zone.h"

struct tzif_type {
  int32_t offset;
  uint8_t is_dst, name;
};

static inline void tzif_put(GByteArray *bytes, uint64_t value, int width)
{
  for (int i = width - 1; i >= 0; i--) {
    uint8_t byte = (uint8_t)(value >> (8 * i));
    g_byte_array_append(bytes, &byte, 1);
  }
}

static inline void tzif_put_header(GByteArray *bytes, uint32_t leaps, uint32_t times, uint32_t types,
                                   uint32_t chars)
{
  static const uint8_t unused[15] = {0};
  g_byte_array_append(bytes, (const uint8_t *)"TZif3", 5);
  g_byte_array_append(bytes, unused, sizeof unused);
  tzif_put(bytes, 0, 4);
  tzif_put(bytes, 0, 4);
  tzif_put(bytes, leaps, 4);
  tzif_put(bytes, times, 4);
  tzif_put(bytes, types, 4);
  tzif_put(bytes, chars, 4);
}

/* A file with COUNT transitions AT to types KINDS out of TYPES, names "AAA\0BBB\0",
 * and the footer RULE. The 32-bit block is empty, as a modern zic writes it. */
static inline GByteArray *tzif_file(const int64_t *at, const uint8_t *kinds, uint32_t count,
                                    const struct tzif_type *types, uint32_t type_count, const char *rule)
{
  GByteArray *bytes = g_byte_array_new();
  tzif_put_header(bytes, 0, 0, 1, 1);
  tzif_put(bytes, 0, 7);
  tzif_put_header(bytes, 0, count, type_count, 8);
  for (uint32_t i = 0; i < count; i++)
    tzif_put(bytes, (uint64_t)at[i], 8);
  if (count) g_byte_array_append(bytes, kinds, count);
  for (uint32_t i = 0; i < type_count; i++) {
    tzif_put(bytes, (uint32_t)types[i].offset, 4);
    tzif_put(bytes, types[i].is_dst, 1);
    tzif_put(bytes, types[i].name, 1);
  }
  g_byte_array_append(bytes, (const uint8_t *)"AAA\0BBB", 8);
  g_byte_array_append(bytes, (const uint8_t *)"\n", 1);
  g_byte_array_append(bytes, (const uint8_t *)rule, (guint)strlen(rule));
  g_byte_array_append(bytes, (const uint8_t *)"\n", 1);
  return bytes;
}

/* The zone of a rule alone, or NULL. */
static inline struct tz_zone *tzif_zone(const char *rule, GError **error)
{
  const struct tzif_type type = {0};
  g_autoptr(GByteArray) bytes = tzif_file(NULL, NULL, 0, &type, 1, rule);
  return tz_zone_parse(bytes->data, bytes->len, error);
}
