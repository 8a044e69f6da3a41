"""tidings(1): what it does alone, and what it asks of a real policyd.

What it says about times is compared with Python's zoneinfo, about links with
Python's html.parser.
"""

import contextlib
import json
import os
import re
import stat
import subprocess
import threading
import time
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from tidings import Tidings

UTC = timezone.utc
NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)
URL = "https://t.shop.example"


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


# --- alone


@pytest.fixture
def alone(fresh_workdir):
    """No daemon runs."""
    return Tidings(fresh_workdir, clock=NOON)


@pytest.mark.parametrize(
    "words, status, said",
    [
        ([], 64, "which command? See tidings --help"),
        (["tennant"], 64, "did you mean 'tenant'?"),
        (["contact", "imprt"], 64, "did you mean 'contact import'?"),
        (["contact"], 64, "contact what?"),
        (["--nope"], 64, "nope"),
        (["tenant", "add"], 64, "tenant add takes NAME"),
        (["tenant", "add", "shop", "--url", URL], 64, "--track is missing: say what is measured"),
        (["tenant", "list", "x"], 64, "'x' is one word too many"),
        (["contact", "add", "shop", "a@b.c", "--field", "x"], 64, "write name=value"),
        (["list", "add", "shop", "news", "--unsubscribe", "maybe"], 64, "write yes or no"),
        (["report", "shop", "--from", "yesterday"], 64, "write a date such as 2026-10-25"),
        (["when", "--zone", "Europe/Oslo", "--at", "9"], 65, "9"),
        (["explain", "--track", "all", "--url", URL, "/nope"], 66, "/nope: No such file"),
        (["explain", "x.eml"], 64, "either --tenant NAME, or --track MODE and --url URL"),
        (["tenant", "list"], 69, "is tidings-policyd running?"),
        (["contact", "import", "shop", "/nope.csv"], 66, "/nope.csv"),
        (["token", "show", f"{URL}/c/x"], 71, "tidings key new"),
    ],
)
def test_errors(alone, words, status, said):
    done = alone.ctl(*words, check=False)
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert done.stderr.startswith("tidings: ") and said in done.stderr


def test_bad_configuration(alone):
    alone.conf.write_text("zone = UTC\nnope = 1\n")
    done = alone.ctl("config", check=False)
    assert done.returncode == 78 and f"{alone.conf}:2: " in done.stderr


def test_hostile_words(alone):
    done = alone.ctl("ten\x1b[2Jant\u202e", check=False)
    assert done.returncode == 64 and "\x1b" not in done.stderr and "\\x1b" in done.stderr and "\\u202e" in done.stderr


def test_help(alone):
    overview = alone.ctl("--help")
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?) {2,}", overview, re.M)
    assert len(commands) >= 20
    for command in commands:
        page = alone.ctl(*command.split(), "--help")
        assert f"tidings {command} " in page and "Example:\n  tidings " in page
        assert re.search(r"See tidings-[a-z]+\(1\)\.", page)


