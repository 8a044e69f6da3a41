"""A real Exim with contrib/exim: tidings-filter(1) in its transport."""

import email
import email.policy
import os
import re
import subprocess

import dkim
import pytest

from circle import html_mail
from exim import Exim
from postfix import wait_until
from sink import Sink
from test_milter import BASE, SHAPES, Hrefs, page_of
from tidings import READERS, Tidings

PAGE = '<p>Gruss</p><a href="https://example.com/a?b=1&amp;c=2">Go</a>'
DKIM = """\
  dkim_domain = shop.test
  dkim_selector = sel
  dkim_private_key = {key}
  dkim_canon = relaxed
  dkim_sign_headers = From:To:Subject:Date:Message-ID:MIME-Version:Content-Type
"""


class Recorder(Sink):
    """A sink that also remembers what it did not take."""

    def __init__(self):
        super().__init__()
        self.offered = []

    def take(self, session, data):
        self.offered.append(data)
        return super().take(session, data)


@pytest.fixture(scope="module")
def tidings(workdir):
    tidings = Tidings(workdir)
    with tidings:
        tidings.ctl("tenant", "add", "shop", "--title", "Shop", "--domain", "shop.test", "--track", "all", "--url", BASE)
        tidings.ctl("tenant", "add", "other", "--title", "Other", "--domain", "other.test", "--track", "all", "--url", "https://t.other.test")
        yield tidings


@pytest.fixture
def sink():
    with Recorder() as sink:
        yield sink


@pytest.fixture
def exim(fresh_workdir, tidings, sink):
    with Exim(fresh_workdir, tidings, sink) as exim:
        yield exim


@pytest.fixture(scope="session")
def key(tmp_path_factory):
    """An RSA key that Exim's user may read, and the record of its public half."""
    file = tmp_path_factory.mktemp("dkim") / "key.pem"
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", file, "2048"], check=True, capture_output=True)
    public = subprocess.run(["openssl", "rsa", "-in", file, "-pubout"], check=True, capture_output=True, text=True).stdout
    lines = [line for line in public.splitlines() if not line.startswith("-")]
    return file.read_text(), f"v=DKIM1; k=rsa; p={''.join(lines)}".encode()


def events(tidings, kind, subject):
    """What is known of the mails with this SUBJECT, a dict each."""
    import json

    rows = [json.loads(line) for line in tidings.ctl("events", "shop", "--limit", "1000", "--json").splitlines()]
    return [row for row in rows if row["kind"] == kind and (row.get("data") or {}).get("subject") == subject]


def tokens(data):
    page = Hrefs(page_of(data))
    return page.links + page.images


def test_each_recipient(exim, sink, tidings):
    """Two recipients, two copies, two mails; nothing of the envelope stays."""
    message = html_mail("a@shop.test", "b@example.org", PAGE, subject="each")
    exim.submit("a@shop.test", ["b@example.org", "c@example.org"], message, login="shop")
    sink.wait_for(2)
    assert sorted(m.recipients for m in sink.mails) == [["b@example.org"], ["c@example.org"]]
    one, two = (tokens(m.data) for m in sink.mails)
    assert all(t.startswith((BASE + "/c/", BASE + "/o/")) for t in one + two) and len(one) == len(two) == 2
    assert not set(one) & set(two)
    assert all(b"X-Tidings" not in m.data and m.sender == "a@shop.test" for m in sink.mails)
    found = wait_until(lambda: (e := events(tidings, "mail", "each")) and len(e) == 2 and e, what="both are folded")
    assert sorted(e["data"]["to"] for e in found) == [["b@example.org"], ["c@example.org"]]
    # Each token is of its recipient's mail.
    mails = {e["data"]["to"][0]: e["mail"] for e in found}
    for mail in sink.mails:
        link = Hrefs(page_of(mail.data)).links[0]
        assert str(mails[mail.recipients[0]]) in tidings.ctl("token", "show", link)
    assert not exim.queue()


