/* Expressions: what stands between {{ and }}, read by recursive descent and evaluated.
 *
 *   chain  = value *( "|" name [ ":" arg *( "," arg ) ] )
 *   arg    = [ name ":" ] value
 *   value  = text | number | true | false | nil | empty | blank | path
 *   path   = ( name | "[" value "]" ) *( "." name | "[" value "]" )                        */

#include "liquid/node.h"

#include <string.h>

/* How far it is read. */
struct cursor {
  const struct liquid_source *source;
  const char *p, *end;
  int depth;
  GError **error;
};

static struct liquid_expr *parse_value(struct cursor *c);

/* ---- words ---- */

static void skip_blanks(struct cursor *c)
{
  while (c->p < c->end && g_ascii_isspace(*c->p))
    c->p++;
}

/* The next byte that is not blank, or NUL at the end. */
static char peek(struct cursor *c)
{
  skip_blanks(c);
  return c->p < c->end ? *c->p : '\0';
}

static bool take(struct cursor *c, char wanted)
{
  if (peek(c) != wanted) return false;
  c->p++;
  return true;
}

static bool is_name_start(char ch)
{
  return g_ascii_isalpha(ch) || ch == '_';
}

/* The length of the name at the cursor; 0: there is none. */
static size_t name_length(const struct cursor *c)
{
  const char *p = c->p;
  if (p == c->end || !is_name_start(*p)) return 0;
  while (p < c->end && (g_ascii_isalnum(*p) || *p == '_' || *p == '-'))
    p++;
  if (p < c->end && *p == '?') p++;
  return (size_t)(p - c->p);
}

/* ---- building ---- */

void liquid_expr_free(void *data)
{
  struct liquid_expr *expr = data;
  if (!expr) return;
  liquid_value_clear(&expr->literal);
  if (expr->keys) g_ptr_array_free(expr->keys, true);
  g_free(expr);
}

static struct liquid_expr *literal(json_t *json)
{
  struct liquid_expr *expr = g_new0(struct liquid_expr, 1);
  expr->literal = liquid_value_of(json);
  json_decref(json);
  return expr;
}

static struct liquid_expr *literal_text(const char *text, size_t length)
{
  return literal(json_stringn_nocheck(text, length));
}

static void call_free(void *data)
{
  struct liquid_call *call = data;
  g_ptr_array_free(call->args, true);
  g_ptr_array_free(call->names, true);
  g_free(call);
}

void liquid_chain_free(void *data)
{
  struct liquid_chain *chain = data;
  if (!chain) return;
  liquid_expr_free(chain->value);
  g_ptr_array_free(chain->calls, true);
  g_free(chain);
}

/* ---- values ---- */

static struct liquid_expr *parse_text(struct cursor *c)
{
  const char *start = c->p + 1;
  const char *close = memchr(start, *c->p, (size_t)(c->end - start));
  if (!close) return liquid_fault(c->source, c->p, c->error, "this text has no closing %c", *c->p);
  c->p = close + 1;
  return literal_text(start, (size_t)(close - start));
}

static struct liquid_expr *parse_number(struct cursor *c)
{
  const char *start = c->p;
  if (*c->p == '-') c->p++;
  while (c->p < c->end && g_ascii_isdigit(*c->p))
    c->p++;
  bool is_real = c->end - c->p > 1 && *c->p == '.' && g_ascii_isdigit(c->p[1]);
  if (is_real)
    for (c->p++; c->p < c->end && g_ascii_isdigit(*c->p);)
      c->p++;
  g_autofree char *text = g_strndup(start, (gsize)(c->p - start));
  if (strlen(text) > 18) return liquid_fault(c->source, start, c->error, "this number has too many digits");
  return literal(is_real ? json_real(g_ascii_strtod(text, NULL))
                         : json_integer(g_ascii_strtoll(text, NULL, 10)));
}

