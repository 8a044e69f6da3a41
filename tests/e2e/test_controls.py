"""Who may say what is measured: tenant, list, message and link, and what explain says
of it beforehand."""

import contextlib
import re
import smtplib
import sqlite3

import pytest

from circle import html_mail, running

SENDER = "news@shop.test"
LINK = '<p><a href="https://k.test/a?b=1#c">x</a> <a href="https://k.test/unsubscribe">y</a></p>'


@pytest.fixture(scope="module")
def circle(workdir):
    with running(workdir) as circle:
        circle.tenant("shop", "shop.test", lists=["news"])
        circle.ctl("list", "add", "shop", "quiet", "--track", "none")
        circle.ctl("list", "add", "shop", "clicks", "--track", "clicks", "--utm", "yes")
        circle.published()
        yield circle


def mail(to, headers=""):
    return html_mail(SENDER, to, LINK, headers=headers)


def explained(circle, message):
    file = circle.tidings.root / "message.eml"
    file.write_bytes(message)
    return circle.json("explain", "--tenant", "shop", "--sender", SENDER, str(file))[0]


@pytest.mark.parametrize(
    "headers, links, pixels",
    [
        ("", 1, 1),
        ("X-Tidings-List: news\n", 1, 1),
        ("X-Tidings-List: quiet\n", 0, 0),
        ("X-Tidings-List: quiet\nX-Tidings-Track: all\n", 0, 0),
        ("X-Tidings-List: clicks\n", 1, 0),
        ("X-Tidings-List: clicks\nX-Tidings-Track: none\n", 0, 0),
        ("X-PM-TrackOpens: false\n", 1, 0),
        ("X-Mailgun-Track-Clicks: no\n", 0, 1),
        ("X-MC-Track: none\n", 0, 0),
        ('X-SMTPAPI: {"filters":\n {"opentrack": {"settings": {"enable": 0}}}}\n', 1, 0),
    ],
)
def test_ceiling(circle, headers, links, pixels):
    """What is measured is what the strictest of tenant, list and message allows, and
    explain says so. Fields of other services arrive as they were."""
    to = "ceiling@reader.test"
    message = mail(to, headers)
    arrived = circle.send(SENDER, to, message)
    assert (len(arrived.links), len(arrived.pixels)) == (links, pixels)
    for line in headers.splitlines():
        assert (line.encode() in arrived.delivery.data) == (not line.startswith("X-Tidings")), line
    said = explained(circle, message)
    assert sum(link["action"] == "tracked" for link in said["links"]) == links
    assert (said["message"]["pixel"] == "tracked") == bool(pixels)


def test_list_set(circle):
    """The ceiling of a list can be changed, and is gone with "all"."""
    to = "set@reader.test"
    circle.ctl("list", "add", "shop", "changing")
    for mode, links, pixels in (("none", 0, 0), ("clicks", 1, 0), ("all", 1, 1)):
        circle.ctl("list", "set", "shop", "changing", "--track", mode)
        circle.published()
        arrived = circle.send(SENDER, to, mail(to, "X-Tidings-List: changing\n"))
        assert (len(arrived.links), len(arrived.pixels)) == (links, pixels)
    assert {row["name"]: row["track"] for row in circle.json("list", "show", "shop")}["changing"] == "all"
    assert "track 'some'" in circle.ctl("list", "set", "shop", "changing", "--track", "some", check=False).stderr


def test_stopped_links(circle):
    """A stopped link leads nowhere, in mail that was sent too, is recorded nowhere, and is
    left in new mail; a restored one works again. Another tenant's go on."""
    to = "stopped@reader.test"
    circle.tenant("other", "other.test")
    old = circle.send(SENDER, to, mail(to)).links[0]
    others = circle.send("a@other.test", to, html_mail("a@other.test", to, LINK)).links[0]
    clicks = circle.report("shop")["tenant"].get("clicks", 0)
    for kill, tenants in (
        (("shop", "--url", "http://K.test:443/a?b=1"), ("shop",)),
        (("shop", "--url", "https://k.test/a", "--prefix"), ("shop",)),
        (("--host", "--url", "https://k.test", "--prefix"), ("shop", "other")),
    ):
        circle.ctl("link", "kill", *kill)
        circle.published()
        for tenant, link in (("shop", old), ("other", others)):
            status, fields, body = circle.hit(link)
            if tenant in tenants:
                assert status == 410 and "Location" not in fields and b"k.test" not in body
            else:
                assert status == 302
        assert len(circle.json("link", "list", "shop")) == 1
        message = mail(to)
        assert circle.send(SENDER, to, message).links == []
        assert explained(circle, message)["links"][0]["reason"] == "stopped"
        circle.ctl("link", "restore", *kill)
        circle.published()
        assert circle.hit(old, "HEAD")[0] == 302
    circle.advance()
    circle.round()
    assert circle.report("shop")["tenant"].get("clicks", 0) == clicks
    ident = circle.json("events", "shop", "--limit", "1000")
    ids = [row["mail"] for row in ident if row["kind"] == "mail"]
    circle.ctl("link", "kill", "shop", "--url", "https://k.test/a?b=1", "--mail", str(ids[-1]))
    circle.published()
    assert circle.hit(old)[0] == 302
    assert len(circle.send(SENDER, to, mail(to)).links) == 1
    assert "is no web address" in circle.ctl("link", "kill", "shop", "--url", "k", check=False).stderr
    assert "no such link" in circle.ctl("link", "restore", "shop", "--url", "https://x.test", check=False).stderr


