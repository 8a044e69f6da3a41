#pragma once

#include "proc/proc.h"

/* The life of the milter between proc_start() and its end: socket, keys,
 * directory, journal, libmilter's own loop, reloads. The exit status. */
int serve(struct proc *proc);
