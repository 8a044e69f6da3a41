"""The circle, first half: a message passes a real Postfix and is tracked, and what its
readers do is known. Nothing but links, pixel and header fields of ours may differ from
what was sent, and what cannot be understood is not touched at all."""

import base64
import email
import email.policy
import quopri
import re
from datetime import timedelta

import pytest

from circle import BROWSER, PIXEL, PREFETCHER, SCANNER, Arrived, crlf, html_mail, running
from postfix import submit, wait_until

COURSE = "https://kitchen.test/course?week=14&seats=few#book"
ADA = "ada@kitchen.test"
DATE = "Fri, 27 Mar 2026 13:00:00 +0100"


@pytest.fixture(scope="module")
def circle(workdir):
    # The plain SMTP port asks no milter: it shows what Postfix alone makes of a message.
    with running(workdir, smtp_milter=False, milter_max_size="1M", milter_trusted="{127.0.0.1}") as circle:
        circle.tenant("kitchen", "kitchen.test", lists=["course"])
        yield circle


# ---- messages: [[…]] is the value of a link, [[pixel]] the pixel's place

TOP = """\
From: Ada's Kitchen <ada@kitchen.test>
To: Bo <bo@reader.test>
Subject: =?utf-8?Q?Bl=C3=A5b=C3=A6r?=  two  spaces,
\tand a folded line
Date: Fri, 27 Mar 2026 13:00:00 +0100
Message-ID: <course-1@kitchen.test>
X-Mailer:    odd   spelling
MIME-Version: 1.0
"""

HTML_QP = """\
<html><body><h1>Bl=C3=A5b=C3=A6r</h1>
<p>A line that is broken softly in its middle, because it is rather long, and=
 so on. <a href=3D"[[https://kitchen.test/cou=
rse?week=3D14&amp;seats=3Dfew#book]]">A new course</a></p>   =20
[[pixel]]</body></html>
"""

MESSAGES = {
    "plain html": TOP
    + """\
Content-Type: text/html; charset=us-ascii

<html><body><p>New: <a class=x href="[[https://kitchen.test/course?week=14&amp;seats=few#book]]">course</a>
<a href='[[https://kitchen.test/course?week=14&amp;seats=few#book]]' title="&lt;">again</a> trailing \t
[[pixel]]</body></html>
""",
    "alternative": TOP
    + """\
Content-Type: multipart/alternative; boundary="a b'c"

This is a preamble. <a href="https://kitchen.test/preamble">no link</a>
--a b'c
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Blåbær: https://kitchen.test/course?week=14&seats=few#book

--a b'c
Content-type:   TEXT/HTML;
\tcharset="utf-8"
content-transfer-ENCODING: 8bit

<p>Blåbær <a href=[[https://kitchen.test/course?week=14&amp;seats=few#book]] >her</a>[[pixel]]
--a b'c--
This is an epilogue.
""",
    "quoted-printable": TOP
    + "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
    + HTML_QP,
    "eight bits": TOP
    + """\
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: 8bit

<!DOCTYPE html><p>日本 <A HREF = "[[https://kitchen.test/course?week=14&amp;seats=few#book]]">Blåbær</A>
.
..a dot alone, and two
<!-- </body> <a href="https://kitchen.test/comment">no link</a> -->
<script>"<a href='https://kitchen.test/script'></body>"</script>
[[pixel]]</body>
</html>
""",
    "nested": TOP
    + """\
Content-Type: multipart/mixed; boundary=out

--out
Content-Type: multipart/alternative; boundary=in

--in
Content-Type: text/plain

Text: https://kitchen.test/course
--in
Content-Type: multipart/related; boundary=deep; type="text/html"

--deep
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

"""
    + HTML_QP
    + """\
--deep
Content-Type: image/gif
Content-Transfer-Encoding: base64
Content-ID: <logo>

R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7
--deep--
--in--

--out
Content-Type: text/html; name=page.html
Content-Disposition: attachment; filename=page.html

<a href="https://kitchen.test/attached">attached</a></body>
--out
Content-Type: message/rfc822

From: x@elsewhere.test
Subject: within
Content-Type: text/html

<a href="https://kitchen.test/within">within</a></body>
--out
Content-Type: text/calendar2; method=NONE

https://kitchen.test/other
--out--
""",
}


