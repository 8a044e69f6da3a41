/* tidings-tracker(8): the only program that faces the internet. */

#include "proc/proc.h"
#include "tracker/tracker.h"

static const struct proc_program program = {
    .name = "tidings-tracker",
    .summary = "Answers the tracked links of mail: opens, clicks and unsubscribes.",
    PROC_SECTION(tracker),
    .check = tracker_check,
};

int main(int argc, char **argv)
{
  GError *error = NULL;
  int status;
  struct proc *proc = proc_start(&program, argc, argv, &status);
  if (!proc) return status;
  struct tracker *tracker = tracker_open(proc, &error);
  if (!tracker || !proc_drop(proc, &error) || !tracker_start(tracker, &error)) {
    tracker_close(tracker);
    return proc_fail(proc, error);
  }
  proc_ready(proc);
  tracker_run(tracker);
  tracker_close(tracker);
  return proc_end(proc);
}