def test_erased(circle):
    """W8: the old links of an erased contact lead on and record nothing, no trace of the
    address stays in state, and mail to it is refused."""
    to, stays = "erased@reader.test", "stays@reader.test"
    for address in (to, stays):
        circle.ctl("contact", "add", "shop", address, "--list", "news", "--field", "name=Anna")
    first, other = (circle.send(SENDER, a, mail(a, "X-Tidings-List: news\n")) for a in (to, stays))
    circle.send(SENDER, "Unknown-Erased@reader.test", mail("Unknown-Erased@reader.test"))
    circle.advance()
    assert circle.hit(first.links[0])[0] == 302
    circle.wait_timeline("shop", to, "click")
    before = circle.report("shop")
    circle.ctl("contact", "erase", "shop", "ERASED@reader.test")
    circle.ctl("contact", "erase", "shop", "unknown-erased@reader.test")
    circle.published()
    assert circle.ctl("contact", "show", "shop", to, check=False).returncode != 0
    events = len(circle.json("events", "shop", "--limit", "1000"))
    for _ in range(2):
        status, fields, _ = circle.hit(first.links[0])
        assert (status, fields["Location"]) == (302, "https://k.test/a?b=1#c")
        assert circle.hit(first.pixel)[0] == 200
        circle.one_click(first.unsubscribe)
    circle.round()
    assert len(circle.json("events", "shop", "--limit", "1000")) == events
    assert circle.report("shop") == before
    with pytest.raises(smtplib.SMTPDataError, match="550"):
        circle.submit(SENDER, [to], mail(to))
    circle.round()
    assert circle.hit(other.links[0])[0] == 302
    circle.wait_timeline("shop", stays, "click")
    database = circle.tidings.state / "state/tidings.db"
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        dump = "\n".join(db.iterdump()).lower()
    assert "stays@reader.test" in dump and "erased@reader.test" not in dump


def test_plain_text(circle):
    """Off until the tenant says so; then the link alone differs, and leads there."""
    to = "plain@reader.test"
    circle.tenant("plain", "plain.test")
    text = b"Look (https://k.test/a),\r\n> https://k.test/b\r\n"
    head = html_mail("a@plain.test", to, "").partition(b"Content-Type:")[0]
    message = head + b"Content-Type: text/plain; format=flowed\r\n\r\n" + text
    for choice, tracked in (("no", 0), ("yes", 1)):
        circle.ctl("tenant", "set", "plain", "--text-links", choice)
        circle.published()
        arrived = circle.send("a@plain.test", to, message)
        body = arrived.delivery.data.partition(b"\r\n\r\n")[2]
        found = re.findall(rb"http://t[.]plain[.]test:\d+/c/[\w-]+", body)
        assert len(found) == tracked
        assert re.sub(rb"http://t[.][^),]*", b"https://k.test/a", body) == text
    assert circle.hit(found[0].decode())[1]["Location"] == "https://k.test/a"


@pytest.mark.parametrize(
    "headers, location",
    [
        ("X-Tidings-List: news\n", "https://k.test/a?b=1#c"),
        ("X-Tidings-List: clicks\n", "https://k.test/a?b=1&utm_source=clicks&utm_medium=email&utm_campaign=clicks#c"),
        ("X-Tidings-List: clicks\nX-Tidings-UTM: no\n", "https://k.test/a?b=1#c"),
        (
            "X-Tidings-UTM: yes\nX-Tidings-Campaign: May sale\n",
            "https://k.test/a?b=1&utm_source=shop&utm_medium=email&utm_campaign=May%20sale#c",
        ),
    ],
)
def test_utm(circle, headers, location):
    """A tracked link leads to the tagged address; one that is not tracked stays."""
    to = "utm@reader.test"
    message = mail(to, headers)
    arrived = circle.send(SENDER, to, message)
    assert "https://k.test/unsubscribe" in arrived.html and "utm_" not in arrived.html
    status, fields, _ = circle.hit(arrived.links[0])
    assert (status, fields["Location"]) == (302, location)
    link = explained(circle, message)["links"][0]
    assert link.get("destination", link["url"]) == location
