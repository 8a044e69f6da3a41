#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads the value of a Date field (RFC 5322 section 3.3 with the obsolete forms of
 * section 4.3): *INSTANT in microseconds UTC, *OFFSET of its zone in seconds east
 * of UTC (0 for -0000 and for zones that are not in the RFC). Comments and a wrong
 * day name are passed over; false where there is no such date and time. */
bool mail_date_read(const char *value, size_t length, int64_t *instant, int *offset);
