#pragma once

#include <stdbool.h>

#include "directory/directory.h"
#include "milter/engine.h"

/* Whose mail is it? */

/* May the mail be ours at all: authenticated, by a listener for own mail, or from
 * a client that the configuration trusts? */
bool tenant_is_trusted(const struct conf *conf, const struct engine_mail *mail);

/* The tenant of a trusted mail: the user's, else that of the envelope sender's
 * domain, else that of From:. NULL if there is none. */
const struct directory_tenant *tenant_find(struct directory_view *view, const struct engine_mail *mail);

/* The list of a mail: the one asked for by name, else the one whose sender it
 * is; NULL if there is none. */
const struct directory_list *tenant_list(struct directory_view *view, int64_t tenant,
                                         const struct engine_mail *mail, const char *name);