def test_output_that_cannot_be_written(alone):
    command = [alone.build / "ctl/tidings", "-c", alone.conf, "config"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 74 and "cannot write the output" in done.stderr


def test_not_an_administrator(alone):
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    command += [alone.build / "ctl/tidings", "-c", alone.conf, "status"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 77 and "administrator" in done.stderr


ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu", "Pacific/Apia", "UTC"]
STARTS = [datetime(2026, 3, 28, 15), datetime(2026, 10, 24, 15), datetime(2027, 3, 13, 15), datetime(2026, 10, 3, 2, 15)]


@pytest.mark.parametrize("zone", ZONES)
def test_when(alone, zone):
    """Days are civil, at the time asked for; Python's rule for gaps and overlaps is ours."""
    for start in STARTS:
        for days, at in ((1, "02:30"), (2, "09:00"), (7, "00:00")):
            wall = datetime.combine(start.date() + timedelta(days=days), datetime.strptime(at, "%H:%M").time(), ZoneInfo(zone))
            words = ["--zone", zone, "--from", start.isoformat(), "--after", f"{days} days", "--at", at]
            due = json.loads(alone.ctl("when", *words, "--json"))
            assert due["utc"] == wall.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), (zone, words)
            assert due["instant"] == int(wall.timestamp()) * 1000000
            assert datetime.fromisoformat(due["local"]) == wall.astimezone(UTC)
    hours = json.loads(alone.ctl("when", "--zone", zone, "--from", "2026-10-24T15:00:00Z", "--after", "24 hours", "--json"))
    assert hours["utc"] == "2026-10-25T15:00:00Z"


def test_when_now_and_unknown_zone(alone):
    done = alone.ctl("when", "--zone", "Mars/Phobos", "--after", "1 hour", check=False)
    assert done.returncode == 0 and "warning: there is no zone 'Mars/Phobos'" in done.stderr
    assert "2026-03-27T13:00:00Z" in done.stdout
    weekday = json.loads(alone.ctl("when", "--at", "09:00", "--days", "mon,tue", "--json"))
    assert weekday["utc"] == "2026-03-30T09:00:00Z"
    quiet = json.loads(alone.ctl("when", "--after", "11 hours", "--not", "22:00-08:00", "--json"))
    assert quiet["utc"] == "2026-03-28T08:00:00Z"


def test_config(alone):
    text = alone.ctl("config")
    assert re.search(rf'^keys = "{alone.keys}" +# {alone.conf}:\d+$', text, re.M)
    assert re.search(r'^zone = "UTC" +# default$', text, re.M)
    values = {row["key"]: row for row in rows(alone.ctl("config", "--json"))}
    assert values["keys"]["value"] == str(alone.keys) and values["keys"]["file"] == str(alone.conf)
    assert alone.conf.read_text().splitlines()[values["keys"]["line"] - 1].startswith("keys = ")
    assert values["policyd.fold_interval"]["value"] == 20000 and "line" not in values["zone"]
    # What it prints is a configuration again, and the same one.
    alone.conf.write_text(text)
    again = {row["key"]: row["value"] for row in rows(alone.ctl("config", "--json"))}
    assert again == {key: row["value"] for key, row in values.items()}


def seal(tidings, kind, destination, keys=None):
    command = [tidings.build / "tests/e2e/token-tool", keys or tidings.keys, kind, "7", "281474976710656", "3", destination]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout.strip()


def test_keys_and_tokens(alone):
    assert json.loads(alone.ctl("key", "new", "--json")) == {"file": str(alone.keys), "key": 1}
    assert stat.S_IMODE(alone.keys.stat().st_mode) == 0o640
    before = alone.keys.read_bytes()
    assert alone.ctl("key", "new", check=False).returncode != 0 and alone.keys.read_bytes() == before
    url = "https://shop.example/a?b=1&c=%20#x"
    old = seal(alone, "c", url)
    assert json.loads(alone.ctl("key", "rotate", "--json"))["key"] == 2
    new = seal(alone, "u", "news\nanna@example.com")
    shown = json.loads(alone.ctl("token", "show", f"{URL}/c/{old}?utm=1", "--json"))
    assert (shown["kind"], shown["destination"], shown["link"], shown["key"]) == ("click", url, 3, 1)
    assert (shown["tenant"], shown["mail"]) == (7, 281474976710656)
    page = alone.ctl("token", "show", new)
    assert "unsubscribe" in page and "news anna@example.com" in page
    for bad in (old[:-1], old[:-4] + "AAAA", "x", ""):
        done = alone.ctl("token", "show", f"{URL}/c/{bad}", check=False)
        assert done.returncode == 65 and "no key of" in done.stderr
    alone.keys.chmod(0o644)
    done = alone.ctl("token", "show", old, check=False)
    assert done.returncode == 71 and "chmod" in done.stderr


class Links(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        if tag == "a":
            self.found += [value for name, value in attributes if name == "href"]


def test_explain(alone):
    html = (
        '<html><body><p><a href="https://shop.example/a?b=1&amp;c=2#d">one</a>'
        '<A HREF=https://shop.example/b>two</A> <a href="mailto:x@shop.example">mail</a>'
        '<a href="https://shop.example/c">https://shop.example/c</a></p></body></html>\n'
    )
    message = f"From: a@shop.example\nTo: b@x.example\nSubject: x\nX-Tidings-List: news\nMIME-Version: 1.0\nContent-Type: text/html\n\n{html}"
    words = ["explain", "--track", "all", "--url", URL, "-"]
    result = json.loads(alone.ctl(*words, "--json", input=message))
    assert [link["url"] for link in result["links"]] == Links(html).found
    assert [link["action"] for link in result["links"]] == ["tracked", "tracked", "left", "left"]
    assert [link["reason"] for link in result["links"]][2:] == ["scheme", "visible-url"]
    assert {h["name"]: h["op"] for h in result["headers"]} == {
        "X-Tidings-List": "delete",
        "List-Unsubscribe": "insert",
        "List-Unsubscribe-Post": "insert",
    }
    page = alone.ctl(*words, input=message)
    assert "tracked: it is tracked" in page and "its visible text is a web address" in page
    several = json.loads(alone.ctl(*words, "--json", "--recipients", "2", input=message))
    assert several["message"]["per"] == "message"
    null = json.loads(alone.ctl(*words, "--json", "--sender", "", input=message))
    assert null["message"]["reason"] == "null-sender"
    clicks = json.loads(alone.ctl("explain", "--track", "clicks", "--url", URL, "--json", "-", input=message))
    assert clicks["message"]["pixel"] == "mode"


WORKFLOW = """workflow: course
title: Cooking course
list: news
from: "Ada <ada@shop.example>"
trigger:
  subscribed: news
steps:
  - wait: 2 days
    at: "09:00"
  - name: hello
    send: hello.eml
"""
MESSAGE = "Subject: Hello {{ contact.first_name }}\nContent-Type: text/html\n\n<p>Hello</p>\n"


def write_workflow(folder, workflow=WORKFLOW, message=MESSAGE):
    path = folder / "course.yaml"
    path.write_text(workflow)
    (folder / "hello.eml").write_text(message)
    return path


def test_workflow_check(alone, fresh_workdir):
    path = write_workflow(fresh_workdir)
    assert "good: workflow course, 2 steps, 1 messages" in alone.ctl("workflow", "check", str(path))
    for workflow, message, line, said in (
        (WORKFLOW.replace("2 days", "2 dayz"), MESSAGE, rf"{path}:8: ", "dayz"),
        (WORKFLOW.replace("hello.eml", "nope.eml"), MESSAGE, rf"{path}:\d+: ", "nope.eml"),
        (WORKFLOW, MESSAGE.replace("}}", ""), rf"{fresh_workdir}/hello.eml:1: ", ""),
        (WORKFLOW + "zone: Mars/Phobos\n", MESSAGE, rf"{path}:\d+: ", "Mars/Phobos"),
        ("a: [", MESSAGE, rf"{path}:\d+: ", ""),
    ):
        write_workflow(fresh_workdir, workflow, message)
        done = alone.ctl("workflow", "check", str(path), check=False)
        assert done.returncode == 1 and re.match(line, done.stdout) and said in done.stdout, (done.stdout, done.stderr)
    assert alone.ctl("workflow", "check", "/nope.yaml", check=False).returncode == 66


# --- with policyd


@pytest.fixture(scope="module")
def served(workdir):
    """policyd runs, and a tenant "shop" with a list "news" is there."""
    tidings = Tidings(workdir, clock=NOON)
    tidings.make_keys()
    tidings.policyd.start()
    try:
        words = ("--track", "all", "--url", URL, "--domain", "shop.example", "--user", "shop", "--zone", "Europe/Oslo")
        assert "shop: added" in tidings.ctl("tenant", "add", "shop", "--title", "Gr\u00f6\u00dfe & Co", *words)
        assert "added" in tidings.ctl("list", "add", "shop", "news", "--title", "News", "--sender", "news@shop.example")
        tidings.ctl("tenant", "add", "other", "--track", "none", "--url", URL)
        yield tidings
        tidings.policyd.stop()
    finally:
        tidings.kill()


def refused(tidings, *words, status=65, said=""):
    done = tidings.ctl(*words, check=False)
    assert done.returncode == status and said in done.stderr, (done.returncode, done.stderr)


def test_tenants(served):
    tenants = {row["name"]: row for row in rows(served.ctl("tenant", "list", "--json"))}
    shop = tenants["shop"]
    assert (shop["title"], shop["track"], shop["url"], shop["zone"]) == ("Gr\u00f6\u00dfe & Co", "all", URL, "Europe/Oslo")
    assert (shop["domains"], shop["users"]) == (["shop.example"], ["shop"])
    served.ctl("tenant", "set", "other", "--track", "clicks", "--domain", "other.example")
    page = json.loads(served.ctl("tenant", "show", "other", "--json"))
    assert (page["track"], page["domains"], page["lists"]) == ("clicks", ["other.example"], [])
    assert page["split"] is False and shop["split"] is False
    served.ctl("tenant", "set", "other", "--split", "yes")
    served.ctl("tenant", "set", "other", "--title", "Else")
    page = json.loads(served.ctl("tenant", "show", "other", "--json"))
    assert (page["split"], page["track"], page["title"]) == (True, "clicks", "Else")
    refused(served, "tenant", "set", "other", "--split", "maybe", status=64, said="write yes or no")
    assert "shop.example" in served.ctl("tenant", "list") and "News" in served.ctl("tenant", "show", "shop")
    refused(served, "tenant", "show", "shpo", said="did you mean 'shop'?")
    refused(served, "tenant", "add", "shop", "--track", "all", "--url", URL)
    refused(served, "tenant", "add", "Shop!", "--track", "all", "--url", URL)
    refused(served, "tenant", "add", "new", "--track", "some", "--url", URL, said="none, aggregate, clicks or all")
    refused(served, "tenant", "set", "other", "--domain", "shop.example")


def test_lists(served):
    served.ctl("list", "add", "shop", "quiet", "--unsubscribe", "no")
    lists = {row["name"]: row for row in rows(served.ctl("list", "show", "shop", "--json"))}
    assert lists["news"]["unsubscribe"] is True and lists["news"]["sender"] == "news@shop.example"
    assert lists["quiet"]["unsubscribe"] is False
    served.ctl("list", "set", "shop", "quiet", "--unsubscribe", "yes", "--title", "Not quiet")
    assert re.search(r"^quiet +Not quiet +- +yes +all +no$", served.ctl("list", "show", "shop"), re.M)
    refused(served, "list", "set", "shop", "nope", "--title", "x")


def test_contacts(served):
    served.ctl("contact", "add", "shop", "anna@x.example", "--list", "news", "--zone", "Asia/Kathmandu",
               "--field", "name=A\x1b[2Jnna", "--field", "n:=3", "--source", "fair")  # fmt: skip
    page = json.loads(served.ctl("contact", "show", "shop", "ANNA@x.example", "--json"))
    assert page["contact"]["fields"] == {"name": "A\x1b[2Jnna", "n": 3} and page["contact"]["source"] == "fair"
    assert [(s["list"], s["subscribed"]) for s in page["subscriptions"]] == [("news", True)]
    assert [e["kind"] for e in page["timeline"]] == ["subscribed"]
    text = served.ctl("contact", "show", "shop", "anna@x.example")
    assert "\x1b" not in text and "\\x1b" in text
    assert "2026-03-27 17:45:00 +0545 (12:00:00Z)" in text
    assert "off the list news" in served.ctl("contact", "unsubscribe", "shop", "anna@x.example", "news")
    page = json.loads(served.ctl("contact", "show", "shop", "anna@x.example", "--json"))
    assert page["subscriptions"][0]["subscribed"] is False and page["timeline"][-1]["kind"] == "unsubscribed"
    assert "anna@x.example" in served.ctl("contact", "list", "shop")
    # Another tenant does not see it.
    refused(served, "contact", "show", "other", "anna@x.example")
    assert rows(served.ctl("contact", "list", "other", "--json")) == []
    refused(served, "contact", "add", "shop", "not an address")
    refused(served, "contact", "add", "shop", "b@x.example", "--zone", "Mars/Phobos", said="Mars/Phobos")
    refused(served, "contact", "add", "shop", "b@x.example", "--list", "nope")


def test_import(served, fresh_workdir):
    file, errors = fresh_workdir / "c.csv", fresh_workdir / "errors"
    bad = {100: "nobody,Europe/Oslo,x", 700: "a@b.example,Mars/Phobos,x", 900: "too,many,fields,here", 1100: '"a"b,c,d'}
    lines = ["\ufeffEmail,Zone,first_name"]
    for n in range(2, 1204):
        lines.append(bad.get(n, f'p{n}@x.example,Europe/Oslo,"Anna, ""{n}"""'))
    file.write_bytes("\r\n".join(lines).encode())
    words = ["contact", "import", "shop", str(file), "--list", "news", "--errors", str(errors), "--json"]
    done = served.ctl(*words, check=False)
    good = 1202 - len(bad)
    assert done.returncode == 65 and json.loads(done.stdout) == {"added": good, "updated": 0, "refused": len(bad)}
    told = errors.read_text().splitlines()
    assert sorted(int(line.split(":")[1]) for line in told) == sorted(bad) and all(line.startswith(f"{file}:") for line in told)
    assert "\r" not in done.stderr  # no terminal, no progress
    again = json.loads(served.ctl(*words, check=False).stdout)
    assert again == {"added": 0, "updated": good, "refused": len(bad)}
    page = json.loads(served.ctl("contact", "show", "shop", "p1203@x.example", "--json"))
    assert page["contact"]["fields"] == {"first_name": 'Anna, "1203"'} and page["contact"]["zone"] == "Europe/Oslo"
    assert len([r for r in rows(served.ctl("contact", "list", "shop", "--json")) if r["address"].startswith("p")]) == good


def test_import_semicolons_and_standard_input(served):
    text = "address;city\nsemi@x.example;Oslo\n"
    refused(served, "contact", "import", "shop", "/dev/null", said="it is empty")
    done = served.ctl("contact", "import", "shop", "-", input=text, check=False)
    assert done.returncode == 65 and "none is called address or email" in done.stderr
    out = served.ctl("contact", "import", "shop", "-", "--separator", ";", "--progress", input=text)
    assert "1 added, 0 updated, 0 refused" in out
    for header, said in (("address,a,a", "two columns are called 'a'"), ("email,address", "two columns with the address")):
        done = served.ctl("contact", "import", "shop", "-", input=header + "\n", check=False)
        assert done.returncode == 65 and said in done.stderr


def test_import_in_bounded_memory(served, fresh_workdir):
    """A large file takes no more memory than a small one."""
    peaks = []
    for size in (1000, 40000):
        file = fresh_workdir / f"{size}.csv"
        with open(file, "w") as out:
            out.write("address,a,b\n")
            for n in range(size):
                out.write(f"m{n}@y.example,{'x' * 200},{'y' * 200}\n")
        command = [served.build / "ctl/tidings", "-c", served.conf, "--clock", served.clock.path, "contact", "import", "other", file]
        # AddressSanitizer, where that is built in, keeps what was freed.
        environment = {**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        peaks.append(usage.ru_maxrss)
    print(f"count: import of 1,000 and of 40,000 contacts: peak {peaks[0]} and {peaks[1]} KiB")
    assert peaks[1] < peaks[0] + 8192


def test_events(served):
    served.ctl("event", "send", "shop", "anna@x.example", "order", "number=4711", "total:=129.5")
    event = rows(served.ctl("events", "shop", "--limit", "1", "--json"))[0]
    assert event["kind"] == "custom" and event["address"] == "anna@x.example"
    assert event["data"]["properties"] == {"number": "4711", "total": 129.5}
    assert "name=order" in served.ctl("events", "shop")
    refused(served, "event", "send", "shop", "nobody", "order")


@contextlib.contextmanager
def follow(tidings, tenant):
    """tidings events --follow: a function that gives its next row, and is not kept
    waiting for more than 20 s."""
    command = [tidings.build / "ctl/tidings", "-c", tidings.conf, "events", tenant, "--follow", "--json", "--limit", "1"]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    watch = threading.Timer(20, process.kill)
    watch.start()
    try:
        yield lambda: json.loads(process.stdout.readline())
    finally:
        watch.cancel()
        process.kill()
        rest = process.communicate()[0]
    assert rest == ""


def test_follow(served):
    """What happens later is printed within seconds, and nothing twice."""
    served.ctl("event", "send", "other", "follow@x.example", "before")
    with follow(served, "other") as row:
        assert row()["data"]["name"] == "before"
        for n in range(3):
            served.clock_advance(timedelta(seconds=1))
            served.ctl("event", "send", "other", "follow@x.example", f"tick{n}")
            assert row()["data"]["name"] == f"tick{n}"


def test_follow_what_comes_late(fresh_workdir):
    """A click is folded seconds after it happened: younger events were shown by then."""
    tidings = Tidings(fresh_workdir, policyd_fold_interval="3 s")
    tidings.make_keys()
    try:
        tidings.policyd.start()
        tidings.ctl("tenant", "add", "shop", "--track", "all", "--url", URL)
        tidings.ctl("event", "send", "shop", "a@x.example", "first")
        tidings.tracker.start()
        tenant = rows(tidings.ctl("tenant", "list", "--json"))[0]["id"]
        words = [tidings.build / "tests/e2e/token-tool", tidings.keys, "c", tenant, "1", "1", "https://shop.example/"]
        token = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True).stdout.strip()
        with follow(tidings, "shop") as row:
            assert row()["data"]["name"] == "first"
            time.sleep(1.5)  # its next question comes between the two events' folds, most times
            assert tidings.http("GET", f"{URL}/c/{token}")[0] == 302
            tidings.ctl("event", "send", "shop", "a@x.example", "second")
            shown = [row(), row()]
        assert sorted(event["kind"] for event in shown) == ["click", "custom"]
        late = shown[1]["id"] < shown[0]["id"]
        print(f"count: the click came {'behind' if late else 'before'} the younger event")
        tidings.tracker.stop()
        tidings.policyd.stop()
    finally:
        tidings.kill()


def test_workflows(served, fresh_workdir):
    path = write_workflow(fresh_workdir)
    assert "workflow course: version 1 is loaded" in served.ctl("workflow", "load", "shop", str(path))
    served.ctl("contact", "add", "shop", "flow@x.example", "--list", "news")
    page = json.loads(served.ctl("workflow", "show", "shop", "course", "--json"))
    assert [step["here"] for step in page["steps"]] == [1, 0] and page["active"] is True
    text = served.ctl("workflow", "show", "shop", "course")
    assert "wait 2 days" in text and "hello" in text
    journeys = json.loads(served.ctl("contact", "show", "shop", "flow@x.example", "--json"))["journeys"]
    due = datetime(2026, 3, 29, 9, tzinfo=ZoneInfo("Europe/Oslo"))
    assert journeys[0]["due"] == int(due.timestamp()) * 1000000
    assert "2026-03-29 09:00:00 CEST (07:00:00Z)" not in served.ctl("workflow", "list", "shop")
    assert json.loads(served.ctl("workflow", "load", "shop", str(path), "--json"))["version"] == 2
    assert [row["version"] for row in rows(served.ctl("workflow", "list", "shop", "--json"))] == [2]
    write_workflow(fresh_workdir, WORKFLOW.replace("2 days", "2 dayz"))
    refused(served, "workflow", "load", "shop", str(path), said="not loaded: 1 error")
    write_workflow(fresh_workdir, WORKFLOW.replace("list: news", "list: nope"))
    refused(served, "workflow", "load", "shop", str(path), said="nope")
    assert "stopped" in served.ctl("workflow", "stop", "shop", "course")
    assert rows(served.ctl("workflow", "list", "shop", "--json")) == []
    refused(served, "workflow", "show", "other", "course")


def test_report(served):
    report = json.loads(served.ctl("report", "shop", "--json"))
    assert report["scopes"]["list:news"]["subscribed"] > 1000
    text = served.ctl("report", "shop")
    assert re.search(r"^SCOPE +MAILS +TRACKED", text) and re.search(r"^tenant ", text, re.M)
    empty = json.loads(served.ctl("report", "shop", "--until", "2020-01-01", "--json"))
    assert empty["scopes"] == {}
    assert "Nothing was counted" in served.ctl("report", "shop", "--until", "2020-01-01")
    today = json.loads(served.ctl("report", "shop", "--from", "2026-03-27", "--until", "2026-03-27", "--json"))
    assert today["scopes"] == report["scopes"]


def test_status(served):
    status = json.loads(served.ctl("status", "--json"))
    assert status["now"] >= 1774612800000000 and status["started"] <= status["now"]
    assert "zone rules (tzdata)" in served.ctl("status")


def test_explain_as_a_tenant(served):
    message = "From: news@shop.example\nTo: b@x.example\nContent-Type: text/html\n\n<a href='https://x.example/'>x</a>\n"
    words = ("explain", "--tenant", "shop", "--sender", "news@shop.example", "--json", "-")
    result = json.loads(served.ctl(*words, input=message))
    assert result["message"]["action"] == "tracked" and result["links"][0]["tracked_url"].startswith(URL + "/c/")
    assert [h["name"] for h in result["headers"]] == ["List-Unsubscribe", "List-Unsubscribe-Post"]
