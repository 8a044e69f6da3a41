/* What header fields say: parameters, display text, addresses, identifiers,
 * dates. Rows are named after the traps they stand for. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "mail/address.h"
#include "mail/content.h"
#include "mail/date.h"
#include "mail/text.h"

static void compare(const char *name, const char *is, const char *expected)
{
  if (strcmp(is, expected) != 0) print_error("row: %s\n", name);
  assert_string_equal(is, expected);
}

static const struct {
  const char *name, *value, *text;
} texts[] = {
    {"plain", " hello world ", "hello world"},
    {"fold", " hello\r\n  world", "hello  world"},
    {"M25 q", "=?utf-8?q?gr=C3=BC=C3=9Fe_da?=", "gr\303\274\303\237e da"},
    {"M25 b", "=?UTF-8?B?w7xi?= x", "\303\274b x"},
    {"M25 latin 1", "=?ISO-8859-1?Q?=FCb?=", "\303\274b"},
    {"M25 iso-2022-jp", "=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\346\227\245\346\234\254"},
    {"M25 character cut in two", "=?utf-8?q?=C3?= =?UTF-8?q?=BC?=", "\303\274"},
    {"M25 character cut in b", "=?utf-8?b?ww==?=\r\n =?utf-8?b?vA==?=", "\303\274"},
    {"M25 two charsets", "=?iso-8859-1?q?=FC?= =?utf-8?q?=C3=BC?=", "\303\274\303\274"},
    {"M25 text between", "=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"},
    {"M25 language", "=?utf-8*en?q?a?=", "a"},
    {"M25 word in a word", "x=?utf-8?q?a?=y", "xay"},
    {"M25 question mark in q", "=?utf-8?q?a?b?=", "a?b"},
    {"M25 open", "=?utf-8?q?a", "=?utf-8?q?a"},
    {"M25 not one", "=?utf-8?x?a?= =?=", "=?utf-8?x?a?= =?="},
    {"M25 unknown charset", "=?x-nope?q?a=41?=", "aA"},
    {"M25 wrong bytes", "=?utf-8?q?=FF?=", "\357\277\275"},
    {"M25 raw utf-8", "gr\303\274n", "gr\303\274n"},
    {"M25 raw 8 bit", "gr\374n", "gr\357\277\275n"},
    {"M25 NUL", "=?utf-8?q?a=00b?=", "a\357\277\275b"},
    {"empty", "", ""},
};

static void test_texts(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autofree char *text = mail_text_decode(texts[i].value, strlen(texts[i].value));
    compare(texts[i].name, text, texts[i].text);
  }
}

/* "name <address>" of each, with "group:" before. */
static const struct {
  const char *value, *list;
} addresses[] = {
    {"a@example.org", "<a@example.org>"},
    {"<a@example.org>", "<a@example.org>"},
    {"Ann Bee <a@example.org>, b@example.org (Bob)", "Ann Bee <a@example.org>|Bob <b@example.org>"},
    {"\"Bee, Ann\" <a@example.org>", "Bee, Ann <a@example.org>"},
    {"\"say \\\"x\\\"\" <a@example.org>", "say \"x\" <a@example.org>"},
    {"=?utf-8?q?=C3=BC?= <a@example.org>", "\303\274 <a@example.org>"},
    {"\"=?utf-8?q?=C3=BC?=\" <a@example.org>", "\303\274 <a@example.org>"},
    {"gr\303\274n <\303\274@\303\274.example>", "gr\303\274n <\303\274@\303\274.example>"},
    {"Friends: a@x.example, B <b@x.example>;, c@x.example",
     "Friends:<a@x.example>|Friends:B <b@x.example>|<c@x.example>"},
    {"undisclosed-recipients:;", ""},
    {"\"a b\"@example.org", "<\"a b\"@example.org>"},
    {"\"a.b\"@example.org", "<a.b@example.org>"},
    {"<\"a\\\"b\"@example.org>", "<\"a\\\"b\"@example.org>"},
    {"Ann.B <A.b+c=d@Example.Org>", "Ann.B <A.b+c=d@Example.Org>"},
    {"a . b @ example . org", "<a.b@example.org>"},
    {"a@[192.0.2.1]", "<a@[192.0.2.1]>"},
    {"<@r.example,@s.example:a@example.org>", "<a@example.org>"},
    {"Ann Bee a@example.org", "Ann Bee <a@example.org>"},
    {"Ann (x (y) \\) z) <a@example.org> (w)", "Ann <a@example.org>"},
    {"a@b.example <c@d.example>", "a@b.example <c@d.example>"},
    {"Ann <a@example.org, b@example.org", "Ann <a@example.org>|<b@example.org>"},
    {"a b <c d@example.org>", "a b <\"c d\"@example.org>"},
    {"<mailto:a@example.org>", "<\"mailto:a\"@example.org>"},
    {"<>", ""},
    {"Ann", "Ann <>"},
    {",, a@example.org ,", "<a@example.org>"},
    {"\"open <a@example.org>", "open <a@example.org> <>"},
    {"\r\n Ann\r\n <a@example.org>", "Ann <a@example.org>"},
};

