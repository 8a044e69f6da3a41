"""Two tenants on one host never see, count, move or stop anything of each other; and
what tidings(1) says of a live system is what happened."""

import base64
import csv
import json
import re
import signal
import smtplib
import subprocess

import pytest

from circle import Arrived, html_mail, running
from postfix import wait_until

LINK = '<p><a href="https://k.test/">x</a></p>'
WELCOME = """\
    workflow: welcome
    list: news
    from: "{name} <news@{name}.test>"
    trigger: {{mail: {{list: news}}}}
    steps:
      - name: wait
        wait_for: click
        within: 3 days
        then: letter
        otherwise: exit
      - name: letter
        send: letter.eml
    """
LETTER = """\
    Subject: {name} thanks {{{{ contact.address }}}}

    Thanks.
    """
# The one reader, known to both.
BOTH = "both@reader.test"


@pytest.fixture(scope="module")
def circle(workdir):
    with running(workdir) as circle:
        for name in ("apple", "pear"):
            circle.tenant(name, f"{name}.test", "--user", f"{name}-user", lists=["news"])
            circle.workflow(name, WELCOME.format(name=name), letter=LETTER.format(name=name))
            circle.ctl("contact", "add", name, BOTH, "--list", "news", "--field", f"of={name}")
        circle.ctl("list", "add", "pear", "secret", "--title", "Pear's secret")
        circle.ctl("contact", "add", "pear", "pear-only@reader.test")
        circle.published()
        yield circle


def news(name, to=BOTH, entry="news"):
    return html_mail(f"news@{name}.test", to, LINK, headers=f"X-Tidings-List: {entry}\n")


def counts(circle, name):
    return circle.report(name).get("tenant", {})


def test_mail_and_hits_are_apart(circle):
    """The same reader, the same list's name, the same workflow's name: a click on the
    mail of one moves and counts nothing of the other."""
    mails = {name: circle.send(f"news@{name}.test", BOTH, news(name)) for name in ("apple", "pear")}
    for name, mail in mails.items():
        assert mail.links[0].startswith(circle.url(f"{name}.test"))
        circle.wait_journey(name, BOTH, "welcome", active=True, step="wait")
    pear = counts(circle, "pear")
    circle.advance()
    circle.hit(mails["apple"].pixel)
    circle.hit(mails["apple"].links[0])
    circle.wait_journey("apple", BOTH, "welcome", active=False, outcome="end")
    thanks = Arrived(circle.sink.wait_to(BOTH, 3)[2])
    assert thanks["Subject"] == f"apple thanks {BOTH}"
    circle.round()
    assert circle.journey("pear", BOTH, "welcome")["active"]
    assert counts(circle, "pear") == pear
    assert circle.timeline("pear", BOTH, "open", "click", "sent") == []
    assert counts(circle, "apple")["clicks"] == counts(circle, "apple")["opens"] == 1


def test_unsubscribing_is_apart(circle):
    mail = circle.send("news@apple.test", "leaves@reader.test", news("apple", "leaves@reader.test"))
    circle.send("news@pear.test", "leaves@reader.test", news("pear", "leaves@reader.test"))
    circle.one_click(mail.unsubscribe)

    def refused():
        try:
            circle.submit("news@apple.test", "leaves@reader.test", news("apple", "leaves@reader.test"))
        except smtplib.SMTPDataError as error:
            return error.smtp_code == 550

    wait_until(refused, 5, "apple's mail is refused")
    assert circle.send("news@pear.test", "leaves@reader.test", news("pear", "leaves@reader.test")).links
    assert "unsubscribed" not in counts(circle, "pear")


def test_user_before_domain(circle):
    """Who has logged in says whose mail it is, not what the sender's address claims; and
    a tenant has no use for another's lists."""
    forged = circle.send("news@pear.test", BOTH, news("pear", entry="secret"), login="apple-user")
    assert forged.links[0].startswith(circle.url("apple.test"))
    assert forged["List-Unsubscribe"] is None
    assert "list-unknown tenant=apple list=secret" in circle.tidings.milter.log()
    assert "secret" not in "".join(circle.report("apple"))


def test_events_start_nothing_elsewhere(circle):
    circle.ctl("event", "send", "apple", "event@reader.test", "order", "number=1")
    assert circle.contact("apple", "event@reader.test")["timeline"]
    assert not_found(circle, "contact", "show", "pear", "event@reader.test")
    assert "event@reader.test" not in circle.ctl("events", "pear", "--limit", "1000")