def sent(marked):
    """The bytes of a marked message as they are sent."""
    text = re.sub(r"\[\[(.*?)\]\]", lambda m: "" if m[1] == "pixel" else m[1], marked, flags=re.S)
    return text.replace("\n", "\r\n").encode()


def expected(marked):
    """A pattern of what may arrive: each byte outside the marks as it was sent."""
    pieces = re.split(r"\[\[.*?\]\]", marked.replace("\n", "\r\n"), flags=re.S)
    return re.compile(b"([\x21-\x7e\r\n ]+?)".join(re.escape(p.encode()) for p in pieces), re.S)


def head_and_body(data):
    head, _, body = data.partition(b"\r\n\r\n")
    return head + b"\r\n", body


def sound(data):
    """Nothing in it that mail must not have."""
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", data)
    assert max(map(len, data.split(b"\r\n"))) <= 998


def parts(data):
    """Each leaf with its header, as Python's parser sees them."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    return [(part.items(), part.get_payload(decode=True)) for part in message.walk() if not part.is_multipart()]


def same_parts(before, after):
    """Python's parser finds the same leaves; in those of HTML that are not attached, all
    but the links' values and the pixel is the same."""
    assert len(parts(before)) == len(parts(after))
    changed = 0
    for (head, payload), (head_after, payload_after) in zip(parts(before), parts(after)):
        if payload == payload_after:
            continue
        changed += 1
        cut = re.compile(rb"""(href\s*=\s*)("[^"]*"|'[^']*'|[^\s>]*)""", re.I)
        bare = PIXEL.sub("", payload_after.decode()).encode()
        assert cut.sub(rb"\1", payload).rstrip() == cut.sub(rb"\1", bare).rstrip()
        assert head[-1:] == head_after[-1:]
    assert changed == 1


@pytest.mark.parametrize("name", MESSAGES)
def test_tracked(circle, name):
    """Each kind of message: the bytes, and that its link leads where it led."""
    marked = MESSAGES[name]
    data = sent(marked)
    bo = f"{name.replace(' ', '-')}@reader.test"
    circle.ctl("contact", "add", "kitchen", bo)
    arrived = circle.send(ADA, bo, data, options=["BODY=8BITMIME"])
    after = arrived.delivery.untraced
    sound(after)
    assert head_and_body(after)[0] == head_and_body(data)[0], "the header is as it was"
    assert expected(marked).fullmatch(after), after.decode(errors="replace")
    same_parts(data, after)
    assert arrived.message.defects == [] and arrived.html
    # What was marked became tracked addresses, the same one for the same link.
    assert arrived.links and len(set(arrived.links)) == 1
    circle.advance()
    status, headers, body = circle.hit(arrived.links[0].replace("&amp;", "&"))
    assert (status, headers["Location"]) == (302, COURSE)
    status, headers, body = circle.hit(arrived.pixel)
    assert (status, len(body), headers["Content-Type"]) == (200, 43, "image/gif")
    assert "no-store" in headers["Cache-Control"] and body.startswith(b"GIF89a") and body.endswith(b";")
    (click,) = circle.wait_timeline("kitchen", bo, "click")
    (opened,) = circle.wait_timeline("kitchen", bo, "open")
    assert click["verdict"] == opened["verdict"] == "human"
    assert click["data"]["url"] == COURSE
    assert click["mail"] == opened["mail"]


@pytest.mark.parametrize("width", [76, 60])
def test_base64(circle, width):
    """A base64 leaf is encoded anew, in lines as long as its own were."""
    marked = '<html><body><p>Blåbær, <a href="[[https://kitchen.test/a?b=1&amp;c]]">her</a> …</p>[[pixel]]</body></html>'
    code = base64.b64encode(sent(marked)).decode()
    lines = "\n".join(code[i : i + width] for i in range(0, len(code), width))
    frame = TOP + (
        "Content-Type: multipart/alternative; boundary=x\n\n--x\nContent-Type: text/plain\n\nhei\n"
        "--x\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\n[[code]]\n--x--\n"
    )
    data = sent(frame.replace("[[code]]", lines))
    arrived = circle.send(ADA, "base64@reader.test", data)
    match = expected(frame).fullmatch(arrived.delivery.untraced)
    assert match, arrived.delivery.data
    inner = base64.b64decode(match[1], validate=False)
    assert expected(marked).fullmatch(inner), inner
    got = match[1].split(b"\r\n")
    assert {len(line) for line in got[:-1]} == {width} and 0 < len(got[-1]) <= width
    assert circle.hit(arrived.links[0])[1]["Location"] == "https://kitchen.test/a?b=1&c"


