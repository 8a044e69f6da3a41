/* Whole messages: which are left alone and why, and what becomes of the others
 * through each transfer encoding. */

#include "rewrite/rewrite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mail/encoding.h"
#include "mail/line.h"

#define BASE          "https://t.example.com"
#define TOKEN_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#define URL           "https://example.com/a?b=1&c=2#d"
#define HREF          "<a href=\"https://example.com/a?b=1&amp;c=2#d\">Go</a>"
#define HTML          "<html><body><p>Hello</p>" HREF "</body></html>\r\n"
#define TEXT_HTML     "Content-Type: text/html; charset=utf-8\r\n"
#define HEAD          "From: a@example.com\r\nTo: b@example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\n"

static struct token_keys *keys;

static int make_keys(void **state)
{
  (void)state;
  static const uint8_t secret[TOKEN_SECRET_BYTES] = {1, 2, 3};
  keys = token_keys_new();
  return token_keys_add(keys, 1, secret, NULL) ? 0 : -1;
}

static int free_keys(void **state)
{
  (void)state;
  token_keys_free(keys);
  return 0;
}

static struct rewrite_request request_for(const char *message)
{
  return (struct rewrite_request){
      .message = message,
      .length = strlen(message),
      .trusted = true,
      .sender = "a@example.com",
      .recipients = 1,
      .recipient = "b@example.org",
      .tenant = 7,
      .track = REWRITE_TRACK_ALL,
      .url = BASE,
      .mail = 4711,
      .keys = keys,
      .limits = REWRITE_LIMITS_DEFAULT,
  };
}

static char *apply(struct rewrite_result *result, const char *message, size_t length)
{
  char *out;
  size_t size;
  assert_true(rewrite_apply(result, message, length, &out, &size, NULL));
  assert_int_equal(strlen(out), size);
  return out;
}

/* Rewrites MESSAGE with the request's defaults. */
static char *rewritten(const char *message)
{
  struct rewrite_request request = request_for(message);
  g_autoptr(rewrite_result) result = rewrite_message(&request);
  if (result->action != REWRITE_TRACKED) print_message("left: %s\n", rewrite_reason_code(result->reason));
  assert_int_equal(result->action, REWRITE_TRACKED);
  return apply(result, message, request.length);
}

/* ---- who is left alone ---- */

#define B(type, part) HEAD "Content-Type: multipart/" type "; boundary=b\r\n\r\n--b\r\n" part "\r\n--b--\r\n"
#define PART_HTML     TEXT_HTML "\r\n" HTML

