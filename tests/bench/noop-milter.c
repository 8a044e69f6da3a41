/* The cheapest milter that replaces a body: it reads the message and gives the
 * same body back, with the no-reply flags. What tests/bench/milter.py measures
 * ours against. Usage: noop-milter SOCKET */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmilter/mfapi.h>

#define NO_REPLY                                                                                             \
  (SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_DATA | SMFIP_NR_UNKN |           \
   SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY)

struct body {
  unsigned char *bytes;
  size_t length, size;
};

static sfsistat on_negotiate(SMFICTX *context, unsigned long actions, unsigned long protocol, unsigned long a,
                             unsigned long b, unsigned long *actions_out, unsigned long *protocol_out,
                             unsigned long *c, unsigned long *d)
{
  (void)a, (void)b, (void)actions;
  struct body *body = calloc(1, sizeof *body);
  if (!body) return SMFIS_REJECT;
  smfi_setpriv(context, body);
  *actions_out = SMFIF_CHGBODY;
  *protocol_out = protocol & (NO_REPLY | SMFIP_NOHELO | SMFIP_NOUNKNOWN | SMFIP_NODATA);
  *c = *d = 0;
  return SMFIS_CONTINUE;
}

static sfsistat on_envfrom(SMFICTX *context, char **arguments)
{
  (void)arguments;
  struct body *body = smfi_getpriv(context);
  body->length = 0;
  return SMFIS_NOREPLY;
}

/* libmilter writes to syslog where a step that wants no reply has no callback. */
static sfsistat on_connect(SMFICTX *context, char *name, _SOCK_ADDR *address)
{
  (void)context, (void)name, (void)address;
  return SMFIS_NOREPLY;
}

static sfsistat on_envrcpt(SMFICTX *context, char **arguments)
{
  (void)context, (void)arguments;
  return SMFIS_NOREPLY;
}

static sfsistat on_header(SMFICTX *context, char *name, char *value)
{
  (void)context, (void)name, (void)value;
  return SMFIS_NOREPLY;
}

static sfsistat on_body(SMFICTX *context, unsigned char *bytes, size_t length)
{
  struct body *body = smfi_getpriv(context);
  if (body->length + length > body->size) {
    size_t size = (body->length + length) * 2;
    unsigned char *more = realloc(body->bytes, size);
    if (!more) return SMFIS_TEMPFAIL;
    body->bytes = more;
    body->size = size;
  }
  memcpy(body->bytes + body->length, bytes, length);
  body->length += length;
  return SMFIS_NOREPLY;
}

static sfsistat on_eom(SMFICTX *context)
{
  struct body *body = smfi_getpriv(context);
  return smfi_replacebody(context, body->bytes, (int)body->length) == MI_SUCCESS ? SMFIS_CONTINUE
                                                                                 : SMFIS_TEMPFAIL;
}

static sfsistat on_close(SMFICTX *context)
{
  struct body *body = smfi_getpriv(context);
  if (body) free(body->bytes);
  free(body);
  smfi_setpriv(context, NULL);
  return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
  struct smfiDesc description = {
      .xxfi_name = (char *)"noop-milter",
      .xxfi_version = SMFI_VERSION,
      .xxfi_flags = SMFIF_CHGBODY,
      .xxfi_negotiate = on_negotiate,
      .xxfi_connect = on_connect,
      .xxfi_envfrom = on_envfrom,
      .xxfi_envrcpt = on_envrcpt,
      .xxfi_header = on_header,
      .xxfi_body = on_body,
      .xxfi_eom = on_eom,
      .xxfi_close = on_close,
  };
  if (argc != 2 || smfi_register(description) != MI_SUCCESS || smfi_setconn(argv[1]) != MI_SUCCESS) return 1;
  return smfi_main() == MI_SUCCESS ? 0 : 1;
}
