/* Contacts, their subscriptions, and the events that programs send about them. */

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "directory/directory.h"
#include "policyd/commands.h"
#include "policyd/fold.h"
#include "policyd/publish.h"
#include "policyd/timers.h"
#include "policyd/workflows.h"
#include "verdict/verdict.h"

enum { IMPORT_MAX = 5000, TIMELINE = 200, PAGE = 1000 };

/* ---- subscribing */

/* Subscribes, and lets the workflows know. Being asked for anew lifts the
 * suppression of that list. */
static bool subscribe(struct policyd *policyd, const struct store_contact *contact,
                      const struct store_list *list, const char *source, GError **error)
{
  int64_t now = policyd_now(policyd);
  bool changed;
  if (!store_subscribe(policyd->store, contact->tenant, contact->id, list->id, true, source, now, &changed,
                       error))
    return false;
  if (!changed) return true;
  uint8_t key[16];
  directory_address_key(contact->address, key);
  if (!store_unsuppress(policyd->store, contact->tenant, list->id, key, error)) return false;
  publish_suppression(policyd->publish, contact->tenant, list->id, key, false);
  json_t *data =
      json_pack("{s:s,s:s,s:s?}", "list", list->name, "address", contact->address, "source", source);
  struct event event = {.id = store_next_id(policyd->store, now),
                        .at = now,
                        .kind = EVENT_SUBSCRIBED,
                        .tenant = contact->tenant,
                        .data = json_dumps(data, JSON_COMPACT)};
  bool done = fold_event(policyd, &event, contact->id, error);
  g_autofree char *scope = g_strdup_printf("list:%s", list->name);
  store_tally(policyd->store, contact->tenant, "tenant", "subscribed", now, 1);
  store_tally(policyd->store, contact->tenant, scope, "subscribed", now, 1);
  free(event.data);
  json_decref(data);
  return done;
}

/* The lists that the argument "lists" names; NULL on error. */
static GArray *named_lists(struct request *request, int64_t tenant, GError **error)
{
  g_autoptr(GArray) lists = g_array_new(FALSE, TRUE, sizeof(struct store_list));
  g_array_set_clear_func(lists, (GDestroyNotify)store_list_clear);
  size_t i;
  json_t *value;
  json_array_foreach(json_object_get(request->args, "lists"), i, value)
  {
    struct store_list list = {0};
    const char *name = json_string_value(value);
    if (!store_list_get(request->policyd->store, tenant, name ? name : "", 0, &list, error)) return NULL;
    g_array_append_val(lists, list);
  }
  return g_steal_pointer(&lists);
}

/* Adds or updates the contact that ENTRY describes. */
static bool put_contact(struct request *request, int64_t tenant, const GArray *lists, json_t *entry,
                        const char *source, bool *added, struct store_contact *contact, GError **error)
{
  struct policyd *policyd = request->policyd;
  const char *address = json_string_value(json_object_get(entry, "address"));
  const char *zone = json_string_value(json_object_get(entry, "zone"));
  json_t *fields = json_object_get(entry, "fields");
  if (!address) {
    g_set_error_literal(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "'address' is missing");
    return false;
  }
  if (zone && !*zone) zone = NULL;
  if (!command_address(address, error) || !command_zone(policyd, zone, error)) return false;
  char *text = json_is_object(fields) && json_object_size(fields)
                   ? json_dumps(fields, JSON_COMPACT | JSON_SORT_KEYS)
                   : NULL;
  *contact = (struct store_contact){.tenant = tenant,
                                    .address = g_strdup(address),
                                    .zone = g_strdup(zone),
                                    .fields = g_strdup(text),
                                    .source = g_strdup(source)};
  free(text);
  bool fine = store_contact_put(policyd->store, contact, added, policyd_now(policyd), error);
  for (guint i = 0; fine && i < lists->len; i++)
    fine = subscribe(policyd, contact, &g_array_index(lists, struct store_list, i), source, error);
  return fine;
}

static json_t *contact_add(struct request *request, GError **error)
{
  struct store_tenant tenant = {0};
  struct store_contact contact = {0};
  json_t *ok = NULL;
  bool added;
  const char *source = request_text(request, "source");
  if (!request_tenant(request, &tenant, error)) return NULL;
  g_autoptr(GArray) lists = named_lists(request, tenant.id, error);
  if (lists && put_contact(request, tenant.id, lists, request->args, source ? source : "administrator",
                           &added, &contact, error))
    ok = json_pack("{s:I,s:b}", "id", (json_int_t)contact.id, "added", added);
  store_contact_clear(&contact);
  store_tenant_clear(&tenant);
  return ok;
}

