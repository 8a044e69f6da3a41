"""The main job of Tidings, on loopback, in a minute.

    ./bootstrap demo          shows it and goes on running until Ctrl-C
    ./bootstrap demo --once   ends by itself: 0 only if every step happened

A private Postfix with our milter, the three daemons, a sink that stands for the
world, and a clock of its own. Every step is checked by what really came out at
the other end.
"""

import argparse
import email
import email.policy
import http.client
import re
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
import urllib.parse
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests/e2e"))

from postfix import Postfix, submit, wait_until  # noqa: E402
from sink import Sink  # noqa: E402
from tidings import Tidings  # noqa: E402

OSLO = ZoneInfo("Europe/Oslo")
# A Friday noon; the clocks in Oslo change two nights later.
START = datetime(2026, 3, 27, 12, 0, tzinfo=timezone.utc)
DUE = datetime(2026, 3, 29, 9, 0, tzinfo=OSLO)
COURSE = "https://kitchen.test/course?week=14&seats=few#book"

NEWSLETTER = f"""\
From: Ada's Kitchen <course@kitchen.test>
To: Bo <bo@reader.test>
Subject: A new course
Date: Fri, 27 Mar 2026 13:00:00 +0100
Message-ID: <course-1@kitchen.test>
X-Tidings-List: course
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="demo"

--demo
Content-Type: text/plain; charset=utf-8

A new course: {COURSE}

--demo
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<html><body><h1>Bl=C3=A5b=C3=A6r</h1><p><a href=3D"https://kitchen.test/cou=
rse?week=3D14&amp;seats=3Dfew#book">A new course</a></p></body></html>

--demo--
""".replace("\n", "\r\n").encode()


def say(text=""):
    print(text, flush=True)


def step(number, text):
    say(f"\n{number}. {text}")


class Failed(Exception):
    """A step did not happen."""


def need(condition, text):
    if not condition:
        raise Failed(text)


def reader_fetches(url):
    """What a mail program does with a URL: (status, headers, body)."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    try:
        connection.request("GET", parts.path, headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Thunderbird/115.0"})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def html_of(delivery):
    message = email.message_from_bytes(delivery.data, policy=email.policy.default)
    return message, message.get_body(("html",)).get_content()


def show_and_run(tidings, *words):
    say("   $ tidings " + shlex.join(words))
    text = tidings.ctl(*words)
    for line in text.rstrip().splitlines():
        say("     " + line)
    return text


def set_up(tidings):
    step(2, "The administrator makes a tenant, a list and a contact, and loads a workflow.")
    show_and_run(
        tidings, "tenant", "add", "kitchen", "--title", "Ada's Kitchen", "--domain", "kitchen.test",
        "--track", "all", "--url", f"http://127.0.0.1:{tidings.tracker_port}", "--zone", "Europe/London",
    )
    show_and_run(tidings, "list", "add", "kitchen", "course", "--title", "Cooking courses", "--unsubscribe", "yes")
    show_and_run(
        tidings, "contact", "add", "kitchen", "bo@reader.test", "--zone", "Europe/Oslo", "--field", "first_name=Bo",
    )
    show_and_run(tidings, "workflow", "load", "kitchen", str(HERE / "course.yaml"))
    # The milter sees what policyd published within a moment.
    time.sleep(0.3)


def send(postfix, sink):
    step(3, "An ordinary program sends a mail through Postfix, as it always did.")
    queue_id = submit(postfix.submission_port, "course@kitchen.test", "bo@reader.test", NEWSLETTER)
    say(f"   SMTP to 127.0.0.1:{postfix.submission_port}: queued as {queue_id}")
    delivery = sink.wait_for(1, timeout=30)[0]
    message, html = html_of(delivery)
    links = re.findall(r'href="([^"]+)"', html)
    pixels = re.findall(r'<img src="([^"]+)"', html)
    need(len(links) == 1 and "/c/" in links[0], "the link was not tracked")
    need(len(pixels) == 1 and "/o/" in pixels[0], "there is no pixel")
    need("Blåbær" in html, "the text was harmed")
    need(message["X-Tidings-List"] is None, "the control header was not taken out")
    need("/u/" in (message["List-Unsubscribe"] or ""), "there is no List-Unsubscribe")
    need(message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click", "there is no List-Unsubscribe-Post")
    say("   It arrives with a tracked link, a pixel and one-click unsubscribe; all else is as it was:")
    say(f"   link   {links[0]}")
    say(f"   pixel  {pixels[0]}")
    return links[0], pixels[0]


def read(tidings, link, pixel):
    step(4, "Two minutes later Bo opens it and clicks.")
    tidings.clock_advance(timedelta(minutes=2))
    status, headers, body = reader_fetches(pixel)
    need(status == 200 and body[:6] == b"GIF89a" and len(body) == 43, f"the pixel answered {status}")
    say(f"   GET pixel  {status} {headers['Content-Type']}, {len(body)} bytes, {headers['Cache-Control']}")
    status, headers, _ = reader_fetches(link)
    need(status == 302 and headers["Location"] == COURSE, f"the click answered {status} {headers['Location']}")
    say(f"   GET link   {status} to {headers['Location']}")
    wait_until(lambda: "click" in tidings.ctl("contact", "show", "kitchen", "bo@reader.test"), 10, "the click is folded")


def follow_up(tidings, sink):
    step(5, "The workflow waits two days, until nine in the morning in Oslo.")
    show_and_run(tidings, "when", "--zone", "Europe/Oslo", "--from", "2026-03-27T12:02:00Z", "--after", "2 days", "--at", "09:00")
    show_and_run(tidings, "workflow", "show", "kitchen", "course")
    tidings.clock_set(DUE - timedelta(seconds=1))
    time.sleep(0.5)
    need(len(sink.mails) == 1, "the follow-up went too early")
    say(f"   The clock now shows {(DUE - timedelta(seconds=1)).isoformat()}: nothing has gone.")
    tidings.clock_set(DUE)
    delivery = sink.wait_for(2, timeout=30)[1]
    message, html = html_of(delivery)
    need(message["To"] is not None and "bo@reader.test" in message["To"], "the follow-up is to somebody else")
    need(message["Subject"] == "Bo, here is the timetable", f"its subject is {message['Subject']}")
    need(email.utils.parsedate_to_datetime(message["Date"]) == DUE, f"its date is {message['Date']}")
    need(re.search(r'href="[^"]+/c/', html) and re.search(r'<img src="[^"]+/o/', html), "it is not tracked")
    need(message["X-Tidings-Send"] is None, "its marker was not taken out")
    say(f"   09:00 in Oslo, the clocks having changed in the night: it goes, through the same Postfix:")
    for name in ("Date", "From", "To", "Subject", "Message-ID", "List-Unsubscribe"):
        say(f"   {name}: {message[name]}")


def report(tidings):
    step(6, "What is known of it.")
    show_and_run(tidings, "contact", "show", "kitchen", "bo@reader.test")
    text = show_and_run(tidings, "report", "kitchen")
    need("course" in text, "the report says nothing")


def play(tidings, postfix, sink):
    say(f"""
