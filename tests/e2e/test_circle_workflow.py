"""The circle, second half: workflows start from what happens, wait on the contact's own
clock, and send through the same Postfix. The clock is the test's."""

import email.utils
import re
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from circle import SCANNER, Arrived, html_mail, running
from postfix import wait_until
from tidings import UTC

SHOP = "news@shop.test"
MICROSECOND = timedelta(microseconds=1)
# The clocks change on 8 March in New York, on 29 March in Europe, on 5 April at Lord
# Howe (by half an hour), never in Kathmandu (which is a quarter of an hour off).
BEGIN = datetime(2026, 3, 6, 12, tzinfo=UTC)
ZONES = {
    "oslo": "Europe/Oslo",
    "newyork": "America/New_York",
    "kathmandu": "Asia/Kathmandu",
    "lordhowe": "Australia/Lord_Howe",
    "nowhere": None,
}
TENANT_ZONE = "Europe/London"

HEAD = """\
workflow: {name}
list: news
from: "The shop <news@shop.test>"
"""
MESSAGE = """\
Subject: {subject} for {{{{ contact.first_name | default: "friend" }}}}
Content-Type: text/html; charset=utf-8

<p>Blåbær. <a href="https://shop.test/{subject}?a=1&amp;b=2#c">Look</a>
<a href="{{{{ unsubscribe_url }}}}">Leave</a></p>
"""


def message(subject):
    return MESSAGE.format(subject=subject)


@pytest.fixture(scope="module")
def circle(workdir):
    with running(workdir, clock=BEGIN) as circle:
        circle.tenant("shop", "shop.test", zone=TENANT_ZONE, lists=["news", "monthly"])
        yield circle


def load(circle, name, rest, **messages):
    circle.workflow("shop", HEAD.format(name=name) + rest, **messages)


def now(circle):
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=circle.tidings.clock.now())


def subjects(circle, address):
    return [Arrived(mail)["Subject"] for mail in circle.sink.to(address)]


def test_nine_in_the_morning(circle):
    """30 days later at 09:00 on each one's wall, across their changes of clocks: not a
    microsecond early, and then at once; through the same Postfix, tracked in its turn."""
    load(
        circle, "monthly",
        'trigger: {subscribed: monthly}\nsteps:\n  - name: month\n    wait: 30 days\n    at: "09:00"\n'
        "  - name: letter\n    send: letter.eml\n",
        letter=message("letter"),
    )
    due = {}
    for name, zone in ZONES.items():
        extra = ["--zone", zone] if zone else []
        circle.ctl("contact", "add", "shop", f"{name}@reader.test", "--list", "monthly", "--field", f"first_name={name}", *extra)
        tz = ZoneInfo(zone or TENANT_ZONE)
        day = now(circle).astimezone(tz).date() + timedelta(days=30)
        due[name] = datetime.combine(day, time(9), tzinfo=tz).astimezone(UTC)
    assert len(set(due.values())) == len(ZONES)
    for name, instant in sorted(due.items(), key=lambda item: item[1]):
        address = f"{name}@reader.test"
        plan = circle.journey("shop", address, "monthly")
        assert plan["step"] == "month" and plan["due"] == (instant - datetime(1970, 1, 1, tzinfo=UTC)) // MICROSECOND
        circle.at(instant - MICROSECOND)
        assert circle.journey("shop", address, "monthly") == plan
        assert circle.sink.to(address) == []
        circle.tidings.clock_set(instant)
        check_letter(circle, address, name, plan, instant)
    circle.round()
    assert [len(circle.sink.to(f"{name}@reader.test")) for name in ZONES] == [1] * len(ZONES)
    sums = circle.report("shop")
    assert sums["workflow:monthly"]["started"] == sums["step:monthly/letter"]["sent"] == len(ZONES)


def check_letter(circle, address, name, plan, instant):
    """The follow-up as it arrived, and what its reader does."""
    arrived = Arrived(circle.sink.wait_to(address)[0])
    assert arrived["Subject"] == f"letter for {name}" and address in arrived["To"]
    assert email.utils.parsedate_to_datetime(arrived["Date"]) == instant.replace(microsecond=0)
    assert re.fullmatch(rf"<{plan['id']:x}\.\d+\.letter@mx\.tidings\.test>", arrived["Message-ID"])
    assert arrived["List-Unsubscribe-Post"] and "/u/" in arrived.unsubscribe
    assert arrived["X-Tidings-Send"] is None and arrived["X-Tidings-List"] is None
    assert "Blåbær" in arrived.html and len(arrived.links) == 1 and arrived.delivery.sender == SHOP
    assert 'href="https://shop.test' not in arrived.html
    leave = re.findall(r'href="([^"]*/u/[^"]*)"', arrived.html)
    assert len(leave) == 1 and circle.hit(leave[0])[0] == 200
    done = circle.wait_journey("shop", address, "monthly", active=False, outcome="end")
    assert done["id"] == plan["id"]
    circle.advance()
    assert circle.hit(arrived.links[0])[1]["Location"] == "https://shop.test/letter?a=1&b=2#c"
    assert circle.hit(arrived.pixel)[0] == 200
    circle.wait_timeline("shop", address, "click")
    circle.wait_timeline("shop", address, "open")
    # The letter is of a workflow: it starts none.
    assert len(circle.contact("shop", address)["journeys"]) == 1


