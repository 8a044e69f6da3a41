#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Reading and writing single values of the configuration. Inside lib/conf. */

/* "7" · "10M" (bytes; K, M, G are powers of 1,024) · "200 ms" (ms, s, min, h, d; into
 * microseconds) · "0660" · "yes". False if TEXT is nothing of the kind. */
bool value_int(const char *text, int64_t *value);
bool value_size(const char *text, int64_t *value);
bool value_duration(const char *text, int64_t *value);
bool value_mode(const char *text, int64_t *value);
bool value_bool(const char *text, bool *value);

/* Is TEXT "unix:/path" or "inet:port@address"; "address:port"? */
bool value_is_socket(const char *text);
bool value_is_listen(const char *text);

/* The index of TEXT among the words "a|b|c"; -1 if it is none of them. */
int value_word(const char *words, const char *text);

/* VALUE as one would write it: "10M", "200 ms", "0660". Caller frees. */
char *value_size_text(int64_t value);
char *value_duration_text(int64_t value);
char *value_mode_text(int64_t value);
