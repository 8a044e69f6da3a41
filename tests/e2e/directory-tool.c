/* Publishes a directory for the tests of its readers, without a policyd.
 *
 *   directory-tool FOLDER TENANT TITLE MODE LIST LISTTITLE
 *
 * One tenant with one list, measured by MODE (none, aggregate, clicks, all). */

#include <stdio.h>
#include <stdlib.h>

#include "directory/directory.h"

int main(int argc, char **argv)
{
  g_autoptr(GError) error = NULL;
  if (argc != 7) return 64;
  struct directory_tenant tenant = {
      .id = strtoll(argv[2], NULL, 10), .name = "acme", .title = argv[3], .url = "https://t.example.com"};
  struct directory_list list = {
      .id = 1, .tenant = tenant.id, .name = argv[5], .title = argv[6], .unsubscribe = true};
  if (!track_mode_parse(argv[4], &tenant.track)) return 64;
  struct directory_writer *writer = directory_writer_new(argv[1], &error);
  bool good = writer && directory_writer_tenant(writer, &tenant, &error) &&
              directory_writer_list(writer, &list, &error) && directory_writer_publish(writer, &error);
  if (writer) directory_writer_free(writer);
  if (!good) fprintf(stderr, "directory-tool: %s\n", error->message);
  return good ? 0 : 1;
}
