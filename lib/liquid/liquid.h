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

/* Says how the values of an output are escaped. Called while parsing, once for each
 * output and in their order, with the LENGTH bytes of the template's own TEXT since the
 * last one. NULL: a value may not stand here, *WHY (static) says what to write. */
typedef liquid_escape *liquid_context(void *user, const char *text, size_t length, const char **why);

/* Parses LENGTH bytes at TEXT, which are the lines from LINE on of the file NAME (for
 * messages: "NAME:LINE: …"). CONTEXT NULL: values are not escaped. Caller frees with
 * liquid_free(). Errors: INPUT, LIMIT. */
struct liquid *liquid_parse(const char *text, size_t length, const char *name, int line,
                            liquid_context *context, void *user, GError **error);

/* Frees TEMPLATE, which may be NULL. */
void liquid_free(struct liquid *template);
typedef struct liquid liquid_auto;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(liquid_auto, liquid_free)

/* Whether the template names PATH ("unsubscribe_url", "contact.first_name"), or
 * something below it, anywhere. */
bool liquid_uses(const struct liquid *template, const char *path);

/* Appends to OUT the template with DATA (an object; what is missing is empty). OUT never
 * grows beyond OUTPUT_MAX bytes. Errors: LIMIT; OUT is then incomplete. */
bool liquid_render(const struct liquid *template, const json_t *data, size_t output_max, GString *out,
                   GError **error);