/* A row that is no good is said and left out; a fault of ours undoes the batch. */
static json_t *contact_import(struct request *request, GError **error)
{
  struct store_tenant tenant = {0};
  json_t *entries = json_object_get(request->args, "contacts"), *entry;
  if (json_array_size(entries) > IMPORT_MAX) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "at most %d contacts at a time", IMPORT_MAX);
    return NULL;
  }
  if (!request_tenant(request, &tenant, error)) return NULL;
  g_autoptr(GArray) lists = named_lists(request, tenant.id, error);
  json_t *errors = json_array();
  int64_t added_n = 0, updated = 0;
  bool fine = lists != NULL;
  size_t i;
  json_array_foreach(entries, i, entry)
  {
    if (!fine) break;
    struct store_contact contact = {0};
    g_autoptr(GError) fault = NULL;
    bool added = false;
    if (command_args("address=s zone=s fields=o", entry, &fault) &&
        put_contact(request, tenant.id, lists, entry, "import", &added, &contact, &fault))
      added ? added_n++ : updated++;
    else if (g_error_matches(fault, TIDINGS_ERROR, TIDINGS_ERROR_INPUT))
      json_array_append_new(errors, json_pack("{s:I,s:s}", "row", (json_int_t)i, "message", fault->message));
    else {
      g_propagate_error(error, g_steal_pointer(&fault));
      fine = false;
    }
    store_contact_clear(&contact);
  }
  store_tenant_clear(&tenant);
  if (fine)
    return json_pack("{s:I,s:I,s:o}", "added", (json_int_t)added_n, "updated", (json_int_t)updated, "errors",
                     errors);
  json_decref(errors);
  return NULL;
}

/* ---- showing */

static json_t *contact_row(const struct store_contact *contact)
{
  json_t *fields = contact->fields ? json_loads(contact->fields, 0, NULL) : NULL;
  return json_pack("{s:I,s:s,s:s?,s:o,s:s?,s:I}", "id", (json_int_t)contact->id, "address", contact->address,
                   "zone", contact->zone, "fields", fields ? fields : json_object(), "source",
                   contact->source, "created", (json_int_t)contact->created);
}

static json_t *subscriptions_of(struct policyd *policyd, const struct store_contact *contact, GError **error)
{
  g_autoptr(GArray) rows = store_subscriptions(policyd->store, contact->tenant, contact->id, error);
  if (!rows) return NULL;
  json_t *all = json_array();
  for (guint i = 0; i < rows->len; i++) {
    const struct store_subscription *s = &g_array_index(rows, struct store_subscription, i);
    json_array_append_new(all, json_pack("{s:s,s:b,s:I,s:s?}", "list", s->list_name, "subscribed",
                                         s->subscribed, "at", (json_int_t)s->at, "source", s->source));
  }
  return all;
}

static json_t *journeys_of(struct policyd *policyd, const struct store_contact *contact, GError **error)
{
  g_autoptr(GArray) rows = store_journeys_of(policyd->store, contact->tenant, contact->id, false, error);
  if (!rows) return NULL;
  json_t *all = json_array();
  for (guint i = 0; i < rows->len; i++) {
    const struct store_journey *j = &g_array_index(rows, struct store_journey, i);
    const struct workflow *workflow = workflows_get(policyd->workflows, j->tenant, j->workflow, NULL);
    json_array_append_new(all, json_pack("{s:I,s:s,s:i,s:b,s:s,s:I,s:I,s:s?}", "id", (json_int_t)j->id,
                                         "workflow", workflow ? workflow->name : "", "version",
                                         workflow ? workflow->version : 0, "active", j->active, "step",
                                         j->step, "since", (json_int_t)j->since, "due", (json_int_t)j->due_at,
                                         "outcome", j->outcome));
  }
  return all;
}