def test_large(circle):
    """Links everywhere, also across the pieces in which a milter gets a body (65,535
    bytes): each is tracked, and all between them is as it was."""
    rows = [f'<p>{n} <a href="[[https://k.test/{n}?a=1&amp;b={"x" * (n % 7)}]]">t</a> Blåbær</p>' for n in range(4000)]
    marked = TOP + "Content-Type: text/html; charset=utf-8\n\n" + "\n".join(rows) + "[[pixel]]\n"
    data = sent(marked)
    assert len(data) > 4 * 65535
    arrived = circle.send(ADA, "large@reader.test", data, options=["BODY=8BITMIME"])
    match = expected(marked).fullmatch(arrived.delivery.untraced)
    assert match and len(arrived.links) == len(set(arrived.links)) == len(rows)
    sound(arrived.delivery.untraced)
    for n in (0, 1, 777, 3999):
        assert circle.hit(arrived.links[n])[1]["Location"] == f"https://k.test/{n}?a=1&b={'x' * (n % 7)}"


def test_long_line(circle):
    """A line that a tracked link would make too long for mail: the part becomes
    quoted-printable, and is otherwise what it was."""
    marked = f'<p>{"word " * 185}<a href="[[https://k.test/long]]">Blåbær</a></p>[[pixel]]\n'
    field = "Content-Transfer-Encoding: 8bit\n"
    data = sent(TOP + "Content-Type: text/html; charset=utf-8\n" + field + "\n" + marked)
    after = circle.send(ADA, "line@reader.test", data, options=["BODY=8BITMIME"]).delivery.untraced
    sound(after)
    head, body = head_and_body(after)
    assert head.replace(b"quoted-printable", b"8bit") == head_and_body(data)[0] and b"quoted-printable" in head
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert expected(marked).fullmatch(quopri.decodestring(body))


def test_text_alone(circle):
    """Without HTML there is nothing to track, and none is made."""
    data = sent(TOP + "Content-Type: text/plain; charset=utf-8\n\nGo to https://kitchen.test/course!\n")
    before = len(circle.sink.to("text@reader.test"))
    queue_id = circle.submit(ADA, "text@reader.test", data)
    assert circle.sink.wait_to("text@reader.test", before + 1)[0].untraced == data
    assert circle.reason(queue_id) == ("left", "no-html")


# ---- where a click leads