static const struct {
  const char *trap, *message;
  enum rewrite_reason reason;
} left[] = {
    {"tracked", HEAD TEXT_HTML "\r\n" HTML, REWRITE_REASON_TRACKED},
    {"no html", HEAD "\r\nHello\r\n", REWRITE_REASON_NO_HTML},
    {"M24 header only", HEAD, REWRITE_REASON_AMBIGUOUS},
    {"M24 empty body", HEAD TEXT_HTML "\r\n", REWRITE_REASON_NOTHING},
    {"automatic", "Auto-Submitted: auto-generated\r\n" HEAD TEXT_HTML "\r\n" HTML, REWRITE_REASON_AUTOMATIC},
    {"automatic, comment", "Auto-Submitted: auto-replied (vacation)\r\n" HEAD TEXT_HTML "\r\n" HTML,
     REWRITE_REASON_AUTOMATIC},
    {"not automatic", "Auto-Submitted: no; x=y\r\n" HEAD TEXT_HTML "\r\n" HTML, REWRITE_REASON_TRACKED},
    {"auto_reply", "Precedence: auto_reply\r\n" HEAD TEXT_HTML "\r\n" HTML, REWRITE_REASON_AUTOMATIC},
    {"bulk is not automatic", "Precedence: bulk\r\n" HEAD TEXT_HTML "\r\n" HTML, REWRITE_REASON_TRACKED},
    {"list is not automatic", "Precedence: list\r\nList-Id: <x.y>\r\n" HEAD TEXT_HTML "\r\n" HTML,
     REWRITE_REASON_TRACKED},
    {"K6 mailing list", "List-Post: <mailto:l@example.com>\r\n" HEAD TEXT_HTML "\r\n" HTML,
     REWRITE_REASON_MAILING_LIST},
    {"K6 announcements", "List-Post: NO (closed)\r\n" HEAD TEXT_HTML "\r\n" HTML, REWRITE_REASON_TRACKED},
    {"K6 resent", "Resent-From: c@example.com\r\n" HEAD TEXT_HTML "\r\n" HTML, REWRITE_REASON_RESENT},
    {"K1 dkim", "DKIM-Signature: v=1\r\n" HEAD TEXT_HTML "\r\n" HTML, REWRITE_REASON_DKIM_UPSTREAM},
    {"K6 arc", "ARC-Seal: i=1\r\n" HEAD TEXT_HTML "\r\n" HTML, REWRITE_REASON_ARC_UPSTREAM},
    {"M17 autocrypt", "Autocrypt: addr=a\r\n" HEAD TEXT_HTML "\r\n" HTML, REWRITE_REASON_AUTOCRYPT},
    {"M17 signed", B("signed", PART_HTML), REWRITE_REASON_SIGNED},
    {"M17 signed within",
     B("mixed", "Content-Type: multipart/signed; boundary=c\r\n\r\n--c\r\n" PART_HTML
                "\r\n--c--\r\n\r\n--b\r\n" PART_HTML),
     REWRITE_REASON_SIGNED},
    {"M17 encrypted", B("encrypted", PART_HTML), REWRITE_REASON_ENCRYPTED},
    {"M17 smime", HEAD "Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\nMIAG\r\n",
     REWRITE_REASON_SIGNED},
    {"M17 inline pgp", B("mixed", PART_HTML "\r\n--b\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n"),
     REWRITE_REASON_PGP_INLINE},
    {"M17 inline pgp in base64",
     B("mixed", PART_HTML
       "\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\nLS0tLS1CRUdJTiBQR1AgTUVTU0FHRS0tLS0t\r\n"),
     REWRITE_REASON_PGP_INLINE},
    {"pgp key attached",
     B("mixed", PART_HTML
       "\r\n--b\r\nContent-Type: application/pgp-keys\r\n\r\n-----BEGIN PGP PUBLIC KEY BLOCK-----\r\n"),
     REWRITE_REASON_TRACKED},
    {"M13 report", B("report", PART_HTML), REWRITE_REASON_REPORT},
    {"M13 embedded", B("mixed", "Content-Type: message/rfc822\r\n\r\n" HEAD TEXT_HTML "\r\n" HTML),
     REWRITE_REASON_NO_HTML},
    {"M13 signed, embedded",
     B("mixed", PART_HTML "\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" B("signed", PART_HTML)),
     REWRITE_REASON_AMBIGUOUS /* both have the boundary b */},
    {"M13 digest", B("digest", "\r\n" HEAD TEXT_HTML "\r\n" HTML), REWRITE_REASON_NO_HTML},
    {"M13 parallel", B("parallel", PART_HTML), REWRITE_REASON_MULTIPART},
    {"M14 attachment", B("mixed", "Content-Disposition: attachment\r\n" PART_HTML), REWRITE_REASON_NO_HTML},
    {"M14 file name", B("mixed", "Content-Disposition: inline; filename=x.html\r\n" PART_HTML),
     REWRITE_REASON_NO_HTML},
    {"M18 calendar",
     B("alternative",
       PART_HTML "\r\n--b\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\n"),
     REWRITE_REASON_CALENDAR},
    {"M19 amp", B("alternative", "Content-Type: text/x-amp-html\r\n\r\n" HTML), REWRITE_REASON_NO_HTML},
    {"related resource", B("related", "\r\nx\r\n--b\r\n" PART_HTML), REWRITE_REASON_NO_HTML},
    {"related root", B("related", PART_HTML), REWRITE_REASON_TRACKED},
    {"M20 partial", HEAD "Content-Type: message/partial; id=x; number=1\r\n\r\n" HTML,
     REWRITE_REASON_NO_HTML},
    {"M22 md5", HEAD "Content-MD5: x\r\n" TEXT_HTML "\r\n" HTML, REWRITE_REASON_CONTENT_MD5},
    {"M4 utf-16", HEAD "Content-Type: text/html; charset=UTF-16LE\r\n\r\n" HTML, REWRITE_REASON_CHARSET},
    {"M4 utf-32", HEAD "Content-Type: text/html; charset=utf-32\r\n\r\n" HTML, REWRITE_REASON_CHARSET},
    {"M4 utf-7", HEAD "Content-Type: text/html; charset=utf-7\r\n\r\n" HTML, REWRITE_REASON_CHARSET},
    {"M5 iso-2022-jp", HEAD "Content-Type: text/html; charset=ISO-2022-JP\r\n\r\n" HTML,
     REWRITE_REASON_CHARSET},
    {"M5 iso-2022 undeclared", HEAD TEXT_HTML "\r\n\x1b$B<a\x1b(B" HTML, REWRITE_REASON_CHARSET},
    {"M5 hz", HEAD "Content-Type: text/html; charset=hz-gb-2312\r\n\r\n" HTML, REWRITE_REASON_CHARSET},
    {"M6 shift_jis", HEAD "Content-Type: text/html; charset=Shift_JIS\r\n\r\n\x83\x5C\x83\x7C" HTML,
     REWRITE_REASON_TRACKED},
    {"M7 no charset", HEAD "Content-Type: text/html\r\n\r\n" HTML, REWRITE_REASON_TRACKED},
    {"M7 odd charset", HEAD "Content-Type: text/html; charset=us-askey\r\n\r\n" HTML, REWRITE_REASON_TRACKED},
    {"M3 base64 with junk", HEAD TEXT_HTML "Content-Transfer-Encoding: base64\r\n\r\nPGI*+eDwvYj4=\r\n",
     REWRITE_REASON_ENCODING},
    {"M2 qp invalid", HEAD TEXT_HTML "Content-Transfer-Encoding: quoted-printable\r\n\r\n<b>=ZZ</b>\r\n",
     REWRITE_REASON_ENCODING},
    {"M23 two types", HEAD TEXT_HTML "Content-Type: text/plain\r\n\r\n" HTML, REWRITE_REASON_AMBIGUOUS},
    {"M23 encoding junk", HEAD TEXT_HTML "Content-Transfer-Encoding: 8bit;\r\n\r\n" HTML,
     REWRITE_REASON_AMBIGUOUS},
    {"M24 bare lf", HEAD TEXT_HTML "\r\nx\n" HTML, REWRITE_REASON_AMBIGUOUS},
    {"M24 bare cr", HEAD TEXT_HTML "\r\nx\ry" HTML, REWRITE_REASON_AMBIGUOUS},
    {"M16 no end boundary", HEAD "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" PART_HTML,
     REWRITE_REASON_AMBIGUOUS},
    {"H5 nothing to do", HEAD TEXT_HTML "\r\n<!-- ", REWRITE_REASON_NOTHING},
};

