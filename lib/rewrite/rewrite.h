#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>
#include <jansson.h>

#include "mail/edit.h"
#include "mail/walk.h"
#include "rewrite/control.h"
#include "rewrite/reason.h"
#include "token/token.h"

/* Looks at a message and says what to change, and why, or why not. Rule 0: if in
 * doubt, leave it. All bytes outside of the edits stay as they are. */

struct rewrite_limits {
  size_t size;  /* of the message */
  size_t url;   /* of a tracked URL */
  size_t links; /* in the message */
  struct mail_limits mail;
};
#define REWRITE_LIMITS_DEFAULT ((struct rewrite_limits){10 * 1024 * 1024, 2000, 10000, MAIL_LIMITS_DEFAULT})

/* Whether links to URL, of LENGTH bytes, are stopped. */
typedef bool rewrite_stopped_fn(void *data, const char *url, size_t length);

/* All borrowed. */
struct rewrite_request {
  const char *message; /* header section, empty line, body; CR LF or LF */
  size_t length;
  bool trusted;       /* authenticated, or of a listener for own mail; false: not ours */
  const char *sender; /* of the envelope; "": the null sender */
  size_t recipients;
  const char *recipient; /* the one, if there is one; else NULL */

  int64_t tenant; /* 0: none is known */
  enum rewrite_track track;
  const char *url;   /* the tenant's base of tracked URLs, no slash at the end */
  bool text_links;   /* also links in plain text */
  bool visible_urls; /* the tenant allows to track links whose text is an address */
  const char *list;  /* the name of the mail's list, or NULL */
  bool unsubscribe;  /* the list asks for List-Unsubscribe */
  bool list_limited; /* the list allows no more than list_track */
  enum rewrite_track list_track;
  const char *utm_source;  /* of UTM tags: the list's name, else the tenant's; NULL: none */
  bool utm;                /* the list asks for them; the message may, or may not want them */
  const char *const *urls; /* bases of our own trackers; the tenant's own is always one */
  size_t n_urls;

  rewrite_stopped_fn *stopped; /* NULL: none are */
  void *stopped_data;
  int64_t mail;            /* the mail's id */
  struct token_keys *keys; /* NULL: none */
  bool own;                /* a workflow's mail, proved by its marker: automatic, yet to be tracked */
  struct rewrite_limits limits;
};

enum rewrite_action { REWRITE_LEFT, REWRITE_TRACKED };

struct rewrite_part {
  char *path; /* "1.2" */
  char *type; /* "text/html" */
  const char *encoding;
  enum rewrite_action action;
  enum rewrite_reason reason;
  const char *detail; /* of AMBIGUOUS: the walker's word; else NULL. Static */
};

struct rewrite_link {
  size_t part;     /* index into the parts */
  size_t offset;   /* of the part's body in the message, where bytes are encoded as a whole (base64); else of
                      the link */
  char *url;       /* decoded; what is no UTF-8 is replaced */
  uint32_t number; /* from 1, the same for the same URL; 0: not tracked */
  enum rewrite_action action;
  enum rewrite_reason reason;
  char *tracked;     /* or NULL */
  char *destination; /* where TRACKED leads, if not to URL; or NULL */
};

enum rewrite_header_op { REWRITE_HEADER_INSERT, REWRITE_HEADER_REPLACE, REWRITE_HEADER_DELETE };

/* Changes of the message's own header, in the order to be made: the fields of
 * one name are deleted from the last to the first. */
struct rewrite_header {
  enum rewrite_header_op op;
  char *name;
  unsigned index; /* among the fields of that name, from 1; INSERT: 0 */
  char *value;    /* without the space before it; DELETE: NULL */
};

typedef struct rewrite_result {
  enum rewrite_action action;
  enum rewrite_reason reason; /* the action's; TRACKED where it is tracked */
  bool per_recipient;         /* tokens name one recipient, else all of the message */
  enum rewrite_reason pixel;  /* TRACKED: it is placed; or why not */
  uint32_t tracked;           /* how many links have a number */
  struct mail_edits *edits;   /* of the message, none before its body */
  size_t body;                /* where the body begins in the message */
  GArray *headers;            /* of struct rewrite_header */
  GArray *parts;              /* of struct rewrite_part; empty where nobody looked */
  GArray *links;              /* of struct rewrite_link, by offset */
} rewrite_result;

/* Looks at a message. Never fails and never changes it: whatever goes wrong is a
 * reason to leave it. Time and memory are linear in its size. */
struct rewrite_result *rewrite_message(const struct rewrite_request *request);
void rewrite_result_free(struct rewrite_result *result);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(rewrite_result, rewrite_result_free)

/* Takes back every change of the body and every inserted field; control fields
 * still go. For callers that cannot keep their side. */
void rewrite_result_leave(struct rewrite_result *result, enum rewrite_reason reason);

/* Where the body of a message begins: after its first empty line; LENGTH if there
 * is none. */
size_t rewrite_find_body(const char *bytes, size_t length);

/* The control fields of the header section alone, as deletions appended to
 * HEADERS (of struct rewrite_header). */
GArray *rewrite_headers_new(void);
void rewrite_headers_strip(const char *bytes, struct mail_range section, GArray *headers);

/* MESSAGE, the request's, with all changes made: *OUT is the caller's (g_free).
 * A field is inserted before the first one that is no trace field. Errors: LIMIT. */
bool rewrite_apply(struct rewrite_result *result, const char *message, size_t length, char **out,
                   size_t *size, GError **error);

/* The result as JSON: {"message":{"action","reason","sentence","per","pixel"},
 * "parts":[{"path","type","encoding","action","reason"}], "links":[{"part",
 * "offset","url","action","reason","tracked_url","n"}], "headers":[{"op","name",
 * "index","value"}]}. The caller's. */
json_t *rewrite_result_json(const struct rewrite_result *result);