/* A word that is a value of its own, or NULL. */
static struct liquid_expr *reserved(const char *name, size_t length)
{
  static const struct {
    const char *word;
    enum { TRUE_WORD, FALSE_WORD, NIL_WORD, EMPTY_WORD } is;
  } words[] = {{"true", TRUE_WORD}, {"false", FALSE_WORD}, {"nil", NIL_WORD},
               {"null", NIL_WORD},  {"empty", EMPTY_WORD}, {"blank", EMPTY_WORD}};
  for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
    if (strlen(words[i].word) != length || memcmp(words[i].word, name, length) != 0) continue;
    struct liquid_expr *expr = literal(words[i].is == TRUE_WORD    ? json_true()
                                       : words[i].is == FALSE_WORD ? json_false()
                                                                   : NULL);
    if (words[i].is == EMPTY_WORD) expr->literal.kind = LIQUID_EMPTY;
    return expr;
  }
  return NULL;
}

/* Adds the name at the cursor to the path. */
static bool parse_name_key(struct cursor *c, struct liquid_expr *path)
{
  skip_blanks(c);
  size_t length = name_length(c);
  if (length == 0) {
    liquid_fault(c->source, c->p, c->error, "a name is missing here; write {{ contact.first_name }}");
    return false;
  }
  g_ptr_array_add(path->keys, literal_text(c->p, length));
  c->p += length;
  return true;
}

/* Adds what stands in brackets, whose first is taken. */
static bool parse_bracket_key(struct cursor *c, struct liquid_expr *path)
{
  struct liquid_expr *key = parse_value(c);
  if (!key) return false;
  g_ptr_array_add(path->keys, key);
  if (take(c, ']')) return true;
  liquid_fault(c->source, c->p, c->error, "a ']' is missing here");
  return false;
}

static struct liquid_expr *parse_path(struct cursor *c)
{
  struct liquid_expr *path = g_new0(struct liquid_expr, 1);
  path->is_path = true;
  path->keys = g_ptr_array_new_with_free_func(liquid_expr_free);
  bool is_good = take(c, '[') ? parse_bracket_key(c, path) : parse_name_key(c, path);
  while (is_good) {
    if (peek(c) == '.' && c->end - c->p > 1 && c->p[1] == '.') {
      liquid_fault(c->source, c->p, c->error, "ranges come later; write one value");
      is_good = false;
    } else if (take(c, '.'))
      is_good = parse_name_key(c, path);
    else if (take(c, '['))
      is_good = parse_bracket_key(c, path);
    else
      return path;
  }
  liquid_expr_free(path);
  return NULL;
}

static struct liquid_expr *parse_simple(struct cursor *c)
{
  char ch = peek(c);
  if (ch == '"' || ch == '\'') return parse_text(c);
  if (g_ascii_isdigit(ch) || (ch == '-' && c->end - c->p > 1 && g_ascii_isdigit(c->p[1])))
    return parse_number(c);
  size_t length = name_length(c);
  struct liquid_expr *word = reserved(c->p, length);
  if (word) {
    c->p += length;
    return word;
  }
  if (length || ch == '[') return parse_path(c);
  return liquid_fault(
      c->source, c->p, c->error,
      "a field, a text in quotes or a number is expected here; write {{ contact.first_name }}");
}

static struct liquid_expr *parse_value(struct cursor *c)
{
  if (c->depth == LIQUID_DEPTH_MAX)
    return liquid_fault(c->source, c->p, c->error, "brackets in brackets, more than %d deep",
                        LIQUID_DEPTH_MAX);
  c->depth++;
  struct liquid_expr *expr = parse_simple(c);
  c->depth--;
  return expr;
}

/* ---- filters ---- */

