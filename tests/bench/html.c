/* How fast HTML mail is tokenized: MB/s of one core, gumbo's beside it. The
 * input is the templates of the corpora, one after the other, again and again;
 * and the same size of short tags alone, the most work that mail can be. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <glib.h>
#include <gumbo.h>

#include "html/scan.h"

enum { SIZE = 16 << 20, ROUNDS = 9 };

static double cpu_seconds(void)
{
  struct timespec ts;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
  return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void append_folder(GString *all, const char *folder)
{
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  for (const char *name; dir && (name = g_dir_read_name(dir));) {
    g_autofree char *path = g_build_filename(folder, name, NULL), *bytes = NULL;
    size_t length;
    append_folder(all, path);
    if (g_str_has_suffix(name, ".html") && g_file_get_contents(path, &bytes, &length, NULL))
      g_string_append_len(all, bytes, (gssize)length);
  }
}

static size_t count_links(const char *bytes, size_t length)
{
  struct html_scan scan;
  struct html_token token;
  size_t links = 0;
  html_scan_init(&scan, bytes, length);
  while (html_scan_next(&scan, &token))
    if (token.type == HTML_START_TAG && html_name_is(&scan, token.name, "a") &&
        html_attribute_find(&scan, &token, "href"))
      links++;
  return links;
}

static int compare_doubles(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Speeds are the median of ROUNDS: other work on the machine disturbs it least. */

static GString *repeated(const char *bytes, size_t length)
{
  GString *all = g_string_sized_new(SIZE + length);
  while (all->len < SIZE)
    g_string_append_len(all, bytes, (gssize)length);
  return all;
}

static double scan_speed(const GString *all, size_t *links)
{
  double speeds[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) {
    double start = cpu_seconds();
    *links = count_links(all->str, all->len);
    speeds[i] = (double)all->len / 1e6 / (cpu_seconds() - start);
  }
  qsort(speeds, ROUNDS, sizeof *speeds, compare_doubles);
  return speeds[ROUNDS / 2];
}

static double gumbo_speed(const GString *once)
{
  double speeds[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) {
    double start = cpu_seconds();
    gumbo_destroy_output(&kGumboDefaultOptions,
                         gumbo_parse_with_options(&kGumboDefaultOptions, once->str, once->len));
    speeds[i] = (double)once->len / 1e6 / (cpu_seconds() - start);
  }
  qsort(speeds, ROUNDS, sizeof *speeds, compare_doubles);
  return speeds[ROUNDS / 2];
}

int main(void)
{
  static const char tags[] = "<td class=\"b\"><a href=\"c?d\">e</a><br/></td>";
  const char *corpora = getenv("TIDINGS_CORPORA");
  g_autofree char *folder = g_build_filename(corpora ? corpora : "", "templates", NULL);
  g_autoptr(GString) once = g_string_new(NULL);
  append_folder(once, folder);
  if (!once->len) {
    printf("SKIP: no templates in %s (set TIDINGS_CORPORA)\n", folder);
    return 77;
  }
  g_autoptr(GString) mail = repeated(once->str, once->len), dense = repeated(tags, strlen(tags));
  size_t links, dense_links;
  double scan = scan_speed(mail, &links), worst = scan_speed(dense, &dense_links), gumbo = gumbo_speed(once);
  printf("bench: html tokenizer: %.0f MB/s (%zu links in %.1f MB); gumbo, with its tree: %.1f MB/s; ratio "
         "%.0f\n",
         scan, links, (double)mail->len / 1e6, gumbo, scan / gumbo);
  printf("bench: html tokenizer, short tags alone: %.0f MB/s (%zu links in %.1f MB)\n", worst, dense_links,
         (double)dense->len / 1e6);
  return 0;
}
