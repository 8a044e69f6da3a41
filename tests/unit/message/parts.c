/* The parts a message is made of: fields, mailboxes, and HTML as text. What Python reads of
 * whole messages is in tests/conformance/message.py. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "message/field.h"
#include "message/message.h"
#include "message/text.h"

static const struct {
  const char *name, *text, *field;
} fields[] = {
    {"plain", "Hello", "S: Hello\r\n"},
    {"empty", "", "S:\r\n"},
    {"encoded", "Åse", "S: =?utf-8?q?=C3=85se?=\r\n"},
    {"like an encoded word", "a =?x", "S: =?utf-8?q?a_=3D=3Fx?=\r\n"},
    {"folded", "1234567890 1234567890 1234567890 1234567890 1234567890 1234567890 12345678 x",
     "S: 1234567890 1234567890 1234567890 1234567890 1234567890 1234567890 12345678\r\n x\r\n"},
};

static void test_fields(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
    print_message("%s\n", fields[i].name);
    g_autoptr(GString) out = g_string_new(NULL);
    message_put_text(out, "S", fields[i].text);
    assert_string_equal(out->str, fields[i].field);
  }
}

static const struct {
  const char *text, *field; /* field NULL: refused */
} mailboxes[] = {
    {"a@example.com", "F: a@example.com\r\n"},
    {" <a@example.com> ", "F: a@example.com\r\n"},
    {"Anna <a@example.com>", "F: Anna <a@example.com>\r\n"},
    {"\"Anna, B\" <a@example.com>", "F: \"Anna, B\" <a@example.com>\r\n"},
    {"Anna \"B\" <a@example.com>", "F: \"Anna \\\"B\\\"\" <a@example.com>\r\n"},
    {"Åse <a@example.com>", "F: =?utf-8?q?=C3=85se?= <a@example.com>\r\n"},
    {"a@example.com, B <b@example.com>", "F: a@example.com, B <b@example.com>\r\n"},
    {"a@Exämple.com", "F: a@xn--exmple-cua.com\r\n"},
    {"\"a b\"@example.com", "F: \"a b\"@example.com\r\n"},
    {"a+b=c@example.com", "F: a+b=c@example.com\r\n"},
    {"", NULL},
    {"a", NULL},
    {"@example.com", NULL},
    {"a@", NULL},
    {"a@.com", NULL},
    {"a..b@example.com", NULL},
    {".a@example.com", NULL},
    {"a b@example.com", NULL},
    {"a@example.com b", NULL},
    {"a@example.com,", NULL},
    {"a@exa mple.com", NULL},
    {"a@example.com>", NULL},
    {"a@[127.0.0.1]", NULL},
    {"\"a\"b\"@example.com", NULL},
    {"\"a\\\"@example.com", NULL},
    {"å@example.com", NULL},
};

static void test_mailboxes(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(mailboxes); i++) {
    print_message("%s\n", mailboxes[i].text);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) read = message_addresses_read(mailboxes[i].text, &error);
    assert_int_equal(read != NULL, mailboxes[i].field != NULL);
    assert_int_equal(error == NULL, mailboxes[i].field != NULL);
    if (!read) continue;
    g_autoptr(GString) out = g_string_new(NULL);
    message_put_addresses(out, "F", read);
    assert_string_equal(out->str, mailboxes[i].field);
  }
}

static const struct {
  const char *html, *text;
} pages[] = {
    {"", ""},
    {"plain", "plain\n"},
    {"  a \n b\t<b>c</b> ", "a b c\n"},
    {"<p>a</p><p>b</p>", "a\n\nb\n"},
    {"<div>a</div><div>b</div>", "a\nb\n"},
    {"a<br>b<br><br><br>c", "a\nb\n\nc\n"},
    {"<ul><li>a</li><li>b</li></ul>c", "- a\n- b\n\nc\n"},
    {"<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc\n"},
    {"<a href=\"https://example.com/?a=1&amp;b\">shop</a>!", "shop (https://example.com/?a=1&b)!\n"},
    {"<a href=\"https://example.com/\">https://example.com/</a>", "https://example.com/\n"},
    {"<a href=\"https://example.com/\"><img alt=\"\"></a>", "https://example.com/\n"},
    {"<a href=\"https://example.com/\"><img alt=\"Logo\"></a>", "Logo (https://example.com/)\n"},
    {"<a href=\"mailto:a@example.com\">write</a> <a href=\"#x\">up</a>", "write up\n"},
    {"<style>x</style><title>y</title>a<script>z</script>b", "ab\n"},
    {"<div style='DISPLAY : none'>x<div>y</div></div>a", "a\n"},
    {"&lt;b&gt; &aring; &#x1F600;", "<b> å 😀\n"},
    {"a&nbsp;b&zwnj;c", "a bc\n"},
    {"<!--[if mso]>x<![endif]-->a", "a\n"},
    {"a<hr>b", "a\n\n---\n\nb\n"},
    {"<p>a<a href=\"https://example.com/\">b", "ab (https://example.com/)\n"},
};

static void test_pages(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(pages); i++) {
    print_message("%s\n", pages[i].html);
    g_autoptr(GString) out = g_string_new(NULL);
    message_text_from_html(pages[i].html, strlen(pages[i].html), out);
    assert_string_equal(out->str, pages[i].text);
  }
}

static void test_questions(void **state)
{
  (void)state;
  static const char file[] =
      "From: {{ contact.owner }} <a@example.com>\nSubject: s\n\n{{ unsubscribe_url }}\n";
  g_autoptr(message_auto) message = message_compile((const uint8_t *)file, strlen(file), "t", NULL);
  assert_true(message_has_from(message));
  assert_true(message_uses(message, "contact"));
  assert_true(message_uses(message, "unsubscribe_url"));
  assert_false(message_uses(message, "event"));
}

/* The same send gives the same bytes, and what stood in the array stays. */
static void test_again(void **state)
{
  (void)state;
  static const char file[] =
      "Subject: s {{ event.total }}\nContent-Type: text/html\n\n<p>{{ event.total }}</p>\n";
  g_autoptr(message_auto) message = message_compile((const uint8_t *)file, strlen(file), "t", NULL);
  json_auto_t *data = json_pack("{s:{s:f}}", "event", "total", 12.5);
  struct message_facts facts = {
      .data = data, .to = "a@example.com", .from = "b@example.com", .message_id = "<1@example.com>"};
  g_autoptr(GByteArray) one = g_byte_array_new(), two = g_byte_array_new();
  g_byte_array_append(two, (const uint8_t *)"x", 1);
  assert_true(message_render(message, &facts, one, NULL));
  assert_true(message_render(message, &facts, two, NULL));
  assert_int_equal(two->len, one->len + 1);
  assert_memory_equal(one->data, two->data + 1, one->len);
  assert_int_equal(json_object_size(data), 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fields),    cmocka_unit_test(test_mailboxes), cmocka_unit_test(test_pages),
      cmocka_unit_test(test_questions), cmocka_unit_test(test_again),
  };
  return cmocka_run_group_tests_name("message parts", tests, NULL, NULL);
}