/* [ name ":" ] value; adds both to the call. */
static bool parse_arg(struct cursor *c, struct liquid_call *call)
{
  skip_blanks(c);
  size_t length = name_length(c);
  const char *start = c->p;
  c->p += length;
  char *name = length && take(c, ':') ? g_strndup(start, length) : NULL;
  if (!name) c->p = start;
  struct liquid_expr *value = parse_value(c);
  if (!value) {
    g_free(name);
    return false;
  }
  g_ptr_array_add(call->args, value);
  g_ptr_array_add(call->names, name);
  return true;
}

/* Too many arguments, or a named one that the filter does not have. */
static bool check_args(const struct cursor *c, const char *at, const struct liquid_call *call)
{
  g_auto(GStrv) named = g_strsplit(call->filter->named, " ", -1);
  size_t positional = 0;
  for (guint i = 0; i < call->names->len; i++) {
    const char *name = call->names->pdata[i];
    positional += !name;
    if (!name || g_strv_contains((const char *const *)named, name)) continue;
    liquid_fault(c->source, at, c->error, "the filter '%s' has no '%s'", call->filter->name, name);
    return false;
  }
  if (positional <= call->filter->args_max) return true;
  liquid_fault(c->source, at, c->error, "the filter '%s' takes %zu value%s after its ':'", call->filter->name,
               call->filter->args_max, call->filter->args_max == 1 ? "" : "s");
  return false;
}

/* One filter, after its "|". */
static bool parse_call(struct cursor *c, struct liquid_chain *chain)
{
  skip_blanks(c);
  const char *start = c->p;
  size_t length = name_length(c);
  const struct liquid_filter *filter = liquid_filter_find(c->p, length);
  if (!filter) {
    g_autofree char *names = liquid_filter_names();
    g_autofree char *name = g_strndup(c->p, MIN(length, 40));
    liquid_fault(c->source, c->p, c->error, "there is no filter '%s' yet; there is: %s", name, names);
    return false;
  }
  c->p += length;
  struct liquid_call *call = g_new0(struct liquid_call, 1);
  call->filter = filter;
  call->args = g_ptr_array_new_with_free_func(liquid_expr_free);
  call->names = g_ptr_array_new_with_free_func(g_free);
  g_ptr_array_add(chain->calls, call);
  if (!take(c, ':')) return true;
  do
    if (!parse_arg(c, call)) return false;
  while (take(c, ','));
  return check_args(c, start, call);
}

static bool parse_chain(struct cursor *c, struct liquid_chain *chain)
{
  if (peek(c) == '\0') return true;
  chain->value = parse_value(c);
  if (!chain->value) return false;
  while (take(c, '|'))
    if (!parse_call(c, chain)) return false;
  skip_blanks(c);
  if (c->p == c->end) return true;
  liquid_fault(c->source, c->p, c->error,
               "'%c' is not expected here; after a field comes '|' and a filter, or '}}'",
               g_ascii_isprint(*c->p) ? *c->p : '?');
  return false;
}

struct liquid_chain *liquid_chain_parse(const struct liquid_source *source, const char *markup, size_t length,
                                        GError **error)
{
  struct cursor c = {.source = source, .p = markup, .end = markup + length, .error = error};
  struct liquid_chain *chain = g_new0(struct liquid_chain, 1);
  chain->calls = g_ptr_array_new_with_free_func(call_free);
  if (parse_chain(&c, chain)) return chain;
  liquid_chain_free(chain);
  return NULL;
}

/* ---- evaluating ---- */

static struct liquid_value item_at(const json_t *array, json_int_t index)
{
  json_int_t size = (json_int_t)json_array_size(array);
  if (index < 0) index += size;
  return index >= 0 && index < size ? liquid_value_of(json_array_get(array, (size_t)index)) : LIQUID_NOTHING;
}

static struct liquid_value size_of(const json_t *json)
{
  size_t size = 0;
  if (json_is_string(json))
    size = (size_t)g_utf8_strlen(json_string_value(json), (gssize)json_string_length(json));
  else if (json_is_array(json))
    size = json_array_size(json);
  else if (json_is_object(json))
    size = json_object_size(json);
  else
    return LIQUID_NOTHING;
  return (struct liquid_value){LIQUID_JSON, json_integer((json_int_t)size)};
}