static void test_left(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(left); i++) {
    struct rewrite_request request = request_for(left[i].message);
    g_autoptr(rewrite_result) result = rewrite_message(&request);
    if (result->reason != left[i].reason)
      print_message("%s: %s\n", left[i].trap, rewrite_reason_code(result->reason));
    assert_int_equal(result->reason, left[i].reason);
    assert_int_equal(result->action,
                     left[i].reason == REWRITE_REASON_TRACKED ? REWRITE_TRACKED : REWRITE_LEFT);
    g_autofree char *out = apply(result, left[i].message, request.length);
    if (result->action == REWRITE_LEFT) assert_string_equal(out, left[i].message);
    json_t *json = rewrite_result_json(result);
    assert_non_null(json);
    json_decref(json);
  }
}

/* What the caller says. */
static void test_request(void **state)
{
  (void)state;
  struct rewrite_request good = request_for(HEAD TEXT_HTML "\r\n" HTML), request;
#define EXPECT(change, why)                                                                                  \
  do {                                                                                                       \
    request = good;                                                                                          \
    change;                                                                                                  \
    g_autoptr(rewrite_result) result = rewrite_message(&request);                                            \
    if (result->reason != (why)) print_message(#change ": %s\n", rewrite_reason_code(result->reason));       \
    assert_int_equal(result->reason, (why));                                                                 \
    assert_int_equal(mail_edits_count(result->edits) > 0, (why) == REWRITE_REASON_TRACKED);                  \
  } while (0)
  EXPECT(request.trusted = false, REWRITE_REASON_NOT_OURS);
  EXPECT(request.tenant = 0, REWRITE_REASON_NO_TENANT);
  EXPECT(request.track = REWRITE_TRACK_NONE, REWRITE_REASON_TRACK_NONE);
  EXPECT(request.track = REWRITE_TRACK_AGGREGATE, REWRITE_REASON_TRACK_AGGREGATE);
  EXPECT(request.sender = "", REWRITE_REASON_NULL_SENDER);
  EXPECT(request.keys = NULL, REWRITE_REASON_NO_KEY);
  EXPECT(request.limits.size = 100, REWRITE_REASON_TOO_LARGE);
  EXPECT(request.limits.mail.top_header = 10, REWRITE_REASON_OVER_LIMIT);
  EXPECT(request.limits.links = 0, REWRITE_REASON_OVER_LIMIT);
  EXPECT(request.track = REWRITE_TRACK_CLICKS, REWRITE_REASON_TRACKED);
#undef EXPECT
}

static void test_clicks_has_no_pixel(void **state)
{
  (void)state;
  struct rewrite_request request = request_for(HEAD TEXT_HTML "\r\n" HTML);
  request.track = REWRITE_TRACK_CLICKS;
  g_autoptr(rewrite_result) result = rewrite_message(&request);
  g_autofree char *out = apply(result, request.message, request.length);
  assert_int_equal(result->pixel, REWRITE_REASON_PIXEL_MODE);
  assert_null(strstr(out, "<img"));
  assert_non_null(strstr(out, BASE "/c/"));
}

/* H16 */
static void test_too_long(void **state)
{
  (void)state;
  g_autoptr(GString) message = g_string_new(HEAD TEXT_HTML "\r\n<a href=\"https://example.com/");
  for (int i = 0; i < 60; i++)
    g_string_append(message, "abcdefghijklmnopqrstuvwxyz-abc/");
  g_string_append(message, "\">\r\nx</a>" HREF "\r\n");
  struct rewrite_request request = request_for(message->str);
  g_autoptr(rewrite_result) result = rewrite_message(&request);
  assert_int_equal(result->links->len, 2);
  assert_int_equal(g_array_index(result->links, struct rewrite_link, 0).reason, REWRITE_REASON_TOO_LONG);
  assert_int_equal(g_array_index(result->links, struct rewrite_link, 1).number, 1);
}

/* ---- through the transfer encodings ---- */

/* The destination of the first tracked link of OUT, opened; the caller's. */
static char *first_destination(const char *text)
{
  const char *at = strstr(text, BASE "/c/");
  assert_non_null(at);
  at += strlen(BASE "/c/");
  struct token token;
  g_autoptr(GByteArray) scratch = g_byte_array_new();
  assert_true(token_open(keys, at, strspn(at, TOKEN_LETTERS), &token, scratch, NULL));
  assert_int_equal(token.kind, TOKEN_CLICK);
  assert_int_equal(token.mail, 4711);
  return g_strndup(token.destination, token.destination_length);
}

static char *decoded_body(const char *message, enum mail_encoding encoding)
{
  const char *body = strstr(message, "\r\n\r\n") + 4;
  struct mail_decoded decoded;
  assert_true(mail_decode(encoding, body, strlen(body), 1 << 20, &decoded, NULL));
  assert_int_equal(decoded.facts & MAIL_DECODE_LEAVE, 0);
  char *text = g_strndup(decoded.bytes, decoded.length);
  mail_decoded_clear(&decoded);
  return text;
}

static const struct {
  const char *trap, *header, *body;
  enum mail_encoding encoding;
} encodings[] = {
    {"7bit", "", HTML, MAIL_ENCODING_7BIT},
    {"8bit", "Content-Transfer-Encoding: 8bit\r\n", "\xC3\xBC" HTML, MAIL_ENCODING_8BIT},
    {"M1 quoted-printable", "Content-Transfer-Encoding: quoted-printable\r\n",
     "<p>=C3=BC</p><a href=3D\"https://example.com/=\r\na?b=3D1&amp;c=3D2#d\">Go</a>\r\n</body>\r\n",
     MAIL_ENCODING_QP},
    {"base64", "Content-Transfer-Encoding: base64\r\n",
     "PGEgaHJlZj0iaHR0cHM6Ly9leGFt\r\ncGxlLmNvbS9hP2I9MSZhbXA7Yz0y\r\nI2QiPkdvPC9hPg==\r\n",
     MAIL_ENCODING_BASE64},
};

static void test_encodings(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(encodings); i++) {
    g_autofree char *message =
        g_strconcat(HEAD TEXT_HTML, encodings[i].header, "\r\n", encodings[i].body, NULL);
    print_message("%s\n", encodings[i].trap);
    g_autofree char *out = rewritten(message);
    g_autofree char *text = decoded_body(out, encodings[i].encoding);
    g_autofree char *destination = first_destination(text);
    assert_string_equal(destination, URL);
    assert_non_null(strstr(text, "<img src=\"" BASE "/o/"));
    assert_null(strstr(text, "example.com/a"));
    if (encodings[i].encoding != MAIL_ENCODING_7BIT && encodings[i].encoding != MAIL_ENCODING_8BIT)
      assert_true(mail_line_longest(out, strlen(out)) <= 76);
    /* The header section is what it was. */
    assert_memory_equal(out, message, strstr(message, "\r\n\r\n") - message);
    /* A second pass changes nothing. */
    struct rewrite_request again = request_for(out);
    again.mail = 4712;
    g_autoptr(rewrite_result) result = rewrite_message(&again);
    assert_int_equal(result->reason, REWRITE_REASON_NOTHING);
  }
}