static json_t *timeline_row(struct policyd *policyd, int64_t tenant, const struct store_event *event)
{
  struct store_mail mail = {0};
  if (event->mail) store_mail_get(policyd->store, tenant, event->mail, &mail, NULL);
  json_t *data = event->data ? json_loads(event->data, 0, NULL) : NULL;
  bool hit = event->kind == EVENT_OPEN || event->kind == EVENT_CLICK;
  json_t *row = json_pack("{s:I,s:I,s:s,s:I,s:s?,s:s?,s:s?,s:o?,s:s?}", "id", (json_int_t)event->id, "at",
                          (json_int_t)event->at, "kind",
                          event_kind_name(event->kind) ? event_kind_name(event->kind) : "?", "mail",
                          (json_int_t)event->mail, "subject", mail.subject, "verdict",
                          hit ? verdict_name((enum verdict)event->verdict) : NULL, "reason", event->reason,
                          "data", data, "address", event->address);
  store_mail_clear(&mail);
  return row;
}

static json_t *timeline_of(struct policyd *policyd, const struct store_contact *contact, GError **error)
{
  g_autoptr(GArray) events = store_events(policyd->store, contact->tenant, contact->id, -1, TIMELINE, error);
  if (!events) return NULL;
  json_t *all = json_array();
  for (guint i = 0; i < events->len; i++)
    json_array_append_new(
        all, timeline_row(policyd, contact->tenant, &g_array_index(events, struct store_event, i)));
  return all;
}

static json_t *contact_show(struct request *request, GError **error)
{
  struct policyd *policyd = request->policyd;
  struct store_tenant tenant = {0};
  struct store_contact contact = {0};
  json_t *subscriptions = NULL, *journeys = NULL, *timeline = NULL, *ok = NULL;
  const char *address = request_need(request, "address", error);
  if (address && request_tenant(request, &tenant, error) &&
      store_contact_get(policyd->store, tenant.id, address, 0, &contact, error) &&
      (subscriptions = subscriptions_of(policyd, &contact, error)) &&
      (journeys = journeys_of(policyd, &contact, error)) &&
      (timeline = timeline_of(policyd, &contact, error)))
    ok = json_pack("{s:o,s:O,s:O,s:O}", "contact", contact_row(&contact), "subscriptions", subscriptions,
                   "journeys", journeys, "timeline", timeline);
  json_decref(subscriptions);
  json_decref(journeys);
  json_decref(timeline);
  store_contact_clear(&contact);
  store_tenant_clear(&tenant);
  return ok;
}

static json_t *contact_list(struct request *request, GError **error)
{
  struct store_tenant tenant = {0};
  if (!request_tenant(request, &tenant, error)) return NULL;
  int64_t after = request_int(request, "after", 0),
          limit = CLAMP(request_int(request, "limit", PAGE), 1, PAGE);
  g_autoptr(GArray) rows = store_contacts(request->policyd->store, tenant.id, after, (size_t)limit, error);
  store_tenant_clear(&tenant);
  if (!rows) return NULL;
  for (guint i = 0; i < rows->len; i++) {
    const struct store_contact *contact = &g_array_index(rows, struct store_contact, i);
    after = contact->id;
    request_row(request, contact_row(contact));
  }
  return json_pack("{s:I,s:b}", "after", (json_int_t)after, "more", rows->len == (guint)limit);
}

/* ---- unsubscribing and events */

static json_t *contact_unsubscribe(struct request *request, GError **error)
{
  struct policyd *policyd = request->policyd;
  struct store_tenant tenant = {0};
  struct store_contact contact = {0};
  struct store_list list = {0};
  const char *address = request_need(request, "address", error);
  const char *name = address ? request_need(request, "list", error) : NULL;
  int64_t now = policyd_now(policyd);
  json_t *ok = NULL;
  if (name && request_tenant(request, &tenant, error) &&
      store_list_get(policyd->store, tenant.id, name, 0, &list, error) &&
      store_contact_get(policyd->store, tenant.id, address, 0, &contact, error) &&
      fold_unsubscribe(policyd, tenant.id, contact.id, contact.address, list.id, "administrator", now,
                       error)) {
    json_t *data =
        json_pack("{s:s,s:s,s:s}", "list", name, "address", contact.address, "how", "administrator");
    struct event event = {.id = store_next_id(policyd->store, now),
                          .at = now,
                          .kind = EVENT_UNSUBSCRIBED,
                          .tenant = tenant.id,
                          .data = json_dumps(data, JSON_COMPACT)};
    if (fold_event(policyd, &event, contact.id, error)) ok = json_object();
    free(event.data);
    json_decref(data);
  }
  store_list_clear(&list);
  store_contact_clear(&contact);
  store_tenant_clear(&tenant);
  return ok;
}