# As it stands in the attribute, and the address it means.
ODD = {
    "ampersands": ("https://k.test/a?b=1&amp;c=2&#38;d=3&#x26;e", "https://k.test/a?b=1&c=2&d=3&e"),
    "no entity": ("https://k.test/x?y=1&copy=2&region", "https://k.test/x?y=1&copy=2&region"),
    "plus and escapes": ("https://k.test/?q=a+b%20c%2Fd%2fe&amp;e=", "https://k.test/?q=a+b%20c%2Fd%2fe&e="),
    "slash escaped": ("https://k.test/path%2Fwith%2fslash/../dots", "https://k.test/path%2Fwith%2fslash/../dots"),
    "empty query": ("https://k.test/p?", "https://k.test/p?"),
    "empty fragment": ("https://k.test/p#", "https://k.test/p#"),
    "no path": ("https://k.test", "https://k.test"),
    "query without path": ("https://k.test?a=b", "https://k.test?a=b"),
    "fragment": ("https://k.test/p?a#b?c/d&amp;e", "https://k.test/p?a#b?c/d&e"),
    "port": ("http://k.test:8080/", "http://k.test:8080/"),
    "userinfo": ("https://us%40er:pa+ss@k.test/x", "https://us%40er:pa+ss@k.test/x"),
    "IPv6": ("http://[2001:db8::1]:81/x", "http://[2001:db8::1]:81/x"),
    "A-label": ("https://xn--blbr-roah.test/x", "https://xn--blbr-roah.test/x"),
    "U-label": ("https://blåbær.test/x", "https://bl%C3%A5b%C3%A6r.test/x"),
    "unicode": ("https://k.test/blåbær?q=日本#ø", "https://k.test/bl%C3%A5b%C3%A6r?q=%E6%97%A5%E6%9C%AC#%C3%B8"),
    "capitals": ("HTTPS://K.Test/A", "HTTPS://K.Test/A"),
    "spaces around": ("  https://k.test/trim\t ", "https://k.test/trim"),
    "line end within": ("https://k.test/one\n  two", "https://k.test/one  two"),
    "letters escaped": ("&#104;ttps://k.test/&#x65;", "https://k.test/e"),
    "delimiters": ("https://k.test/a;b=c,d:e@f!$(g)*~'h", "https://k.test/a;b=c,d:e@f!$(g)*~'h"),
    "double slashes": ("https://k.test//a///b", "https://k.test//a///b"),
    "another address within": ("https://k.test/go?to=https://l.test/?a=b", "https://k.test/go?to=https://l.test/?a=b"),
    "percent alone": ("https://k.test/100%25/50%zz", "https://k.test/100%25/50%zz"),
    "long": ("https://k.test/?x=" + "ab-" * 300, "https://k.test/?x=" + "ab-" * 300),
}


def test_odd_links(circle):
    """The click of each goes to the address as it was written; what is no ASCII is
    escaped, since a Location cannot carry it."""
    body = "".join(f'<p><a id="{n}" href="{value}">{n}</a></p>\n' for n, (value, _) in enumerate(ODD.values()))
    arrived = circle.send(ADA, "odd@reader.test", html_mail(ADA, "odd@reader.test", body), options=["BODY=8BITMIME"])
    circle.advance()
    wrong = {}
    for n, (name, (_, address)) in enumerate(ODD.items()):
        link = re.search(rf'<a id="{n}" href="([^"]*)">', arrived.html)[1]
        got = circle.hit(link) if "/c/" in link else ("not tracked", {}, b"")
        if (got[0], got[1].get("Location")) != (302, address):
            wrong[name] = (got[0], got[1].get("Location"), address)
    assert not wrong


def test_links_that_are_left(circle):
    values = [
        "mailto:a@b.test", "tel:+47", "#here", "", "/relative", "javascript:alert(1)", "data:text/html,x", "cid:a",
        "ftp://k.test/", "myapp://open", "https://k.test/unsubscribe?u=1", "https://k.test/{{ name }}",
        "https://k.test/reset-password?token=abc", "https://k.test/" + "x" * 2000,
    ]
    body = "".join(f'<a href="{value}">x</a>\n' for value in values)
    body += '<a href="https://k.test/v">https://k.test/v</a> <a clicktracking=off href="https://k.test/off">x</a>\n'
    body += f'<a href="{circle.url("kitchen.test")}/c/abc">x</a><form action="https://k.test/form"></form>\n'
    arrived = circle.send(ADA, "left@reader.test", html_mail(ADA, "left@reader.test", body + '<a href="http://k.test/">t</a>'))
    assert PIXEL.sub("", arrived.html).replace("\r\n", "\n").startswith(body)
    assert len([link for link in arrived.links if not link.endswith("/c/abc")]) == 1


# ---- who it was


