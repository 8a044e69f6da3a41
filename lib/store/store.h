#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "event/event.h"

/* State: everything that Tidings knows, one SQLite file that policyd alone
 * opens. A store is used by one thread.
 *
 * Functions that change something must stand between store_begin() and
 * store_commit(); what they did is undone by store_rollback(). Look-ups fill
 * structs whose strings belong to the caller's struct and are released with the
 * struct's clear function. "Found nothing" is the error NOTFOUND only where the
 * comment says so. All errors else: SYS, TEMP (locked). */

struct store;

/* Opens or makes the database, and brings its schema up to date. Errors: SYS,
 * with a remedy, for a newer schema, a foreign file, a corrupt one. */
struct store *store_open(const char *path, uint8_t node, GError **error);
void store_close(struct store *store);

bool store_begin(struct store *store, GError **error);
bool store_commit(struct store *store, GError **error);
void store_rollback(struct store *store);

/* A fresh id of policyd's own. Inside a transaction. */
int64_t store_next_id(struct store *store, int64_t now);

/* How far PRODUCER's journal is folded (0, 0 at first). */
bool store_position(struct store *store, const char *producer, int64_t *segment, int64_t *seq,
                    GError **error);
bool store_set_position(struct store *store, const char *producer, int64_t segment, int64_t seq,
                        GError **error);

/* ---- tenants and lists (tenant.c) */

struct store_tenant {
  int64_t id;
  char *name, *title, *url, *zone;
  int track;       /* enum track_mode */
  bool split;      /* a mail to several becomes one for each */
  bool text_links; /* also those in plain text */
};

struct store_list {
  int64_t id, tenant;
  char *name, *title, *sender;
  bool unsubscribe;
  bool limited; /* measure no more than `track`, an enum track_mode */
  int track;
  bool utm; /* add UTM tags to tracked links */
};

void store_tenant_clear(struct store_tenant *tenant);
void store_list_clear(struct store_list *list);

/* Adds a tenant and sets its id. Errors: INPUT if the name is taken. */
bool store_tenant_add(struct store *store, struct store_tenant *tenant, int64_t now, GError **error);
bool store_tenant_update(struct store *store, const struct store_tenant *tenant, GError **error);
/* By name, or by id if NAME is NULL. Errors: NOTFOUND. */
bool store_tenant_get(struct store *store, const char *name, int64_t id, struct store_tenant *tenant,
                      GError **error);
/* All of them, a GArray of struct store_tenant with its clear function set. */
GArray *store_tenants(struct store *store, GError **error);

/* Gives an authenticated user, or a sender domain, to a tenant. Errors: INPUT if
 * it is another tenant's. */
bool store_tenant_user(struct store *store, int64_t tenant, const char *user, GError **error);
bool store_tenant_domain(struct store *store, int64_t tenant, const char *domain, GError **error);

typedef bool store_pair_fn(void *data, int64_t tenant, const char *text, GError **error);
bool store_each_user(struct store *store, store_pair_fn *fn, void *data, GError **error);
bool store_each_domain(struct store *store, store_pair_fn *fn, void *data, GError **error);

bool store_list_add(struct store *store, struct store_list *list, int64_t now, GError **error);
bool store_list_update(struct store *store, const struct store_list *list, GError **error);
/* By name, or by id if NAME is NULL. Errors: NOTFOUND. */
bool store_list_get(struct store *store, int64_t tenant, const char *name, int64_t id,
                    struct store_list *list, GError **error);
/* Of one tenant, or of all if TENANT is 0. */
GArray *store_lists(struct store *store, int64_t tenant, GError **error);

/* ---- stopped links (link.c) */

struct store_stop {
  int64_t tenant, mail; /* 0: of the host; of all mails */
  char *url;            /* as directory/stop.h spells it */
  bool prefix;
  int64_t at;
};

void store_stop_clear(struct store_stop *stop);
/* Adding the same again is no fault. */
bool store_stop_add(struct store *store, const struct store_stop *stop, int64_t now, GError **error);
bool store_stop_remove(struct store *store, const struct store_stop *stop, bool *found, GError **error);
/* Of a tenant and of the host; all of them if TENANT is 0. */
GArray *store_stops(struct store *store, int64_t tenant, GError **error);

/* ---- contacts (contact.c) */

struct store_contact {
  int64_t id, tenant;
  char *address, *zone, *fields, *source; /* zone, fields (JSON), source: NULL if unknown */
  int64_t created;
};

struct store_subscription {
  int64_t list;
  bool subscribed;
  int64_t at;
  char *list_name, *source;
};

