#pragma once

#include "milter/engine.h"

/* The milter session: what libmilter calls, message by message. */

/* Registers the callbacks; ENGINE is borrowed until smfi_main() returns. False
 * if libmilter refuses. */
bool session_register(struct engine *engine);