def test_verdicts(circle):
    """HEAD, a known prefetcher, a scanner, and whoever comes within seconds is a
    machine; a person is not; and all get their answer."""
    address = "verdict@reader.test"
    circle.ctl("contact", "add", "kitchen", address)
    mail = circle.send(ADA, address, html_mail(ADA, address, '<a href="https://k.test/">x</a>'))
    link, pixel = mail.links[0], mail.pixel
    circle.advance(2)
    soon = [circle.hit(link)[0], circle.hit(pixel)[0]]
    circle.advance()
    late = [
        circle.hit(link, "HEAD")[0],
        circle.hit(link, agent=PREFETCHER)[0],
        circle.hit(link, agent=SCANNER)[0],
        circle.hit(pixel, "HEAD")[0],
        circle.hit(pixel, agent="Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)")[0],
        circle.hit(link, agent=None)[0],
        circle.hit(link)[0],
    ]
    assert (soon, late) == ([302, 200], [302, 302, 302, 200, 200, 302, 302])
    clicks = circle.wait_timeline("kitchen", address, "click", 6)
    opens = circle.wait_timeline("kitchen", address, "open", 3)
    verdicts = [(row["verdict"], row["reason"]) for row in clicks]
    assert verdicts == [
        ("machine", "too-soon"), ("machine", "head"), ("machine", "prefetch"), ("machine", "scanner"),
        ("unknown", "no-agent"), ("human", "none"),
    ]
    assert [(row["verdict"], row["reason"]) for row in opens] == [
        ("machine", "too-soon"), ("machine", "head"), ("human", "proxy"),
    ]
    text = circle.ctl("contact", "show", "kitchen", address)
    assert "machine (prefetch)" in text and BROWSER not in text


def test_report_equals_what_happened(circle):
    """The sums of report --json, person and machine apart."""
    circle.tenant("sums", "sums.test", lists=["news"])
    sender = "a@sums.test"
    mails = []
    for n in range(4):
        to = f"s{n}@reader.test"
        body = '<a href="https://k.test/1">x</a>' if n < 3 else None
        data = html_mail(sender, to, body, headers="X-Tidings-List: news\n") if body else crlf(
            f"From: {sender}\nTo: {to}\nMessage-ID: <t@sums.test>\nX-Tidings-List: news\n\ntext\n"
        )
        mails.append(circle.send(sender, to, data))
    circle.advance()
    for _ in range(2):  # one person opens and clicks twice, another once, by machine a third
        circle.hit(mails[0].pixel)
        circle.hit(mails[0].links[0])
    circle.hit(mails[1].pixel)
    circle.hit(mails[2].links[0], agent=SCANNER)
    circle.hit(mails[2].pixel, "HEAD")
    want = {
        "mails": 4, "tracked": 3, "opens": 3, "opened": 2, "opens-machine": 1,
        "clicks": 2, "clicked": 1, "clicks-machine": 1,
    }

    def counts(scope):
        return {name: n for name, n in circle.report("sums").get(scope, {}).items()}

    wait_until(lambda: counts("tenant") == want, 10, f"{want}: {circle.report('sums')}")
    assert counts("list:news") == want
    table = circle.ctl("report", "sums")
    assert "list:news" in table


# ---- what is not touched


def test_tracked_once(circle):
    """A message that was tracked and comes by again, forwarded as it is or attached, is
    not tracked twice."""
    first = circle.send(ADA, "once@reader.test", html_mail(ADA, "once@reader.test", '<a href="https://k.test/">x</a>'))
    again = circle.send(ADA, "twice@reader.test", first.delivery.untraced)
    assert again.delivery.untraced == first.delivery.untraced
    resent = b"Resent-From: bo@reader.test\r\n" + first.delivery.data
    assert circle.send(ADA, "thrice@reader.test", resent).delivery.body == first.delivery.body
    head = f"From: {ADA}\nDate: {DATE}\nMessage-ID: <f@kitchen.test>\nContent-Type: message/rfc822\n\n"
    attached = crlf(head) + first.delivery.untraced
    assert circle.send(ADA, "attached@reader.test", attached).delivery.untraced == attached


def test_queued_anew(circle):
    """postsuper -r hands a message that waits to Postfix once more."""
    address = "requeued@reader.test"
    circle.sink.data_reply = "451 4.3.0 busy"
    queue_id = circle.submit(ADA, address, html_mail(ADA, address, LINK, headers="X-Tidings-List: course\n"))
    wait_until(lambda: f"{queue_id}: to=<{address}>" in circle.postfix.log(), 10, "the message waits")
    circle.postfix.run("postsuper", "-r", queue_id)
    wait_until(lambda: f"orig_id={queue_id}" in circle.postfix.log(), 10, "it is queued anew")
    circle.sink.data_reply = None
    circle.postfix.flush()
    arrived = Arrived(circle.sink.wait_to(address, timeout=30)[0])
    assert len(arrived.links) == 1 and arrived.pixel
    assert len(arrived.message.get_all("List-Unsubscribe")) == 1
    assert circle.hit(arrived.links[0])[1]["Location"] == "https://k.test/"