void store_contact_clear(struct store_contact *contact);
void store_subscription_clear(struct store_subscription *subscription);

/* Adds the contact or, if its address is there, updates zone and merges fields
 * that are given. Sets the id; *ADDED says which. */
bool store_contact_put(struct store *store, struct store_contact *contact, bool *added, int64_t now,
                       GError **error);
/* By address (without case), or by id if ADDRESS is NULL. Errors: NOTFOUND. */
bool store_contact_get(struct store *store, int64_t tenant, const char *address, int64_t id,
                       struct store_contact *contact, GError **error);
/* The id of the contact with ADDRESS; 0 if there is none, -1 on error. */
int64_t store_contact_id(struct store *store, int64_t tenant, const char *address, GError **error);
/* Takes the contact CONTACT (0: there is none) and all that tells of ADDRESS out of
 * state: its row, subscriptions, journeys, sends, timeline, the recipient and subject
 * of its mails, whose contact is -1 from then on. Counts stay. Reads all mails and
 * events of the tenant. */
bool store_contact_erase(struct store *store, int64_t tenant, int64_t contact, const char *address,
                         GError **error);
/* Has the address with this key been erased (suppressed with source "erased")? */
bool store_is_erased(struct store *store, int64_t tenant, const uint8_t key[16], bool *erased,
                     GError **error);
/* Contacts in order of id after AFTER, at most MAX. */
GArray *store_contacts(struct store *store, int64_t tenant, int64_t after, size_t max, GError **error);

/* Sets the state of a subscription; *CHANGED if it was another before. */
bool store_subscribe(struct store *store, int64_t tenant, int64_t contact, int64_t list, bool subscribed,
                     const char *source, int64_t now, bool *changed, GError **error);
GArray *store_subscriptions(struct store *store, int64_t tenant, int64_t contact, GError **error);

/* Suppressions, by the key of directory_address_key(). List 0: all of the
 * tenant's mail. */
bool store_suppress(struct store *store, int64_t tenant, int64_t list, const uint8_t key[16],
                    const char *source, int64_t now, GError **error);
bool store_unsuppress(struct store *store, int64_t tenant, int64_t list, const uint8_t key[16],
                      GError **error);
bool store_is_suppressed(struct store *store, int64_t tenant, int64_t list, const uint8_t key[16],
                         bool *suppressed, GError **error);
typedef bool store_suppression_fn(void *data, int64_t tenant, int64_t list, const uint8_t key[16],
                                  GError **error);
bool store_each_suppression(struct store *store, store_suppression_fn *fn, void *data, GError **error);

/* ---- mails and events (mail.c) */

struct store_mail {
  int64_t id, tenant, at, contact, list, journey, links;
  char *workflow, *step, *action, *reason, *sender, *recipient, *subject, *message_id, *queue_id;
  int64_t opens, clicks, machine; /* hits: human or unknown, human or unknown, machine */
  int64_t opened_at, clicked_at;  /* first not by a machine; 0: never */
};

struct store_event {
  int64_t id, at, contact, mail;
  enum event_kind kind;
  int verdict;
  char *reason, *data, *address; /* address: of the contact, in listings */
};

void store_mail_clear(struct store_mail *mail);
void store_event_clear(struct store_event *event);

bool store_mail_add(struct store *store, const struct store_mail *mail, GError **error);
/* Errors: NOTFOUND. */
bool store_mail_get(struct store *store, int64_t tenant, int64_t id, struct store_mail *mail, GError **error);
/* Only what folding a hit needs: id, tenant, at, contact, list, journey,
 * opened_at, clicked_at. Errors: NOTFOUND. */
bool store_mail_hits(struct store *store, int64_t tenant, int64_t id, struct store_mail *mail,
                     GError **error);
/* Counts a hit on a mail; *FIRST: the first of its kind that was not a machine's. */
bool store_mail_hit(struct store *store, const struct store_mail *mail, bool click, bool machine, int64_t at,
                    bool *first, GError **error);

bool store_event_add(struct store *store, int64_t tenant, const struct store_event *event, GError **error);
/* Events of a tenant after id AFTER, of one contact if CONTACT is not 0; oldest
 * first, or the newest MAX if AFTER is -1. */
GArray *store_events(struct store *store, int64_t tenant, int64_t contact, int64_t after, size_t max,
                     GError **error);

/* Adds N to a day's count. Gathered in memory and written at store_commit(). */
void store_tally(struct store *store, int64_t tenant, const char *scope, const char *metric, int64_t at,
                 int64_t n);
