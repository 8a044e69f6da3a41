#!/usr/bin/python3
"""Rendered messages against Python's email and html.parser.

What goes in as a value must come out as that value in its place, and nothing else may
change: hostile values in every context of header, text and HTML give the same structure
as a harmless one.
"""
import email
import email.header
import email.policy
import email.utils
import html.parser
import json
import os
import re
import subprocess
import sys
import unicodedata
from datetime import datetime, timezone
from urllib.parse import unquote

DUMP = os.path.join(os.environ["TIDINGS_BUILD"], "tests/conformance/message-dump")

FACTS = {
    "to": "kari@example.com",
    "to_name": "Kari Nordmann",
    "from": "Anna <anna@example.com>",
    "date": 1792929600123456,
    "message_id": "<1.2.3@example.com>",
    "list": "news",
    "list_id": "news.example.com",
    "send": "s1-abc",
    "unsubscribe_url": "https://t.example.com/u/abc?a=1&b=2",
}

NAUGHTY = [
    "", "plain", "Åse", "Ærlig Østbø", "日本語の名前" * 30, "😀" * 50, "e\u0301" * 40, "مرحبا بالعالم", "\u202egnp.exe",
    "<script>alert(1)</script>", "</p></body></html>", "\"><img src=x onerror=alert(1)>", "' onmouseover='alert(1)",
    "-->", "<!--", "]]>", "&amp;", "&lt;", "&#x41;", "&", "a&b;c", "{{ contact.x }}", "{% if %}", "{{",
    "a\r\nBcc: evil@example.com", "a\nSubject: other", "a\rb", "\r\n\r\nbody", "a\u0085b\u2028c", "tab\there", "\x01\x02\x7f\x1b[31m",
    "=?utf-8?q?fake?=", "=?", "?=", "=0D=0A", "=\r\n", ".", "..", "\r\n.\r\n", "From me", "\nFrom me", "--=_tidings_", "--=_tidings_--",
    "evil@example.com", "<evil@example.com>", "a, evil@example.com", "a <evil@example.com>, b", "\"", "\\", "\\\"", "(comment)", "a;b:c",
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "\x01javascript:alert(1)", "data:text/html,x",
    "https://example.com/a?b=c&d=e#f", "//example.com", "mailto:a@example.com", "/path", "a b", "100%", "%0d%0a", "+", "ÅØ/æ",
    "x" * 998, "y" * 5000, "word " * 500, " lead", "trail ", "a  b", "red;background:url(https://evil.example)", "expression(alert(1))", "0", "true", "null",
]

count = {"messages": 0, "values": 0, "failed": 0}


def fail(name, *what):
    count["failed"] += 1
    print("FAILED", name, *[repr(w)[:300] for w in what])


def check(name, got, wanted):
    if got != wanted:
        fail(name, got, wanted)


