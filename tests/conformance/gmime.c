/* lib/mail against GMime, an independent MIME parser, over every message of the
 * corpora, with LF and with CR LF, whole and damaged: where we see no ambiguity
 * GMime must see the same parts, types and decoded bodies. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gmime/gmime.h>

#include "mail/encoding.h"
#include "mail/walk.h"

enum { DAMAGED = 60 };

struct totals {
  size_t messages, parts, clear, bodies, faults;
};

struct comparison {
  const char *name, *bytes;
  const struct mail_tree *tree;
  struct totals *totals;
};

static void fault(const struct comparison *c, size_t i, const char *what, const char *theirs)
{
  g_autofree char *path = mail_part_path(c->tree, i);
  c->totals->faults++;
  printf("%s: part %s, %s/%s: %s differs: %.60s\n", c->name, path, c->tree->parts[i].type,
         c->tree->parts[i].subtype, what, theirs);
}

/* The N-th part in the container I, or 0. */
static size_t child(const struct mail_tree *tree, size_t i, unsigned n)
{
  for (size_t k = i + 1; k < tree->count; k++)
    if (tree->parts[k].parent == (int)i && tree->parts[k].number == n) return k;
  return 0;
}

/* White space at the end of a quoted-printable line does not count (RFC 2045
 * section 6.7); GMime keeps it. */
static void strip_padding(GString *text)
{
  size_t to = 0, blanks = 0;
  for (size_t i = 0; i < text->len; i++) {
    char c = text->str[i];
    if (c == '\n' || (c == '\r' && text->str[i + 1] == '\n')) to -= blanks;
    blanks = c == ' ' || c == '\t' ? blanks + 1 : 0;
    text->str[to++] = c;
  }
  g_string_truncate(text, to - blanks);
}

static GString *their_body(GMimePart *part)
{
  GMimeDataWrapper *content = g_mime_part_get_content(part);
  if (!content) return g_string_new(NULL);
  GMimeStream *stream = g_mime_stream_mem_new();
  g_mime_data_wrapper_write_to_stream(content, stream);
  GByteArray *bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));
  GString *body = g_string_new_len((char *)bytes->data, bytes->len);
  g_object_unref(stream);
  return body;
}

static void compare_body(const struct comparison *c, size_t i, GMimePart *part)
{
  const struct mail_part *ours = &c->tree->parts[i];
  struct mail_decoded decoded;
  if (!mail_decode(ours->encoding, c->bytes + ours->body.start, ours->body.end - ours->body.start, SIZE_MAX,
                   &decoded, NULL))
    return;
  g_autoptr(GString) body = g_string_new_len(decoded.bytes, (gssize)decoded.length),
                     theirs = their_body(part);
  if (ours->encoding == MAIL_ENCODING_QP) {
    strip_padding(body);
    strip_padding(theirs);
  }
  /* Without a line end behind the last boundary GMime leaves the CR of the one before it. */
  bool cut = c->bytes[c->tree->parts[0].body.end - 1] != '\n';
  if (cut && g_str_has_suffix(theirs->str, "\r")) g_string_truncate(theirs, theirs->len - 1);
  c->totals->bodies++;
  if ((decoded.facts & MAIL_DECODE_LEAVE) == 0 && !g_string_equal(body, theirs))
    fault(c, i, "the body", theirs->str);
  mail_decoded_clear(&decoded);
}

static void compare_part(const struct comparison *c, size_t i, GMimeObject *object);

static void compare_children(const struct comparison *c, size_t i, GMimeMultipart *multipart)
{
  int count = g_mime_multipart_get_count(multipart);
  if (count != (int)c->tree->parts[i].children) {
    fault(c, i, "the number of parts", count ? "more or less" : "none");
    return;
  }
  for (int n = 0; n < count; n++)
    compare_part(c, child(c->tree, i, (unsigned)n + 1), g_mime_multipart_get_part(multipart, n));
}

/* What is in doubt, or inside an embedded message (never edited), is not compared. */
static void compare_part(const struct comparison *c, size_t i, GMimeObject *object)
{
  const struct mail_part *ours = &c->tree->parts[i];
  if (ours->ambiguity != MAIL_CLEAR || ours->embedded) return;
  c->totals->parts++;
  GMimeContentType *type = g_mime_object_get_content_type(object);
  g_autofree char *name = g_mime_content_type_get_mime_type(type);
  g_autofree char *our_name = g_strdup_printf("%s/%s", ours->type, ours->subtype);
  if (g_ascii_strcasecmp(name, our_name) != 0)
    fault(c, i, "the type", name);
  else if (ours->multipart != GMIME_IS_MULTIPART(object))
    fault(c, i, "the kind", name);
  else if (ours->multipart)
    compare_children(c, i, GMIME_MULTIPART(object));
  else if (ours->children == 0 && GMIME_IS_PART(object))
    compare_body(c, i, GMIME_PART(object));
}

static void compare(const char *name, const char *bytes, size_t length, struct totals *totals)
{
  struct mail_limits limits = MAIL_LIMITS_DEFAULT;
  g_autoptr(mail_tree) tree = mail_walk(bytes, length, &limits, NULL);
  struct comparison c = {name, bytes, tree, totals};
  totals->messages++;
  if (!tree || tree->parts[0].ambiguity != MAIL_CLEAR || tree->parts[0].body.start == length) return;
  totals->clear++;
  GMimeStream *stream = g_mime_stream_mem_new_with_buffer(bytes, length);
  GMimeParser *parser = g_mime_parser_new_with_stream(stream);
  GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
  if (message && g_mime_message_get_mime_part(message))
    compare_part(&c, 0, g_mime_message_get_mime_part(message));
  else
    fault(&c, 0, "everything", "none");
  g_clear_object(&message);
  g_object_unref(parser);
  g_object_unref(stream);
}