/* Sums by scope and metric over [from, until) days of microseconds. */
typedef bool store_tally_fn(void *data, const char *scope, const char *metric, int64_t n, GError **error);
bool store_report(struct store *store, int64_t tenant, int64_t from, int64_t until, store_tally_fn *fn,
                  void *data, GError **error);

/* ---- workflows and journeys (journey.c) */

struct store_workflow {
  int64_t id, tenant;
  int version;
  bool active;
  char *name, *title, *source, *definition;
  int64_t loaded;
};

struct store_journey {
  int64_t id, tenant, workflow, contact, since, due_at;
  bool active;
  char *step, *position, *cause, *outcome;
};

enum store_send_state { SEND_PLANNED, SEND_HANDED, SEND_ACCEPTED, SEND_REFUSED, SEND_DROPPED };

struct store_send {
  int64_t tenant, journey, contact;
  char *step;
  int visit, tries;
  enum store_send_state state;
  int64_t planned, not_before, handed, offered; /* offered: the mail's id; 0 */
  char *queue_id, *reply;
};

struct store_step_count {
  char *step;
  int64_t n, oldest; /* journeys that stand there, and since when the oldest does */
};

void store_workflow_clear(struct store_workflow *workflow);
void store_journey_clear(struct store_journey *journey);
void store_send_clear(struct store_send *send);
void store_step_count_clear(struct store_step_count *count);

/* Adds the next version of a workflow and makes it the active one. Sets id and
 * version. */
bool store_workflow_add(struct store *store, struct store_workflow *workflow, int64_t now, GError **error);
/* The newest version of NAME, or by id if NAME is NULL. Errors: NOTFOUND. */
bool store_workflow_get(struct store *store, int64_t tenant, const char *name, int64_t id,
                        struct store_workflow *workflow, GError **error);
/* Active ones of a tenant, or of all if TENANT is 0. */
GArray *store_workflows(struct store *store, int64_t tenant, GError **error);
bool store_workflow_stop(struct store *store, int64_t tenant, const char *name, GError **error);
bool store_message_add(struct store *store, int64_t tenant, int64_t workflow, const char *name,
                       GBytes *source, GError **error);
GBytes *store_message_get(struct store *store, int64_t tenant, int64_t workflow, const char *name,
                          GError **error);

bool store_journey_add(struct store *store, const struct store_journey *journey, GError **error);
bool store_journey_update(struct store *store, const struct store_journey *journey, GError **error);
/* Errors: NOTFOUND. */
bool store_journey_get(struct store *store, int64_t tenant, int64_t id, struct store_journey *journey,
                       GError **error);
/* A contact's journeys, the active ones only if ACTIVE. */
GArray *store_journeys_of(struct store *store, int64_t tenant, int64_t contact, bool active, GError **error);
/* True in *FOUND if the contact has been, or is, in any version of workflow NAME. */
bool store_journey_exists(struct store *store, int64_t tenant, int64_t contact, const char *name, bool *found,
                          GError **error);
/* Counts per step over all versions of NAME; ACTIVE false: of finished ones, by outcome. */
GArray *store_step_counts(struct store *store, int64_t tenant, const char *name, bool active, GError **error);

/* The due-queue. A bucket is a quarter of an hour. */
#define STORE_BUCKET (INT64_C(900) * 1000000)
struct store_due {
  int64_t at, tenant, journey;
};
bool store_due_add(struct store *store, const struct store_due *due, GError **error);
bool store_due_remove(struct store *store, const struct store_due *due, GError **error);
/* Appends to DUE (of struct store_due) what is planned in buckets after AFTER up
 * to UNTIL (bucket numbers, at / STORE_BUCKET), at most MAX rows. */
bool store_due_load(struct store *store, int64_t after, int64_t until, size_t max, GArray *due,
                    GError **error);
/* The lowest bucket above AFTER that holds anything; INT64_MAX if none does. */
bool store_due_next_bucket(struct store *store, int64_t after, int64_t *bucket, GError **error);

bool store_send_add(struct store *store, const struct store_send *send, GError **error);
/* Those with STATE that may go at NOW, oldest first, at most MAX. */
GArray *store_sends(struct store *store, enum store_send_state state, int64_t now, size_t max,
                    GError **error);
/* VISIT 0: the last one. Errors: NOTFOUND. */
bool store_send_get(struct store *store, int64_t tenant, int64_t journey, const char *step, int visit,
                    struct store_send *send, GError **error);
bool store_send_update(struct store *store, const struct store_send *send, GError **error);

/* How much is open, for the status. */
struct store_figures {
  int64_t journeys, planned, handed;
};
bool store_figures(struct store *store, struct store_figures *figures, GError **error);
