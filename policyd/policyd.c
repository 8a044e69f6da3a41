/* What the parts of policyd share. */

#include "policyd/policyd.h"

#include "policyd/publish.h"
#include "policyd/timers.h"

void policyd_undo(struct policyd *policyd)
{
  store_rollback(policyd->store);
  publish_forget(policyd->publish);
  timers_reload(policyd->timers);
}
