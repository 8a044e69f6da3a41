/* TXT records by the resolver of libc. */

#include "ctl/txt.h"

#include <stdbool.h>
#include <string.h>

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

#include "base/error.h"

enum { WAIT_SECONDS = 3, TRIES = 1 };

/* The strings of one record, put together; NULL if it is cut off. */
static char *join_strings(const ns_rr *record)
{
  GString *out = g_string_new(NULL);
  const unsigned char *at = ns_rr_rdata(*record), *end = at + ns_rr_rdlen(*record);
  while (at < end && at + 1 + *at <= end) {
    g_string_append_len(out, (const char *)at + 1, *at);
    at += 1 + *at;
  }
  return g_string_free(out, at != end);
}

static char *read_answer(const unsigned char *answer, int length, const char *prefix)
{
  ns_msg message;
  char *found = NULL;
  if (ns_initparse(answer, length, &message) < 0) return NULL;
  for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
    ns_rr record;
    if (ns_parserr(&message, ns_s_an, i, &record) < 0) break;
    if (ns_rr_type(record) != ns_t_txt) continue;
    g_autofree char *text = join_strings(&record);
    bool wanted = text && g_str_has_prefix(text, prefix);
    if (!text || (found && !wanted)) continue;
    g_free(found);
    found = g_steal_pointer(&text);
    if (wanted) break;
  }
  return found;
}

static int ask(const char *name, unsigned char *answer, int size, int *cause)
{
  struct __res_state state = {0};
  *cause = TRY_AGAIN;
  if (res_ninit(&state) != 0) return -1;
  state.retrans = WAIT_SECONDS;
  state.retry = TRIES;
  int length = res_nquery(&state, name, ns_c_in, ns_t_txt, answer, size);
  *cause = state.res_h_errno;
  res_nclose(&state);
  return MIN(length, size);
}

char *txt_find(const char *name, const char *prefix, GError **error)
{
  unsigned char answer[NS_MAXMSG];
  int cause;
  int length = ask(name, answer, sizeof answer, &cause);
  char *text = length > 0 ? read_answer(answer, length, prefix) : NULL;
  if (text) return text;
  if (length >= 0 || cause == HOST_NOT_FOUND || cause == NO_DATA)
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND, "DNS has no TXT record at %s", name);
  else
    g_set_error(
        error, TIDINGS_ERROR, TIDINGS_ERROR_TEMP,
        "DNS cannot be asked from here now, so nothing is known about %s; try again, or compare with a "
        "copy: --record FILE",
        name);
  return NULL;
}
