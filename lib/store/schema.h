#pragma once

/* The statements that bring state from schema version I to I + 1, and how many
 * versions there are. */
extern const char *const store_schema[];
extern const int store_schema_version;
