/* The burst. Everything, the signature of the message as it will be included, is
 * worked out before its first byte goes: from then on only the socket can fail, and then the MTA is told to
 * try again. */

#include "milter/apply.h"

#include <limits.h>
#include <string.h>

#include "milter/sign.h"

/* Index 0 would be above the MTA's own Received: (K4). */
enum { BELOW_RECEIVED = 1 };

static bool send_body(SMFICTX *context, const struct engine_mail *mail, char *message, size_t size)
{
  size_t length = size - mail->body;
  return length <= INT_MAX &&
         smfi_replacebody(context, (unsigned char *)message + mail->body, (int)length) == MI_SUCCESS;
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

/* What goes to the MTA. */
struct burst {
  char *message; /* with the edits made; NULL: there are none */
  size_t size;
  char *signature; /* NULL: none */
};

static void burst_clear(struct burst *burst)
{
  g_free(burst->message);
  g_free(burst->signature);
}

/* A message that cannot be signed goes out all the same. */
static void make_signature(struct engine *engine, const struct engine_mail *mail,
                           const struct engine_verdict *verdict, struct burst *burst)
{
  g_autoptr(GError) error = NULL;
  const char *message = burst->message ? burst->message : mail->message;
  size_t size = burst->message ? burst->size : mail->length;
  if (!verdict->key) return;
  burst->signature = sign_value(engine->sign, verdict->key, mail, verdict->result, message + mail->body,
                                size - mail->body, clock_now(engine->clock), &error);
  metrics_add(&engine->metrics, burst->signature ? METRIC_MILTER_SIGNED : METRIC_MILTER_UNSIGNED, 1);
  if (!burst->signature)
    log_event(engine->log, LOG_EVENT_UNSIGNED, mail->queue_id, "reason=%s", LOG_VALUE(error->message));
}

static bool burst_prepare(struct engine *engine, const struct engine_mail *mail,
                          const struct engine_verdict *verdict, struct burst *burst, GError **error)
{
  struct mail_edits *edits = verdict->result->edits;
  if (mail_edits_count(edits) > 0 &&
      !mail_edits_apply(edits, mail->message, mail->length, &burst->message, &burst->size, error))
    return false;
  make_signature(engine, mail, verdict, burst);
  return true;
}

static bool burst_send(SMFICTX *context, const struct engine_mail *mail, const GPtrArray *arguments,
                       bool leading, const struct engine_verdict *verdict, const struct burst *burst)
{
  struct rewrite_header signature = {
      .op = REWRITE_HEADER_INSERT, .name = (char *)SIGN_FIELD, .value = burst->signature};
  return (!burst->message || send_body(context, mail, burst->message, burst->size)) &&
         send_headers(context, verdict->result->headers, leading) &&
         (!burst->signature || send_header(context, &signature, leading)) &&
         send_removals(context, arguments, verdict->remove);
}

sfsistat apply_verdict(SMFICTX *context, struct engine *engine, const struct engine_mail *mail,
                       const GPtrArray *arguments, bool leading, struct engine_verdict *verdict)
{
  if (verdict->put_off) return SMFIS_TEMPFAIL;
  if (verdict->refusal) return refuse(context, verdict->refusal);
  struct burst burst = {0};
  g_autoptr(GError) error = NULL;
  bool sent = burst_prepare(engine, mail, verdict, &burst, &error) &&
              burst_send(context, mail, arguments, leading, verdict, &burst);
  burst_clear(&burst);
  if (sent) return SMFIS_CONTINUE;
  metrics_add(&engine->metrics, METRIC_MILTER_PUT_OFF, 1);
  log_event(engine->log, LOG_EVENT_PUT_OFF, mail->queue_id, "reason=%s",
            LOG_VALUE(error ? error->message : "the MTA did not take the change"));
  return SMFIS_TEMPFAIL;
}
