#pragma once

#include "policyd/control.h"

/* The commands of each area, ended by a NULL name. */
extern const struct command tenant_commands[];
extern const struct command contact_commands[];
extern const struct command link_commands[];
extern const struct command workflow_commands[];
extern const struct command report_commands[];

/* Are ARGS, an object, of the names and types of SPEC? That is "name=t name=t …",
 * where t is s (text), i (a whole number), b (true or false), o (an object), a (a
 * list of texts) or l (a list). null is as if it were not given. Errors: INPUT,
 * naming the argument. */
bool command_args(const char *spec, json_t *args, GError **error);

/* Is TEXT a name of ours: 1 to 64 of [a-z0-9-], beginning with a letter or digit?
 * Errors: INPUT, saying so. */
bool command_name(const char *what, const char *text, GError **error);

/* Is TEXT a plausible address: local part, @, domain; no spaces, controls or
 * brackets; at most 254 bytes? Errors: INPUT. */
bool command_address(const char *text, GError **error);

/* Is TEXT a zone of this host, or NULL? Errors: INPUT. */
bool command_zone(const struct policyd *policyd, const char *text, GError **error);
