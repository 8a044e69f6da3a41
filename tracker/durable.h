#pragma once

#include <stdbool.h>

#include "tracker/hits.h"

/* May a hit of BATCH be answered? A file of its own, so that a test can build a
 * tracker that answers too early and see itself fail. */
bool durable_is_settled(const struct batch *batch);
