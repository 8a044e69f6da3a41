/* "Did you mean …?" */

#include "ctl/nearest.h"

#include <string.h>

enum { MAX_WORD = 32 };

/* Levenshtein's distance, and two swapped neighbours count once. Words of up to
 * MAX_WORD bytes. */
static unsigned distance(const char *a, const char *b)
{
  unsigned d[MAX_WORD + 1][MAX_WORD + 1];
  size_t m = strlen(a), n = strlen(b);
  for (size_t i = 0; i <= m; i++)
    d[i][0] = (unsigned)i;
  for (size_t j = 0; j <= n; j++)
    d[0][j] = (unsigned)j;
  for (size_t i = 1; i <= m; i++)
    for (size_t j = 1; j <= n; j++) {
      unsigned best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      best = MIN(best, MIN(d[i - 1][j], d[i][j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        best = MIN(best, d[i - 2][j - 2] + 1);
      d[i][j] = best;
    }
  return d[m][n];
}

const char *nearest_word(const char *word, const GPtrArray *choices)
{
  const char *found = NULL;
  size_t length = strlen(word);
  if (!length || length > MAX_WORD) return NULL;
  unsigned best = (unsigned)MAX(length / 3, 2) + 1;
  for (unsigned i = 0; i < choices->len; i++) {
    const char *choice = choices->pdata[i];
    if (strlen(choice) > MAX_WORD) continue;
    if (g_str_has_prefix(choice, word)) return choice;
    unsigned d = distance(word, choice);
    if (d >= best || d >= length) continue;
    best = d;
    found = choice;
  }
  return found;
}
