"""lib/submit against a real Postfix: what it says of a message is what became of
it. submit-tool hands messages over as policyd does."""

import os
import random
import re
import subprocess
import threading
from collections import Counter
from pathlib import Path

from postfix import Postfix, wait_until
from sink import Sink

TOOL = Path(os.environ["TIDINGS_BUILD"]) / "tests/e2e/submit-tool"
HEAD = (
    b"From: s@sender.test\r\nTo: r@example.test\r\nSubject: bytes\r\n"
    b"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <%d@sender.test>\r\n\r\n"
)


def hand_over(postfix, *arguments, timeout=120):
    """Runs submit-tool; gives {number: [(outcome, code, reply), …]}."""
    command = [TOOL, *arguments[:-1], str(postfix.smtp_port), *arguments[-1]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    assert done.returncode in (0, 2), done.stderr
    return results(done.stdout.splitlines())


def results(lines):
    found = {}
    for line in lines:
        if match := re.match(r"(\d+) (accepted|temporary|permanent|unknown) (\d+) (.*)", line):
            found.setdefault(int(match[1]), []).append((match[2], int(match[3]), match[4]))
    return found


def bodies():
    """Bodies that are hard on dots, lines and buffers."""
    dice = random.Random(7)
    yield b""
    yield b".\r\n"
    yield b".\r\n.\r\n..\r\n.x\r\n\r\n.\r\n\r\n"
    yield b"last line is a dot\r\n.\r\n"
    yield b"x" * 998 + b"\r\n" + b"." * 998 + b"\r\n"
    yield "Grüße, 日本\r\n".encode() * 100
    yield b"y" * 76 + b"\r\n" * 3 + b".dots\r\n" * 60000
    for near in (16384, 32768, 65536):
        for off in range(-6, 7, 3):
            yield b"z" * 900 + b"\r\n" + (b"w" * 70 + b"\r\n") * ((near + off) // 72) + b".\r\n" * 40
    for _ in range(30):
        lines = (b"." * dice.randint(0, 3) + b"a" * dice.randint(0, 300) for _ in range(dice.randint(1, 3000)))
        yield b"".join(line + b"\r\n" for line in lines)
    yield b"0123456789abcdef" * 5 + b"\r\n" + (b".%075d\r\n" % 0) * 100000


def test_bytes(postfix, sink, fresh_workdir):
    """Over 8 connections every message arrives as it was given, at its recipient."""
    sink.clear()
    messages, files = [], []
    for number, body in enumerate(bodies()):
        messages.append(HEAD % number + body)
        files.append(fresh_workdir / str(number))
        files[-1].write_bytes(messages[-1])
    found = hand_over(postfix, "-c", "8", files)
    assert {number: [r[0] for r in rows] for number, rows in found.items()} == {
        number: ["accepted"] for number in range(len(messages))
    }
    sink.wait_for(len(messages), timeout=60)
    for number, message in enumerate(messages):
        mails = sink.to(f"r{number}@example.test")
        assert len(mails) == 1
        assert mails[0].sender == "s@sender.test"
        assert mails[0].untraced == message, f"message {number} was changed on its way"
    print(f"count: submit: {len(messages)} messages byte-exact")


def test_connections(postfix, sink):
    """Messages share connections: 8 of them for 400 messages, and the queue id
    is in the reply."""
    sink.clear()
    before = postfix.log().count(": connect from ")
    found = hand_over(postfix, "-c", "8", "-n", "400", [])
    assert len(found) == 400
    assert all(re.match(r"250 2\.0\.0 Ok: queued as \w+$", rows[0][2]) for rows in found.values())
    sink.wait_for(400, timeout=60)
    assert sorted(int(m.headers("X-Number")[0]) for m in sink.mails) == list(range(400))
    assert 1 <= postfix.log().count(": connect from ") - before <= 8


def test_refused(postfix, sink):
    """A recipient that Postfix refuses is refused for good; the ones after it go."""
    sink.clear()
    found = hand_over(postfix, "-c", "1", "-n", "2", "-t", "a@[bad", [])
    assert [rows[0][:2] for rows in found.values()] == [("permanent", 501)] * 2
    found = hand_over(postfix, "-c", "1", "-n", "1", [])
    assert found[0][0][0] == "accepted"


def test_too_large(fresh_workdir):
    """Refused after the final dot: also an answer."""
    with Sink() as sink, Postfix(fresh_workdir, sink=sink, message_size_limit="50000") as postfix:
        found = hand_over(postfix, "-c", "1", "-n", "1", "-s", "90000", [])
        assert found[0][0][:2] == ("permanent", 552)
        assert not sink.mails


def test_without_postfix(fresh_workdir):
    postfix = Postfix(fresh_workdir)
    found = hand_over(postfix, "-c", "2", "-n", "4", [])
    assert [rows[0][:2] for rows in found.values()] == [("temporary", 0)] * 4


KILLS = 6
MANY = 3000


class Running:
    """submit-tool at work, its lines read as they come."""

    def __init__(self, postfix):
        command = [TOOL, "-r", "-c", "8", "-n", str(MANY), "-s", "6000", str(postfix.smtp_port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.lines = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def settled(self):
        return sum(1 for line in list(self.lines) if " temporary " not in line)

    def losses(self):
        return sum(1 for line in list(self.lines) if re.search(r" (temporary|unknown) 0 connection lost", line))

    def wait(self):
        self.process.wait(120)
        self.thread.join(10)
        return results(self.lines)

    def stop(self):
        self.process.kill()
        self.process.wait()


def test_postfix_killed(fresh_workdir):
    """Postfix dies again and again with messages in flight. Each message said to
    be accepted reaches the sink, and no attempt said to have failed does: all
    copies of a message carry the same queue id, since what Postfix sends twice
    after a crash it took once."""
    with Sink() as sink, Postfix(fresh_workdir, sink=sink) as postfix:
        tool = Running(postfix)
        try:
            for kill in range(1, KILLS + 1):
                wait_until(lambda: tool.settled() >= kill * MANY // (KILLS + 1), 60, "progress", 0.001)
                before = tool.losses()
                postfix.kill()
                wait_until(lambda: tool.losses() > before, 20, "the kill hits a message in flight")
                assert tool.process.poll() is None, "killed too late"
                postfix.start()
            found = tool.wait()
        finally:
            tool.stop()
        postfix.wait_empty(120)
        assert sorted(found) == list(range(MANY))
        last = {number: rows[-1][0] for number, rows in found.items()}
        taken = {}
        for mail in sink.mails:
            number = int(mail.headers("X-Number")[0])
            taken.setdefault(number, []).append(re.search(rb"\bid (\w+)", mail.header)[1])
            assert mail.body.endswith(b"\r\n") and len(mail.untraced) > 5900, "a message was cut"
        outcomes = Counter(last.values())
        assert set(outcomes) <= {"accepted", "unknown"}
        lost = [number for number, outcome in last.items() if outcome == "accepted" and number not in taken]
        assert not lost, f"accepted and lost: {lost}"
        twice = {number: ids for number, ids in taken.items() if len(set(ids)) > 1}
        assert not twice, f"said to have failed, yet taken: {twice}"
        unknown = [number for number, outcome in last.items() if outcome == "unknown"]
        print(
            f"count: submit: {KILLS} kills of Postfix, {MANY} messages: {outcomes['accepted']} accepted, none lost; "
            f"{len(unknown)} in doubt, of which {sum(n in taken for n in unknown)} had been taken; "
            f"{sum(len(rows) - 1 for rows in found.values())} attempts failed, none of them taken"
        )
