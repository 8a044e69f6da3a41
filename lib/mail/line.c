/* Lines: what ends them, how long they are. A line ends at LF; a CR before it
 * belongs to the end. */

#include "mail/line.h"

#include <stdint.h>
#include <string.h>

#include <glib.h>

/* A block is short enough that its counts fit a byte: compilers turn the loop
 * into vector instructions. */
#define BLOCK 128

struct counts {
  size_t cr, lf, pair, nul;
};

/* Counts a whole block; the byte before it is at bytes[-1]. */
static void count_whole_block(const char *bytes, struct counts *counts)
{
  uint8_t cr = 0, lf = 0, pair = 0, nul = 0;
  for (int i = 0; i < BLOCK; i++) {
    uint8_t is_lf = bytes[i] == '\n', after_cr = bytes[i - 1] == '\r';
    cr = (uint8_t)(cr + (bytes[i] == '\r'));
    lf = (uint8_t)(lf + is_lf);
    nul = (uint8_t)(nul + (bytes[i] == '\0'));
    pair = (uint8_t)(pair + (is_lf & after_cr));
  }
  counts->cr += cr;
  counts->lf += lf;
  counts->pair += pair;
  counts->nul += nul;
}

/* The same for LENGTH bytes, at most a block, BEFORE being the byte before. */
static void count_block(const char *bytes, size_t length, char before, struct counts *counts)
{
  char block[1 + BLOCK];
  memset(block, ' ', sizeof block);
  block[0] = before;
  if (length > 0) memcpy(block + 1, bytes, length);
  count_whole_block(block + 1, counts);
}

unsigned mail_line_facts(const char *bytes, size_t length)
{
  struct counts counts = {0};
  size_t at = MIN(length, BLOCK);
  count_block(bytes, at, '\0', &counts);
  for (; length - at >= BLOCK; at += BLOCK)
    count_whole_block(bytes + at, &counts);
  if (at < length) count_block(bytes + at, length - at, bytes[at - 1], &counts);
  return (counts.pair > 0 ? MAIL_LINE_CRLF : 0) | (counts.lf > counts.pair ? MAIL_LINE_LF : 0) |
         (counts.cr > counts.pair ? MAIL_LINE_BARE_CR : 0) | (counts.nul > 0 ? MAIL_LINE_NUL : 0);
}

bool mail_line_mixed(unsigned facts)
{
  const unsigned both = MAIL_LINE_CRLF | MAIL_LINE_LF;
  return (facts & MAIL_LINE_BARE_CR) != 0 || (facts & both) == both;
}

const char *mail_line_end(unsigned facts)
{
  return (facts & (MAIL_LINE_CRLF | MAIL_LINE_LF)) == MAIL_LINE_LF ? "\n" : "\r\n";
}

size_t mail_line_longest(const char *bytes, size_t length)
{
  size_t longest = 0;
  for (size_t at = 0; at < length;) {
    size_t next = mail_line_next(bytes, at, length);
    longest = MAX(longest, mail_line_text_end(bytes, at, next) - at);
    at = next;
  }
  return longest;
}

size_t mail_line_next(const char *bytes, size_t at, size_t end)
{
  if (at >= end) return end;
  const char *lf = memchr(bytes + at, '\n', end - at);
  return lf ? (size_t)(lf - bytes) + 1 : end;
}

size_t mail_line_text_end(const char *bytes, size_t start, size_t next)
{
  if (next == start || bytes[next - 1] != '\n') return next;
  next--;
  return next > start && bytes[next - 1] == '\r' ? next - 1 : next;
}
