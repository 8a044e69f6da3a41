"""The order of system calls: SIGKILL proves no durability, since the kernel keeps
what a dead process wrote. So strace watches that an fdatasync which began after
the request stands before every write that acknowledges it: the milter's answer
to the end of a message, policyd's answer to a request that changes state, and
policyd's hand-over of a mail. Daemons built to acknowledge early fail the same
look. (The tracker's are in test_tracker.py.)"""

import os
import re
import shutil
import signal
import time

import pytest

from postfix import Postfix, submit, wait_until
from sink import Sink
from tidings import Daemon, Tidings, build_folder

# pid call(fd…, "bytes"…) = result; a call that another thread interrupts is
# printed in two lines, of which the second has the result.
CALL = re.compile(r"^(\d+) +(\w+)\((\d+)?(.*)\) += (-?\d+)")
UNFINISHED = re.compile(r"^(\d+) +(\w+)\((\d+)?(.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+)")

MESSAGE = b"""\
From: Shop <shop@order.test>\r
To: r@reader.test\r
Subject: Order\r
Message-ID: <order@order.test>\r
Date: Fri, 27 Mar 2026 12:00:00 +0000\r
Content-Type: text/html\r
\r
<p><a href="https://order.test/">x</a></p>\r
"""


def calls(trace):
    """The calls that succeeded, as (begun, ended, call, fd, words), by line."""
    begun = {}
    for number, line in enumerate(trace.splitlines()):
        if match := UNFINISHED.match(line):
            begun[match[1]] = (number, match[2], match[3], match[4])
        elif match := RESUMED.match(line):
            start, call, fd, words = begun.pop(match[1], (number, match[2], None, ""))
            if int(match[4]) >= 0:
                yield start, number, call, fd, words + match[3]
        elif (match := CALL.match(line)) and int(match[5]) >= 0:
            yield number, number, match[2], match[3], match[4]


def early(trace, asks, answers):
    """How many answers there were, and how many of them had no fdatasync that
    began after what they answer. ASKS and ANSWERS judge (call, words)."""
    asked = {}  # fd -> the line where it asked; its last one
    last_sync = -1
    found = too_early = 0
    for start, end, call, fd, words in sorted(calls(trace), key=lambda c: c[1]):
        if asks(call, words):
            asked[fd] = end
        elif call in ("fdatasync", "fsync"):
            last_sync = max(last_sync, start)
        elif fd in asked and answers(call, words):
            found += 1
            too_early += last_sync < asked.pop(fd)
    return found, too_early


def is_read(call):
    return call in ("read", "recvfrom", "recvmsg")


def is_write(call):
    return call in ("write", "writev", "sendto", "sendmsg")


def trace_of(tidings, daemon, program, work):
    """What strace saw of DAEMON (or another PROGRAM in its place) during WORK."""
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    output = tidings.root / f"{daemon.name}.trace"
    traced = Daemon(daemon.name, [build_folder() / program if program else daemon.command[0], *daemon.command[1:]], tidings.logs)
    wanted = "trace=fdatasync,fsync,read,recvfrom,recvmsg,write,writev,sendto,sendmsg"
    traced.start(prefix=["strace", "-f", "-o", output, "-s", "96", "-e", wanted, "-E", "ASAN_OPTIONS=detect_leaks=0"])
    try:
        work()
        # strace keeps SIGTERM to itself, and ends with what it traces.
        os.kill(int(re.findall(r"started .*pid=(\d+)", traced.log())[-1]), signal.SIGTERM)
        traced.process.wait(20)
    finally:
        traced.kill()
    return output.read_text(errors="replace")


@pytest.fixture
def house(fresh_workdir):
    tidings = Tidings(fresh_workdir)
    with Sink() as sink, Postfix(fresh_workdir, sink=sink, milters=[tidings.milter_socket]) as postfix:
        tidings.submit_to(postfix)
        with tidings:
            tidings.ctl("tenant", "add", "shop", "--domain", "order.test", "--track", "all", "--url", "https://t.order.test")
            folder = tidings.root / "workflow"
            folder.mkdir()
            (folder / "w.yaml").write_text(
                'workflow: w\nfrom: "Shop <shop@order.test>"\ntrigger: {event: order}\nsteps:\n  - send: w.eml\n'
            )
            (folder / "w.eml").write_text("Subject: Thanks\n\nThanks!\n")
            tidings.ctl("workflow", "load", "shop", str(folder / "w.yaml"))
            time.sleep(0.2)
            yield tidings, postfix, sink


MAILS = 10


def milter_order(house, program=None):
    tidings, postfix, sink = house
    tidings.milter.stop()

    def work():
        for _ in range(MAILS):
            submit(postfix.submission_port, "shop@order.test", "r@reader.test", MESSAGE)
        sink.wait_for(MAILS)

    trace = trace_of(tidings, tidings.milter, program, work)
    # libmilter reads the command's head by itself: its length and 'E', the end of
    # the message. Until then, and after it, nothing is written for a message.
    return early(
        trace,
        lambda call, words: is_read(call) and words.startswith(', "\\0\\0\\0\\1E"'),
        lambda call, words: is_write(call),
    )


def test_milter(house):
    answers, too_early = milter_order(house)
    assert (answers, too_early) == (MAILS, 0)
    print(f"count: milter: {answers} ends of messages answered, {too_early} before their fdatasync")


def test_milter_can_fail(house):
    answers, too_early = milter_order(house, "tests/e2e/milter-ack-early")
    assert answers == MAILS
    assert too_early > 0


def policyd_order(house, program=None):
    tidings, _, sink = house
    tidings.policyd.stop()

    def work():
        for number in range(MAILS):
            tidings.ctl("event", "send", "shop", f"c{number}@reader.test", "order")
        sink.wait_for(MAILS)
        wait_until(lambda: '"handed": 0' in tidings.ctl("status", "--json").replace('":0', '": 0'), 20, "all is recorded")

    trace = trace_of(tidings, tidings.policyd, program, work)
    answered = early(
        trace,
        lambda call, words: is_read(call) and "event.send" in words,
        lambda call, words: is_write(call) and '\\"ok\\"' in words,
    )
    # A mail is handed over only after its claim is on disk: the MTA's greeting or
    # last reply stands before, and the claim's fdatasync between.
    syncs = [start for start, _, call, _, _ in calls(trace) if call in ("fdatasync", "fsync")]
    asked = [end for _, end, call, _, words in calls(trace) if is_read(call) and "event.send" in words]
    handed = [start for start, _, call, _, words in calls(trace) if is_write(call) and "MAIL FROM" in words]
    unclaimed = sum(
        1 for n, start in enumerate(sorted(handed)) if sum(asked[n] < sync < start for sync in syncs) < 2
    )
    return answered, (len(handed), unclaimed)


def test_policyd(house):
    answered, handed = policyd_order(house)
    assert answered == (MAILS, 0)
    # The event's own commit, and the claim's.
    assert handed == (MAILS, 0)
    print(f"count: policyd: {answered[0]} requests answered, {answered[1]} before their fdatasync; "
          f"{handed[0]} mails handed over, {handed[1]} before their claim's")


def test_policyd_can_fail(house):
    answered, handed = policyd_order(house, "tests/e2e/policyd-ack-early")
    assert answered[0] == MAILS and answered[1] > 0
    assert handed[1] > 0
