/* tidings-policyd(8): folds what happened, decides, and sends. */

#include "policyd/serve.h"
#include "proc/proc.h"

int main(int argc, char **argv)
{
  static const struct proc_program program = {
      .name = "tidings-policyd",
      .summary =
          "Folds the journals of milter and tracker into state, runs the workflows and sends their mail.",
      PROC_SECTION(policyd),
  };
  int status;
  struct proc *proc = proc_start(&program, argc, argv, &status);
  if (!proc) return status;
  GError *error = NULL;
  if (!proc_drop(proc, &error) || !serve(proc, &error)) return proc_fail(proc, error);
  return proc_end(proc);
}
