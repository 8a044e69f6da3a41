#pragma once

#include "proc/proc.h"

/* Serves until told to stop. Errors: what keeps policyd from starting. */
bool serve(struct proc *proc, GError **error);
