/* Templates: text with outputs in it, cut into nodes once, and rendered node by node. */

#include "liquid/node.h"

#include <string.h>

#include "base/error.h"

/* ---- parsing ---- */

struct parser {
  struct liquid_source source;
  const char *p, *end;
  const char *counted; /* lines are counted up to here, */
  int line;            /* and this is the line of it */
  bool trim;           /* the last output ended with -}} */
  struct liquid *template;
};

void *liquid_fault(const struct liquid_source *source, const char *at, GError **error, const char *format,
                   ...)
{
  int line = source->line;
  for (const char *p = source->text; p < at; p++)
    line += *p == '\n';
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "%s:%d: %s", source->name, line, text);
  return NULL;
}

static void clear_node(void *data)
{
  struct liquid_node *node = data;
  g_free(node->text);
  liquid_chain_free(node->chain);
}

/* Adds the text from START to END, without the blanks that the marks beside it take away. */
static void add_text(struct parser *p, const char *start, const char *end, bool trim_end)
{
  while (p->trim && start < end && g_ascii_isspace(*start))
    start++;
  while (trim_end && start < end && g_ascii_isspace(end[-1]))
    end--;
  p->trim = false;
  if (start == end) return;
  size_t length = (size_t)(end - start);
  struct liquid_node node = {.text = g_strndup(start, length), .length = length};
  g_array_append_val(p->template->nodes, node);
}

/* The first "{{" or "{%" from P on, or the end. */
static const char *find_open(const struct parser *parser, const char *p)
{
  for (; (p = memchr(p, '{', (size_t)(parser->end - p))); p++)
    if (parser->end - p > 1 && (p[1] == '{' || p[1] == '%')) return p;
  return parser->end;
}

/* The "}}" that closes what opens before P, leaving out texts in quotes; or NULL. */
static const char *find_close(const struct parser *parser, const char *p)
{
  char quote = '\0';
  for (; parser->end - p > 1; p++) {
    if (quote)
      quote = *p == quote ? '\0' : quote;
    else if (*p == '"' || *p == '\'')
      quote = *p;
    else if (p[0] == '}' && p[1] == '}')
      return p;
  }
  return NULL;
}

/* The output at P ("{{"). */
static bool parse_output(struct parser *parser, const char *p, GError **error)
{
  const char *start = p + 2;
  const char *close = find_close(parser, start);
  if (!close) {
    liquid_fault(&parser->source, p, error, "this {{ has no }}");
    return false;
  }
  if (start < close && *start == '-') start++;
  parser->trim = close > start && close[-1] == '-';
  for (; parser->counted < p; parser->counted++)
    parser->line += *parser->counted == '\n';
  struct liquid_node node = {.escape = liquid_escape_none, .line = parser->line};
  node.chain = liquid_chain_parse(&parser->source, start, (size_t)(close - start) - parser->trim, error);
  if (!node.chain) return false;
  g_array_append_val(parser->template->outputs, parser->template->nodes->len);
  g_array_append_val(parser->template->nodes, node);
  parser->p = close + 2;
  return true;
}

static bool parse_all(struct parser *parser, GError **error)
{
  for (int outputs = 0; parser->p < parser->end; outputs++) {
    const char *open = find_open(parser, parser->p);
    bool trim = parser->end - open > 2 && open[2] == '-';
    add_text(parser, parser->p, open, trim);
    if (open == parser->end) break;
    if (open[1] == '%') {
      liquid_fault(
          &parser->source, open, error,
          "tags ({%% if %%}, {%% for %%} and so on) come later; today only {{ fields }} can be written");
      return false;
    }
    if (outputs == LIQUID_OUTPUTS_MAX) {
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "%s: more than %d outputs", parser->source.name,
                  LIQUID_OUTPUTS_MAX);
      return false;
    }
    if (!parse_output(parser, open, error)) return false;
  }
  return true;
}

struct liquid *liquid_parse(const char *text, size_t length, const char *name, int line, GError **error)
{
  if (length > LIQUID_SOURCE_MAX) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "%s: larger than %d bytes", name,
                LIQUID_SOURCE_MAX);
    return NULL;
  }
  struct liquid *template = g_new0(struct liquid, 1);
  template->nodes = g_array_new(false, false, sizeof(struct liquid_node));
  g_array_set_clear_func(template->nodes, clear_node);
  template->outputs = g_array_new(false, false, sizeof(guint));
  struct parser parser = {
      .source = {text, name, line},
      .p = text,
      .end = text + length,
      .counted = text,
      .line = line,
      .template = template,
  };
  if (parse_all(&parser, error)) return template;
  liquid_free(template);
  return NULL;
}

void liquid_free(struct liquid *template)
{
  if (!template) return;
  g_array_free(template->nodes, true);
  g_array_free(template->outputs, true);
  g_free(template);
}

/* ---- looking at it ---- */

static struct liquid_node *output(const struct liquid *template, size_t n)
{
  return &g_array_index(template->nodes, struct liquid_node, g_array_index(template->outputs, guint, n));
}

size_t liquid_outputs(const struct liquid *template)
{
  return template->outputs->len;
}

int liquid_output_line(const struct liquid *template, size_t n)
{
  return output(template, n)->line;
}

void liquid_set_escape(struct liquid *template, size_t n, liquid_escape *escape)
{
  output(template, n)->escape = escape;
}

void liquid_skeleton(const struct liquid *template, char mark, GString *out)
{
  for (guint i = 0; i < template->nodes->len; i++) {
    const struct liquid_node *node = &g_array_index(template->nodes, struct liquid_node, i);
    if (node->text)
      g_string_append_len(out, node->text, (gssize)node->length);
    else
      g_string_append_c(out, mark);
  }
}

bool liquid_uses(const struct liquid *template, const char *path)
{
  for (guint i = 0; i < template->nodes->len; i++) {
    const struct liquid_node *node = &g_array_index(template->nodes, struct liquid_node, i);
    if (node->chain && liquid_chain_uses(node->chain, path)) return true;
  }
  return false;
}

/* ---- rendering ---- */

void liquid_escape_none(GString *out, const char *value, size_t length)
{
  g_string_append_len(out, value, (gssize)length);
}

void liquid_escape_html(GString *out, const char *value, size_t length)
{
  for (size_t i = 0; i < length; i++) {
    switch (value[i]) {
    case '&':
      g_string_append(out, "&amp;");
      break;
    case '<':
      g_string_append(out, "&lt;");
      break;
    case '>':
      g_string_append(out, "&gt;");
      break;
    case '"':
      g_string_append(out, "&quot;");
      break;
    case '\'':
      g_string_append(out, "&#39;");
      break;
    default:
      g_string_append_c(out, value[i]);
    }
  }
}

static void render_output(const struct liquid_node *node, const json_t *data, GString *out)
{
  struct liquid_value value = liquid_chain_eval(node->chain, data);
  g_autoptr(GString) text = g_string_new(NULL);
  liquid_value_append(text, &value);
  liquid_value_clear(&value);
  node->escape(out, text->str, text->len);
}

bool liquid_render(const struct liquid *template, const json_t *data, size_t output_max, GString *out,
                   GError **error)
{
  for (guint i = 0; i < template->nodes->len; i++) {
    const struct liquid_node *node = &g_array_index(template->nodes, struct liquid_node, i);
    if (node->text)
      g_string_append_len(out, node->text, (gssize)node->length);
    else
      render_output(node, data, out);
    if (out->len <= output_max) continue;
    g_string_truncate(out, output_max);
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "the template gives more than %zu bytes",
                output_max);
    return false;
  }
  return true;
}