@pytest.mark.parametrize("shape", SHAPES)
def test_bytes(exim, sink, shape):
    """What is not HTML is what was sent, to the byte; a dot at the start of a line
    too."""
    head = b"From: a@shop.test\r\nTo: b@example.org\r\nSubject:  two spaces\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%s@shop.test>\r\nMIME-Version: 1.0\r\n" % shape.encode()
    sent = head + SHAPES[shape].replace(b"See https", b".See\r\n..\r\nhttps")
    exim.submit("a@shop.test", ["b@example.org"], sent, login="shop")
    got = sink.wait_for(1)[0]
    assert got.untraced.startswith(head)
    old, new = (list(email.message_from_bytes(d, policy=email.policy.default).walk()) for d in (sent, got.data))
    assert [p.get_content_type() for p in old] == [p.get_content_type() for p in new]
    for a, b in zip(old, new):
        if not a.is_multipart() and a.get_content_type() != "text/html":
            assert a.as_bytes() == b.as_bytes()
    page = Hrefs(page_of(got.data))
    assert page.links[0].startswith(BASE + "/c/") and len(page.images) == 1


def test_retry(exim, sink, tidings):
    """Each try is the same mail, byte for byte, and counts once."""
    sink.data_reply = "451 4.3.0 busy"
    message = html_mail("a@shop.test", "b@example.org", PAGE, subject="retry")
    exim.submit("a@shop.test", ["b@example.org", "c@example.org"], message, login="shop")
    wait_until(lambda: len(sink.offered) == 2, what="the first try")
    exim.flush()
    wait_until(lambda: len(sink.offered) == 4, what="the second try")
    assert not sink.mails and len(exim.queue()) == 1
    sink.data_reply = None
    exim.flush()
    sink.wait_for(2)
    assert len(sink.offered) == 6 and len(set(sink.offered)) == 2
    assert not exim.queue()
    assert {m.data for m in sink.mails} == set(sink.offered)
    wait_until(lambda: len(events(tidings, "mail", "retry")) >= 2, what="they are folded")
    # Another mail behind them: all that was there before it is folded by then.
    exim.submit("a@shop.test", ["b@example.org"], html_mail("a@shop.test", "b@example.org", PAGE, subject="behind"), login="shop")
    wait_until(lambda: events(tidings, "mail", "behind"), what="the one behind is folded")
    assert len(events(tidings, "mail", "retry")) == 2


def test_signature(fresh_workdir, sink, tidings, key):
    """Exim signs what the filter made, at each try."""
    private, record = key
    file = fresh_workdir / "key.pem"
    file.write_text(private)
    os.chown(file, 0, READERS)
    file.chmod(0o640)
    with Exim(fresh_workdir, tidings, sink, transport=DKIM.format(key=file)) as exim:
        for name, shape in SHAPES.items():
            head = f"From: a@shop.test\r\nTo: b@example.org\r\nSubject: {name}\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{name}@shop.test>\r\nMIME-Version: 1.0\r\n"
            sink.data_reply = "451 4.3.0 busy"
            tried = len(sink.offered)
            exim.submit("a@shop.test", ["b@example.org"], head.encode() + shape, login="shop")
            wait_until(lambda: len(sink.offered) == tried + 1, what="the first try")
            sink.data_reply = None
            exim.flush()
            wait_until(lambda: len(sink.offered) == tried + 2, what="the second try")
            for data in sink.offered[tried:]:
                assert BASE in page_of(data) and data.count(b"DKIM-Signature:") == 1
                assert dkim.verify(data, dnsfunc=lambda name, **_: record if name == b"sel._domainkey.shop.test." else None)
                broken = data.replace(b"/c/", b"/d/") if b"/c/" in data else data[:-40] + b"x" + data[-40:]
                assert not dkim.verify(broken, dnsfunc=lambda *_, **__: record)


FAILING = {
    "ends with a failure": "cat >/dev/null; exit 75",
    "killed at once": "kill -9 $$",
    "killed after reading": "cat >/dev/null; kill -9 $$",
    "killed half way": "head -c 300; kill -9 $$",
    "fails half way": "head -c 300; exit 1",
    "fails at the end": "cat; exit 1",
}


