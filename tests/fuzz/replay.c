/* Runs a fuzz target over the files named on the command line. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <glib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
  for (int i = 1; i < argc; i++) {
    g_autofree char *bytes = NULL;
    size_t size;
    if (!g_file_get_contents(argv[i], &bytes, &size, NULL)) {
      fprintf(stderr, "%s: cannot read\n", argv[i]);
      return 1;
    }
    /* A copy of the exact size lets the sanitizers see a read past the end. */
    g_autofree uint8_t *copy = g_memdup2(bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
  }
  return 0;
}