class Dump:
    """The program under test, one request after another."""

    def __init__(self):
        self.process = subprocess.Popen([DUMP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def __call__(self, file, data=None, name="hello.eml", **facts):
        request = {"file": file, "name": name, "facts": {**FACTS, "data": data or {}, **facts}}
        request["facts"] = {k: v for k, v in request["facts"].items() if v is not None}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{DUMP} died of {request!r:.500}")
        return json.loads(line)


def check_wire(name, raw):
    """What any mail server may ask of the bytes."""
    if any(b > 126 or (b < 32 and b not in (9, 10, 13)) for b in raw):
        fail(name, "not plain ASCII")
    if b"\n" in raw.replace(b"\r\n", b"") or b"\r" in raw.replace(b"\r\n", b""):
        fail(name, "bare CR or LF")
    if max(map(len, raw.split(b"\r\n"))) > 998:
        fail(name, "a line over 998")
    header = raw.split(b"\r\n\r\n", 1)[0]
    if any(not line.strip() for line in header.split(b"\r\n")):
        fail(name, "a blank line in the header")
    if not raw.endswith(b"\r\n"):
        fail(name, "no line end at the end")


def parse(name, answer):
    count["messages"] += 1
    if "message" not in answer:
        fail(name, answer)
        return None
    raw = answer["message"].encode()
    check_wire(name, raw)
    message = email.message_from_bytes(raw, policy=email.policy.default)
    for part in message.walk():
        if part.defects:
            fail(name, "defects", part.defects)
    return message


def body(message):
    return message.get_content().replace("\r\n", "\n")


def part(message, subtype):
    return body(message.get_body((subtype,)))


def display_name(message, field):
    """By the older functions: EmailMessage of this Python keeps the blanks between the encoded words of a name."""
    raw = re.sub(r"\r?\n(?=[ \t])", "", dict(message.raw_items())[field])
    return str(email.header.make_header(email.header.decode_header(email.utils.parseaddr(raw)[0])))


def clean(value):
    """A value as it may stand in a header."""
    out = "".join(" " if c in " \u2028\u2029" or unicodedata.category(c) == "Cc" else c for c in value)
    return re.sub(" +", " ", out).strip(" ")


def cut(value):
    """Long ones are cut; at a character, somewhere before 2,000 bytes."""
    return value.encode()[:1990].decode(errors="ignore")


# ---- ordinary messages ----

PLAIN = "Subject: Hello, {{ contact.first_name | default: \"friend\" }}\n\nDear {{ contact.first_name }},\n\n.\nFrom us.\ttab  \n"

HTML = """From: "Anna, at Example" <anna@example.com>
Reply-To: help@example.com, Bjørn <bjorn@exämple.com>
Subject: Velkommen, {{ contact.first_name }}: a subject that is long enough to be
 folded in the file and again on the wire, for it goes on and on
X-Campaign: welcome
Content-Type: text/html; charset=UTF-8

<!doctype html><html><head><title>T</title><style>p { color: red }</style></head>
<body><div style="display:none">Preheader</div>
<h1>Hei {{ contact.first_name }} &amp; co</h1><p>One<br>two&nbsp;three <a href="https://example.com/?a={{ contact.q }}&amp;b=1">the shop</a></p>
<ul><li>first</li><li>second</li></ul><img src="https://example.com/x.png" alt="A picture">
<!--[if mso]><v:rect href="{{ unsubscribe_url }}"></v:rect><![endif]-->
<p><a href="{{ unsubscribe_url }}">Leave</a></p></body></html>
"""


def test_plain(dump):
    message = parse("plain", dump(PLAIN, {"contact": {"first_name": "Åse"}}))
    check("subject", message["Subject"], "Hello, Åse")
    check("from", message["From"], "Anna <anna@example.com>")
    check("to", message["To"], "Kari Nordmann <kari@example.com>")
    check("message-id", message["Message-ID"], "<1.2.3@example.com>")
    check("date", message["Date"].datetime, datetime.fromtimestamp(1792929600, timezone.utc))
    check("auto", message["Auto-Submitted"], "auto-generated")
    check("list", message["X-Tidings-List"], "news")
    check("list-id", message["List-Id"], "<news.example.com>")
    check("send", message["X-Tidings-Send"], "s1-abc")
    check("mime", message["MIME-Version"], "1.0")
    check("type", message.get_content_type(), "text/plain")
    check("body", body(message), "Dear Åse,\n\n.\nFrom us.\ttab  \n")
    check("no default", parse("default", dump(PLAIN))["Subject"], "Hello, friend")
    crlf = parse("crlf", dump(PLAIN.replace("\n", "\r\n"), {"contact": {"first_name": "Åse"}}))
    check("crlf body", body(crlf), body(message))


def test_html(dump):
    message = parse("html", dump(HTML, {"contact": {"first_name": "Åse <b>", "q": "a&b c/d"}}))
    check("from", message["From"].addresses[0].display_name, "Anna, at Example")
    check("reply-to", [a.addr_spec for a in message["Reply-To"].addresses], ["help@example.com", "bjorn@xn--exmple-cua.com"])
    check("reply-to name", message["Reply-To"].addresses[1].display_name, "Bjørn")
    check("subject", message["Subject"], "Velkommen, Åse <b>: a subject that is long enough to be folded in the file and "
          "again on the wire, for it goes on and on")
    check("own", message["X-Campaign"], "welcome")
    check("type", message.get_content_type(), "multipart/alternative")
    check("order", [p.get_content_type() for p in message.iter_parts()], ["text/plain", "text/html"])
    page = part(message, "html")
    for wanted in ("Hei Åse &lt;b&gt; &amp; co", "?a=a%26b%20c/d&amp;b=1", "href=\"https://t.example.com/u/abc?a=1&amp;b=2\">Leave",
                   "<v:rect href=\"https://t.example.com/u/abc?a=1&amp;b=2\">"):
        if wanted not in page:
            fail("html body", wanted, page)
    check("text", part(message, "plain"), """Hei Åse <b> & co

One
two three the shop (https://example.com/?a=a%26b%20c/d&b=1)

- first
- second

A picture

Leave (https://t.example.com/u/abc?a=1&b=2)
""")


# ---- hostile values ----

def test_header(dump):
    """Unstructured fields and display names hold exactly the value, cleaned."""
    file = "From: {{ v }} <anna@example.com>\nSubject: A {{ v }} B\nX-Own: {{ v }}\n\nbody\n"
    for value in NAUGHTY:
        name = f"header {value!r:.60}"
        count["values"] += 1
        message = parse(name, dump(file, {"v": value}, to_name=value))
        if not message:
            continue
        check(name, sorted(message.keys()), sorted(["Date", "From", "Subject", "X-Own", "To", "Message-ID", "Auto-Submitted", "X-Tidings-List",
                                                     "List-Id", "X-Tidings-Send", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"]))
        subject = clean("A " + value + " B")
        if len(subject.encode()) > 1990:
            if not cut(subject).startswith(str(message["Subject"])[:1500]):
                fail(name, "cut subject", message["Subject"])
        else:
            check(name, str(message["Subject"]), subject)
        check(name, [a.addr_spec for a in message["From"].addresses], ["anna@example.com"])
        check(name, [a.addr_spec for a in message["To"].addresses], ["kari@example.com"])
        if len(value.encode()) < 1900:
            check(name, display_name(message, "To"), clean(value))
        check(name, body(message), "body\n")


def lines(value):
    return value.replace("\r\n", "\n").replace("\r", "\n")


def test_text(dump):
    for value in NAUGHTY:
        name = f"text {value!r:.60}"
        count["values"] += 1
        message = parse(name, dump("Subject: s\n\na{{ v }}b\n", {"v": value}))
        if message:
            check(name, body(message), lines("a" + value + "b\n"))


class Shape(html.parser.HTMLParser):
    """The structure of a page, and the values in it."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.shape, self.values, self.text = [], {}, ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.shape.append((tag, [name for name, _ in attrs]))
        self.values.update(attrs)

    def handle_endtag(self, tag):
        self.shape.append("/" + tag)

    def handle_comment(self, data):
        self.shape.append("comment")
        self.values["comment"] = data

    def handle_data(self, data):
        self.text += data


PAGE = """<p title="a{{ v }}b" id='{{ v }}' style="color: {{ v }}"><a href="{{ v }}" name=x>{{ v }}</a>
<a rel="https://example.com/?q={{ v }}&amp;z=1" class="x"></a><img src="https://example.com/{{ v }}.png" alt="{{ v }}"></p><!-- {{ v }} --><p>end</p>"""
GOOD = re.compile(r"(https?|mailto|tel|sms):", re.I)


def visible(value):
    return "".join(c for c in lines(value) if c in "\n\t" or c >= " " and c != "\x7f")


def test_page(dump):
    file = "Subject: s\nContent-Type: text/html\n\n" + PAGE.replace("rel=", "href=", 1) + "\n"
    shape = Shape(part(parse("page", dump(file, {"v": "harmless"})), "html")).shape
    for value in NAUGHTY:
        name = f"page {value!r:.60}"
        count["values"] += 1
        message = parse(name, dump(file, {"v": value}))
        if not message:
            continue
        page = Shape(part(message, "html"))
        check(name, page.shape, shape)
        check(name, page.values["title"], "a" + visible(value) + "b")
        check(name, page.values["id"], visible(value))
        check(name, page.values["alt"], visible(value))
        check(name, unquote(page.values["src"]), "https://example.com/" + lines(value) + ".png") if "\r" not in value else None
        if not re.fullmatch(r"color: [\w#.,% -]*", page.values["style"], re.A):
            fail(name, page.values["style"])
        link = page.values["href"]  # the second; the first is below
        if re.search(r"[&\s\"'<>]", link.removeprefix("https://example.com/?q=").removesuffix("&z=1")):
            fail(name, link)
        first = re.search(r'<a href="([^"]*)" name=x>', part(message, "html"))
        target = html.unescape(first[1]) if first else fail(name, "no link")
        if target and ":" in re.split(r"[/?#]", target)[0] and not GOOD.match(target):
            fail(name, "scheme", target)
        if GOOD.match(value) and target != value:
            fail(name, "link changed", target)


# ---- what is refused ----

REFUSED = [
    ("no subject", "X: y\n\nb\n", {}, "hello.eml:1: the message has no subject"),
    ("no body", "Subject: s\n\n \n", {}, "hello.eml:3: the message has no body"),
    ("no header", "Hello\n\nb\n", {}, "hello.eml:1: this is no header field"),
    ("ours", "Subject: s\nMessage-Id: x\n\nb\n", {}, "hello.eml:2: leave 'Message-ID' out of the file: every send has its own"),
    ("twice", "Subject: s\nSubject: t\n\nb\n", {}, "hello.eml:2: 'Subject' is here for the second time"),
    ("type", "Subject: s\nContent-Type: image/png\n\nb\n", {}, "hello.eml:2: the body is text/plain or text/html"),
    ("charset", "Subject: s\nContent-Type: text/html; charset=latin1\n\nb\n", {}, "hello.eml:2: a message file is UTF-8"),
    ("control", "Subject: s\n\na\x07b\n", {}, "hello.eml:3: a control character (byte 7)"),
    ("bare CR", "Subject: s\n\na\rb\n", {}, "hello.eml:3: a control character (byte 13)"),
    ("tag", "Subject: s\n\n\n{% if x %}\n", {}, "hello.eml:4: tags ("),
    ("tag in subject", "X: y\nSubject:\n s {{ x\n\nb\n", {}, "hello.eml:3: this {{ has no }}"),
    ("unquoted", "Subject: s\nContent-Type: text/html\n\n<p>\n<a href={{ x }}>\n", {}, "hello.eml:5: put quotes around this value"),
    ("in a tag", "Subject: s\nContent-Type: text/html\n\n<p {{ x }}>\n", {}, "hello.eml:4: a value cannot be the name of an attribute"),
    ("tag name", "Subject: s\nContent-Type: text/html\n\n<p></{{ x }}>\n", {}, "hello.eml:4: a value cannot stand in a tag"),
    ("after <", "Subject: s\nContent-Type: text/html\n\n<p><{{ x }}>\n", {}, "hello.eml:4: a value cannot stand in a tag"),
    ("after <!", "Subject: s\nContent-Type: text/html\n\n<p><!{{ x }}>\n", {}, "hello.eml:4: a value cannot stand in a tag"),
    ("end of title", "Subject: s\nContent-Type: text/html\n\n<title></t{{ x }}>\n", {}, "hello.eml:4: a value cannot stand in a tag"),
    ("style", "Subject: s\nContent-Type: text/html\n\n<style>{{ x }}</style>\n", {}, "hello.eml:4: a value cannot stand in a style or script"),
    ("handler", "Subject: s\nContent-Type: text/html\n\n<p onclick=\"{{ x }}\">\n", {}, "hello.eml:4: a value cannot stand in a script"),
    ("open tag", "Subject: s\nContent-Type: text/html\n\n<p>x<a title=\"{{ x }}\n", {}, "hello.eml:4: a value cannot stand in a tag"),
    ("no from", "Subject: s\n\nb\n", {"from": None}, "hello.eml: no From"),
    ("bad from", "Subject: s\n\nb\n", {"from": "Anna"}, "hello.eml: From: 'Anna' is not an address"),
    ("no to", "Subject: s\n\nb\n", {"to": None}, "hello.eml: the contact has no address"),
    ("two to", "Subject: s\n\nb\n", {"to": "a@example.com, b@example.com"}, "'a@example.com, b@example.com' is not an address"),
    ("to with line end", "Subject: s\n\nb\n", {"to": "a@example.com\r\nBcc: b@example.com"}, "'a@example.com Bcc: b@example.com' is not"),
    ("to in UTF-8", "Subject: s\n\nb\n", {"to": "åse@example.com"}, "'åse@example.com' is not an address"),
    ("marker", "Subject: s\n\nb\n", {"send": "a b"}, "hello.eml: X-Tidings-Send cannot hold this value"),
    ("id", "Subject: s\n\nb\n", {"message_id": "<a>\r\nX: y"}, "hello.eml: Message-ID cannot hold this value"),
    ("no unsubscribe", "Subject: s\n\n{{ unsubscribe_url }}\n", {"unsubscribe_url": None}, "hello.eml: unsubscribe_url is not known"),
]


def test_refused(dump):
    for name, file, facts, wanted in REFUSED:
        answer = dump(file, None, **facts)
        if not answer.get("error", "").startswith(wanted):
            fail("refused " + name, answer, wanted)


def main():
    dump = Dump()
    for test in (test_plain, test_html, test_header, test_text, test_page, test_refused):
        test(dump)
    dump.process.stdin.close()
    if dump.process.wait() != 0:
        fail("exit", dump.process.returncode)
    print("count: %(messages)d messages read by Python, %(values)d hostile values in their contexts, %(failed)d failed" % count)
    sys.exit(1 if count["failed"] or count["values"] < 100 else 0)


main()
