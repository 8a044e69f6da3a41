#pragma once

/* The inside of a parsed template, shared by the files of this module. */

#include "liquid/liquid.h"

/* ---- values ---- */

/* A value while it is worked on. JSON of kind NIL is NULL. */
struct liquid_value {
  enum { LIQUID_NIL, LIQUID_JSON, LIQUID_EMPTY } kind; /* EMPTY: the words `empty` and `blank` */
  json_t *json;                                        /* LIQUID_JSON: a reference of its own */
};

#define LIQUID_NOTHING ((struct liquid_value){.kind = LIQUID_NIL})

/* A value of a new reference to JSON; NULL and JSON null are nil. */
struct liquid_value liquid_value_of(const json_t *json);
void liquid_value_clear(struct liquid_value *value);

/* Neither nil nor false. */
bool liquid_value_is_true(const struct liquid_value *value);

/* Appends the value as text: nothing for nil; an array's items one after the other. */
void liquid_value_append(GString *out, const struct liquid_value *value);

/* ---- expressions ---- */

/* A literal, or a path: a name in the data and keys or indexes below it. */
struct liquid_expr {
  bool is_path;
  struct liquid_value literal;
  GPtrArray *keys; /* is_path: struct liquid_expr; a name is a literal text */
};

/* A call of a filter. */
struct liquid_call {
  const struct liquid_filter *filter;
  GPtrArray *args;  /* struct liquid_expr */
  GPtrArray *names; /* char *: NULL for a positional argument */
};

/* {{ value | call | call }} */
struct liquid_chain {
  struct liquid_expr *value; /* NULL: {{ }} */
  GPtrArray *calls;          /* struct liquid_call */
};

void liquid_expr_free(void *expr);
void liquid_chain_free(void *chain);

/* The value of it in DATA. Clear it. */
struct liquid_value liquid_expr_eval(const struct liquid_expr *expr, const json_t *data);
struct liquid_value liquid_chain_eval(const struct liquid_chain *chain, const json_t *data);

/* Whether it names PATH or something below it. */
bool liquid_chain_uses(const struct liquid_chain *chain, const char *path);

/* ---- filters ---- */

/* The arguments of a call, evaluated. */
struct liquid_args {
  const struct liquid_value *values;
  char *const *names;
  size_t count;
};

struct liquid_filter {
  const char *name;
  struct liquid_value (*apply)(struct liquid_value input, const struct liquid_args *args); /* takes INPUT */
  size_t args_max;
  const char *named;
};

/* The filter called NAME, or NULL; the names of all, separated by ", ". Caller frees. */
const struct liquid_filter *liquid_filter_find(const char *name, size_t length);
char *liquid_filter_names(void);

/* ---- parsing ---- */

/* Where a markup stands, for messages. */
struct liquid_source {
  const char *text, *name;
  int line; /* of the text's first byte */
};

/* Sets ERROR to "NAME:LINE: …" for the place AT in the source's text. Returns NULL. */
void *liquid_fault(const struct liquid_source *source, const char *at, GError **error, const char *format,
                   ...) G_GNUC_PRINTF(4, 5);

/* Parses the LENGTH bytes at MARKUP, what stands between {{ and }}. */
struct liquid_chain *liquid_chain_parse(const struct liquid_source *source, const char *markup, size_t length,
                                        GError **error);

/* ---- the template ---- */

struct liquid_node {
  char *text; /* its own text; or NULL, and it is an output */
  size_t length;
  struct liquid_chain *chain;
  liquid_escape *escape;
  int line;
};

struct liquid {
  GArray *nodes;   /* struct liquid_node */
  GArray *outputs; /* guint: those of the nodes that are outputs */
};
