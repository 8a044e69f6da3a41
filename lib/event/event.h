#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

/* Something that happened, immutable. Producers append events to their journal;
 * policyd folds each into state exactly once. The kinds are in kinds.def. */

enum event_kind {
#define EVENT(symbol, number, name, text) EVENT_##symbol = number,
#include "event/kinds.def"
#undef EVENT
};

struct event {
  int64_t id; /* base/id.h */
  int64_t at; /* microseconds UTC */
  enum event_kind kind;
  int64_t tenant;
  int64_t mail; /* the mail it is about; 0: none. For EVENT_MAIL the mail's own id */
  char *data;   /* a JSON object as text, or NULL; see below. Owned by the struct */
};

/* What `data` holds, by kind (absent members are unknown):
 *   mail          {"from","to":[addr…],"list","mid","qid","subject","size","action":"tracked|left|refused",
 *                  "reason","links":[{"n","url"}],"pixel":bool,"per":"recipient|message",
 *                  "journey","step","visit" (of a workflow's own mail),
 *                  "copy":true (of one recipient's copy of a split mail),
 *                  "unsplit" (why a mail to several was not split, though its tenant wants it)}
 *   open, click   {"method","ua","ip","link":n,"url"}
 *   unsubscribed  {"list","address","how":"one-click|page"}
 *   suppressed    {"address","list","reason"}
 *   subscribed    {"list","address","source"}
 *   custom        {"name","address","properties":{…}}
 *   sent, failed  {"journey","step","visit","reply"}; of a copy {"copy":true,"reply"}
 *   spooled       {"from","to","qid" (of the mail that was split),"copies":n}  */

/* The name of KIND ("mail", "open", …) and back; NULL, and false, if unknown. Static. */
const char *event_kind_name(enum event_kind kind);
bool event_kind_parse(const char *name, enum event_kind *kind);

/* Frees what the struct owns, not the struct. */
void event_clear(struct event *event);
