#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Bytes [start, end) of the message, as offsets into its buffer. */
struct mail_range {
  size_t start, end;
};
