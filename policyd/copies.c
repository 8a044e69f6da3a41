/* A copy's way: the milter's file and event, planned by the fold, loaded by the
 * sender for each try, and after the commit that says accepted or refused its file
 * is removed. A crash in between leaves a file whose row has ended: the sweep takes
 * it. A file without a row is of a milter that died before its journal had the
 * event, so the MTA was never told that the mail is taken, and who sent it tries
 * again: the sweep takes it after an hour. Unless a journal was damaged: then the
 * event may have been lost with it, and the copy is sent, rather twice than never. */

#include "policyd/copies.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/id.h"
#include "mail/header.h"
#include "rewrite/control.h"
#include "rewrite/rewrite.h"
#include "spool/spool.h"

enum { SWEEP = 10000 };

static const int64_t patience = 5 * CLOCK_DAY, orphaned = CLOCK_HOUR, sweep_every = 600 * G_USEC_PER_SEC;

bool copies_is(const struct store_send *send)
{
  return send->step[0] == '\0';
}

static const char *spool_of(const struct policyd *policyd)
{
  return policyd->conf->milter_spool;
}

bool copies_plan(struct policyd *policyd, int64_t tenant, int64_t mail, int64_t contact, int64_t at,
                 GError **error)
{
  const struct store_send send = {
      .tenant = tenant, .journey = mail, .contact = contact, .step = (char *)"", .planned = at};
  return store_send_add(policyd->store, &send, error);
}

bool copies_offered(struct policyd *policyd, int64_t tenant, int64_t mail, const char *queue_id,
                    GError **error)
{
  struct store_send send = {0};
  if (!store_send_get(policyd->store, tenant, mail, "", 0, &send, NULL)) return true;
  send.offered = mail;
  g_free(send.queue_id);
  send.queue_id = g_strdup(queue_id);
  bool done = store_send_update(policyd->store, &send, error);
  store_send_clear(&send);
  return done;
}

/* ---- a try */

bool copies_load(struct policyd *policyd, const struct store_send *send, char **sender, char **recipient,
                 GBytes **bytes, GError **error)
{
  struct spool_file file;
  struct rewrite_marker marker = {.tenant = send->tenant, .copy = send->journey};
  g_autoptr(GString) whole = g_string_new("X-Tidings-Send: ");
  if (!rewrite_marker_seal(policyd->keys, &marker, whole, error) ||
      !spool_read(spool_of(policyd), send->tenant, send->journey, &file, error))
    return false;
  g_string_append(whole, "\r\n");
  g_string_append_len(whole, file.copy.message, (gssize)file.copy.length);
  *sender = g_strdup(file.copy.sender);
  *recipient = g_strdup(file.copy.recipient);
  *bytes = g_string_free_to_bytes(g_steal_pointer(&whole));
  spool_file_clear(&file);
  return true;
}

bool copies_is_old(const struct policyd *policyd, const struct store_send *send)
{
  return policyd_now(policyd) - send->planned > patience;
}

void copies_remove(struct policyd *policyd, int64_t tenant, int64_t mail)
{
  g_autoptr(GError) error = NULL;
  if (!spool_remove(spool_of(policyd), tenant, mail, &error))
    log_event(policyd->log, LOG_EVENT_SPOOL_FAILED, NULL, "mail=%" PRId64 " reason=%s", mail,
              LOG_VALUE(error->message));
}

/* ---- a report */

/* One line of printable ASCII. */
static char *plain(const char *text)
{
  char *line = g_strndup(text ? text : "", 500);
  for (char *c = line; *c; c++)
    if (*c < ' ' || *c >= 0x7f) *c = '?';
  return line;
}

static const char *status_of(const char *reply)
{
  /* "550 5.7.1 text": the enhanced code stands behind the first blank. */
  const char *code = reply ? strchr(reply, ' ') : NULL;
  bool enhanced = code && code[1] == '5' && code[2] == '.' && g_ascii_isdigit(code[3]);
  return enhanced ? code + 1 : "5.0.0";
}

static char *report_text(struct policyd *policyd, const struct spool_file *file, const char *reply,
                         int64_t id)
{
  g_autofree char *why = plain(reply);
  const char *status = status_of(why);
  int status_length = (int)strcspn(status, " ");
  g_autoptr(GDateTime) now = g_date_time_new_from_unix_utc(policyd_now(policyd) / G_USEC_PER_SEC);
  static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
  static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  g_autofree char *date = g_strdup_printf(
      "%s, %d %s %d %02d:%02d:%02d +0000", days[g_date_time_get_day_of_week(now) - 1],
      g_date_time_get_day_of_month(now), months[g_date_time_get_month(now) - 1], g_date_time_get_year(now),
      g_date_time_get_hour(now), g_date_time_get_minute(now), g_date_time_get_second(now));
  g_autofree char *mark = g_strdup_printf("report-%" PRIx64, (uint64_t)id);
  size_t body = rewrite_find_body(file->copy.message, file->copy.length);
  GString *text = g_string_new(NULL);
  g_string_append_printf(
      text,
      "From: Mail Delivery System <MAILER-DAEMON@%s>\r\nTo: <%s>\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n"
      "Subject: Undelivered mail returned to sender\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
      "Content-Type: multipart/report; report-type=delivery-status; boundary=\"%s\"\r\n\r\n"
      "--%s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
      "Your message could not be delivered to\r\n\r\n  <%s>\r\n\r\nThe mail server said:\r\n\r\n  %s\r\n\r\n"
      "--%s\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; %s\r\n\r\n"
      "Final-Recipient: rfc822; %s\r\nAction: failed\r\nStatus: %.*s\r\nDiagnostic-Code: smtp; %s\r\n\r\n"
      "--%s\r\nContent-Type: text/rfc822-headers\r\n\r\n",
      policyd->hostname, file->copy.sender, date, mark, policyd->hostname, mark, mark, file->copy.recipient,
      why, mark, policyd->hostname, file->copy.recipient, status_length, status, why, mark);
  g_string_append_len(text, file->copy.message, (gssize)body);
  g_string_append_printf(text, "\r\n--%s--\r\n", mark);
  return g_string_free(text, FALSE);
}

