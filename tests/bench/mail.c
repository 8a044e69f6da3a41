/* How fast messages are walked, decoded and edited, in MB of message a second. */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <glib.h>

#include "mail/leaf.h"
#include "mail/line.h"
#include "mail/qp.h"
#include "mail/walk.h"

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Runs the work until it took half a second; prints the best run. */
#define MEASURE(name, size, work)                                                                            \
  do {                                                                                                       \
    double best = 1e9, total = 0;                                                                            \
    while (total < 0.5) {                                                                                    \
      double start = now();                                                                                  \
      work;                                                                                                  \
      double took = now() - start;                                                                           \
      total += took;                                                                                         \
      best = MIN(best, took);                                                                                \
    }                                                                                                        \
    printf("mail: %-42s %8.0f MB/s  %9.1f us\n", name, (double)(size) / 1e6 / best, best * 1e6);             \
  } while (0)

static char *base64_body(size_t size)
{
  g_autofree char *bytes = g_malloc(size);
  for (size_t i = 0; i < size; i++)
    bytes[i] = (char)(i * 2654435761u >> 13);
  GString *code = g_string_new(NULL);
  mail_base64_encode(bytes, size, 76, "\r\n", code);
  return g_string_free(code, FALSE);
}

static GString *html(size_t links)
{
  GString *text = g_string_new("<html><body>\r\n");
  for (size_t i = 0; i < links; i++)
    g_string_append_printf(
        text,
        "<p style=\"color: #333\">A paragraph of ordinary text, number %zu, with a "
        "<a href=\"https://shop.example/product?id=%zu&amp;ref=mail\">link</a> in it.</p>\r\n",
        i, i);
  return g_string_append(text, "</body></html>\r\n");
}

static GString *message(const char *text, size_t attachment)
{
  GString *out = g_string_new("From: a@example.org\r\nMIME-Version: 1.0\r\n"
                              "Content-Type: multipart/mixed; boundary=\"=_outer\"\r\n\r\n--=_outer\r\n"
                              "Content-Type: text/html; charset=utf-8\r\n"
                              "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
  mail_qp_encode(text, strlen(text), "\r\n", out);
  if (attachment > 0) {
    g_autofree char *body = base64_body(attachment);
    g_string_append(out, "\r\n--=_outer\r\nContent-Type: application/pdf\r\n"
                         "Content-Transfer-Encoding: base64\r\n\r\n");
    g_string_append(out, body);
  }
  return g_string_append(out, "\r\n--=_outer--\r\n");
}

static void walk(const GString *m)
{
  struct mail_limits limits = MAIL_LIMITS_DEFAULT;
  g_autoptr(mail_tree) tree = mail_walk(m->str, m->len, &limits, NULL);
  g_assert(tree && tree->parts[0].ambiguity == MAIL_CLEAR);
}

static void decode(enum mail_encoding encoding, const char *raw, size_t length)
{
  struct mail_decoded decoded;
  g_assert(mail_decode(encoding, raw, length, SIZE_MAX, &decoded, NULL));
  mail_decoded_clear(&decoded);
}

/* Everything a rewriter asks of this module: walk, decode, edit each link, apply. */
static void rewrite(const GString *m)
{
  struct mail_limits limits = MAIL_LIMITS_DEFAULT;
  struct mail_decoded leaf;
  g_autoptr(mail_tree) tree = mail_walk(m->str, m->len, &limits, NULL);
  g_autoptr(mail_edits) inner = mail_edits_new(10000), outer = mail_edits_new(10000);
  const struct mail_part *part = &tree->parts[1];
  g_assert(mail_decode(part->encoding, m->str + part->body.start, part->body.end - part->body.start, SIZE_MAX,
                       &leaf, NULL));
  const char *link = "https://t.example/c/AZhEc2VhbGVkdG9rZW5zZWFsZWR0b2tlbnNlYWxlZHRva2Vuc2VhbGVkdG9rZW4";
  for (const char *at = leaf.bytes; (at = strstr(at, "https://")); at++)
    g_assert(mail_edits_add(inner, (size_t)(at - leaf.bytes), strcspn(at, "\""), link, strlen(link), NULL));
  g_assert(mail_leaf_edit(tree, 1, &leaf, inner, outer, NULL));
  g_autofree char *result = NULL;
  size_t size;
  g_assert(mail_edits_apply(outer, m->str, m->len, &result, &size, NULL));
  mail_decoded_clear(&leaf);
}

int main(void)
{
  g_autoptr(GString) small_html = html(3), big_html = html(30), huge_html = html(20000);
  g_autoptr(GString) small = message(small_html->str, 0), big = message(big_html->str, 0);
  g_autoptr(GString) attached = message(small_html->str, 5000000);
  g_autoptr(GString) dashes = g_string_new("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n");
  for (int i = 0; i < 500000; i++)
    g_string_append(dashes, "--0\r\n");
  g_string_append(dashes, "--b--\r\n");

  g_autofree char *copy = g_malloc(attached->len);
  MEASURE("memcpy of the message with 5 MB attached", attached->len,
          memcpy(copy, attached->str, attached->len));
  MEASURE("line facts of it", attached->len, mail_line_facts(attached->str, attached->len));
  MEASURE("walk it", attached->len, walk(attached));
  MEASURE("walk a message of 1 KB", small->len, walk(small));
  MEASURE("walk a message with 30 links", big->len, walk(big));
  MEASURE("walk a message of lines with dashes", dashes->len, walk(dashes));

  g_autofree char *base64 = base64_body(5000000);
  g_autoptr(GString) qp = g_string_new(NULL);
  MEASURE("decode base64", strlen(base64), decode(MAIL_ENCODING_BASE64, base64, strlen(base64)));
  MEASURE("encode quoted-printable", huge_html->len,
          (g_string_truncate(qp, 0), mail_qp_encode(huge_html->str, huge_html->len, "\r\n", qp)));
  MEASURE("decode quoted-printable", qp->len, decode(MAIL_ENCODING_QP, qp->str, qp->len));
  MEASURE("walk, decode, edit 30 links, apply", big->len, rewrite(big));
  MEASURE("the same with 3 links and 5 MB attached", attached->len, rewrite(attached));
  return 0;
}
