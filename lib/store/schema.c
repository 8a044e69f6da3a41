/* The tables of state, one string a version of the schema.
 *
 * Every key leads with the tenant, so that a tenant can be moved or sharded.
 * Times are microseconds UTC, ids are base/id.h, JSON is text. A table of the
 * journal's size (mail, event) has its rows in time order under its tenant, so
 * that appending stays local; only `event_of_contact` is written in random
 * order, for the timeline. */

#include "store/schema.h"

static const char version_1[] =
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO meta VALUES('last_id', 0);"

    /* How far each producer's journal is folded. Moves in the transaction that
     * holds the events' effects: that is the "exactly once". */
    "CREATE TABLE journal_position(producer TEXT PRIMARY KEY, segment INTEGER NOT NULL, seq INTEGER NOT NULL)"
    " WITHOUT ROWID;"

    "CREATE TABLE tenant(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, title TEXT NOT NULL,"
    " track INTEGER NOT NULL, url TEXT NOT NULL, zone TEXT NOT NULL, created INTEGER NOT NULL);"
    "CREATE TABLE tenant_user(user TEXT PRIMARY KEY, tenant INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE tenant_domain(domain TEXT PRIMARY KEY, tenant INTEGER NOT NULL) WITHOUT ROWID;"

    "CREATE TABLE list(tenant INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL, title TEXT NOT NULL,"
    " sender TEXT, unsubscribe INTEGER NOT NULL, PRIMARY KEY(tenant, id), UNIQUE(tenant, name)) WITHOUT "
    "ROWID;"

    /* `key` is the address without case; `fields` a JSON object. */
    "CREATE TABLE contact(tenant INTEGER NOT NULL, id INTEGER NOT NULL, address TEXT NOT NULL, key TEXT NOT "
    "NULL,"
    " zone TEXT, fields TEXT, source TEXT, created INTEGER NOT NULL,"
    " PRIMARY KEY(tenant, id), UNIQUE(tenant, key)) WITHOUT ROWID;"
    "CREATE TABLE subscription(tenant INTEGER NOT NULL, contact INTEGER NOT NULL, list INTEGER NOT NULL,"
    " subscribed INTEGER NOT NULL, at INTEGER NOT NULL, source TEXT,"
    " PRIMARY KEY(tenant, contact, list)) WITHOUT ROWID;"
    "CREATE TABLE suppression(tenant INTEGER NOT NULL, list INTEGER NOT NULL, key BLOB NOT NULL, at INTEGER "
    "NOT NULL,"
    " source TEXT, PRIMARY KEY(tenant, list, key)) WITHOUT ROWID;"

    "CREATE TABLE mail(tenant INTEGER NOT NULL, id INTEGER NOT NULL, at INTEGER NOT NULL, contact INTEGER "
    "NOT NULL,"
    " list INTEGER NOT NULL, journey INTEGER NOT NULL, workflow TEXT, step TEXT, action TEXT, reason TEXT, "
    "links INTEGER NOT NULL,"
    " sender TEXT, recipient TEXT, subject TEXT, message_id TEXT, queue_id TEXT, PRIMARY KEY(tenant, id))"
    " WITHOUT ROWID;"
    /* What hits ask for and change stands apart from the rest of a mail: they
     * come in random order, and these rows are a fifth as wide. Their key is the
     * id alone, which no two mails share, since that is the engine's quickest. */
    "CREATE TABLE mail_hits(mail INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, at INTEGER NOT NULL,"
    " contact INTEGER NOT NULL, list INTEGER NOT NULL, journey INTEGER NOT NULL, opens INTEGER NOT NULL,"
    " clicks INTEGER NOT NULL, machine INTEGER NOT NULL, opened_at INTEGER NOT NULL, clicked_at INTEGER NOT "
    "NULL);"
    "CREATE TABLE event(tenant INTEGER NOT NULL, id INTEGER NOT NULL, at INTEGER NOT NULL, kind INTEGER NOT "
    "NULL,"
    " contact INTEGER NOT NULL, mail INTEGER NOT NULL, verdict INTEGER NOT NULL, reason TEXT, data TEXT,"
    " PRIMARY KEY(tenant, id)) WITHOUT ROWID;"
    "CREATE INDEX event_of_contact ON event(tenant, contact, id) WHERE contact <> 0;"

    /* Counts by day, for reports: never a scan of events. */
    "CREATE TABLE tally(tenant INTEGER NOT NULL, day INTEGER NOT NULL, scope TEXT NOT NULL, metric TEXT NOT "
    "NULL,"
    " n INTEGER NOT NULL, PRIMARY KEY(tenant, scope, day, metric)) WITHOUT ROWID;"

    /* A version of a workflow never changes; the active one takes new journeys. */
    "CREATE TABLE workflow(tenant INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL, version INTEGER "
    "NOT NULL,"
    " active INTEGER NOT NULL, title TEXT, source TEXT NOT NULL, definition TEXT NOT NULL, loaded INTEGER "
    "NOT NULL,"
    " PRIMARY KEY(tenant, id), UNIQUE(tenant, name, version)) WITHOUT ROWID;"
    "CREATE TABLE message(tenant INTEGER NOT NULL, workflow INTEGER NOT NULL, name TEXT NOT NULL, source "
    "BLOB NOT NULL,"
    " PRIMARY KEY(tenant, workflow, name)) WITHOUT ROWID;"

    /* `position` is flow's own state; `due_at` 0: waits for an event alone. */
    "CREATE TABLE journey(tenant INTEGER NOT NULL, id INTEGER NOT NULL, workflow INTEGER NOT NULL,"
    " contact INTEGER NOT NULL, active INTEGER NOT NULL, step TEXT NOT NULL, since INTEGER NOT NULL,"
    " due_at INTEGER NOT NULL, position TEXT NOT NULL, cause TEXT, outcome TEXT, PRIMARY KEY(tenant, id)) "
    "WITHOUT ROWID;"
    "CREATE INDEX journey_of_contact ON journey(tenant, contact) WHERE active = 1;"
    "CREATE INDEX journey_at_step ON journey(tenant, workflow, active, step);"

    /* What is planned, by quarter of an hour: within a bucket rows stand in
     * journey order, so planning writes few pages however many are planned. */
    "CREATE TABLE due(bucket INTEGER NOT NULL, tenant INTEGER NOT NULL, journey INTEGER NOT NULL, at INTEGER "
    "NOT NULL,"
    " PRIMARY KEY(bucket, tenant, journey)) WITHOUT ROWID;"

    /* What a workflow decided to send and has not seen accepted: state 0
     * planned, 1 handed to the MTA (in doubt after a crash), 2 accepted,
     * 3 refused for good, 4 dropped before release. `offered` is the mail that
     * our milter saw pass with this send's marker. */
    "CREATE TABLE send(tenant INTEGER NOT NULL, journey INTEGER NOT NULL, step TEXT NOT NULL, visit INTEGER "
    "NOT NULL,"
    " contact INTEGER NOT NULL, state INTEGER NOT NULL, planned INTEGER NOT NULL, not_before INTEGER NOT "
    "NULL,"
    " tries INTEGER NOT NULL DEFAULT 0, handed INTEGER, offered INTEGER, queue_id TEXT, reply TEXT,"
    " PRIMARY KEY(tenant, journey, step, visit)) WITHOUT ROWID;"
    "CREATE INDEX send_open ON send(state, not_before) WHERE state < 2;";

/* A mail to several recipients becomes one for each. */
static const char version_2[] = "ALTER TABLE tenant ADD COLUMN split INTEGER NOT NULL DEFAULT 0;";

/* A list's own ceiling (`track`, null: none) and its UTM tags; a tenant's links in
 * plain text. */
static const char version_3[] = "ALTER TABLE list ADD COLUMN track INTEGER;"
                                "ALTER TABLE list ADD COLUMN utm INTEGER NOT NULL DEFAULT 0;"
                                "ALTER TABLE tenant ADD COLUMN text_links INTEGER NOT NULL DEFAULT 0;";

/* Links that are stopped. Tenant 0: of the whole host; mail 0: of all mails. */
static const char version_4[] =
    "CREATE TABLE link_stop(tenant INTEGER NOT NULL, mail INTEGER NOT NULL, url TEXT NOT NULL, prefix "
    "INTEGER "
    "NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(tenant, mail, url, prefix)) WITHOUT ROWID;";

const char *const store_schema[] = {version_1, version_2, version_3, version_4};
const int store_schema_version = sizeof store_schema / sizeof *store_schema;
