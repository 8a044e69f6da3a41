#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>
#include <jansson.h>

/* Liquid templates: parsed once, rendered many times. No file, network or clock;
 * what a template may cost is capped.
 *
 * Today: text and output, `{{ path | filter: argument }}`, with whitespace
 * control. Tags `{% … %}` come later and are an error that says so. */

/* A parsed template; immutable, any number of threads may render it. */
struct liquid;

/* Caps. */
#define LIQUID_SOURCE_MAX  (4 * 1024 * 1024)
#define LIQUID_OUTPUTS_MAX 10000
#define LIQUID_DEPTH_MAX   32 /* of brackets in brackets */

/* Puts the LENGTH bytes of a value where they can do no harm: appends them to OUT in
 * the way of the context they stand in. */
typedef void liquid_escape(GString *out, const char *value, size_t length);

/* Nothing is changed; `& < > " '` become entities. */
void liquid_escape_none(GString *out, const char *value, size_t length);
void liquid_escape_html(GString *out, const char *value, size_t length);

/* Parses LENGTH bytes at TEXT, which are the lines from LINE on of the file NAME (for
 * messages: "NAME:LINE: …"). Caller frees with liquid_free(). Errors: INPUT, LIMIT. */
struct liquid *liquid_parse(const char *text, size_t length, const char *name, int line, GError **error);

/* Frees TEMPLATE, which may be NULL. */
void liquid_free(struct liquid *template);
typedef struct liquid liquid_auto;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(liquid_auto, liquid_free)

/* Whether the template names PATH ("unsubscribe_url", "contact.first_name"), or
 * something below it, anywhere. */
bool liquid_uses(const struct liquid *template, const char *path);

/* How many outputs the template has, and the line of output N (0…) in its file. */
size_t liquid_outputs(const struct liquid *template);
int liquid_output_line(const struct liquid *template, size_t n);

/* Appends to OUT the template's own text with the byte MARK for each output, in their order:
 * what there is to see of where a value will stand. */
void liquid_skeleton(const struct liquid *template, char mark, GString *out);

/* From now on the values of output N go through ESCAPE; without this nothing is changed.
 * Before the template is given to other threads. */
void liquid_set_escape(struct liquid *template, size_t n, liquid_escape *escape);

/* Appends to OUT the template with DATA (an object; what is missing is empty). OUT never
 * grows beyond OUTPUT_MAX bytes. Errors: LIMIT; OUT is then incomplete. */
bool liquid_render(const struct liquid *template, const json_t *data, size_t output_max, GString *out,
                   GError **error);