/* M9: no line over 998 leaves us in what we touched. */
static void test_long_line(void **state)
{
  (void)state;
  g_autoptr(GString) line = g_string_new("\xC3\xBC");
  while (line->len < 990)
    g_string_append(line, "word ");
  g_autofree char *top = g_strconcat(
      HEAD TEXT_HTML "Content-Transfer-Encoding: 8bit\r\nContent-Length: 5\r\n\r\n", line->str, HTML, NULL);
  g_autofree char *out = rewritten(top);
  assert_true(mail_line_longest(out, strlen(out)) <= 76);
  assert_non_null(strstr(out, "Content-Transfer-Encoding: quoted-printable\r\n"));
  assert_null(strstr(out, "8bit"));
  assert_null(strstr(out, "Content-Length"));
  g_autofree char *text = decoded_body(out, MAIL_ENCODING_QP);
  assert_non_null(strstr(text, line->str));

  g_autofree char *nested =
      g_strconcat(HEAD "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" TEXT_HTML "\r\n", line->str,
                  HTML, "\r\n--b\r\n\r\nplain\r\n--b--\r\n", NULL);
  g_autofree char *out2 = rewritten(nested);
  assert_non_null(
      strstr(out2, "--b\r\n" TEXT_HTML "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC"));
  assert_non_null(strstr(out2, "\r\n--b\r\n\r\nplain\r\n--b--\r\n"));
}

