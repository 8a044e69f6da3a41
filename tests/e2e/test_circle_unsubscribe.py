"""Leaving a list: only a POST leaves, at once, and then mail of that list does not go to
that person any more, by whatever door, while all other mail does."""

import re
import smtplib
import time
from datetime import timedelta

import pytest

from circle import FORM, ONE_CLICK, PREFETCHER, SCANNER, html_mail, running
from postfix import wait_until

NEWS = "news@shop.test"
MULTIPART = (
    b"--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n",
    {"Content-Type": "multipart/form-data; boundary=b"},
)
SERIES = """\
    workflow: series
    list: news
    from: "The shop <news@shop.test>"
    trigger:
      mail: {list: news}
    steps:
      - name: pause
        wait: 2 days
        at: "09:00"
      - name: more
        send: more.eml
    """
MORE = """\
    Subject: More

    More.
    """


@pytest.fixture(scope="module")
def circle(workdir):
    # sendmail(1) has no login: what comes from this host is the shop's own.
    with running(workdir, milter_trusted="{127.0.0.1}") as circle:
        circle.tenant("shop", "shop.test", lists=["news", "offers"])
        circle.workflow("shop", SERIES, more=MORE)
        yield circle


def mail(to, entry="news"):
    field = f"X-Tidings-List: {entry}\n" if entry else ""
    return html_mail(NEWS, to, '<p><a href="https://shop.test/">shop</a></p>', headers=field)


def subscribed(circle, address):
    """A contact of both lists, and the address to leave the first by."""
    circle.ctl("contact", "add", "shop", address, "--list", "news", "--list", "offers")
    return circle.send(NEWS, address, mail(address)).unsubscribe


def refused(circle, address, entry="news"):
    """True if mail of the list to ADDRESS is refused with 550."""
    try:
        circle.submit(NEWS, address, mail(address, entry))
        return False
    except smtplib.SMTPDataError as error:
        assert error.smtp_code == 550, error
        return True


def lists(circle, address):
    return {row["list"]: row["subscribed"] for row in circle.contact("shop", address)["subscriptions"]}


