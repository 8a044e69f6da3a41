/* Addresses of clients. Text comes from foreign headers: it is only ever
 * compared after it has been parsed. */

#include "http/address.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/error.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void map(const void *four, struct address *address)
{
  memcpy(address->bytes, mapped, sizeof mapped);
  memcpy(address->bytes + sizeof mapped, four, 4);
}

bool address_parse(const char *text, size_t length, struct address *address)
{
  char copy[ADDRESS_TEXT];
  if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
    text++;
    length -= 2;
  }
  if (length == 0 || length >= sizeof copy || memchr(text, '\0', length)) return false;
  memcpy(copy, text, length);
  copy[length] = '\0';
  struct in_addr four;
  if (inet_pton(AF_INET6, copy, address->bytes) == 1) return true;
  if (inet_pton(AF_INET, copy, &four) != 1) return false;
  map(&four, address);
  return true;
}

bool address_of_socket(const struct sockaddr *socket, struct address *address)
{
  if (socket->sa_family == AF_INET) {
    map(&((const struct sockaddr_in *)(const void *)socket)->sin_addr, address);
    return true;
  }
  if (socket->sa_family != AF_INET6) return false;
  memcpy(address->bytes, &((const struct sockaddr_in6 *)(const void *)socket)->sin6_addr, 16);
  return true;
}

bool address_is_equal(const struct address *a, const struct address *b)
{
  return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool address_is_loopback(const struct address *address)
{
  static const uint8_t six[16] = {[15] = 1};
  bool four = memcmp(address->bytes, mapped, sizeof mapped) == 0;
  return (four && address->bytes[12] == 127) || memcmp(address->bytes, six, sizeof six) == 0;
}

const char *address_text(const struct address *address, char buffer[ADDRESS_TEXT])
{
  bool four = memcmp(address->bytes, mapped, sizeof mapped) == 0;
  return inet_ntop(four ? AF_INET : AF_INET6, address->bytes + (four ? sizeof mapped : 0), buffer,
                   ADDRESS_TEXT);
}

GArray *address_list(char *const *texts, GError **error)
{
  g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(struct address));
  for (size_t i = 0; texts[i]; i++) {
    struct address address;
    if (!address_parse(texts[i], strlen(texts[i]), &address)) {
      g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
                  "'%s' is not an address: write 192.0.2.1 or 2001:db8::1", texts[i]);
      return NULL;
    }
    g_array_append_val(list, address);
  }
  return g_steal_pointer(&list);
}

static bool is_trusted(const struct address *address, const GArray *trusted)
{
  for (guint i = 0; i < trusted->len; i++)
    if (address_is_equal(address, &g_array_index(trusted, struct address, i))) return true;
  return false;
}

struct address address_client(const struct address *peer, const char *forwarded, const GArray *trusted)
{
  struct address client = *peer;
  const char *end = forwarded ? forwarded + strlen(forwarded) : NULL;
  while (end && is_trusted(&client, trusted)) {
    const char *start = end;
    while (start > forwarded && start[-1] != ',')
      start--;
    const char *first = start, *last = end;
    while (first < last && (*first == ' ' || *first == '\t'))
      first++;
    while (last > first && (last[-1] == ' ' || last[-1] == '\t'))
      last--;
    struct address next;
    if (!address_parse(first, (size_t)(last - first), &next)) break;
    client = next;
    end = start > forwarded ? start - 1 : NULL;
  }
  return client;
}

static void fill_socket(const struct address *address, bool six, uint16_t port,
                        struct sockaddr_storage *socket, socklen_t *length)
{
  struct sockaddr_in *in = (struct sockaddr_in *)(void *)socket;
  struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)socket;
  memset(socket, 0, sizeof *socket);
  if (six) {
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    memcpy(&in6->sin6_addr, address->bytes, 16);
  } else {
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    memcpy(&in->sin_addr, address->bytes + sizeof mapped, 4);
  }
  *length = six ? sizeof *in6 : sizeof *in;
}

bool address_listen(const char *text, struct sockaddr_storage *socket, socklen_t *length, GError **error)
{
  const char *colon = strrchr(text, ':');
  struct address address;
  guint64 port;
  if (colon && g_ascii_string_to_unsigned(colon + 1, 10, 1, 65535, &port, NULL) &&
      address_parse(text, (size_t)(colon - text), &address)) {
    fill_socket(&address, *text == '[', (uint16_t)port, socket, length);
    return true;
  }
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT,
              "'%s' is not an address with a port: write 127.0.0.1:8025 or [::1]:8025", text);
  return false;
}