def not_found(circle, *words):
    done = circle.ctl(*words, check=False)
    assert done.returncode == 65 and done.stdout == "", done
    assert re.match(r"tidings: (no such |there is no )", done.stderr), done
    return done.stderr


def test_the_wrong_tenant(circle):
    """Each command with the other's name of something finds nothing."""
    for words in (
        ("contact", "show", "apple", "pear-only@reader.test"),
        ("contact", "unsubscribe", "apple", "pear-only@reader.test", "news"),
        ("contact", "unsubscribe", "apple", BOTH, "secret"),
        ("contact", "add", "apple", "x@reader.test", "--list", "secret"),
        ("list", "set", "apple", "secret", "--unsubscribe", "no"),
        ("report", "nobody"),
        ("events", "nobody"),
        ("contact", "list", "nobody"),
        ("event", "send", "nobody", BOTH, "order"),
    ):
        assert "Pear's" not in not_found(circle, *words)
    circle.workflow("pear", WELCOME.format(name="pear").replace("workflow: welcome", "workflow: hidden"), letter=LETTER.format(name="pear"))
    not_found(circle, "workflow", "show", "apple", "hidden")
    assert "pear" not in circle.ctl("contact", "list", "apple") + circle.ctl("list", "show", "apple")
    assert circle.contact("apple", BOTH)["contact"]["fields"] == {"of": "apple"}
    assert circle.contact("pear", BOTH)["contact"]["fields"] == {"of": "pear"}


def test_a_domain_is_one_tenants(circle):
    done = circle.ctl("tenant", "set", "pear", "--domain", "apple.test", check=False)
    assert done.returncode != 0 and "apple.test" in done.stderr
    done = circle.ctl("tenant", "set", "pear", "--user", "apple-user", check=False)
    assert done.returncode != 0 and "apple-user" in done.stderr
    assert circle.send("news@apple.test", BOTH, news("apple")).links[0].startswith(circle.url("apple.test"))


def test_tokens_are_apart(circle):
    """A token leads nowhere with another tenant's number in it, nor on another tenant's
    host, which would lend its good name to any address."""
    mails = {name: circle.send(f"news@{name}.test", "t@reader.test", news(name, "t@reader.test")) for name in ("apple", "pear")}
    for own, other in (("apple", "pear"), ("pear", "apple")):
        mail = mails[own]
        for url in (mail.links[0], mail.pixel, mail.unsubscribe):
            assert circle.hit(url)[0] in (200, 302)
            moved = url.replace(circle.url(f"{own}.test"), circle.url(f"{other}.test"))
            assert moved != url
            assert circle.hit(moved)[0] == 404, moved
            assert circle.hit(moved, "HEAD")[0] == 404, moved
        assert circle.hit(mail.unsubscribe.replace(f"t.{own}.", f"t.{other}."), "POST", body=b"")[0] == 404
        # The tenant's number stands in the clear behind version and key.
        head, _, token = mail.links[0].rpartition("/")
        raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        numbers = {name: base64.urlsafe_b64decode(m.links[0].rpartition("/")[2][:8])[2] for name, m in mails.items()}
        assert raw[2] == numbers[own] != numbers[other]
        raw[2] = numbers[other]
        forged = base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")
        for host in ("apple", "pear"):
            assert circle.hit(f"{circle.url(host + '.test')}/c/{forged}")[0] == 404
    # A name that is nobody's, as a proxy may send, and the address itself, are no harm.
    link = mails["apple"].links[0]
    assert circle.hit(link, headers={"Host": "127.0.0.1"})[0] == 302
    assert circle.hit(link, headers={"Host": "somebody.test"})[0] == 302
    assert circle.hit(link, headers={"Host": link.split("/")[2].upper()})[0] == 302


def test_modes(circle):
    """Each tenant is measured as it was said, and what is not measured (any more) is
    answered and not recorded."""
    for mode in ("none", "aggregate", "clicks", "all"):
        circle.tenant(mode, f"{mode}.test", track=mode, lists=["news"])
        circle.ctl("contact", "add", mode, "m@reader.test")
    arrived = {
        mode: circle.send(f"a@{mode}.test", "m@reader.test", html_mail(f"a@{mode}.test", "m@reader.test", LINK))
        for mode in ("none", "aggregate", "clicks", "all")
    }
    got = {mode: (len(mail.links), len(mail.pixels)) for mode, mail in arrived.items()}
    assert got == {"none": (0, 0), "aggregate": (0, 0), "clicks": (1, 0), "all": (1, 1)}
    circle.advance()
    circle.ctl("tenant", "set", "all", "--track", "clicks")
    circle.ctl("tenant", "set", "clicks", "--track", "none")
    circle.published()
    assert circle.hit(arrived["all"].pixel)[0] == 200
    assert circle.hit(arrived["all"].links[0])[0] == circle.hit(arrived["clicks"].links[0])[0] == 302
    circle.wait_timeline("all", "m@reader.test", "click")
    circle.round()
    assert circle.timeline("all", "m@reader.test", "open") == []
    assert circle.timeline("clicks", "m@reader.test", "click") == []