static void test_addresses(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(addresses); i++) {
    GPtrArray *list = mail_addresses_read(addresses[i].value, strlen(addresses[i].value), 10);
    g_autoptr(GString) shown = g_string_new(NULL);
    for (guint k = 0; k < list->len; k++) {
      const struct mail_address *a = list->pdata[k];
      g_string_append_printf(shown, "%s%s%s%s%s<%s>", k ? "|" : "", a->group, *a->group ? ":" : "", a->name,
                             *a->name ? " " : "", a->address);
    }
    g_ptr_array_unref(list);
    compare(addresses[i].value, shown->str, addresses[i].list);
  }
  GPtrArray *two = mail_addresses_read("a@x, b@x, c@x", 13, 2);
  assert_int_equal(two->len, 2);
  g_ptr_array_unref(two);
}

static const struct {
  const char *value, *ids;
} ids[] = {
    {"<a@b>", "a@b"}, {" <a@b>\r\n <c@d>", "a@b|c@d"}, {"a@b", ""},        {"<a@b", ""},
    {"<>", ""},       {"<a\r\n @b>", "a@b"},           {"<a<b@c>", "b@c"}, {"x <a@b> (y)", "a@b"},
};

static void test_ids(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
    GPtrArray *list = mail_ids_read(ids[i].value, strlen(ids[i].value), 10);
    g_ptr_array_add(list, NULL);
    g_autofree char *joined = g_strjoinv("|", (char **)list->pdata);
    g_ptr_array_unref(list);
    compare(ids[i].value, joined, ids[i].ids);
  }
}

static const struct {
  const char *value;
  int64_t seconds; /* -1: no date */
  int offset;
} dates[] = {
    {"Mon, 1 Jan 2024 10:00:00 +0100", 1704099600, 3600},
    {"1 Jan 2024 10:00 -0000", 1704103200, 0},
    {"1 Jan 24 10:00:00 EST", 1704121200, -18000},
    {"1 Jan 99 00:00:00 GMT", 915148800, 0},
    {"1 Jan 100 00:00:00 Z", 946684800, 0},
    {"Thu, 29 Feb 2024 23:59:60 +0545", 1709230500, 20700},
    {"Tue (x), 1 (y) Jul\r\n 2003 (z) 10:52:37 +0200 (CEST)", 1057049557, 7200},
    {"01-Jul-2003 10:52:37 +0200", 1057049557, 7200},
    {"29 Feb 2023 00:00:00 +0000", -1, 0},
    {"31 Apr 2023 00:00:00 +0000", -1, 0},
    {"0 Apr 2023 00:00:00 +0000", -1, 0},
    {"1 Foo 2023 00:00:00 +0000", -1, 0},
    {"1 anf 2023 00:00:00 +0000", -1, 0},
    {"1 Jan 2023 24:00:00 +0000", -1, 0},
    {"1 Jan 2023 10:60:00 +0000", -1, 0},
    {"1 Jan 2023 10:00:00 +100", -1, 0},
    {"1 Jan 2023 10:00:00 +0199", -1, 0},
    {"1 Jan 12023 10:00:00 +0000", -1, 0},
    {"1 Jan 9999 00:00:00 +0000", 253370764800, 0},
    {"", -1, 0},
    {"tomorrow", -1, 0},
};