def test_several_recipients(circle):
    """One body for all: the token names the message, and no one recipient."""
    to = ["several1@reader.test", "several2@reader.test"]
    for address in to:
        circle.ctl("contact", "add", "kitchen", address)
    circle.submit(ADA, to, html_mail(ADA, ", ".join(to), '<a href="https://k.test/">x</a>', headers="X-Tidings-List: course\n"))
    arrived = Arrived(circle.sink.wait_to(to[0])[0])
    assert arrived.links and arrived.message["List-Unsubscribe"] is None
    circle.advance()
    circle.hit(arrived.links[0])
    wait_until(lambda: circle.report("kitchen").get("list:course", {}).get("clicks"), 10, "the click counts")
    assert not circle.timeline("kitchen", to[0], "click") and not circle.timeline("kitchen", to[1], "click")



LINK = '<p><a href="https://k.test/">x</a></p>\n'
FROM = f"From: {ADA}\nTo: bad@reader.test\nDate: {DATE}\nMessage-ID: <bad@kitchen.test>\nMIME-Version: 1.0\n"
HTML = FROM + "Content-Type: text/html; charset=utf-8\n"

# Bytes, and why they are left.
LEFT = {
    "two Content-Types": (HTML + "Content-Type: text/plain\n\n" + LINK, "ambiguous"),
    "no boundary": (FROM + "Content-Type: multipart/mixed\n\n--x\n\n" + LINK, "ambiguous"),
    "signed": (
        FROM + 'Content-Type: multipart/signed; boundary=x; protocol="application/pgp-signature"\n\n'
        "--x\nContent-Type: text/html\n\n" + LINK + "--x\nContent-Type: application/pgp-signature\n\nsig\n--x--\n",
        "signed",
    ),
    "signed by another": (
        "DKIM-Signature: v=1; a=rsa-sha256; d=other.test; s=s; h=from; bh=x; b=y\n" + HTML + "\n" + LINK, "dkim-upstream",
    ),
    "automatic": (HTML + "Auto-Submitted: auto-replied\n\n" + LINK, "automatic"),
    "invitation": (
        FROM + "Content-Type: multipart/alternative; boundary=x\n\n--x\nContent-Type: text/html\n\n" + LINK
        + "--x\nContent-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\n--x--\n", "calendar",
    ),
    "unasked": (HTML + "X-Tidings-Track: none\n\n" + LINK, "requested"),
    "NUL": (HTML + "\n<p>a\0b</p>" + LINK, None),
    "oversize": (HTML + "\n" + LINK + ("x" * 70 + "\n") * 16000, "too-large"),
    "no link, and ends in a tag": (HTML + "\n<p>text <b", None),
    "ends in a comment": (HTML + "\n<p>text <!-- " + LINK, None),
    "empty": (HTML + "\n", None),
}


def bytes_of(text):
    """With CRLF for line ends, and \v for a bare LF."""
    return text.encode().replace(b"\n", b"\r\n").replace(b"\v", b"\n")


def without(name, data):
    return re.sub(rb"(?im)^" + name + rb"[^\r\n]*\r\n", b"", data)


@pytest.mark.parametrize("name", LEFT)
def test_left_alone(circle, name):
    """In doubt it arrives as Postfix alone would have delivered it, and the log says why."""
    text, reason = LEFT[name]
    data = bytes_of(text)
    address = "bad@reader.test"
    circle.sink.clear()
    submit(circle.postfix.smtp_port, ADA, address, data, options=["BODY=8BITMIME"])
    alone = circle.sink.wait_to(address)[0].untraced
    queue_id = circle.submit(ADA, address, data, options=["BODY=8BITMIME"])
    passed = circle.sink.wait_to(address, 2)[1].untraced
    assert passed == without(b"X-Tidings-", alone)
    action, code = circle.reason(queue_id)
    assert action == "left" and code and (reason is None or code == reason), code