# ---- tidings(1) against the live system


def test_import(circle, fresh_workdir):
    """Good lines are in, each bad one is told by its line, and a second run adds nobody."""
    file = fresh_workdir / "people.csv"
    rows = [
        ["Email", "zone", "first_name", "note"],
        ["ann@reader.test", "Europe/Oslo", "Ann", "a, b"],
        ["not an address", "", "x", ""],
        ["bob@reader.test", "Mars/Olympus", "Bob", ""],
        ["cem@reader.test", "", 'C"em', "two\nlines"],
        ["", "", "nobody", ""],
        ["dee@reader.test", "Asia/Kathmandu", "Dée", ""],
    ]
    with open(file, "w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows(rows)
    with open(file, "a", encoding="utf-8") as out:
        out.write("eve@reader.test,only two\r\n")
    done = circle.ctl("contact", "import", "apple", str(file), "--list", "news", check=False)
    assert done.returncode == 65
    told = [line.split(": ")[0].rpartition(":")[2] for line in done.stderr.splitlines() if line.startswith(str(file))]
    # The record of Cem takes two lines.
    assert sorted(told) == ["3", "4", "7", "9"], done.stderr
    assert "3 added, 0 updated, 4 refused" in done.stdout
    cem = circle.contact("apple", "cem@reader.test")
    assert cem["contact"]["fields"] == {"first_name": 'C"em', "note": "two\nlines"}
    assert cem["subscriptions"][0]["list"] == "news" and cem["subscriptions"][0]["subscribed"]
    assert circle.contact("apple", "dee@reader.test")["contact"]["zone"] == "Asia/Kathmandu"
    assert "0 added, 3 updated, 4 refused" in circle.ctl("contact", "import", "apple", str(file), check=False).stdout
    not_found(circle, "contact", "show", "pear", "cem@reader.test")


def test_events_follow(circle):
    """The tail shows what happens while it happens, and of this tenant alone."""
    command = [circle.tidings.build / "ctl/tidings", "-c", circle.tidings.conf, "events", "apple", "--follow", "--json", "-n", "1"]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as tail:
        try:
            first = json.loads(tail.stdout.readline())
            circle.ctl("event", "send", "pear", "tail@reader.test", "not-for-you")
            circle.ctl("event", "send", "apple", "tail@reader.test", "for-you", "n:=1")
            row = json.loads(tail.stdout.readline())
            assert row["id"] > first["id"] and row["kind"] == "custom"
            assert row["data"]["name"] == "for-you" and row["data"]["properties"] == {"n": 1}
            # Of no list: it starts no workflow, whose mail would come between.
            mail = circle.send("a@apple.test", "tail@reader.test", html_mail("a@apple.test", "tail@reader.test", LINK))
            circle.advance()
            circle.hit(mail.links[0])
            # The click lets a workflow send: its letter is of the same instant, so
            # either may be shown first.
            kinds = []
            while "click" not in kinds:
                kinds.append(json.loads(tail.stdout.readline())["kind"])
            assert kinds[0] == "mail" and set(kinds) <= {"mail", "click", "sent"}
        finally:
            tail.send_signal(signal.SIGTERM)


def test_contact_show(circle):
    """The page of a contact: its times in its own zone and in UTC, what happened and by
    whom."""
    circle.ctl("contact", "add", "apple", "page@reader.test", "--zone", "Asia/Kathmandu", "--list", "news", "--field", "first_name=Påge")
    mail = circle.send("news@apple.test", "page@reader.test", news("apple", "page@reader.test"))
    circle.advance()
    circle.hit(mail.pixel, "HEAD")
    circle.hit(mail.links[0])
    circle.wait_timeline("apple", "page@reader.test", "click")
    text = circle.ctl("contact", "show", "apple", "page@reader.test")
    for words in ("Asia/Kathmandu", "Påge", "subscribed", '"Hello"', "machine (head)", "human", "https://k.test/", "welcome"):
        assert words in text, text
    assert "+05:45" in text or "+0545" in text, text
