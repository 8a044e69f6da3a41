#pragma once

#include <stdbool.h>

#include "mail/walk.h"
#include "rewrite/reason.h"
#include "rewrite/rewrite.h"

/* May this mail be changed at all? Each answers TRACKED, or why not. Inside
 * lib/rewrite. */

/* From what the caller knows, before a byte is looked at. */
enum rewrite_reason rewrite_policy_request(const struct rewrite_request *request, enum rewrite_track track);

/* From the header SECTION. */
enum rewrite_reason rewrite_policy_header(const struct rewrite_request *request, struct mail_range section);

/* From the structure: signed, encrypted, reports, calendars. */
enum rewrite_reason rewrite_policy_tree(const struct mail_tree *tree);

/* Of the part I alone. */
enum rewrite_reason rewrite_policy_part(const struct rewrite_request *request, const struct mail_tree *tree,
                                        size_t i);