/* M13, M15: links in every HTML body, one pixel, in the last. */
static void test_nested(void **state)
{
  (void)state;
  const char *message =
      HEAD "Content-Type: multipart/mixed; boundary=m\r\n\r\npreamble\r\n--m\r\n"
           "Content-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\n\r\nplain " URL
           "\r\n--a\r\n" TEXT_HTML "\r\n" HTML
           "--a--\r\n\r\n--m\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"
           "--m\r\n" TEXT_HTML "\r\n" HTML "\r\n--m--\r\nepilogue\r\n";
  struct rewrite_request request = request_for(message);
  g_autoptr(rewrite_result) result = rewrite_message(&request);
  g_autofree char *out = apply(result, message, request.length);
  assert_int_equal(result->links->len, 2);
  assert_int_equal(result->tracked, 1); /* one address, one number */
  assert_int_equal(g_array_index(result->links, struct rewrite_link, 1).number, 1);
  const char *image = strstr(out, "<img");
  assert_non_null(image);
  assert_null(strstr(image + 1, "<img"));
  assert_non_null(strstr(out, "image/png"));
  assert_true(image > strstr(out, "image/png"));
  assert_non_null(strstr(out, "\r\n\r\npreamble\r\n--m\r\n"));
  assert_non_null(strstr(out, "\r\n--m--\r\nepilogue\r\n"));
  assert_non_null(strstr(out, "plain " URL));
}

/* Line ends follow the part. */
static void test_lf(void **state)
{
  (void)state;
  g_autofree char *out =
      rewritten("From: a@example.com\nContent-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n"
                "X-Tidings-List: x\n\n<a href=3D\"https://example.com/\">Go</a>\n");
  assert_null(strchr(out, '\r'));
  assert_null(strstr(out, "Tidings-List"));
}

/* ---- the header ---- */

static void test_unsubscribe(void **state)
{
  (void)state;
  struct rewrite_request request = request_for("Received: x\r\n" HEAD "\r\nplain\r\n");
  request.list = "news";
  request.unsubscribe = true;
  g_autoptr(rewrite_result) result = rewrite_message(&request);
  g_autofree char *out = apply(result, request.message, request.length);
  assert_true(g_str_has_prefix(out, "Received: x\r\nList-Unsubscribe: <" BASE "/u/"));
  assert_non_null(strstr(out, ">\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nFrom:"));
  const char *at = strstr(out, "/u/") + 3;
  struct token token;
  g_autoptr(GByteArray) scratch = g_byte_array_new();
  assert_true(token_open(keys, at, strcspn(at, ">"), &token, scratch, NULL));
  assert_memory_equal(token.destination, "news\nb@example.org", token.destination_length);

  /* H20: of several recipients none can be meant. */
  request.recipients = 2;
  request.recipient = NULL;
  g_autoptr(rewrite_result) several = rewrite_message(&request);
  assert_int_equal(several->headers->len, 0);
  assert_false(several->per_recipient);

  struct rewrite_request has =
      request_for("List-Unsubscribe: <mailto:x@example.com>\r\n" HEAD "\r\nplain\r\n");
  has.list = "news";
  has.unsubscribe = true;
  g_autoptr(rewrite_result) own = rewrite_message(&has);
  assert_int_equal(own->headers->len, 0);
}

/* T5: every copy goes, the last first, whatever becomes of the message. */
static void test_control(void **state)
{
  (void)state;
  const char *message =
      "X-Tidings-List: a\r\nFrom: a@example.com\r\nX-Tidings-Track: all\r\nx-tidings-list: b\r\n"
      "X-Tidings-Track: clicks\r\nX-Tidings-Unknown: c\r\n" TEXT_HTML "\r\n" HTML;
  struct rewrite_request request = request_for(message);
  g_autoptr(rewrite_result) result = rewrite_message(&request);
  assert_int_equal(result->pixel, REWRITE_REASON_PIXEL_MODE);
  assert_int_equal(result->headers->len, 5);
  const struct rewrite_header *first = &g_array_index(result->headers, struct rewrite_header, 0);
  assert_int_equal(first->op, REWRITE_HEADER_DELETE);
  assert_int_equal(first->index, 2);
  g_autofree char *out = apply(result, message, request.length);
  g_autofree char *lower = g_ascii_strdown(out, -1);
  assert_null(strstr(lower, "tidings"));

  request.trusted = false;
  g_autoptr(rewrite_result) foreign = rewrite_message(&request);
  g_autofree char *out2 = apply(foreign, message, request.length);
  assert_string_equal(out2, "From: a@example.com\r\n" TEXT_HTML "\r\n" HTML);
}

static const struct {
  const char *fields;
  enum rewrite_track track;
} tracks[] = {
    {"", REWRITE_TRACK_ALL},
    {"X-Tidings-Track: all\r\n", REWRITE_TRACK_ALL},
    {"X-Tidings-Track:  Clicks \r\n", REWRITE_TRACK_CLICKS},
    {"X-Tidings-Track: none\r\n", REWRITE_TRACK_NONE},
    {"X-Tidings-Track: nonsense\r\n", REWRITE_TRACK_NONE},
    {"X-Tidings-Track: all\r\nX-Tidings-Track: clicks\r\n", REWRITE_TRACK_CLICKS},
};

static void test_track_field(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(tracks); i++) {
    g_auto(rewrite_control) control;
    rewrite_control_read(tracks[i].fields, (struct mail_range){0, strlen(tracks[i].fields)}, &control);
    if (control.track != tracks[i].track) print_message("%s", tracks[i].fields);
    assert_int_equal(control.track, tracks[i].track);
  }
}