static void test_dates(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(dates); i++) {
    int64_t instant = -1000000;
    int offset = 0;
    bool is_date = mail_date_read(dates[i].value, strlen(dates[i].value), &instant, &offset);
    if (is_date != (dates[i].seconds != -1) || instant != dates[i].seconds * 1000000)
      print_error("row: %s\n", dates[i].value);
    assert_int_equal(is_date, dates[i].seconds != -1);
    assert_int_equal(instant, dates[i].seconds * 1000000);
    assert_int_equal(offset, dates[i].offset);
  }
}

/* Rows with an asterisk are M26. */
static const struct {
  const char *value, *shown; /* type/subtype; name=value … !faults, a fault of a parameter as :faults */
} contents[] = {
    {"text/html", "text/html"},
    {"Text/HTML; Charset=\"utf-8\"; x=y", "text/html;charset=utf-8;x=y"},
    {"text/plain; charset=a\r\n ; x=\"b\r\n c\"", "text/plain;charset=a;x=b c:32"},
    {"a/b;", "a/b"},
    {"a/b;;", "a/b"},
    {"a/b; x", "a/b!2"},
    {"a/b x=y", "a/b;x=y!2"},
    {"a / b", "a/b!2"},
    {"a/b; x=\"y\" z", "a/b;x=y!2"},
    {"a/b; x=y z", "a/b;x=y!2"},
    {"a/b; x=\"y", "a/b;x=y!2"},
    {"a/b; x=\"y\\\"z\"", "a/b;x=y\"z:32"},
    {"a/b (c (d)); x=y", "a/b;x=y!4"},
    {"a/b (c", "a/b!6"},
    {"a", "a/!1"},
    {"/b", "/b!1"},
    {"", "/!1"},
    {"a/b; x=1; X=2", "a/b;x=1:8"},
    {"a/b; x=----=_y", "a/b;x=----=_y"},
    {"a/b; x=y/z", "a/b;x=y/z:64"},
    {"a/b; x*=utf-8'en'%C3%BC", "a/b;x=\303\274:16"},
    {"a/b; x*=iso-8859-1''%FC", "a/b;x=\303\274:16"},
    {"a/b; x*1=b; x*0=a; x*2*=%63", "a/b;x=abc:16"},
    {"a/b; x*0*=utf-8''%C3; x*1*=%BC; x*2=%41", "a/b;x=\303\274%41:16"},
    {"a/b; x*0=a; x*2=c", "a/b;x=a:16"},
    {"a/b; x*0=a; x*0=b", "a/b;x=a:24"},
    {"a/b; x*0y=a", "a/b;x=a:16!2"},
    {"a/b; *0=a", "a/b;=a:16!2"},
    {"a/b; x*", "a/b!2"},
    {"a/b; x=a; x*0=b", "a/b;x=b:24"},
    {"a/b; x=a; x*=utf-8''b", "a/b;x=b:24"},
    {"a/b; x==?utf-8?q?a?=", "a/b;x==?utf-8?q?a?=:96"},
};

static void test_contents(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(contents); i++) {
    struct mail_content content;
    mail_content_type_read(contents[i].value, strlen(contents[i].value), &content);
    g_autoptr(GString) shown = g_string_new(NULL);
    g_string_append_printf(shown, "%s/%s", content.type, content.subtype);
    for (guint k = 0; k < content.params->len; k++) {
      const struct mail_param *param = content.params->pdata[k];
      g_string_append_printf(shown, ";%s=%s", param->name, param->value);
      if (param->faults) g_string_append_printf(shown, ":%u", param->faults);
    }
    if (content.faults) g_string_append_printf(shown, "!%u", content.faults);
    mail_content_clear(&content);
    compare(contents[i].value, shown->str, contents[i].shown);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_texts), cmocka_unit_test(test_addresses), cmocka_unit_test(test_ids),
      cmocka_unit_test(test_dates), cmocka_unit_test(test_contents),
  };
  return cmocka_run_group_tests_name("mail-text", tests, NULL, NULL);
}