BROKEN = {
    "no end of the multipart": (
        FROM + "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/html\n\n" + LINK
    ),
    "HTML without end": (HTML + "\n<html><body><div><p>text <a href=\"https://k.test/\">x</a> <b <i "),
    "an attribute without end": (HTML + '\n<a href="https://k.test/">x</a><a href="https://k.test/never ends'),
    "unknown encoding": (HTML + "Content-Transfer-Encoding: x-odd\n\n" + LINK),
    "broken quoted-printable": (HTML + "Content-Transfer-Encoding: quoted-printable\n\n=ZZ=3 <a href=3D\"https://k.test/\">x</a>=\n"),
    "broken base64": (HTML + "Content-Transfer-Encoding: base64\n\n!!!!PGEgaHJlZj0\n"),
    "a header without end": (FROM + "X: " + "y" * 900 + "\n " + "z" * 900),
    "header lines that are none": (FROM + "no colon here\nContent-Type: text/html\n\n" + LINK),
    "bare CR": (HTML + "\n<p>a\rb</p>" + LINK),
    "bare LF": (HTML + "\n<p>a\vb</p>" + LINK),
    "deep": (
        FROM + "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(150)) + "\n" + LINK
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken(circle, name):
    """Broken mail arrives: as it was, or with nothing but links and pixel changed."""
    data = bytes_of(BROKEN[name])
    address = "broken@reader.test"
    circle.sink.clear()
    submit(circle.postfix.smtp_port, ADA, address, data)
    alone = circle.sink.wait_to(address)[0].untraced
    circle.submit(ADA, address, data)
    passed = circle.sink.wait_to(address, 2)[1].untraced
    tracked = re.escape(circle.url("kitchen.test").encode())
    undone = re.sub(rb'<img src="' + tracked + rb'/o/[^>]*>', b"", passed)
    undone = re.sub(tracked + rb"/c/[\w-]+", b"https://k.test/", undone)
    assert undone == alone


def test_not_ours(circle, fresh_workdir):
    """Mail from elsewhere, and of no tenant, is not touched; nobody else's field gives a
    command, and none leaves the house."""
    data = html_mail("a@stranger.test", "x@reader.test", LINK, headers="X-Tidings-List: course\nX-Tidings-Send: x\n")
    circle.sink.clear()
    queue_id = circle.submit("a@stranger.test", "x@reader.test", data)
    assert circle.sink.wait_to("x@reader.test")[0].untraced == without(b"X-Tidings-", data)
    assert circle.reason(queue_id) == ("left", "no-tenant")


def test_tokens(circle):
    """Forged, cut and altered ones get the neutral 404, and never lead anywhere."""
    mail = circle.send(ADA, "token@reader.test", html_mail(ADA, "token@reader.test", LINK, headers="X-Tidings-List: course\n"))
    link, pixel, leave = mail.links[0], mail.pixel, mail.unsubscribe
    head, _, token = link.rpartition("/")
    bad = [
        head + "/", head + "/x", link[:-1], link + "A", link + "/", link + "?a=b/../x", link.replace("/c/", "/u/"),
        link.replace("/c/", "/o/"), leave.replace("/u/", "/c/"), pixel.replace("/o/", "/c/"), link.replace("/c/", "/c//"),
        head + "/" + token[:4] + token[4:][::-1], head + "/%2e%2e/" + token, head + "/" + "A" * 5000,
    ]
    bad += [head + "/" + token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1 :] for i in range(0, len(token), 5)]
    pages = set()
    for url in bad:
        status, headers, body = circle.hit(url)
        assert (status, headers["Location"]) == (404, None) or "?" in url and status in (302, 404), url
        if status == 404:
            pages.add(body)
    assert len(pages) == 1, "one page for all"
    assert circle.hit(link)[0] == 302


def test_days_later(circle):
    """Years do not matter to an old link."""
    mail = circle.send(ADA, "old@reader.test", html_mail(ADA, "old@reader.test", LINK))
    circle.advance(timedelta(days=900))
    assert circle.hit(mail.links[0])[1]["Location"] == "https://k.test/"