/* The report is a copy of its own: a file first, then its row. Should the
 * transaction fail, the file belongs to nothing. */
static bool write_report(struct policyd *policyd, const struct spool_file *file, const char *reply,
                         GError **error)
{
  int64_t now = policyd_now(policyd), id = store_next_id(policyd->store, now);
  g_autofree char *text = report_text(policyd, file, reply, id);
  const struct spool_copy report = {.tenant = file->copy.tenant,
                                    .mail = id,
                                    .sender = "",
                                    .recipient = file->copy.sender,
                                    .origin = file->copy.origin,
                                    .message = text,
                                    .length = strlen(text)};
  return spool_write(spool_of(policyd), &report, error) && spool_sync(spool_of(policyd), error) &&
         copies_plan(policyd, report.tenant, id, 0, now, error);
}

bool copies_report(struct policyd *policyd, const struct store_send *send, const char *reply, GError **error)
{
  struct spool_file file;
  g_autoptr(GError) fault = NULL;
  if (!spool_read(spool_of(policyd), send->tenant, send->journey, &file, &fault)) {
    if (g_error_matches(fault, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND) ||
        g_error_matches(fault, TIDINGS_ERROR, TIDINGS_ERROR_INPUT))
      return true;
    g_propagate_error(error, g_steal_pointer(&fault));
    return false;
  }
  bool done = !*file.copy.sender || write_report(policyd, &file, reply, error);
  spool_file_clear(&file);
  return done;
}

/* ---- the sweep */

/* Has a segment of the milter's journal been put aside? */
static bool journal_was_damaged(const struct policyd *policyd)
{
  GDir *folder = g_dir_open(policyd->conf->milter_journal, 0, NULL);
  bool found = false;
  for (const char *name; !found && folder && (name = g_dir_read_name(folder));)
    found = g_str_has_suffix(name, ".corrupt");
  if (folder) g_dir_close(folder);
  return found;
}

static bool sweep_orphan(struct policyd *policyd, const struct spool_entry *entry, bool send, GError **error)
{
  log_event(policyd->log, LOG_EVENT_SPOOL_SWEPT, NULL, "mail=%" PRId64 " removed=%s", entry->mail,
            send ? "no" : "yes");
  if (send) return copies_plan(policyd, entry->tenant, entry->mail, 0, policyd_now(policyd), error);
  copies_remove(policyd, entry->tenant, entry->mail);
  return true;
}

static bool sweep_one(struct policyd *policyd, const struct spool_entry *entry, bool damaged, GError **error)
{
  struct store_send send = {0};
  g_autoptr(GError) fault = NULL;
  bool old = policyd_now(policyd) - id_time(entry->mail) > orphaned;
  if (!entry->whole) {
    if (old) spool_remove_part(spool_of(policyd), entry);
    return true;
  }
  if (store_send_get(policyd->store, entry->tenant, entry->mail, "", 0, &send, &fault)) {
    if (send.state >= SEND_ACCEPTED) copies_remove(policyd, entry->tenant, entry->mail);
    store_send_clear(&send);
    return true;
  }
  if (g_error_matches(fault, TIDINGS_ERROR, TIDINGS_ERROR_NOTFOUND))
    return !old || sweep_orphan(policyd, entry, damaged, error);
  g_propagate_error(error, g_steal_pointer(&fault));
  return false;
}

bool copies_sweep(struct policyd *policyd, GError **error)
{
  int64_t now = g_get_monotonic_time();
  if (now < policyd->sweep_at) return true;
  policyd->sweep_at = now + sweep_every;
  g_autoptr(GArray) entries = spool_list(spool_of(policyd), SWEEP, error);
  if (!entries) return false;
  if (entries->len == 0) return true;
  bool damaged = journal_was_damaged(policyd), fine = store_begin(policyd->store, error);
  if (!fine) return false;
  for (guint i = 0; fine && i < entries->len; i++)
    fine = sweep_one(policyd, &g_array_index(entries, struct spool_entry, i), damaged, error);
  if (fine && store_commit(policyd->store, error)) return true;
  store_rollback(policyd->store);
  return false;
}
