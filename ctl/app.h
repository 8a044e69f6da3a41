#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>
#include <jansson.h>

#include "clock/clock.h"
#include "conf/conf.h"
#include "control/client.h"
#include "zoneinfo/zoneinfo.h"

/* One run of tidings(1). What a sub-command needs is opened when it asks, so that one
 * that works on a file alone needs no policyd. */
struct app {
  char *file;    /* -c */
  gboolean json; /* --json */
  char *clock_file;
  gboolean version, help;
  char **words; /* the sub-command's arguments */
  int status;   /* exit status of the failure, where its kind does not say it; else 0 */

  struct conf *conf;
  struct clock *clock;
  struct zoneinfo *zones;
  struct control_client *client;
};

/* Prints what is left to say, frees what APP holds, takes ERROR, and returns the exit
 * status (sysexits.h): 64 the words are wrong, 65 the data, 66 no such file, 69
 * policyd does not answer, 75 try later, 77 you may not, 78 the configuration is
 * wrong, 71 anything else. */
int app_end(struct app *app, bool good, GError *error);

/* Fails with STATUS as exit status. Always false. */
bool app_fail(struct app *app, int status);

/* The configuration. If neither -c was given nor the standard file is there: the
 * defaults. Borrowed, as all that follow. NULL: an error. */
const struct conf *app_conf(struct app *app, GError **error);

/* The time now, microseconds UTC; -1: an error. */
int64_t app_now(struct app *app, GError **error);

/* The time zones of this machine. */
struct zoneinfo *app_zones(struct app *app, GError **error);

/* The zone NAME (NULL, or one that is not known: that of the configuration). *KNOWN (may be
 * NULL) is false if NAME was given and is not known. Never NULL without an error. */
const struct tz_zone *app_zone(struct app *app, const char *name, bool *known, GError **error);

/* Asks policyd; as control_call(), connecting first. ARGS NULL, as json_pack() gives
 * it for text that is not UTF-8, is an error. */
bool app_ask(struct app *app, const char *verb, json_t *args, control_row_fn *row_fn, void *data, json_t **ok,
             GError **error);

/* Asks for a change, and prints the answer: as JSON, or as the sentence FORMAT. */
bool app_change(struct app *app, const char *verb, json_t *args, GError **error, const char *format, ...)
    G_GNUC_PRINTF(5, 6);

/* A row function that prints the row as a line of JSON. */
control_row_fn app_print_json;

/* Prints VALUE as a line of JSON. */
void app_put_json(const json_t *value);

/* A warning on stderr, one sentence. */
void app_warn(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* The texts of LIST (NULL: none) as a new JSON array; NULL if one is not UTF-8. */
json_t *app_strings(char **list);