/* What is called NAME below JSON: a member; else size, first and last. */
static struct liquid_value named(const json_t *json, const char *name)
{
  json_t *member = json_object_get(json, name);
  if (member) return liquid_value_of(member);
  if (strcmp(name, "size") == 0) return size_of(json);
  if (!json_is_array(json)) return LIQUID_NOTHING;
  if (strcmp(name, "first") == 0) return item_at(json, 0);
  if (strcmp(name, "last") == 0) return item_at(json, -1);
  return LIQUID_NOTHING;
}

static struct liquid_value below(const json_t *json, const struct liquid_value *key)
{
  if (key->kind != LIQUID_JSON) return LIQUID_NOTHING;
  if (json_is_string(key->json)) return named(json, json_string_value(key->json));
  if (json_is_integer(key->json) && json_is_array(json)) return item_at(json, json_integer_value(key->json));
  return LIQUID_NOTHING;
}

struct liquid_value liquid_expr_eval(const struct liquid_expr *expr, const json_t *data)
{
  if (!expr->is_path) return (struct liquid_value){expr->literal.kind, json_incref(expr->literal.json)};
  struct liquid_value value = liquid_value_of(data);
  for (guint i = 0; i < expr->keys->len && value.kind == LIQUID_JSON; i++) {
    struct liquid_value key = liquid_expr_eval(expr->keys->pdata[i], data);
    struct liquid_value next = below(value.json, &key);
    liquid_value_clear(&key);
    liquid_value_clear(&value);
    value = next;
  }
  return value;
}

static struct liquid_value call_eval(const struct liquid_call *call, struct liquid_value input,
                                     const json_t *data)
{
  size_t count = call->args->len;
  g_autofree struct liquid_value *values = g_new0(struct liquid_value, count + 1);
  for (size_t i = 0; i < count; i++)
    values[i] = liquid_expr_eval(call->args->pdata[i], data);
  struct liquid_args args = {values, (char *const *)call->names->pdata, count};
  struct liquid_value output = call->filter->apply(input, &args);
  for (size_t i = 0; i < count; i++)
    liquid_value_clear(&values[i]);
  return output;
}

struct liquid_value liquid_chain_eval(const struct liquid_chain *chain, const json_t *data)
{
  if (!chain->value) return LIQUID_NOTHING;
  struct liquid_value value = liquid_expr_eval(chain->value, data);
  for (guint i = 0; i < chain->calls->len; i++)
    value = call_eval(chain->calls->pdata[i], value, data);
  return value;
}

/* ---- which fields ---- */

/* Whether the path begins with the names in PATH; what is only known when rendering matches all. */
static bool expr_uses(const struct liquid_expr *expr, char **path)
{
  if (!expr->is_path) return false;
  for (guint i = 0; i < expr->keys->len; i++)
    if (expr_uses(expr->keys->pdata[i], path)) return true;
  for (guint i = 0; path[i]; i++) {
    if (i == expr->keys->len) return false;
    const struct liquid_expr *key = expr->keys->pdata[i];
    if (key->is_path) continue;
    const char *name = json_string_value(key->literal.json);
    if (!name || strcmp(name, path[i]) != 0) return false;
  }
  return true;
}

bool liquid_chain_uses(const struct liquid_chain *chain, const char *path)
{
  g_auto(GStrv) names = g_strsplit(path, ".", -1);
  if (chain->value && expr_uses(chain->value, names)) return true;
  for (guint i = 0; i < chain->calls->len; i++) {
    const struct liquid_call *call = chain->calls->pdata[i];
    for (guint j = 0; j < call->args->len; j++)
      if (expr_uses(call->args->pdata[j], names)) return true;
  }
  return false;
}
