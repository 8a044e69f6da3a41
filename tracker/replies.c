/* Answers: the pixel, the redirect, and a handful of small pages.
 *
 * A page is one template, readable without style, without script and without
 * anything fetched; its policy allows its own style alone, by hash. */

#include "tracker/replies.h"

#include <string.h>

#include "tracker/route.h"

/* A transparent GIF of one pixel: header, screen of 1×1 with a palette of two
 * colours, the first of which is transparent, one image of 1×1, two bits of
 * LZW data, trailer. 43 bytes; no valid one with transparency is smaller. */
static const unsigned char pixel[] = {
    'G',  'I',  'F',  '8',  '9',  'a',              /* signature */
    1,    0,    1,    0,    0x80, 0,    0,          /* 1×1, palette of 2 */
    0,    0,    0,    0xff, 0xff, 0xff,             /* black, white */
    0x21, 0xf9, 4,    1,    0,    0,    0, 0,       /* colour 0 is transparent */
    0x2c, 0,    0,    0,    0,    1,    0, 1, 0, 0, /* one image at 0,0 of 1×1 */
    2,    2,    0x44, 1,    0,                      /* its data */
    0x3b,                                           /* the end */
};
G_STATIC_ASSERT(sizeof pixel == 43);

static const char style[] =
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto;padding:0 1.2rem;"
    "color:#1a1a1a;background:#fff}h1{font-size:1.5rem;line-height:1.25}"
    "button{font:inherit;padding:.7rem 1.4rem;border:0;border-radius:.4rem;background:#0b4f8a;color:#fff;"
    "cursor:pointer}button:hover,button:focus-visible{background:#083a66}"
    "button:focus-visible{outline:3px solid #f0a500;outline-offset:2px}"
    "@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}"
    "button{background:#7db8ea;color:#0b1a28}button:hover,button:focus-visible{background:#a6d0f3}}";

/* Every answer: not kept by anyone, and its address is told to no one. */
static struct http_reply *reply_new(unsigned status, const char *type, const void *body, size_t length)
{
  struct http_reply *reply = http_reply_new(status, body, length);
  if (type) http_reply_header(reply, "Content-Type", type);
  http_reply_header(reply, "Cache-Control", "no-store");
  return reply;
}

static char *make_policy(void)
{
  guint8 digest[32];
  gsize length = sizeof digest;
  g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
  g_checksum_update(checksum, (const guchar *)style, (gssize)strlen(style));
  g_checksum_get_digest(checksum, digest, &length);
  g_autofree char *hash = g_base64_encode(digest, length);
  return g_strdup_printf("default-src 'none'; style-src 'sha256-%s'; form-action 'self'; base-uri 'none'; "
                         "frame-ancestors 'none'",
                         hash);
}

static struct http_reply *page(const struct replies *replies, unsigned status, const char *title,
                               const char *text)
{
  g_autofree char *body =
      g_strdup_printf("<!DOCTYPE html>\n"
                      "<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                      "<meta name=\"robots\" content=\"noindex\">\n"
                      "<title>%s</title>\n<style>%s</style>\n</head>\n"
                      "<body>\n<main>\n<h1>%s</h1>\n%s</main>\n</body>\n</html>\n",
                      title, style, title, text);
  struct http_reply *reply = reply_new(status, "text/html; charset=utf-8", body, strlen(body));
  http_reply_header(reply, "Content-Security-Policy", replies->policy);
  http_reply_header(reply, "Referrer-Policy", "no-referrer");
  http_reply_header(reply, "X-Content-Type-Options", "nosniff");
  return reply;
}

void replies_init(struct replies *r)
{
  r->policy = make_policy();
  r->pixel = reply_new(200, "image/gif", pixel, sizeof pixel);
  r->not_found = page(r, 404, "There is nothing here",
                      "<p>The address may be incomplete. If it came in a mail, "
                      "try the link there once more.</p>\n");
  r->stopped =
      page(r, 410, "This link does not work any more",
           "<p>It was stopped after the mail was sent. Please ask the sender for another way.</p>\n");
  r->bad = reply_text(400, "This request cannot be understood.\n");
  r->too_large = reply_text(413, "This request is too large.\n");
  r->only_get = reply_text(405, "Only GET and HEAD mean anything here.\n");
  http_reply_header(r->only_get, "Allow", "GET, HEAD");
  r->only_post = reply_text(405, "Only GET, HEAD and POST mean anything here.\n");
  http_reply_header(r->only_post, "Allow", "GET, HEAD, POST");
  r->unsubscribed =
      page(r, 200, "You are unsubscribed",
           "<p role=\"status\">Your request is recorded. A mail that was already on its way may still "
           "arrive.</p>\n");
  r->sorry =
      page(r, 503, "This did not work yet",
           "<p role=\"alert\">We could not record your request just now, so nothing has changed. Please try "
           "again in a few minutes.</p>\n");
  http_reply_header(r->sorry, "Retry-After", "120");
  r->healthy = reply_text(200, "ok\n");
}

void replies_release(struct replies *r)
{
  http_reply_free(r->pixel);
  http_reply_free(r->not_found);
  http_reply_free(r->stopped);
  http_reply_free(r->bad);
  http_reply_free(r->too_large);
  http_reply_free(r->only_get);
  http_reply_free(r->only_post);
  http_reply_free(r->unsubscribed);
  http_reply_free(r->sorry);
  http_reply_free(r->healthy);
  g_free(r->policy);
}

struct http_reply *reply_text(unsigned status, const char *text)
{
  return reply_new(status, "text/plain; charset=utf-8", text, strlen(text));
}

struct http_reply *reply_redirect(const char *url, size_t length)
{
  g_autofree char *location = route_location(url, length);
  if (!location) return NULL;
  struct http_reply *reply = reply_new(302, NULL, "", 0);
  http_reply_header(reply, "Referrer-Policy", "no-referrer");
  if (http_reply_header(reply, "Location", location)) return reply;
  http_reply_free(reply);
  return NULL;
}

/* "someone@example.org" as "s…@example.org". */
static char *masked(const char *address)
{
  const char *at = address ? strrchr(address, '@') : NULL;
  if (!at || !g_utf8_validate(address, -1, NULL)) return NULL;
  const char *second = g_utf8_next_char(address);
  if (second > at) second = at;
  return g_strdup_printf("%.*s…%s", (int)(second - address), address, at);
}

struct http_reply *reply_unsubscribe(const struct replies *replies, const char *title, const char *list,
                                     const char *address)
{
  g_autofree char *mask = masked(address);
  g_autofree char *sentence = g_markup_printf_escaped(
      "<p>%s%s will get no more mail%s%s%s%s. Other mail is not affected.</p>\n", mask ? mask : "You", "",
      list ? " of the list “" : " of this list", list ? list : "", list ? "”" : "", "");
  g_autofree char *sender = title ? g_markup_printf_escaped("<p>From: %s</p>\n", title) : g_strdup("");
  g_autofree char *text =
      g_strconcat(sender, sentence,
                  "<form method=\"post\">\n<input type=\"hidden\" name=\"page\" value=\"1\">\n"
                  "<button type=\"submit\">Unsubscribe</button>\n</form>\n",
                  NULL);
  return page(replies, 200, "Unsubscribe?", text);
}
