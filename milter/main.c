/* tidings-milter(8): main. */

#include "milter/serve.h"

static const struct proc_program program = {
    .name = "tidings-milter",
    .summary = "Rewrites the mail that passes the mail server, so that it can be followed.",
    PROC_SECTION(milter),
    .libmilter = true,
};

int main(int argc, char **argv)
{
  int status;
  struct proc *proc = proc_start(&program, argc, argv, &status);
  return proc ? serve(proc) : status;
}