It goes on running; the clock runs too. Play:
  tidings  = {tidings.build / 'ctl/tidings'} -c {tidings.conf} --clock {tidings.clock.path}
  send       swaks --server 127.0.0.1:{postfix.submission_port} --from course@kitchen.test --to you@reader.test \\
               --header 'X-Tidings-List: course' --header 'Content-Type: text/html' --body '<a href="https://example.com/">hello</a>'
  read       every mail that arrives is in {tidings.root.parent / 'inbox'}
  look       tidings events kitchen --follow · tidings report kitchen · curl 127.0.0.1:{tidings.tracker_port}/metrics
End it with Ctrl-C.""")
    tidings.clock.run()
    inbox = tidings.root.parent / "inbox"
    inbox.mkdir(exist_ok=True)
    kept = 0
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    while not stop.wait(0.5):
        for delivery in sink.mails[kept:]:
            kept += 1
            (inbox / f"{kept:04}.eml").write_bytes(delivery.data)
            say(f"   arrived: {inbox / f'{kept:04}.eml'} for {', '.join(delivery.recipients)}")


def show(workdir, once):
    began = time.monotonic()
    step(1, "A private Postfix, the three daemons and a stand-in for the world start on loopback.")
    tidings = Tidings(workdir, clock=START)
    with Sink() as sink, Postfix(workdir, sink=sink, milters=[tidings.milter_socket]) as postfix:
        tidings.submit_to(postfix)
        with tidings:
            say(f"   Postfix 127.0.0.1:{postfix.submission_port}, tracker http://127.0.0.1:{tidings.tracker_port}, all below {workdir}")
            say(f"   The clock of the demo shows {START.isoformat()}.")
            set_up(tidings)
            link, pixel = send(postfix, sink)
            read(tidings, link, pixel)
            follow_up(tidings, sink)
            report(tidings)
            say(f"\nEvery step happened, in {time.monotonic() - began:.0f} seconds.")
            if not once:
                play(tidings, postfix, sink)


def main():
    parser = argparse.ArgumentParser(prog="bootstrap demo", description=__doc__.splitlines()[0])
    parser.add_argument("--once", action="store_true", help="end after the last step")
    once = parser.parse_args().once
    workdir = Path(tempfile.mkdtemp(prefix="tidings-demo-", dir="/tmp"))
    workdir.chmod(0o711)
    try:
        show(workdir, once)
    except KeyboardInterrupt:
        say("\nStopped.")
    except (Failed, AssertionError, OSError, http.client.HTTPException) as failure:
        say(f"\nThe demo failed: {failure}")
        for log in sorted(workdir.rglob("*.log")):
            say(f"--- {log}")
            say("\n".join(log.read_text(errors="replace").splitlines()[-15:]))
        return 1
    finally:
        shutil.rmtree(workdir, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