/* Loses, doubles, cuts, joins or changes one to three lines. */
static GString *damage(const char *bytes, const char *line_end, GRand *random)
{
  static const char *const inserts[] = {" ", "\t", "-",  "--", ";",  "\"", "(", ":",
                                        "=", "*0", "\\", "x",  "\r", ",",  "/"};
  g_auto(GStrv) split = g_strsplit(bytes, line_end, -1);
  g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
  for (char **line = split; *line; line++)
    g_ptr_array_add(lines, g_strdup(*line));
  for (int times = g_rand_int_range(random, 1, 4); times > 0; times--) {
    guint i = (guint)g_rand_int_range(random, 0, (gint32)lines->len);
    for (int tries = 0; tries < 20 && !strpbrk(lines->pdata[i], ":=-"); tries++)
      i = (guint)g_rand_int_range(random, 0, (gint32)lines->len);
    const char *line = lines->pdata[i];
    size_t at = (size_t)g_rand_int_range(random, 0, (gint32)strlen(line) + 1);
    g_autofree char *head = g_strndup(line, at), *tail = g_strdup(line + at), *whole = g_strdup(line);
    const char *insert = inserts[g_rand_int_range(random, 0, G_N_ELEMENTS(inserts))];
    switch (g_rand_int_range(random, 0, 6)) {
    case 0:
      if (lines->len > 1) g_ptr_array_remove_index(lines, i);
      break;
    case 1:
      g_ptr_array_insert(lines, g_rand_int_range(random, 0, (gint32)lines->len), g_strdup(whole));
      break;
    case 2:
      g_free(lines->pdata[i]);
      lines->pdata[i] = g_strconcat(head, insert, tail, NULL);
      break;
    case 3:
      g_free(lines->pdata[i]);
      lines->pdata[i] = g_strdup(head);
      break;
    case 4:
      g_free(lines->pdata[i]);
      lines->pdata[i] = g_strdup(head);
      g_ptr_array_insert(lines, (gint)i + 1, g_strdup(tail));
      break;
    default:
      g_ptr_array_insert(lines, (gint)i, g_strdup(insert[0] == '-' ? "--x" : ""));
    }
  }
  g_ptr_array_add(lines, NULL);
  g_autofree char *joined = g_strjoinv(line_end, (char **)lines->pdata);
  return g_string_new(joined);
}

static void compare_file(const char *path, struct totals *totals, GRand *random)
{
  g_autofree char *raw = NULL;
  size_t length;
  if (!g_file_get_contents(path, &raw, &length, NULL)) return;
  for (int crlf = 0; crlf < 2; crlf++) {
    g_autoptr(GString) text = g_string_new_len(raw, (gssize)length);
    const char *line_end = crlf ? "\r\n" : "\n";
    g_string_replace(text, "\r\n", "\n", 0);
    if (crlf) g_string_replace(text, "\n", "\r\n", 0);
    compare(path, text->str, text->len, totals);
    if (strlen(text->str) != text->len) continue;
    for (int i = 0; i < DAMAGED / 2; i++) {
      g_autofree char *name = g_strdup_printf("%s %s damaged %d", path, crlf ? "CR LF" : "LF", i);
      g_autoptr(GString) damaged = damage(text->str, line_end, random);
      size_t faults = totals->faults;
      compare(name, damaged->str, damaged->len, totals);
      const char *keep = g_getenv("KEEP");
      if (keep && totals->faults > faults) {
        g_autofree char *file = g_strdup_printf("%s/%zu.eml", keep, totals->faults);
        g_file_set_contents(file, damaged->str, (gssize)damaged->len, NULL);
      }
    }
  }
}

static int compare_names(const void *a, const void *b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void compare_folder(const char *folder, struct totals *totals, GRand *random)
{
  GDir *dir = g_dir_open(folder, 0, NULL);
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  for (const char *name; dir && (name = g_dir_read_name(dir));)
    g_ptr_array_add(names, g_build_filename(folder, name, NULL));
  g_ptr_array_sort(names, compare_names);
  for (guint i = 0; i < names->len; i++)
    if (g_file_test(names->pdata[i], G_FILE_TEST_IS_DIR))
      compare_folder(names->pdata[i], totals, random);
    else if (g_str_has_suffix(names->pdata[i], ".eml"))
      compare_file(names->pdata[i], totals, random);
  if (dir) g_dir_close(dir);
}

int main(void)
{
  const char *corpora = g_getenv("TIDINGS_CORPORA");
  struct totals totals = {0};
  if (!corpora || !g_file_test(corpora, G_FILE_TEST_IS_DIR)) {
    printf("SKIP: no corpora in TIDINGS_CORPORA\n");
    return 77;
  }
  g_mime_init();
  GRand *random = g_rand_new_with_seed(1);
  compare_folder(corpora, &totals, random);
  g_rand_free(random);
  g_mime_shutdown();
  printf("count: %zu messages, %zu without ambiguity; of these %zu parts and %zu bodies compared with GMime; "
         "%zu where it differs and we do not doubt\n",
         totals.messages, totals.clear, totals.parts, totals.bodies, totals.faults);
  return totals.faults > 0 || totals.clear == 0;
}