/* Fields of other services: they lower, and stay. */
static void test_optout(void **state)
{
  (void)state;
  static const struct {
    const char *field;
    enum rewrite_track track;
    enum rewrite_reason message, link, pixel;
  } rows[] = {
      {"X-PM-TrackOpens: false\r\n", REWRITE_TRACK_ALL, REWRITE_REASON_TRACKED, REWRITE_REASON_TRACKED,
       REWRITE_REASON_PIXEL_REQUEST},
      {"X-PM-TrackLinks: None\r\n", REWRITE_TRACK_ALL, REWRITE_REASON_TRACKED, REWRITE_REASON_CLICKS_REQUEST,
       REWRITE_REASON_TRACKED},
      {"X-PM-TrackLinks: None\r\n", REWRITE_TRACK_CLICKS, REWRITE_REASON_TRACK_REQUEST, 0, 0},
      {"X-PM-TrackOpens: true\r\n", REWRITE_TRACK_CLICKS, REWRITE_REASON_TRACKED, REWRITE_REASON_TRACKED,
       REWRITE_REASON_PIXEL_MODE},
      {"X-MC-Track: none\r\n", REWRITE_TRACK_ALL, REWRITE_REASON_TRACK_REQUEST, 0, 0},
      {"X-Mailgun-Track: yes\r\n", REWRITE_TRACK_NONE, REWRITE_REASON_TRACK_NONE, 0, 0},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("%s", rows[i].field);
    g_autofree char *message = g_strconcat(rows[i].field, HEAD TEXT_HTML "\r\n" HTML, NULL);
    struct rewrite_request request = request_for(message);
    request.track = rows[i].track;
    g_autoptr(rewrite_result) result = rewrite_message(&request);
    assert_int_equal(result->reason, rows[i].message);
    g_autofree char *out = apply(result, message, request.length);
    assert_true(g_str_has_prefix(out, rows[i].field));
    if (result->action == REWRITE_LEFT) continue;
    assert_int_equal(g_array_index(result->links, struct rewrite_link, 0).reason, rows[i].link);
    assert_int_equal(result->pixel, rows[i].pixel);
  }
}

/* Ceilings: of tenant, list and message the one that allows least. */
static void test_ceiling(void **state)
{
  (void)state;
  static const struct {
    enum rewrite_track tenant, list;
    const char *field;
    enum rewrite_reason message, pixel;
  } rows[] = {
      {REWRITE_TRACK_ALL, REWRITE_TRACK_ALL, "", REWRITE_REASON_TRACKED, REWRITE_REASON_TRACKED},
      {REWRITE_TRACK_ALL, REWRITE_TRACK_CLICKS, "", REWRITE_REASON_TRACKED, REWRITE_REASON_PIXEL_MODE},
      {REWRITE_TRACK_ALL, REWRITE_TRACK_CLICKS, "X-Tidings-Track: all\r\n", REWRITE_REASON_TRACKED,
       REWRITE_REASON_PIXEL_MODE},
      {REWRITE_TRACK_ALL, REWRITE_TRACK_NONE, "X-Tidings-Track: all\r\n", REWRITE_REASON_TRACK_LIST, 0},
      {REWRITE_TRACK_ALL, REWRITE_TRACK_AGGREGATE, "", REWRITE_REASON_TRACK_AGGREGATE, 0},
      {REWRITE_TRACK_CLICKS, REWRITE_TRACK_ALL, "", REWRITE_REASON_TRACKED, REWRITE_REASON_PIXEL_MODE},
      {REWRITE_TRACK_NONE, REWRITE_TRACK_ALL, "", REWRITE_REASON_TRACK_NONE, 0},
      {REWRITE_TRACK_ALL, REWRITE_TRACK_CLICKS, "X-Tidings-Track: none\r\n", REWRITE_REASON_TRACK_REQUEST, 0},
      {REWRITE_TRACK_ALL, REWRITE_TRACK_CLICKS, "X-PM-TrackLinks: None\r\n", REWRITE_REASON_TRACK_REQUEST, 0},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("row %zu\n", i);
    g_autofree char *message = g_strconcat(rows[i].field, HEAD TEXT_HTML "\r\n" HTML, NULL);
    struct rewrite_request request = request_for(message);
    request.track = rows[i].tenant;
    request.list = "news";
    request.list_limited = true;
    request.list_track = rows[i].list;
    request.unsubscribe = true;
    g_autoptr(rewrite_result) result = rewrite_message(&request);
    assert_int_equal(result->reason, rows[i].message);
    if (result->action == REWRITE_TRACKED) assert_int_equal(result->pixel, rows[i].pixel);
    g_autofree char *out = apply(result, message, request.length);
    /* Leaving the list stays possible, whatever is measured. */
    if (rows[i].message != REWRITE_REASON_TRACK_AGGREGATE) assert_non_null(strstr(out, "List-Unsubscribe: "));
  }
}

