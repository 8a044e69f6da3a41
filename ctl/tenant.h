#pragma once

#include "ctl/app.h"

/* What policyd knows of the tenant NAME, as "tenant.list" has it; a new reference.
 * Errors: NOTFOUND, with a name that is near. */
json_t *tenant_find(struct app *app, const char *name, GError **error);
