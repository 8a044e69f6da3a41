#pragma once

#include <stddef.h>

#include <glib.h>

/* The text of a key in DNS (RFC 6376 section 3.6.1). Pure. */

/* TEXT as a zone file has it, at NAME: strings of at most 255 bytes, each on a
 * line of its own. Caller frees. */
char *dkim_record_zone_line(const char *name, const char *text);

/* The text of a TXT record as somebody copied it: one string, or several in
 * quotes with anything between, which are put together. Caller frees. */
char *dkim_record_read(const char *copied);

/* What is wrong with FOUND where EXPECTED should be; NULL if signatures verify
 * with it. Static. */
const char *dkim_record_fault(const char *expected, const char *found);
