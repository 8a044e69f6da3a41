/* The burst. Everything, the signature of the message as it will be included, is
 * worked out before its first byte goes: from then on only the socket can fail, and then the MTA is told to
 * try again. */

#include "milter/apply.h"

#include <string.h>

#include "milter/sign.h"

/* Index 0 would be above the MTA's own Received: (K4). */
enum { BELOW_RECEIVED = 1, PACKET = 65535 };

/* The body on its way: pieces gathered into packets of the protocol. */
struct packet {
  SMFICTX *context;
  size_t length;
  char bytes[PACKET];
};

static bool send_packet(SMFICTX *context, const char *bytes, size_t length)
{
  return length == 0 || smfi_replacebody(context, (unsigned char *)bytes, (int)length) == MI_SUCCESS;
}

/* What fills a packet goes as it stands, so nearly nothing of a large message is copied. */
static bool take_piece(void *data, const char *piece, size_t length)
{
  struct packet *packet = data;
  for (size_t n; length > 0; piece += n, length -= n) {
    bool whole = packet->length == 0 && length >= PACKET;
    n = MIN(length, PACKET - packet->length);
    if (whole) {
      if (!send_packet(packet->context, piece, n)) return false;
      continue;
    }
    memcpy(packet->bytes + packet->length, piece, n);
    packet->length += n;
    if (packet->length < PACKET) continue;
    if (!send_packet(packet->context, packet->bytes, PACKET)) return false;
    packet->length = 0;
  }
  return true;
}

static bool send_body(SMFICTX *context, const struct engine_mail *mail, const struct mail_edits *edits)
{
  if (mail_edits_count(edits) == 0) return true;
  struct packet packet;
  packet.context = context;
  packet.length = 0;
  return mail_edits_give(edits, mail->message, mail->body, mail->length, take_piece, &packet) &&
         send_packet(context, packet.bytes, packet.length);
}

static bool send_header(SMFICTX *context, const struct rewrite_header *header, bool leading)
{
  g_autofree char *value = header->value ? g_strconcat(leading ? " " : "", header->value, NULL) : NULL;
  if (header->op == REWRITE_HEADER_INSERT)
    return smfi_insheader(context, BELOW_RECEIVED, header->name, value) == MI_SUCCESS;
  return smfi_chgheader(context, header->name, (int)header->index, value) == MI_SUCCESS;
}

/* Changes and deletions first, for they count fields; then insertions, each above
 * the one before, so from the last to the first. */
static bool send_headers(SMFICTX *context, const GArray *headers, bool leading)
{
  for (guint i = 0; i < headers->len; i++) {
    const struct rewrite_header *header = &g_array_index(headers, struct rewrite_header, i);
    if (header->op != REWRITE_HEADER_INSERT && !send_header(context, header, leading)) return false;
  }
  for (guint i = headers->len; i-- > 0;) {
    const struct rewrite_header *header = &g_array_index(headers, struct rewrite_header, i);
    if (header->op == REWRITE_HEADER_INSERT && !send_header(context, header, leading)) return false;
  }
  return true;
}

static bool send_removals(SMFICTX *context, const GPtrArray *arguments, const GArray *remove)
{
  for (guint i = 0; i < remove->len; i++)
    if (smfi_delrcpt(context, arguments->pdata[g_array_index(remove, size_t, i)]) != MI_SUCCESS) return false;
  return true;
}

/* A sentence for an SMTP reply: printable ASCII, '%' doubled as smfi_setreply
 * wants it, and not too long for a line. */
static char *reply_text(const char *sentence)
{
  GString *text = g_string_new(NULL);
  for (const char *c = sentence; *c && text->len < 400; c++) {
    if (*c == '%') g_string_append_c(text, '%');
    g_string_append_c(text, *c > ' ' && *c < 0x7f ? *c : *c == ' ' ? ' ' : '?');
  }
  return g_string_free(text, FALSE);
}

static sfsistat refuse(SMFICTX *context, const char *sentence)
{
  g_autofree char *text = reply_text(sentence);
  smfi_setreply(context, (char *)"550", (char *)"5.7.1", text);
  return SMFIS_REJECT;
}

/* *SIGNATURE stays NULL where none is due, and where the message cannot be signed:
 * it goes out all the same. */
static bool make_signature(struct engine *engine, const struct engine_mail *mail,
                           const struct engine_verdict *verdict, char **signature, GError **error)
{
  struct mail_edits *edits = verdict->result->edits;
  g_autofree char *changed = NULL;
  g_autoptr(GError) fault = NULL;
  size_t size = mail->length;
  if (!verdict->key) return true;
  if (mail_edits_count(edits) > 0 &&
      !mail_edits_apply(edits, mail->message, mail->length, &changed, &size, error))
    return false;
  const char *message = changed ? changed : mail->message;
  *signature = sign_value(engine->sign, verdict->key, mail, verdict->result, message + mail->body,
                          size - mail->body, clock_now(engine->clock), &fault);
  metrics_add(&engine->metrics, *signature ? METRIC_MILTER_SIGNED : METRIC_MILTER_UNSIGNED, 1);
  if (!*signature)
    log_event(engine->log, LOG_EVENT_UNSIGNED, mail->queue_id, "reason=%s", LOG_VALUE(fault->message));
  return true;
}

static bool send_burst(SMFICTX *context, const struct engine_mail *mail, const GPtrArray *arguments,
                       bool leading, const struct engine_verdict *verdict, char *signature)
{
  struct rewrite_header field = {.op = REWRITE_HEADER_INSERT, .name = (char *)SIGN_FIELD, .value = signature};
  return send_body(context, mail, verdict->result->edits) &&
         send_headers(context, verdict->result->headers, leading) &&
         (!signature || send_header(context, &field, leading)) &&
         send_removals(context, arguments, verdict->remove);
}

sfsistat apply_verdict(SMFICTX *context, struct engine *engine, const struct engine_mail *mail,
                       const GPtrArray *arguments, bool leading, struct engine_verdict *verdict)
{
  if (verdict->put_off) return SMFIS_TEMPFAIL;
  if (verdict->refusal) return refuse(context, verdict->refusal);
  /* A milter has no other way to take a message over: the MTA says 250 and forgets it. */
  if (verdict->split) return SMFIS_DISCARD;
  g_autofree char *signature = NULL;
  g_autoptr(GError) error = NULL;
  bool sent = mail_edits_seal(verdict->result->edits, mail->length, &error) &&
              make_signature(engine, mail, verdict, &signature, &error) &&
              send_burst(context, mail, arguments, leading, verdict, signature);
  if (sent) return SMFIS_CONTINUE;
  metrics_add(&engine->metrics, METRIC_MILTER_PUT_OFF, 1);
  log_event(engine->log, LOG_EVENT_PUT_OFF, mail->queue_id, "reason=%s",
            LOG_VALUE(error ? error->message : "the MTA did not take the change"));
  return SMFIS_TEMPFAIL;
}
