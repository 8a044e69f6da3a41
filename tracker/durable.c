/* The rule of the tracker: first the disk, then the answer. */

#include "tracker/durable.h"

bool durable_is_settled(const struct batch *batch)
{
  return batch_state(batch) != BATCH_OPEN;
}