BRANCHES = """\
trigger: {{mail: {{list: news, subject: {word}}}}}
steps:
  - name: wait
    wait_for: {event}
    within: 3 days
    then: yes-letter
    otherwise: no-letter
  - name: yes-letter
    send: yes.eml
    next: exit
  - name: no-letter
    send: no.eml
"""


@pytest.mark.parametrize("event", ["click", "open"])
def test_wait_for(circle, event):
    """Both ways on; and machines move nobody."""
    load(circle, f"{event}s", BRANCHES.format(word=event, event=event), yes=message("yes"), no=message("no"))
    people = {name: f"{event}-{name}@reader.test" for name in ("does", "not", "machine", "late")}
    mails = {}
    for name, address in people.items():
        data = html_mail(SHOP, address, '<a href="https://k.test/">x</a>', event, "X-Tidings-List: news\n")
        mails[name] = circle.send(SHOP, address, data)
        circle.wait_journey("shop", address, f"{event}s", active=True, step="wait")
    url = {name: mail.links[0] if event == "click" else mail.pixel for name, mail in mails.items()}
    circle.advance(2)
    circle.hit(url["machine"])  # too soon
    circle.advance()
    circle.hit(url["machine"], agent=SCANNER)
    circle.hit(url["machine"], "HEAD")
    circle.hit(url["does"])
    assert Arrived(circle.sink.wait_to(people["does"], 2)[1])["Subject"] == "yes for friend"
    circle.wait_timeline("shop", people["machine"], event, 3)
    journey = circle.journey("shop", people["not"], f"{event}s")
    deadline = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=journey["due"])
    circle.at(deadline - MICROSECOND)
    assert [len(circle.sink.to(people[name])) for name in ("not", "machine", "late")] == [1, 1, 1]
    circle.hit(url["late"])  # at the last moment
    assert Arrived(circle.sink.wait_to(people["late"], 2)[1])["Subject"] == "yes for friend"
    circle.tidings.clock_set(deadline + timedelta(seconds=1))
    for name in ("not", "machine"):
        assert Arrived(circle.sink.wait_to(people[name], 2)[1])["Subject"] == "no for friend"
    circle.hit(url["not"])  # too late: nothing more happens
    circle.round()
    circle.postfix.wait_empty()
    assert [len(circle.sink.to(address)) for address in people.values()] == [2, 2, 2, 2]


def test_click_is_an_open(circle):
    """Whose program shows no images opens by clicking."""
    load(
        circle, "opened", BRANCHES.format(word="imageless", event="open"), yes=message("yes"), no=message("no")
    )
    address = "imageless@reader.test"
    data = html_mail(SHOP, address, '<a href="https://k.test/">x</a>', "imageless", "X-Tidings-List: news\n")
    mail = circle.send(SHOP, address, data)
    circle.wait_journey("shop", address, "opened", active=True, step="wait")
    circle.advance()
    circle.hit(mail.links[0])
    assert Arrived(circle.sink.wait_to(address, 2)[1])["Subject"] == "yes for friend"


def test_wait_for_of_a_step(circle):
    """An answer to the workflow's own mail counts, one to another mail does not."""
    load(
        circle, "own",
        "trigger: {subscribed: news}\nsteps:\n  - name: first\n    send: first.eml\n  - name: wait\n    wait_for: click\n"
        "    of: first\n    within: 2 days\n    then: second\n    otherwise: exit\n  - name: second\n    send: second.eml\n",
        first=message("first"), second=message("second"),
    )
    address = "own@reader.test"
    circle.ctl("contact", "add", "shop", address, "--list", "news")
    first = Arrived(circle.sink.wait_to(address)[0])
    other = circle.send(SHOP, address, html_mail(SHOP, address, '<a href="https://k.test/">x</a>'))
    circle.wait_journey("shop", address, "own", active=True, step="wait")
    circle.advance()
    circle.hit(other.links[0])
    circle.round()
    assert len(circle.sink.to(address)) == 2
    circle.hit(first.links[0])
    second = Arrived(circle.sink.wait_to(address, 3)[2])
    assert second["Subject"] == "second for friend"
    assert second["Message-ID"] != first["Message-ID"]
    circle.wait_journey("shop", address, "own", active=False, outcome="end")


