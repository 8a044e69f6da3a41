/* Time-ordered ids: milliseconds | node | producer | count. */

#include "base/id.h"

enum { COUNT_BITS = 12, PRODUCER_BITS = 4, NODE_BITS = 6 };
enum { LOW_BITS = COUNT_BITS + PRODUCER_BITS + NODE_BITS };

static const int64_t epoch_ms = INT64_C(1704067200000); /* 2024-01-01T00:00:00Z */
static const int64_t count_mask = (INT64_C(1) << COUNT_BITS) - 1;

static int64_t compose(int64_t ms, const struct id_source *source, int64_t count)
{
  return ms << LOW_BITS | (int64_t)(source->node & 63) << (COUNT_BITS + PRODUCER_BITS) |
         (int64_t)(source->producer & 15) << COUNT_BITS | count;
}

int64_t id_next(struct id_source *source, int64_t now)
{
  int64_t ms = now / 1000 - epoch_ms;
  int64_t last_ms = source->last >> LOW_BITS;
  int64_t count = 0;
  if (ms < 0) ms = 0;
  if (ms <= last_ms && source->last) {
    ms = last_ms;
    count = (source->last & count_mask) + 1;
    if (count > count_mask) {
      ms++;
      count = 0;
    }
  }
  source->last = compose(ms, source, count);
  return source->last;
}

int64_t id_derive(uint8_t node, int64_t at, uint64_t hash)
{
  static const int64_t spread = (INT64_C(1) << 24) - 1, last_ms = (INT64_C(1) << 41) - 1;
  const struct id_source source = {.node = node,
                                   .producer = (uint8_t)(ID_DERIVED | (hash >> COUNT_BITS & 7))};
  int64_t ms = at / 1000 - epoch_ms - ((int64_t)(hash >> (COUNT_BITS + 3)) & spread);
  return compose(ms < 0 ? 0 : ms > last_ms ? last_ms : ms, &source, (int64_t)hash & count_mask);
}

int64_t id_time(int64_t id)
{
  return ((id >> LOW_BITS) + epoch_ms) * 1000;
}

uint8_t id_node(int64_t id)
{
  return (uint8_t)(id >> (COUNT_BITS + PRODUCER_BITS) & 63);
}

uint8_t id_producer_of(int64_t id)
{
  return (uint8_t)(id >> COUNT_BITS & 15);
}

int64_t id_floor(int64_t instant)
{
  int64_t ms = instant / 1000 - epoch_ms;
  return ms > 0 ? ms << LOW_BITS : 0;
}