/* UTM tags are in the token, and only of tracked links. */
static void test_utm(void **state)
{
  (void)state;
  static const struct {
    const char *field, *list, *destination;
    bool utm;
  } rows[] = {
      {"", NULL, URL, false},
      {"", "news", "https://example.com/a?b=1&c=2&utm_source=shop&utm_medium=email&utm_campaign=news#d",
       true},
      {"X-Tidings-Campaign: May sale\r\n", "news",
       "https://example.com/a?b=1&c=2&utm_source=shop&utm_medium=email&utm_campaign=May%20sale#d", true},
      {"X-Tidings-UTM: no\r\n", "news", URL, true},
      {"X-Tidings-UTM: Yes\r\n", NULL, "https://example.com/a?b=1&c=2&utm_source=shop&utm_medium=email#d",
       false},
      {"X-Tidings-UTM: yes\r\nX-Tidings-UTM: no\r\n", NULL, URL, false},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("row %zu\n", i);
    g_autofree char *message = g_strconcat(
        rows[i].field, HEAD TEXT_HTML "\r\n<a href=\"https://example.com/unsubscribe\">x</a>" HTML, NULL);
    struct rewrite_request request = request_for(message);
    request.list = rows[i].list;
    request.utm = rows[i].utm;
    request.utm_source = "shop";
    g_autoptr(rewrite_result) result = rewrite_message(&request);
    g_autofree char *out = apply(result, message, request.length);
    assert_non_null(strstr(out, "\"https://example.com/unsubscribe\""));
    assert_null(strstr(out, "utm_"));
    assert_null(strstr(out, "X-Tidings"));
    g_autofree char *destination = first_destination(out);
    assert_string_equal(destination, rows[i].destination);
    const struct rewrite_link *link = &g_array_index(result->links, struct rewrite_link, 1);
    assert_string_equal(link->url, URL);
    assert_string_equal(link->destination ? link->destination : link->url, rows[i].destination);
  }
}

/* M11, M12: links of plain text, where the tenant asks for them, through each
 * transfer encoding. */
static void test_text_links(void **state)
{
  (void)state;
  static const struct {
    const char *name, *header, *body;
    bool on;
    enum rewrite_reason reason, part;
    enum mail_encoding encoding;
  } rows[] = {
      {"off", "", "See <" URL ">.\r\n", false, REWRITE_REASON_NO_HTML, REWRITE_REASON_NOT_HTML, 0},
      {"7bit", "", "See <" URL ">.\r\n", true, REWRITE_REASON_TRACKED, 0, MAIL_ENCODING_7BIT},
      {"8bit", "Content-Transfer-Encoding: 8bit\r\n", "\xC3\xBC (" URL "),\r\n", true, REWRITE_REASON_TRACKED,
       0, MAIL_ENCODING_8BIT},
      {"qp", "Content-Transfer-Encoding: quoted-printable\r\n",
       "=C3=BC https://example.com/a?b=\r\n=3D1&c=3D2#d.\r\n", true, REWRITE_REASON_TRACKED, 0,
       MAIL_ENCODING_QP},
      {"base64", "Content-Transfer-Encoding: base64\r\n",
       "U2VlIGh0dHBzOi8vZXhhbXBsZS5jb20vYT9iPTEmYz0yI2QuDQo=\r\n", true, REWRITE_REASON_TRACKED, 0,
       MAIL_ENCODING_BASE64},
      {"flowed", "Content-Type: text/plain; format=flowed\r\n", "Look \r\n" URL " \r\nx\r\n-- \r\nme\r\n",
       true, REWRITE_REASON_TRACKED, 0, MAIL_ENCODING_7BIT},
      {"delsp", "Content-Type: text/plain; format=flowed; delsp=yes\r\n", URL "\r\n", true,
       REWRITE_REASON_NO_HTML, REWRITE_REASON_DELSP, 0},
      {"utf-16", "Content-Type: text/plain; charset=utf-16le\r\n", URL "\r\n", true, REWRITE_REASON_NO_HTML,
       REWRITE_REASON_CHARSET, 0},
      {"attachment", "Content-Disposition: attachment\r\n", URL "\r\n", true, REWRITE_REASON_NO_HTML,
       REWRITE_REASON_ATTACHMENT, 0},
      {"pgp", "", URL "\r\n-----BEGIN PGP MESSAGE-----\r\n", true, REWRITE_REASON_PGP_INLINE, 0, 0},
      {"quoted", "", "> " URL "\r\n", true, REWRITE_REASON_NOTHING, REWRITE_REASON_NOTHING, 0},
      {"html only", "X-PM-TrackLinks: HtmlOnly\r\n", URL "\r\n", true, REWRITE_REASON_NOTHING,
       REWRITE_REASON_NOTHING, 0},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("%s\n", rows[i].name);
    g_autofree char *message = g_strconcat(HEAD, rows[i].header, "\r\n", rows[i].body, NULL);
    struct rewrite_request request = request_for(message);
    request.text_links = rows[i].on;
    g_autoptr(rewrite_result) result = rewrite_message(&request);
    assert_int_equal(result->reason, rows[i].reason);
    assert_true(result->pixel != REWRITE_REASON_TRACKED);
    if (rows[i].part)
      assert_int_equal(g_array_index(result->parts, struct rewrite_part, 0).reason, rows[i].part);
    g_autofree char *out = apply(result, message, request.length);
    if (result->action == REWRITE_LEFT) {
      assert_string_equal(out, message);
      continue;
    }
    g_autofree char *was = decoded_body(message, rows[i].encoding);
    g_autofree char *is = decoded_body(out, rows[i].encoding);
    g_autofree char *destination = first_destination(is);
    assert_string_equal(destination, URL);
    /* What stands around the link stays. */
    const char *link = strstr(was, URL), *tracked = strstr(is, BASE);
    assert_memory_equal(was, is, link - was);
    assert_int_equal(link - was, tracked - is);
    assert_true(g_str_has_suffix(is, link + strlen(URL)));
    struct rewrite_request again = request_for(out);
    again.text_links = true;
    g_autoptr(rewrite_result) second = rewrite_message(&again);
    assert_int_equal(second->reason, REWRITE_REASON_NOTHING);
  }
}