def test_event(circle):
    """A program's event starts one if it says what was asked for; and ends a wait."""
    load(
        circle, "orders",
        "trigger: {event: {name: order, where: {plan: pro}}}\nsteps:\n  - name: thanks\n    send: thanks.eml\n"
        "  - name: pay\n    wait_for: {event: paid}\n    within: 90 min\n    then: exit\n    otherwise: remind\n"
        "  - name: remind\n    send: remind.eml\n",
        thanks=message("thanks"), remind=message("remind"),
    )
    for address, plan in (("pays@reader.test", "pro"), ("owes@reader.test", "pro"), ("free@reader.test", "free")):
        circle.ctl("event", "send", "shop", address, "order", f"plan={plan}")
    circle.sink.wait_to("pays@reader.test")
    circle.sink.wait_to("owes@reader.test")
    circle.wait_journey("shop", "pays@reader.test", "orders", step="pay", active=True)
    circle.wait_journey("shop", "owes@reader.test", "orders", step="pay", active=True)
    circle.advance(timedelta(minutes=60))
    circle.ctl("event", "send", "shop", "pays@reader.test", "paid")
    circle.wait_journey("shop", "pays@reader.test", "orders", active=False, outcome="end")
    circle.advance(timedelta(minutes=30))
    circle.sink.wait_to("owes@reader.test", 2)
    circle.round()
    assert subjects(circle, "pays@reader.test") == ["thanks for friend"]
    assert subjects(circle, "owes@reader.test") == ["thanks for friend", "remind for friend"]
    assert subjects(circle, "free@reader.test") == []


PAUSE = (
    'trigger: {{event: {name}}}\nsteps:\n  - name: pause\n    wait: 1 day\n    at: "09:00"\n  - name: letter\n'
    "    send: letter.eml\n"
)


def paused(circle, name, address):
    """A journey that waits for 09:00, and when that is."""
    load(circle, name, PAUSE.format(name=name), letter=message(name))
    circle.ctl("event", "send", "shop", address, name)
    journey = circle.wait_journey("shop", address, name, active=True, step="pause")
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=journey["due"])


def test_down_when_due(circle):
    """policyd was away at the instant: sent when it is back, and once."""
    due = paused(circle, "down", "down@reader.test")
    circle.tidings.policyd.stop()
    circle.tidings.clock_set(due + timedelta(hours=1))
    circle.tidings.policyd.start()
    circle.sink.wait_to("down@reader.test")
    circle.wait_journey("shop", "down@reader.test", "down", active=False, outcome="end")
    circle.tidings.policyd.stop()
    circle.tidings.policyd.start()
    circle.round()
    circle.postfix.wait_empty()
    assert len(circle.sink.to("down@reader.test")) == 1


def test_clock_steps_back(circle):
    """What was sent is not sent again when the hour comes a second time."""
    due = paused(circle, "back", "back@reader.test")
    circle.tidings.clock_set(due)
    circle.sink.wait_to("back@reader.test")
    circle.wait_journey("shop", "back@reader.test", "back", active=False, outcome="end")
    circle.at(due - timedelta(hours=1))
    circle.at(due)
    circle.at(due + timedelta(hours=1))
    circle.postfix.wait_empty()
    assert len(circle.sink.to("back@reader.test")) == 1


def test_postfix_away(circle):
    """The MTA does not answer: tried again, and sent once it does."""
    due = paused(circle, "away", "away@reader.test")
    circle.postfix.stop()
    circle.tidings.clock_set(due)
    wait_until(lambda: "send-deferred" in circle.tidings.policyd.log(), 10, "policyd has tried")
    circle.postfix.start()
    circle.advance(timedelta(hours=2))
    circle.sink.wait_to("away@reader.test")
    circle.round()
    circle.postfix.wait_empty()
    assert len(circle.sink.to("away@reader.test")) == 1


def test_refused_for_good(circle):
    """A mail that cannot be made ends its journey, and is told."""
    load(
        circle, "faulty", "trigger: {event: faulty}\nsteps:\n  - send: faulty.eml\n",
        faulty="Subject: x\n\n{{ unsubscribe_url }} {{ contact.address }}\n",
    )
    circle.ctl("event", "send", "shop", "faulty@reader.test", "faulty")
    circle.wait_journey("shop", "faulty@reader.test", "faulty", active=False)
    assert circle.tidings.policyd.alive


def test_on_the_way_once(circle):
    """A second trigger while a journey is on its way starts no other."""
    paused(circle, "again", "again@reader.test")
    for _ in range(3):
        circle.ctl("event", "send", "shop", "again@reader.test", "again")
    assert circle.journey("shop", "again@reader.test", "again")["active"]
    assert circle.report("shop")["workflow:again"]["started"] == 1


def test_show(circle):
    """workflow list and show count what happened."""
    rows = {row["name"]: row for row in circle.json("workflow", "list", "shop")}
    assert rows["monthly"]["ended"] == len(ZONES) and rows["monthly"]["underway"] == 0
    assert rows["again"]["underway"] == 1
    steps = {step["name"]: step for step in circle.json("workflow", "show", "shop", "monthly")[0]["steps"]}
    assert steps["letter"]["sent"] == len(ZONES)
    assert "wait 30 days, at 09:00" in circle.ctl("workflow", "show", "shop", "monthly")