/* The plans of its journeys, which their removal from state would leave behind. */
static bool forget_plans(struct policyd *policyd, int64_t tenant, int64_t contact, GError **error)
{
  g_autoptr(GArray) journeys = store_journeys_of(policyd->store, tenant, contact, true, error);
  if (!journeys) return false;
  for (guint i = 0; i < journeys->len; i++) {
    const struct store_journey *journey = &g_array_index(journeys, struct store_journey, i);
    const struct store_due due = {.at = journey->due_at, .tenant = tenant, .journey = journey->id};
    if (journey->due_at && !timers_remove(policyd->timers, &due, error)) return false;
  }
  return true;
}

static json_t *contact_erase(struct request *request, GError **error)
{
  struct policyd *policyd = request->policyd;
  struct store_tenant tenant = {0};
  const char *address = request_need(request, "address", error);
  json_t *ok = NULL;
  if (!address || !command_address(address, error) || !request_tenant(request, &tenant, error)) return NULL;
  uint8_t key[16];
  directory_address_key(address, key);
  int64_t contact = store_contact_id(policyd->store, tenant.id, address, error);
  if (contact >= 0 && (contact == 0 || forget_plans(policyd, tenant.id, contact, error)) &&
      store_contact_erase(policyd->store, tenant.id, contact, address, error) &&
      store_unsuppress(policyd->store, tenant.id, 0, key, error) &&
      store_suppress(policyd->store, tenant.id, 0, key, "erased", policyd_now(policyd), error)) {
    publish_suppression(policyd->publish, tenant.id, 0, key, true);
    ok = json_pack("{s:b}", "known", contact > 0);
  }
  store_tenant_clear(&tenant);
  return ok;
}

static json_t *event_send(struct request *request, GError **error)
{
  struct policyd *policyd = request->policyd;
  struct store_tenant tenant = {0};
  struct store_contact contact = {0};
  const char *address = request_need(request, "address", error);
  const char *name = address ? request_need(request, "name", error) : NULL;
  json_t *properties = json_object_get(request->args, "properties");
  int64_t now = policyd_now(policyd);
  bool added;
  json_t *ok = NULL;
  if (!name || !command_address(address, error) || !request_tenant(request, &tenant, error)) goto out;
  contact =
      (struct store_contact){.tenant = tenant.id, .address = g_strdup(address), .source = g_strdup("event")};
  if (!store_contact_put(policyd->store, &contact, &added, now, error)) goto out;
  json_t *data = json_pack("{s:s,s:s}", "name", name, "address", address);
  if (json_is_object(properties)) json_object_set(data, "properties", properties);
  struct event event = {.id = store_next_id(policyd->store, now),
                        .at = now,
                        .kind = EVENT_CUSTOM,
                        .tenant = tenant.id,
                        .data = json_dumps(data, JSON_COMPACT)};
  if (fold_event(policyd, &event, contact.id, error)) ok = json_pack("{s:I}", "id", (json_int_t)event.id);
  free(event.data);
  json_decref(data);
out:
  store_contact_clear(&contact);
  store_tenant_clear(&tenant);
  return ok;
}

static json_t *event_list(struct request *request, GError **error)
{
  struct store_tenant tenant = {0};
  if (!request_tenant(request, &tenant, error)) return NULL;
  int64_t after = request_int(request, "after", -1),
          limit = CLAMP(request_int(request, "limit", 50), 1, PAGE);
  g_autoptr(GArray) rows = store_events(request->policyd->store, tenant.id, 0, after, (size_t)limit, error);
  for (guint i = 0; rows && i < rows->len; i++) {
    const struct store_event *event = &g_array_index(rows, struct store_event, i);
    after = event->id;
    request_row(request, timeline_row(request->policyd, tenant.id, event));
  }
  store_tenant_clear(&tenant);
  return rows ? json_pack("{s:I}", "after", (json_int_t)after) : NULL;
}

const struct command contact_commands[] = {
    {"contact.add", contact_add, true, "tenant=s address=s zone=s fields=o lists=a source=s"},
    {"contact.import", contact_import, true, "tenant=s lists=a contacts=l"},
    {"contact.show", contact_show, false, "tenant=s address=s"},
    {"contact.list", contact_list, false, "tenant=s after=i limit=i"},
    {"contact.unsubscribe", contact_unsubscribe, true, "tenant=s address=s list=s"},
    {"contact.erase", contact_erase, true, "tenant=s address=s"},
    {"event.send", event_send, true, "tenant=s address=s name=s properties=o"},
    {"event.list", event_list, false, "tenant=s after=i limit=i"},
    {NULL, NULL, false, NULL},
};