/* The same address in both alternatives is one link; the pixel is in the HTML even
 * where plain text comes last. */
static void test_text_and_html(void **state)
{
  (void)state;
  const char *message = HEAD "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" PART_HTML
                             "\r\n--b\r\n\r\n" URL "\r\n--b--\r\n";
  struct rewrite_request request = request_for(message);
  request.text_links = true;
  g_autoptr(rewrite_result) result = rewrite_message(&request);
  g_autofree char *out = apply(result, message, request.length);
  assert_int_equal(result->tracked, 1);
  assert_int_equal(result->links->len, 2);
  assert_int_equal(result->pixel, REWRITE_REASON_TRACKED);
  assert_non_null(strstr(out, "<img"));
  assert_non_null(strstr(out, "\r\n\r\n" BASE "/c/"));
}

static void test_marker(void **state)
{
  (void)state;
  struct rewrite_marker marker = {.tenant = 7, .journey = INT64_C(123456789012), .step = "a.b", .visit = 3},
                        back;
  g_autoptr(GString) text = g_string_new(NULL);
  assert_true(rewrite_marker_seal(keys, &marker, text, NULL));
  assert_true(rewrite_marker_open(keys, text->str, &back));
  assert_int_equal(back.tenant, 7);
  assert_int_equal(back.journey, marker.journey);
  assert_string_equal(back.step, "a.b");
  assert_int_equal(back.visit, 3);
  assert_false(rewrite_marker_open(keys, "x", &back));
  /* Of a copy of a split mail. */
  struct rewrite_marker copy = {.tenant = 7, .copy = INT64_C(0x123456789abcdef)};
  g_string_set_size(text, 0);
  assert_true(rewrite_marker_seal(keys, &copy, text, NULL));
  assert_true(rewrite_marker_open(keys, text->str, &back));
  assert_int_equal(back.tenant, 7);
  assert_true(back.copy == copy.copy && back.journey == 0 && back.step[0] == '\0');
  marker.step[0] = '\0';
  assert_false(rewrite_marker_seal(keys, &marker, text, NULL));
  /* With it an automatic mail is tracked. */
  struct rewrite_request request =
      request_for("Auto-Submitted: auto-generated\r\n" HEAD TEXT_HTML "\r\n" HTML);
  request.own = true;
  g_autoptr(rewrite_result) result = rewrite_message(&request);
  assert_int_equal(result->reason, REWRITE_REASON_TRACKED);
}

/* The caller could not keep its side: nothing of the change remains. */
static void test_leave(void **state)
{
  (void)state;
  const char *message = "X-Tidings-List: a\r\nLines: 4\r\n" HEAD TEXT_HTML "\r\n" HTML;
  struct rewrite_request request = request_for(message);
  request.list = "a";
  request.unsubscribe = true;
  g_autoptr(rewrite_result) result = rewrite_message(&request);
  assert_int_equal(result->action, REWRITE_TRACKED);
  rewrite_result_leave(result, REWRITE_REASON_JOURNAL);
  g_autofree char *out = apply(result, message, request.length);
  assert_string_equal(out, "Lines: 4\r\n" HEAD TEXT_HTML "\r\n" HTML);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_left),
      cmocka_unit_test(test_request),
      cmocka_unit_test(test_clicks_has_no_pixel),
      cmocka_unit_test(test_too_long),
      cmocka_unit_test(test_encodings),
      cmocka_unit_test(test_long_line),
      cmocka_unit_test(test_nested),
      cmocka_unit_test(test_lf),
      cmocka_unit_test(test_unsubscribe),
      cmocka_unit_test(test_control),
      cmocka_unit_test(test_track_field),
      cmocka_unit_test(test_optout),
      cmocka_unit_test(test_ceiling),
      cmocka_unit_test(test_utm),
      cmocka_unit_test(test_text_links),
      cmocka_unit_test(test_text_and_html),
      cmocka_unit_test(test_marker),
      cmocka_unit_test(test_leave),
  };
  return cmocka_run_group_tests(tests, make_keys, free_keys);
}
