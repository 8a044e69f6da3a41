#pragma once

#include <stdint.h>

/* Ids are 63-bit and time-ordered, and a producer makes them without asking
 * anyone: 41 bits of milliseconds since 2024-01-01, 6 of node, 4 of producer,
 * 12 of count within the millisecond. */

enum id_producer { ID_MILTER = 1, ID_FILTER = 2, ID_TRACKER = 3, ID_POLICYD = 4, ID_DERIVED = 8 };

struct id_source {
  int64_t last; /* the last id given; 0 at the very first start */
  uint8_t node; /* 0…63 */
  uint8_t producer;
};

/* The next id: later than every id given before, also when the clock steps
 * back or more than 4,096 are asked in a millisecond (it then runs ahead of the
 * clock). NOW in microseconds UTC. One thread at a time. */
int64_t id_next(struct id_source *source, int64_t now);

/* An id that is the same whenever it is asked for the same HASH: of what was known
 * at the instant AT (microseconds UTC), the filter's mails. It lies within the 4.7
 * hours before AT; 24 bits of milliseconds, 3 of producer (8...15) and the 12 of
 * count are the hash's. So two of N mails in that time have the same id with about
 * N^2 / 2^40: one in a million for a message to 1,000 recipients. */
int64_t id_derive(uint8_t node, int64_t at, uint64_t hash);

/* When the id was made, microseconds UTC, to the millisecond. */
int64_t id_time(int64_t id);

/* Node and producer of an id. */
uint8_t id_node(int64_t id);
uint8_t id_producer_of(int64_t id);

/* The lowest id that could be made at INSTANT (microseconds UTC). */
int64_t id_floor(int64_t instant);