def test_headers(circle):
    """The list's mail says how to leave, by RFC 2369 and 8058; other mail does not. No
    other field is touched."""
    sent = mail("headers@reader.test")
    arrived = circle.send(NEWS, "headers@reader.test", sent)
    own = re.compile(rb"(?m)^(X-Tidings-List|List-Unsubscribe|List-Unsubscribe-Post): [!-~]+(\r\n [!-~]+)*\r\n")
    head, head_after = (data.partition(b"\r\n\r\n")[0] + b"\r\n" for data in (sent, arrived.delivery.untraced))
    assert len(own.findall(head_after)) == 2
    assert own.sub(b"", head_after) == own.sub(b"", head)
    assert arrived["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert re.fullmatch(rf"<{re.escape(circle.url('shop.test'))}/u/[\w-]+>", arrived["List-Unsubscribe"])
    assert arrived["X-Tidings-List"] is None
    assert circle.send(NEWS, "headers@reader.test", mail("headers@reader.test", None))["List-Unsubscribe"] is None


def test_list_by_sender(circle):
    """A list's sender needs no header field, in the envelope or in From:."""
    circle.ctl("list", "add", "shop", "promo", "--sender", "promo@shop.test", "--title", "Promo & more")
    circle.published()
    address = "promo-reader@reader.test"
    body = '<p><a href="https://shop.test/">shop</a></p>'
    in_from = circle.send("bounce@shop.test", address, html_mail("promo@shop.test", address, body))
    in_envelope = circle.send("promo@shop.test", address, html_mail("other@shop.test", address, body))
    assert in_from.unsubscribe and in_envelope.unsubscribe
    assert "Promo &amp; more" in circle.hit(in_from.unsubscribe)[2].decode()
    circle.one_click(in_from.unsubscribe)

    def gone():
        try:
            circle.submit("promo@shop.test", address, html_mail("other@shop.test", address, body))
        except smtplib.SMTPDataError as error:
            return error.smtp_code == 550

    wait_until(gone, 5, "the list's mail is refused")
    assert not refused(circle, address)


def test_looking_changes_nothing(circle):
    """GET shows a page with a button; neither it nor HEAD, nor a sweep of scanners over
    each link of the mail, changes anything."""
    address = "looking@reader.test"
    url = subscribed(circle, address)
    status, headers, page = circle.hit(url)
    text = page.decode()
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert re.search(r'<form method="post">.*<button type="submit">', text, re.S)
    assert address not in text and "The shop" in text
    assert "no-store" in headers["Cache-Control"] and headers["Referrer-Policy"] == "no-referrer"
    assert circle.hit(url, "HEAD")[2] == b""
    for n in range(20):
        agent = (SCANNER, PREFETCHER, None, "Barracuda")[n % 4]
        status, _, _ = circle.hit(url, "HEAD" if n % 5 == 4 else "GET", agent)
        assert status == 200
    for method in ("PUT", "DELETE", "OPTIONS", "PURGE"):
        assert circle.hit(url, method, body=ONE_CLICK, headers=FORM)[0] == 405
    circle.round()
    assert lists(circle, address) == {"news": True, "offers": True}
    assert circle.timeline("shop", address, "unsubscribed") == []
    assert not refused(circle, address)


@pytest.mark.parametrize(
    "name, body, headers",
    [
        ("one-click", ONE_CLICK, FORM),
        ("multipart", *MULTIPART),
        ("empty", b"", {}),
        ("no-type", ONE_CLICK, {}),
        ("page", b"page=1", FORM),
    ],
)
def test_post_leaves(circle, name, body, headers):
    """Each form that RFC 8058 allows, and our own button; at once, and for good."""
    address = f"{name}@reader.test"
    url = subscribed(circle, address)
    began = time.monotonic()
    status, _, page = circle.hit(url, "POST", agent=None, body=body, headers=headers)
    assert status == 200 and b"unsubscribed" in page
    wait_until(lambda: refused(circle, address), 5, "the list's mail is refused", interval=0)
    assert time.monotonic() - began < 1, "visible within a second"
    # Once more is the same.
    assert circle.hit(url, "POST", body=body, headers=headers)[0] == 200
    rows = circle.wait_timeline("shop", address, "unsubscribed", 2)
    assert rows[0]["data"]["how"] == ("page" if name == "page" else "one-click")
    assert lists(circle, address) == {"news": False, "offers": True}
    assert refused(circle, address)
    # Other mail of the same sender to the same person passes.
    assert circle.send(NEWS, address, mail(address, "offers")).links
    assert circle.send(NEWS, address, mail(address, None)).links
    assert not refused(circle, "somebody-else@reader.test")


def leave(circle, address):
    circle.one_click(subscribed(circle, address))
    wait_until(lambda: refused(circle, address), 5, "the list's mail is refused")


def test_among_several(circle):
    """Of several recipients only those who left are taken off."""
    gone, stays = ["gone1@reader.test", "gone2@reader.test"], ["stays1@reader.test", "stays2@reader.test"]
    for address in gone:
        leave(circle, address)
    circle.sink.clear()
    queue_id = circle.submit(NEWS, [gone[0], stays[0], gone[1], stays[1]], mail("all@shop.test"))
    circle.postfix.wait_empty()
    assert sorted(r for m in circle.sink.mails for r in m.recipients) == stays
    assert circle.tidings.milter.log().count(f"{queue_id}: suppressed") == 2
    for address in gone:
        assert circle.wait_timeline("shop", address, "suppressed", len(circle.timeline("shop", address, "suppressed")))
    assert circle.report("shop")["list:news"]["suppressed"] >= 2


def test_sendmail(circle):
    """sendmail(1) has nobody to say 550 to: its sender gets the bounce, with the reason;
    with others among the recipients it goes to them."""
    leave(circle, "local@reader.test")
    circle.sink.clear()
    data = mail("local@reader.test").replace(b"\r\n", b"\n")
    circle.postfix.sendmail(NEWS, "local@reader.test", data, user="nobody")
    bounce = circle.sink.wait_to(NEWS)[0]
    assert bounce.sender == "" and b"local@reader.test" in bounce.data
    assert b"unsubscribed" in bounce.data, bounce.data
    circle.postfix.sendmail(NEWS, ["local@reader.test", "other@reader.test"], data, user="nobody")
    assert circle.sink.wait_to("other@reader.test")[0].sender == NEWS
    circle.postfix.wait_empty()
    assert circle.sink.to("local@reader.test") == []


def test_spelling(circle):
    """The suppression is of the person, however the address is spelled."""
    leave(circle, "Mixed.Case@Reader.test")
    assert refused(circle, "mixed.case@READER.test")


def test_workflow_ends(circle):
    """Whoever leaves gets no more of the list's workflow."""
    leaves, stays = "leaves@reader.test", "goes-on@reader.test"
    url = subscribed(circle, leaves)
    subscribed(circle, stays)
    for address in (leaves, stays):
        circle.wait_journey("shop", address, "series", active=True, step="pause")
    circle.one_click(url)
    circle.wait_journey("shop", leaves, "series", active=False, outcome="unsubscribed")
    # A mail that was refused is no mail, and starts nothing anew.
    wait_until(lambda: refused(circle, leaves), 5, "the list's mail is refused")
    circle.round()
    mails = circle.report("shop")["list:news"]["mails"]
    assert refused(circle, leaves)
    assert not refused(circle, "nobody-yet@reader.test")
    circle.wait_journey("shop", "nobody-yet@reader.test", "series", active=True)
    assert circle.report("shop")["list:news"]["mails"] == mails + 1
    assert circle.journey("shop", leaves, "series")["outcome"] == "unsubscribed"
    circle.sink.clear()
    circle.advance(timedelta(days=3))
    assert circle.sink.wait_to(stays)[0]
    circle.round()
    circle.postfix.wait_empty()
    assert circle.sink.to(leaves) == []


def test_by_the_administrator_and_back(circle):
    """tidings contact unsubscribe is the same; being added anew lifts it."""
    address = "back@reader.test"
    subscribed(circle, address)
    circle.ctl("contact", "unsubscribe", "shop", address, "news")
    circle.published()
    assert refused(circle, address)
    assert not refused(circle, address, "offers")
    circle.ctl("contact", "add", "shop", address, "--list", "news")
    circle.published()
    assert not refused(circle, address)


def test_survives_a_restart(circle):
    """What was left stays left when all daemons have stopped and started."""
    address = "restart@reader.test"
    leave(circle, address)
    circle.tidings.stop()
    circle.tidings.start()
    assert refused(circle, address)
    assert not refused(circle, "restart-other@reader.test")
