/* What is known: reports, and how policyd itself is. */

#include "policyd/commands.h"
#include "policyd/fold.h"
#include "policyd/sender.h"
#include "policyd/timers.h"

static bool report_row(void *data, const char *scope, const char *metric, int64_t n, GError **error)
{
  (void)error;
  request_row(data, json_pack("{s:s,s:s,s:I}", "scope", scope, "metric", metric, "n", (json_int_t)n));
  return true;
}

static json_t *report(struct request *request, GError **error)
{
  struct store_tenant tenant = {0};
  if (!request_tenant(request, &tenant, error)) return NULL;
  int64_t id = tenant.id;
  store_tenant_clear(&tenant);
  int64_t from = request_int(request, "from", 0), until = request_int(request, "until", INT64_MAX / 2);
  return store_report(request->policyd->store, id, from, until, report_row, request, error) ? json_object()
                                                                                            : NULL;
}

static json_t *status(struct request *request, GError **error)
{
  struct policyd *policyd = request->policyd;
  struct sender_figures figures = sender_figures(policyd->sender);
  struct store_figures counts;
  if (!store_figures(policyd->store, &counts, error)) return NULL;
  int64_t next = timers_next(policyd->timers, NULL);
  g_autofree char *tzdata = zoneinfo_version(policyd->zones);
  return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s}", "now",
                   (json_int_t)policyd_now(policyd), "started", (json_int_t)policyd->started, "folded",
                   (json_int_t)fold_count(policyd->fold), "journeys", (json_int_t)counts.journeys, "planned",
                   (json_int_t)counts.planned, "handed", (json_int_t)counts.handed, "in_flight",
                   (json_int_t)figures.in_flight, "accepted", (json_int_t)figures.accepted, "refused",
                   (json_int_t)figures.refused, "deferred", (json_int_t)figures.deferred, "resent",
                   (json_int_t)figures.doubts_resent, "next_due", (json_int_t)(next == INT64_MAX ? 0 : next),
                   "tzdata", tzdata);
}

const struct command report_commands[] = {
    {"report", report, false, "tenant=s from=i until=i"},
    {"status", status, false, ""},
    {NULL, NULL, false, NULL},
};
