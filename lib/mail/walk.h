#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

#include "mail/content.h"
#include "mail/range.h"

/* Caps. A message over one of them is not read (LIMIT). */
struct mail_limits {
  size_t depth;       /* of nesting; the message itself is at depth 0 */
  size_t parts;       /* in all, containers included */
  size_t part_header; /* bytes of a part's header section */
  size_t top_header;  /* bytes of the message's own header section */
};
#define MAIL_LIMITS_DEFAULT ((struct mail_limits){100, 10000, 100 * 1024, 1024 * 1024})

/* Why readers may not agree on a part: mail/ambiguity.def. */
enum mail_ambiguity {
  MAIL_CLEAR,
#define X(name, scope, word, text) MAIL_AMBIGUITY_##name,
#include "mail/ambiguity.def"
#undef X
  MAIL_AMBIGUITIES,
};

/* One part, in document order. Text is owned by the tree, lower case, never
 * NULL. What is said of a part with an ambiguity is one reader's opinion. */
struct mail_part {
  int parent;               /* its container, -1 for the message itself */
  int message;              /* the message it is in: 0, or the part that is an embedded message */
  unsigned depth;           /* of containers around it */
  unsigned number;          /* among its siblings, from 1 */
  unsigned children;        /* how many it has */
  struct mail_range header; /* its fields, without the empty line */
  struct mail_range body;   /* without the line end that belongs to the next boundary */
  const char *type;         /* as written, or the default of RFC 2045 section 5.2 */
  const char *subtype;
  const char *charset;  /* "" where none is written */
  const char *boundary; /* as written; "" but for a multipart that has one */
  enum mail_encoding encoding;
  bool typed;                    /* has a Content-Type */
  bool multipart;                /* its parts follow */
  bool embedded;                 /* inside a message/rfc822 or message/global part: never to be edited */
  bool attachment;               /* Content-Disposition is anything but inline */
  bool filename;                 /* a file name is written in either field */
  bool flowed;                   /* format=flowed (RFC 3676) */
  bool delsp;                    /* delsp=yes */
  enum mail_ambiguity ambiguity; /* MAIL_CLEAR, or why it must be left alone */
  int blame;                     /* the part in which that was found; itself where it is clear */
};

typedef struct mail_tree {
  struct mail_part *parts; /* the message itself is the first */
  size_t count;
  unsigned line_facts; /* of the whole buffer, mail/line.h */
  GStringChunk *strings;
} mail_tree;

/* Reads the MIME structure of a complete message (RFC 2045, 2046): header
 * section, empty line, body, with CR LF or LF. BYTES is borrowed and need not
 * outlive the call; offsets are into it. Any bytes are a message; the only
 * error is LIMIT. Linear. Embedded messages are walked too, unless encoded. */
struct mail_tree *mail_walk(const char *bytes, size_t length, const struct mail_limits *limits,
                            GError **error);
void mail_tree_free(struct mail_tree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mail_tree, mail_tree_free)

/* The place of part I as numbers: "1" the message itself, "1.2" its second part.
 * Owned by the caller (g_free). */
char *mail_part_path(const struct mail_tree *tree, size_t i);

/* Whether the part is TYPE/SUBTYPE (lower case). */
bool mail_part_is(const struct mail_part *part, const char *type, const char *subtype);

/* A word for logs ("boundary-clash"), a sentence for people. "clear" and "" for
 * MAIL_CLEAR. Static. */
const char *mail_ambiguity_word(enum mail_ambiguity ambiguity);
const char *mail_ambiguity_text(enum mail_ambiguity ambiguity);