@pytest.mark.parametrize("signing", [False, True])
@pytest.mark.parametrize("name", FAILING)
def test_failing(fresh_workdir, sink, tidings, key, name, signing):
    """A filter that fails or dies, at whatever point, puts the message off; nothing
    of it is taken, and it goes out whole once the filter works."""
    script = fresh_workdir / "filter"
    script.write_text(f"#!/bin/sh\n{FAILING[name]}\n")
    script.chmod(0o755)
    file = fresh_workdir / "key.pem"
    file.write_text(key[0])
    file.chmod(0o644)
    options = DKIM.format(key=file) if signing else ""
    with Exim(fresh_workdir, tidings, sink, transport=options, filter=str(script)) as exim:
        exim.submit("a@shop.test", ["b@example.org"], html_mail("a@shop.test", "b@example.org", (PAGE + "\n") * 20), login="shop")
        wait_until(lambda: "transport filter process failed" in exim.log() or " == b@example.org" in exim.log(), what="the failure")
        exim.flush()
        assert not sink.mails and len(exim.queue()) == 1, exim.log()
        exim.config(filter=f"{exim.program} -c {tidings.conf}")
        exim.flush()
        got = sink.wait_for(1)[0]
        assert len(tokens(got.data)) == 21 and not exim.queue()
        assert len(sink.mails) == 1


def test_missing(fresh_workdir, sink, tidings):
    """A filter that is not there: the message waits. One that cannot do its work:
    the message goes out as it is."""
    message = html_mail("a@shop.test", "b@example.org", PAGE)
    with Exim(fresh_workdir, tidings, sink, filter="/nonexistent/filter") as exim:
        exim.submit("a@shop.test", ["b@example.org"], message, login="shop")
        wait_until(lambda: " == b@example.org" in exim.log(), what="the failure")
        assert not sink.mails and len(exim.queue()) == 1
        program = exim.program
        for number, broken in enumerate((f"{program} -c /nonexistent", f"{program} -c {tidings.conf} -t nobody")):
            exim.config(filter=broken)
            if number:  # the daemon has the first configuration
                exim.submit("a@shop.test", ["b@example.org"], message, login="shop")
                wait_until(lambda: exim.log().count(" == b@example.org") == 2, what="the failure")
            exim.flush()
            assert sink.wait_for(number + 1)[number].untraced == message


def test_not_ours(exim, sink):
    """Mail of others, and bounces, do not meet the filter; nobody can pretend."""
    forged = b"X-Tidings-Envelope: tenant=c2hvcA== sender=YUBzaG9wLnRlc3Q= recipient=YkBleGFtcGxlLm9yZw==\r\n"
    message = html_mail("a@shop.test", "b@example.org", PAGE)
    exim.submit("a@shop.test", ["b@example.org"], forged + message)
    assert sink.wait_for(1)[0].body == message.partition(b"\r\n\r\n")[2]
    # Authenticated: the envelope counts, not what the message says of itself.
    other = b"X-Tidings-Envelope: tenant=b3RoZXI= sender=YUBvdGhlci50ZXN0 recipient=ekBleGFtcGxlLm9yZw==\r\n"
    exim.submit("a@shop.test", ["b@example.org"], other + message, login="shop")
    got = sink.wait_for(2)[1]
    assert b"X-Tidings" not in got.data and all(t.startswith(BASE) for t in tokens(got.data))


def test_bounce(exim, sink):
    """A bounce is not touched, and shows what was sent."""
    sink.replies["gone@example.org"] = "550 5.1.1 no such user"
    message = html_mail("a@shop.test", "gone@example.org", PAGE)
    exim.submit("a@shop.test", ["gone@example.org"], message, login="shop")
    bounce = sink.wait_to("a@shop.test")[0]
    assert bounce.sender == "" and b"5.1.1" in bounce.data
    assert BASE.encode() not in bounce.data and b"X-Tidings" not in bounce.data
    assert PAGE.encode() in bounce.data
    assert re.search(r"=> a@shop\.test .*T=remote_smtp ", exim.log())


def test_sendmail(exim, sink, tidings):
    message = html_mail("a@shop.test", "b@example.org", PAGE, subject="sendmail").replace(b"\r\n", b"\n")
    exim.sendmail("a@shop.test", ["b@example.org", "c@example.org"], message)
    sink.wait_for(2)
    assert len({t for m in sink.mails for t in tokens(m.data)}) == 4
    wait_until(lambda: len(events(tidings, "mail", "sendmail")) == 2, what="both are folded")
    # A sender of no tenant: left alone.
    exim.sendmail("a@nobody.test", ["d@example.org"], message.replace(b"shop.test", b"nobody.test"))
    assert PAGE.encode() in sink.wait_to("d@example.org")[0].data
